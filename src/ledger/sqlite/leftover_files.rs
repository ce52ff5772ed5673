//! Removes what processes that were killed left behind: files that carry the number of the process that made them.

use std::fs;
use std::path::Path;

/// Between the name of a ledger and the process that fills it, or copies it.
pub(super) const MARK: &str = "new-";

/// Removes the drafts and half-made copies of a ledger whose processes are gone, and what SQLite kept with them.
pub(super) fn remove_drafts(ledger: &Path) {
    let (Some(folder), Some(name)) = (ledger.parent(), ledger.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let mark = format!("{name}.{MARK}");
    remove_strays(folder, |name| {
        let rest = name.strip_prefix(&mark)?;
        Some(rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default())
    });
}

/// Removes the regular files in a folder that belong to a process which is gone. `process` finds in a file's name the
/// number of the process that made it; files whose name has none stay.
///
/// A process that is taken for gone and lives in another container loses a draft, and says that it could not write.
pub(crate) fn remove_strays(folder: &Path, process: impl Fn(&str) -> Option<&str>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(&process).and_then(|number| number.parse::<i32>().ok());
        if number.is_some_and(is_gone) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // What cannot be removed now is tried again by the next program.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(unix)]
fn is_gone(process: i32) -> bool {
    rustix::process::Pid::from_raw(process)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_gone(_process: i32) -> bool {
    false
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// The number of a process that has ended.
    fn ended() -> u32 {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", ":"]).spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn j18_what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, here) = (ended(), std::process::id());
        let strays = ["", "-2", "-wal", "-journal", "-schema-2"].map(|end| format!("ledger.db.new-{gone}{end}"));
        let kept = [
            "ledger.db".to_owned(),
            "ledger.db-wal".to_owned(),
            format!("ledger.db.new-{here}"),
            format!("other.db.new-{gone}"),
            format!("ledger.db.schema-{gone}"),
            format!("ledger.db.corrupt-{gone}"),
            "ledger.db.new-".to_owned(),
        ];
        for name in strays.iter().chain(&kept) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let linked = folder.path().join(format!("ledger.db.new-{gone}-link"));
        std::os::unix::fs::symlink(folder.path().join("ledger.db"), &linked).unwrap();
        remove_drafts(&folder.path().join("ledger.db"));
        assert!(strays.iter().all(|name| !folder.path().join(name).exists()));
        assert!(kept.iter().all(|name| folder.path().join(name).exists()));
        assert!(linked.exists());
    }
}
