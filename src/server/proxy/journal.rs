//! The journal: each call is on disk before the last byte of its response is passed on, so a killed proxy loses none.
//!
//! Every proxy has its own journal. When it is long, another one follows, and it is removed once its calls have been
//! booked. The next proxy moves the calls that a killed one left behind to the spool, which is read like any other log.
//! It also has the calls under way, each as it would be estimated if it ended now; of these the spool gets the ones
//! that did not end.

mod under_way;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::config::{JOURNALS, journals};
use crate::domain::{Call, HoldId};
use crate::formats;
use crate::ingest;

/// Size in bytes at which another journal follows.
const FULL: u64 = 1024 * 1024;
/// Maximum number of journals of processes with the same id, as in two containers.
const SAME: u32 = 100;
/// Maximum size in bytes of a journal that is taken over.
const LONGEST: u64 = 1024 * 1024 * 1024;

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    bytes: u64,
    /// The lines of the calls under way, by their ids.
    under_way: BTreeMap<String, String>,
    /// Lines about such calls that could not be written, as on a full disk.
    unwritten: String,
}

impl Journal {
    /// Opens a journal in the data folder, after taking over those that no process is writing any more.
    ///
    /// # Errors
    /// When no file can be created.
    pub(super) fn open(folder: &Path, spool: &Path) -> io::Result<Self> {
        for path in journals(folder) {
            // A journal that cannot be read now is left for the next run.
            let _ = take_over(&path, spool);
        }
        let folder = folder.join(JOURNALS);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&folder)?;
        let process = std::process::id();
        for number in 0..SAME {
            let path = folder.join(format!("{process}-{number}.jsonl"));
            let mut options = OpenOptions::new();
            options.append(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            // Others may read it (1), and not take it over while this process runs.
            #[cfg(windows)]
            std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 1);
            match options.open(&path) {
                Ok(file) if lock(&file) => {
                    return Ok(Self { file, path, bytes: 0, under_way: BTreeMap::new(), unwritten: String::new() });
                }
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Appends a call under way, as it is to be booked if this proxy is killed before the call ends. Replaces what was
    /// written for the same id.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin(&mut self, id: &str, calls: &[Call], hold: Option<HoldId>) -> io::Result<()> {
        let line = under_way::began(id, kept_lines(calls, hold));
        self.append(&line)?;
        self.under_way.insert(id.to_owned(), line);
        Ok(())
    }

    /// Appends the calls of a response and the end of its call in a single write, and with the last of them the amount
    /// held for them: another process may book them from here, and must not count them twice.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn end(&mut self, id: &str, calls: &[Call], hold: Option<HoldId>) -> io::Result<()> {
        let mut text = self.unwritten.clone();
        for line in kept_lines(calls, hold) {
            text += &line;
            text.push('\n');
        }
        let end = self.under_way.remove(id).map(|_| under_way::ended(id)).unwrap_or_default();
        text += &end;
        let written = self.append(&text);
        if written.is_ok() {
            self.unwritten.clear();
        } else {
            self.unwritten += &end;
        }
        written
    }

    /// Tries again to write what could not be written.
    pub(super) fn retry(&mut self) {
        let lines = std::mem::take(&mut self.unwritten);
        if self.append(&lines).is_err() {
            self.unwritten = lines;
        }
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        let written = self.file.write_all(text.as_bytes());
        if written.is_ok() {
            self.bytes += text.len() as u64;
        } else {
            // A line that was cut off, as on a full disk, must not be continued by the next one.
            let _ = self.file.set_len(self.bytes);
        }
        written
    }

    /// True when it is so long that another one should follow it, unless little would be gained because many calls are
    /// under way.
    pub(super) fn is_full(&self) -> bool {
        let open: usize = self.under_way.values().map(String::len).sum();
        self.bytes >= FULL && self.bytes >= 4 * open as u64
    }

    /// Begins the journal that follows this one, and moves the calls under way to it. What has ended stays in this one,
    /// which is to be removed once all of that has been booked.
    ///
    /// # Errors
    /// When that cannot be written. This journal is then still the one to write to.
    pub(super) fn followed(&mut self, folder: &Path, spool: &Path) -> io::Result<Self> {
        let mut next = Self::open(folder, spool)?;
        let open: String = self.under_way.values().map(String::as_str).collect();
        let moved: String = self.under_way.keys().map(|id| under_way::ended(id)).collect();
        // In both for a moment: a call under way is booked once, however many journals have it.
        if let Err(error) = next.append(&open).and_then(|()| self.append(&moved)) {
            next.remove();
            return Err(error);
        }
        next.under_way = std::mem::take(&mut self.under_way);
        next.unwritten = std::mem::take(&mut self.unwritten);
        Ok(next)
    }

    /// Removes it. Every call in it has been booked.
    pub(super) fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The lines of calls as a log has them; the last one names the amount held for them.
fn kept_lines(calls: &[Call], hold: Option<HoldId>) -> impl Iterator<Item = String> {
    let held = move |at: usize| hold.filter(|_| at + 1 == calls.len());
    calls.iter().enumerate().map(move |(at, call)| formats::kept_line(call, None, held(at)))
}

/// Moves the calls in a journal that no process is writing to the spool.
fn take_over(path: &Path, spool: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    if !lock(&file) {
        return Ok(());
    }
    // It is left where it is rather than moved in part.
    if file.metadata()?.len() > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    // A line that was cut off was never acknowledged.
    ingest::append_lines(spool, &under_way::to_book(&text))?;
    std::fs::remove_file(path)
}

/// Locks a journal for this process. Returns false if another process is writing it.
#[cfg(unix)]
fn lock(file: &File) -> bool {
    rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// On Windows, a journal that another process is writing cannot be opened for that.
#[cfg(not(unix))]
fn lock(_: &File) -> bool {
    true
}

#[cfg(test)]
impl Journal {
    /// Makes it count as full.
    pub(super) fn fill(&mut self) {
        self.append(&"\n".repeat(usize::try_from(FULL).unwrap())).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, CallKey, Instant, Label, Tokens};

    fn call(name: &str) -> Call {
        let from = Attribution::new(Instant::from_timestamp(1, 0).unwrap(), Label::new("proxy"));
        Call::new(CallKey::from_parts(&[name]), from, None, Tokens { input: 5, ..Tokens::ZERO })
    }

    #[test]
    fn a_journal_that_nobody_writes_goes_to_the_spool_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool.jsonl");
        // The file name used by earlier versions.
        let line = formats::kept_line(&call("old"), None, None) + "\n";
        std::fs::write(folder.path().join("proxy-1-0.jsonl"), &line).unwrap();
        let earlier = Journal::open(folder.path(), &spool).unwrap();
        assert_eq!((std::fs::read_to_string(&spool).unwrap(), journals(folder.path()).len()), (line, 1));
        earlier.remove();
        std::fs::remove_file(&spool).unwrap();
        let mut killed = Journal::open(folder.path(), &spool).unwrap();
        killed.end("1", &[call("a"), call("b")], Some(HoldId::new(7))).unwrap();
        killed.file.write_all(b"{\"cut").unwrap();
        let mut alive = Journal::open(folder.path(), &spool).unwrap();
        alive.end("1", &[call("c")], None).unwrap();
        assert!(!spool.exists() && journals(folder.path()).len() == 2);
        drop(killed);
        let next = Journal::open(folder.path(), &spool).unwrap();
        let text = std::fs::read_to_string(&spool).unwrap();
        assert_eq!(text.lines().map(|line| line.contains("\"hold\"")).collect::<Vec<_>>(), [false, true, false]);
        assert!(text.ends_with("{\"cut") && journals(folder.path()).len() == 2);
        next.remove();
        alive.remove();
        assert!(journals(folder.path()).is_empty());
    }

    #[test]
    fn calls_under_way_move_to_the_next_journal_and_their_ends_are_written_late_rather_than_never() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool.jsonl");
        let mut journal = Journal::open(folder.path(), &spool).unwrap();
        for id in ["open", "ended"] {
            journal.begin(id, &[call(id)], Some(HoldId::new(7))).unwrap();
        }
        journal.end("first", &[call("first")], None).unwrap();
        assert!(!journal.is_full());
        journal.bytes = FULL;
        assert!(journal.is_full());
        journal.bytes = std::fs::metadata(&journal.path).unwrap().len();
        let mut earlier = journal;
        let mut journal = earlier.followed(folder.path(), &spool).unwrap();
        drop(earlier);
        // As on a full disk.
        let file = std::mem::replace(&mut journal.file, File::open(&journal.path).unwrap());
        assert!(journal.end("ended", &[call("booked")], None).is_err());
        journal.file = file;
        journal.end("other", &[call("other")], None).unwrap();
        drop(journal);
        Journal::open(folder.path(), &spool).unwrap().remove();
        let text = std::fs::read_to_string(&spool).unwrap();
        let mut booked: Vec<&str> = text.lines().collect();
        let lines = [("first", None), ("other", None), ("open", Some(HoldId::new(7)))];
        let mut lines = lines.map(|(name, hold)| formats::kept_line(&call(name), None, hold));
        booked.sort_unstable();
        lines.sort_unstable();
        assert_eq!(booked, lines);
    }
}
