//! Removes files that killed processes left behind, recognised by the process id in their names.

use std::fs;
use std::path::Path;

/// Separates a ledger's name from the id of the process that is filling or copying it.
pub(super) const MARK: &str = "new-";

/// Separates a ledger's name from the id of the process that creates a file to see whether there is room for one.
pub(super) const PROBE: &str = "-room-";

/// Removes drafts and partial copies of a ledger whose processes are gone, together with SQLite's files.
pub(super) fn remove_drafts(ledger: &Path) {
    let (Some(folder), Some(name)) = (ledger.parent(), ledger.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let (mark, probe) = (format!("{name}.{MARK}"), format!("{name}{PROBE}"));
    remove_strays(folder, |name| {
        let rest = name.strip_prefix(&mark).or_else(|| name.strip_prefix(&probe))?;
        Some(rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default())
    });
}

/// Removes regular files in a folder that belong to processes that have ended. `process` extracts the process id from a
/// file name; files without one are kept.
///
/// A process in another container may look as if it had ended. It then loses its draft and reports that it could not
/// write.
pub(crate) fn remove_strays(folder: &Path, process: impl Fn(&str) -> Option<&str>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(&process).and_then(|number| number.parse::<i32>().ok());
        if number.is_some_and(has_ended) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // The next run retries whatever fails here.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// True when no such process exists.
#[cfg(unix)]
pub(crate) fn has_ended(process: i32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    process > 0 && Pid::from_raw(process).is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

/// True when no such process exists. Never known on this operating system.
#[cfg(not(unix))]
pub(crate) fn has_ended(_process: i32) -> bool {
    false
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
    fn j18_what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, here) = (ended(), std::process::id());
        let strays = ["", "-2", "-wal", "-journal", "-schema-2"].map(|end| format!("ledger.db.new-{gone}{end}"));
        let strays = strays.into_iter().chain([format!("ledger.db-room-{gone}")]).collect::<Vec<_>>();
        let kept = [
            "ledger.db".to_owned(),
            format!("ledger.db-room-{here}"),
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
