//! A temporary copy of another program's database.
//!
//! Agents' databases contain prompts. On Unix the files are unlinked as soon as SQLite has them open. If a process is
//! killed before that, the next process that makes a copy removes its folder.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ledger::has_ended;

/// Size limit for a database, together with its log, to be copied.
const LARGEST: u64 = 1 << 30;
/// Prefix of the folders' names, followed by the process id and the number of the copy.
const PREFIX: &str = "tokmeter-";

/// A copy in a folder that only this user can read.
pub(super) struct Copy {
    folder: PathBuf,
    pub(super) database: PathBuf,
}

impl Copy {
    /// Copies a database and its log to a new folder inside `within`.
    pub(super) fn make(within: &Path, path: &Path, wal: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        sweep(within);
        if fs::metadata(path)?.len().saturating_add(fs::metadata(wal)?.len()) > LARGEST {
            return Err(io::Error::other("its writer left a log behind, and the database is too large to copy"));
        }
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let folder = loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let folder = within.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match builder.create(&folder) {
                Ok(()) => break folder,
                // Left behind by a killed process with the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let copy = Self { database: folder.join("copy.db"), folder };
        fs::copy(path, &copy.database)?;
        fs::copy(wal, copy.folder.join("copy.db-wal"))?;
        Ok(copy)
    }

    /// Unlinks the open files, so that nothing remains if the process is killed. On systems other than Unix they stay
    /// until the end.
    pub(super) fn unname(&self) {
        if cfg!(unix) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of processes that have ended. Those of other users cannot be removed and stay.
fn sweep(within: &Path) {
    for entry in fs::read_dir(within).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = || {
            let (process, number) = name.to_str()?.strip_prefix(PREFIX)?.split_once('-')?;
            number.parse::<u32>().ok()?;
            process.parse::<i32>().ok()
        };
        if process().is_some_and(has_ended) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn k2_the_copies_of_killed_processes_are_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let ended = child.id();
        child.wait().unwrap();
        let gone = home.path().join(format!("{PREFIX}{ended}-3"));
        let kept = [
            format!("{PREFIX}{}-3", std::process::id()),
            format!("{PREFIX}{ended}-x"),
            format!("{PREFIX}{ended}"),
            "other".to_owned(),
        ];
        for folder in kept.iter().map(|name| home.path().join(name)).chain([gone.clone()]) {
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("copy.db"), "a prompt").unwrap();
        }
        let (database, wal) = (home.path().join("other/copy.db"), home.path().join("other/copy.db"));
        let copy = Copy::make(home.path(), &database, &wal).unwrap();
        assert!(!gone.exists());
        assert!(kept.iter().all(|name| home.path().join(name).join("copy.db").exists()));
        assert_eq!(fs::read(&copy.database).unwrap(), b"a prompt");
        copy.unname();
        assert!(!copy.folder.exists());
    }
}
