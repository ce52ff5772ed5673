//! Names of the files that belong to a SQLite database.

use std::path::{Path, PathBuf};

use super::fs::Fs;
use crate::ledger::with_ending;

/// The write-ahead log of a database.
pub(super) fn wal_of(fs: &dyn Fs, path: &Path) -> PathBuf {
    with_ending(&place_of(fs, path), "-wal")
}

/// The rollback journal of a database.
pub(super) fn journal_of(fs: &dyn Fs, path: &Path) -> PathBuf {
    with_ending(&place_of(fs, path), "-journal")
}

/// The database's path with links resolved. On Unix, SQLite puts the log and the journal next to the link's target.
pub(super) fn place_of(fs: &dyn Fs, path: &Path) -> PathBuf {
    if cfg!(unix) { fs.canonical(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() }
}

/// The database that a write-ahead log belongs to.
pub(super) fn database_of_wal(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix("-wal")?;
    Some(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_named_like_its_database() {
        assert_eq!(database_of_wal(Path::new("/a/b.db-wal")), Some("/a/b.db".into()));
        assert_eq!(database_of_wal(Path::new("/a/b.db")), None);
    }
}
