//! Books on a disk that is full to the last byte: SQLite cannot make the index of its write-ahead log there, and without
//! it opens no database, not even to read. The books are read all the same.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ffi};

use super::Options;
use super::open::prepare;

/// True when a ledger that is there cannot be opened because the disk has no room.
pub(super) fn no_room(path: &Path, error: &Error) -> bool {
    if !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return false;
    }
    match error.sqlite_error() {
        Some(ffi::Error { code: ErrorCode::DiskFull, .. }) => true,
        Some(ffi::Error { code: ErrorCode::SystemIoFailure, extended_code }) => {
            // The second: not even the three bytes that an index begins with.
            matches!(
                *extended_code,
                ffi::SQLITE_IOERR_SHMSIZE
                    | ffi::SQLITE_IOERR_SHMOPEN
                    | ffi::SQLITE_IOERR_WRITE
                    | ffi::SQLITE_IOERR_TRUNCATE
            )
        }
        // SQLite gives no reason when it cannot make a file.
        Some(ffi::Error { code: ErrorCode::CannotOpen, .. }) => cannot_grow(path),
        Some(_) | None => false,
    }
}

/// True when the folder takes no further file for want of room.
fn cannot_grow(path: &Path) -> bool {
    let probe = with_ending(path, &format!("-room-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    if made.is_ok() {
        // It is empty; where it cannot be removed, nothing more can be done.
        let _ = fs::remove_file(&probe);
    }
    made.is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// Opens the books without the files that have no room.
pub(super) fn connect(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let log = fs::metadata(with_ending(path, "-wal"));
    let conn = if log.is_ok_and(|log| log.len() > 0) {
        // The last writer was stopped, and the log holds what it booked. Who has the database alone keeps the index in
        // memory. This connection writes nothing but what the log holds already.
        let conn =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(options.busy)?;
        conn.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
        conn.pragma_update(None, "query_only", true)?;
        conn
    } else {
        // Nobody can be writing: a writer needs the index too.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(immutable(path), flags)?
    };
    prepare(conn, options)
}

/// The address of a database that nobody writes.
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

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
