//! A temporary folder of a command, removed when the command is done or, after it was killed, by its next run.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ledger::has_ended;

/// A folder that is removed on drop.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Creates a folder for a command (`selftest`), which only this user can enter. Removes those that killed runs of
    /// the command left behind.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn new(command: &str) -> io::Result<Self> {
        // Watched paths are compared with the system's own names for them.
        Self::within(&fs::canonicalize(std::env::temp_dir())?, command)
    }

    fn within(folder: &Path, command: &str) -> io::Result<Self> {
        /// Tells two folders of one process apart.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        remove_leftovers(folder, command);
        let own = std::process::id();
        loop {
            let nth = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("tokmeter-{command}-{own}-{nth}"));
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                // Left by an earlier process with the same id, or put there by another user.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && nth < u32::MAX => {}
                created => return created.map(|()| Self(path)),
            }
        }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next run retries.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes this user's folders with names of this command whose processes have ended. Links are neither followed nor
/// removed.
fn remove_leftovers(folder: &Path, command: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| process_of(name, command));
        // The metadata of an entry are those of a link itself.
        if process.is_some_and(has_ended) && entry.metadata().is_ok_and(|facts| facts.is_dir() && is_own(&facts)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that created the folder with this name.
fn process_of(name: &str, command: &str) -> Option<i32> {
    let rest = name.strip_prefix("tokmeter-")?.strip_prefix(command)?.strip_prefix('-')?;
    let (process, nth) = rest.split_once('-')?;
    let is_plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let digits = process.bytes().all(|byte| byte.is_ascii_digit());
    (digits && is_plain(nth)).then(|| process.parse().ok())?
}

#[cfg(unix)]
fn is_own(facts: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    facts.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_own(_: &fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// The id of a process that has ended.
    fn ended() -> u32 {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", ":"]).spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn j18_a_killed_runs_folder_is_removed_by_the_next_run_and_nothing_else_is() {
        let base = tempfile::tempdir().unwrap();
        let (gone, here) = (ended(), std::process::id());
        let at = |name: &str| base.path().join(name);
        let strays = [format!("tokmeter-bench-{gone}-0"), format!("tokmeter-bench-{gone}-40123-Limits")];
        let kept = [
            format!("tokmeter-bench-{here}-40123-Proxy"),
            format!("tokmeter-selftest-{gone}-0"),
            format!("tokmeter-bench-{gone}"),
            format!("tokmeter-bench-{gone}-"),
            format!("tokmeter-bench-{gone}-a b"),
            format!("tokmeter-bench-x{gone}-0"),
            format!("my-tokmeter-bench-{gone}-0"),
        ];
        for name in strays.iter().chain(&kept) {
            fs::create_dir_all(at(name).join("data")).unwrap();
            fs::write(at(name).join("data/ledger.db"), "").unwrap();
        }
        // What a link points to stays, both in place of a folder and in one.
        std::os::unix::fs::symlink(at(&kept[1]), at(&format!("tokmeter-bench-{gone}-7"))).unwrap();
        std::os::unix::fs::symlink(at(&kept[1]), at(&strays[0]).join("link")).unwrap();
        fs::write(at(&format!("tokmeter-bench-{gone}-8")), "").unwrap();
        let scratch = Scratch::within(base.path(), "bench").unwrap();
        assert!(strays.iter().all(|name| !at(name).exists()));
        assert!(kept.iter().all(|name| at(name).join("data/ledger.db").exists()));
        assert!(
            at(&format!("tokmeter-bench-{gone}-7")).is_symlink() && at(&format!("tokmeter-bench-{gone}-8")).exists()
        );
        let path = scratch.path().to_owned();
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);
        drop(scratch);
        assert!(!path.exists());
    }
}
