//! Detects when another program's database in rollback-journal mode is at rest, so that it can be read without a lock.
//! A reader's shared lock would make the commit of a writer without a busy timeout fail.
//!
//! A writer locks the database before it changes the journal or any page, and increments the counter in the header with
//! each commit. A reader that finds no writer's lock, no journal, and the same counter before and after has read a
//! single state: a transaction that has started in between shows its lock, and one that has ended changes the counter.
//! A transaction that was rolled back changes only the file's timestamp, so when the read begins, the timestamp must
//! differ from the current time by more than the clock's resolution. None of this takes a lock: the system is only
//! asked who holds one.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::fs::{Fs, Stat, fill};
use super::sqlite_names::journal_of;

/// Longer than the resolution of file times on any system.
const GRAIN: Duration = Duration::from_millis(20);
/// How long to wait in one go for a writer to pause; the same as for its lock.
const LONGEST: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(5);
/// The bytes that SQLite locks: for a pending writer, a writer, and readers.
#[cfg(unix)]
const LOCKS: std::ops::Range<u64> = 0x4000_0000..0x4000_0200;
/// Position of the counter.
const COUNTER: u64 = 24;

/// The state of a database that no writer is using.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    stat: Stat,
    counter: [u8; 4],
}

impl Rest {
    /// True on systems that report who holds a lock.
    pub(super) const CAN_BE_SEEN: bool = cfg!(unix);

    /// The state of a database at rest; `None` while its writer does not pause.
    pub(super) fn wait(fs: &dyn Fs, path: &Path) -> Option<Self> {
        let begun = Instant::now();
        loop {
            if let Some(rest) = Self::now(fs, path).filter(Self::is_apart) {
                return Some(rest);
            }
            if begun.elapsed() >= LONGEST {
                return None;
            }
            std::thread::sleep(STEP);
        }
    }

    /// True when nothing has been written since.
    pub(super) fn holds(&self, fs: &dyn Fs, path: &Path) -> bool {
        Self::now(fs, path).as_ref() == Some(self)
    }

    /// The current state. It is taken both before and after asking for locks, and must not differ.
    fn now(fs: &dyn Fs, path: &Path) -> Option<Self> {
        let state = || {
            let mut counter = [0; 4];
            let file = fs.open(path).ok()?;
            (fill(&*file, &mut counter, COUNTER).ok()? == counter.len()).then_some(())?;
            Some(Self { stat: file.stat().ok()?, counter })
        };
        let before = state()?;
        let is_free = !is_locked(path)? && !has_journal(fs, path);
        (is_free && state()? == before).then_some(before)
    }

    /// True when any write from now on would get another timestamp. This also works if the current one is in the future
    /// or before 1970.
    fn is_apart(&self) -> bool {
        #[allow(clippy::disallowed_methods, reason = "compared with a stamp that the same clock has given")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        i128::try_from(now).unwrap_or(i128::MAX).abs_diff(self.stat.modified_ns.into()) > GRAIN.as_nanos()
    }
}

/// True when another process holds a writer's lock; `None` if that is unknown.
#[cfg(unix)]
fn is_locked(path: &Path) -> Option<bool> {
    use rustix::process::{Flock, FlockType, fcntl_getlk};
    let mut lock = Flock::from(FlockType::ReadLock);
    (lock.start, lock.length) = (LOCKS.start, LOCKS.end - LOCKS.start);
    fcntl_getlk(std::fs::File::open(path).ok()?, &lock).ok().map(|found| found.is_some())
}

#[cfg(not(unix))]
fn is_locked(_path: &Path) -> Option<bool> {
    None
}

/// True when a journal is in use. At the end of a transaction it is removed, truncated or overwritten with zeros.
fn has_journal(fs: &dyn Fs, path: &Path) -> bool {
    let mut first = [0];
    let Ok(file) = fs.open(&journal_of(fs, path)) else { return false };
    fill(&*file, &mut first, 0).is_ok_and(|count| count > 0 && first != [0])
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::ingest::OsFs;

    #[test]
    fn k2_a_stamp_in_the_future_or_before_1970_is_no_writer() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log.db");
        std::fs::write(&path, [0; 100]).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let (day, epoch) = (Duration::from_secs(86_400), SystemTime::UNIX_EPOCH);
        #[allow(clippy::disallowed_methods, reason = "a test may look at the clock")]
        let now = SystemTime::now();
        for stamp in [now + day, epoch, epoch - 20 * day, now - day] {
            file.set_modified(stamp).unwrap();
            assert!(Rest::now(&OsFs, &path).unwrap().is_apart(), "{stamp:?}");
        }
        file.set_modified(now + day).unwrap();
        let rest = Rest::wait(&OsFs, &path).unwrap();
        assert!(rest.holds(&OsFs, &path));
        file.set_modified(now).unwrap();
        assert!(!rest.holds(&OsFs, &path), "a write has another stamp");
    }
}
