//! Opens ledgers on a full disk. There SQLite cannot create the index of its write-ahead log, without which it opens no
//! database, not even for reading; this module works around that.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Error, ErrorCode, ffi};

/// True when an existing ledger cannot be opened for want of disk space.
pub(super) fn no_room(path: &Path, error: &Error) -> bool {
    if !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return false;
    }
    match error.sqlite_error() {
        Some(ffi::Error { code: ErrorCode::DiskFull, .. }) => true,
        Some(ffi::Error { code: ErrorCode::SystemIoFailure, extended_code }) => {
            // Returned if not even the index's first three bytes can be written.
            matches!(
                *extended_code,
                ffi::SQLITE_IOERR_SHMSIZE
                    | ffi::SQLITE_IOERR_SHMOPEN
                    | ffi::SQLITE_IOERR_WRITE
                    | ffi::SQLITE_IOERR_TRUNCATE
            )
        }
        // SQLite gives no reason when it cannot create a file.
        Some(ffi::Error { code: ErrorCode::CannotOpen, .. }) => cannot_grow(path),
        Some(_) | None => false,
    }
}

/// True when no file can be created in the folder for want of space.
fn cannot_grow(path: &Path) -> bool {
    let probe = with_ending(path, &format!("-room-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    if made.is_ok() {
        // The probe is empty; failure to remove it is ignored.
        let _ = fs::remove_file(&probe);
    }
    made.is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// URI of a database opened as immutable.
pub(super) fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for letter in path.to_string_lossy().chars() {
        match letter {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            letter => uri.push(letter),
        }
    }
    uri + "?immutable=1"
}

pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
