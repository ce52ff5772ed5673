//! Opens ledgers on a full disk. SQLite cannot create the index of its write-ahead log there, and without that index it
//! opens no database, not even for reading. This module works around that.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

use super::file_names::with_ending;
use super::leftover_files::PROBE;

/// True when an existing ledger cannot be opened because the disk is full.
pub(super) fn no_room(path: &Path, error: &Error) -> bool {
    if !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return false;
    }
    match error.sqlite_error() {
        Some(ffi::Error { code: ErrorCode::DiskFull, .. }) => true,
        Some(ffi::Error { code: ErrorCode::SystemIoFailure, extended_code }) => {
            // The error when not even the first three bytes of the index can be written.
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

/// True when the folder's disk is too full to create a file.
fn cannot_grow(path: &Path) -> bool {
    let probe = with_ending(path, &format!("{PROBE}{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    if made.is_ok() {
        // The probe file is empty, so it does not matter if it cannot be removed.
        let _ = fs::remove_file(&probe);
    }
    made.is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}
