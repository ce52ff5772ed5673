//! Names of the files that belong to a SQLite database.

use std::path::{Path, PathBuf};

use super::fs::Fs;

/// The write-ahead log of a database.
pub(super) fn wal_of(fs: &dyn Fs, path: &Path) -> PathBuf {
    with(&place_of(fs, path), "-wal")
}

/// The rollback journal of a database.
pub(super) fn journal_of(fs: &dyn Fs, path: &Path) -> PathBuf {
    with(&place_of(fs, path), "-journal")
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

/// The path with this suffix appended.
pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
