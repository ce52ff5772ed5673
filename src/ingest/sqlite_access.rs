//! Opens another program's SQLite database without leaving a trace: nothing in its folder is created, locked for
//! writing, checkpointed or recovered.
//!
//! The method depends on the files next to the database. While a writer has a WAL database open, its `-wal` and `-shm`
//! files exist. The `-shm` is then opened read-only (`readonly_shm`), so SQLite takes shared locks but never writes to
//! it. If nobody has it open, SQLite keeps the index in its own memory. A reader that finds the header of the `-shm` in
//! the middle of a commit asks for the writer's lock, as every reader does. If the commit has ended by then, it gets
//! the lock for a microsecond. Only in that moment could a writer without a busy timeout be refused. The alternative,
//! reading the log without locks and with an index in memory (`vfs=unix-none`, `locking_mode=EXCLUSIVE`), means reading
//! the whole log each time: 1.6 ms for 4 MB and 14 ms for 43 MB (SQLite 3.40, 2026-11-27), instead of 0.07 ms for any
//! length. Such a reader would also have to start over whenever a checkpoint changes pages.
//!
//! Without a `-wal` file, everything is in the database file. It is opened as `immutable`, and what was read counts
//! only if no log appeared and the file did not change meanwhile. A database with a rollback journal is read in the
//! same way once it is [at rest](super::sqlite_rest), so no lock is taken. A shared lock is taken only if the writer
//! does not pause for a few seconds, on network file systems, and on systems other than Unix. A `-wal` without a `-shm`
//! was left by a crash or a copy. SQLite can read it only with a new `-shm`, so a copy of the database is read.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fs::{Fs, fill};
use super::sqlite_copy::Copy;
use super::sqlite_names::place_of;
use super::sqlite_rest::Rest;
use crate::ledger::{sqlite_uri, with_ending};

/// The first bytes of every SQLite database.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Position of the byte that is 2 in a database in WAL mode.
const MODE: usize = 18;
/// How long to wait for a lock that the writer holds briefly.
const TIMEOUT: Duration = Duration::from_millis(100);

/// Error message when a database cannot be read because of its writer.
pub(super) const WRITER_STAYS: &str = "its writer holds a lock on the database";

/// An open database.
pub(super) struct Database {
    pub(super) connection: Connection,
    /// Rows count only if the file has not changed while they were read.
    pub(super) to_validate: bool,
    /// The state in which it is read without locks.
    rest: Option<Rest>,
    /// Removed when the database is closed: fields are dropped in this order.
    _copy: Option<Copy>,
}

impl Database {
    /// False when a writer has interfered with a database that is read without locks, so the data may be torn.
    pub(super) fn is_at_rest(&self, fs: &dyn Fs, path: &Path) -> bool {
        self.rest.is_none_or(|rest| rest.holds(fs, path))
    }
}

/// A file that may be a database.
pub(super) enum Found {
    Database(Database),
    /// A database whose writer does not pause.
    Busy,
    /// An empty file.
    Empty,
    /// Something else.
    Other,
}

/// Opens a database for reading, with a lock if its writer keeps interfering.
///
/// # Errors
/// As reported by the system or SQLite, without quoting any content of the database.
pub(super) fn open(fs: &dyn Fs, path: &Path, without_lock: bool) -> io::Result<Found> {
    let mut head = [0; 100];
    // Closed before SQLite opens it, because closing a file releases all locks that the process holds on it.
    let count = fill(&*fs.open(path)?, &mut head, 0)?;
    if count == 0 {
        return Ok(Found::Empty);
    }
    if !head.starts_with(MAGIC) {
        return Ok(Found::Other);
    }
    let path = &*place_of(fs, path);
    let (wal, shm) = (fs.stat(&with_ending(path, "-wal")), fs.stat(&with_ending(path, "-shm")));
    let has_log = wal.is_ok_and(|wal| wal.size > 0);
    let without_lock = without_lock && Rest::CAN_BE_SEEN && head[MODE] != 2 && !fs.is_remote(path);
    let rest = without_lock.then(|| Rest::wait(fs, path)).flatten();
    if without_lock && rest.is_none() {
        return Ok(Found::Busy);
    }
    let (connection, to_validate, copy) = match (head[MODE] == 2, has_log, shm.is_ok()) {
        (false, _, _) if without_lock => (connect(path, "mode=ro&immutable=1")?, true, None),
        (false, _, _) | (true, true, true) => (connect(path, "mode=ro&readonly_shm=1")?, false, None),
        (true, false, _) => (connect(path, "mode=ro&immutable=1")?, true, None),
        (true, true, false) => {
            let copy = Copy::make(&std::env::temp_dir(), path, &with_ending(path, "-wal"))?;
            (connect_to_copy(&copy)?, true, Some(copy))
        }
    };
    connection.busy_timeout(TIMEOUT).map_err(|error| why(&error))?;
    Ok(Found::Database(Database { connection, to_validate, rest, _copy: copy }))
}

/// The reason for an error, by its code alone. SQLite's messages may quote stored data.
pub(super) fn why(error: &rusqlite::Error) -> io::Error {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase, PermissionDenied, ReadOnly,
    };
    let words = match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => WRITER_STAYS,
        Some(ReadOnly | CannotOpen) => "the database waits for its writer to recover it",
        Some(DatabaseCorrupt | NotADatabase) => "the database is damaged",
        Some(PermissionDenied) => return io::ErrorKind::PermissionDenied.into(),
        Some(_) | None => "the database cannot be read",
    };
    io::Error::other(words)
}

fn connect(path: &Path, how: &str) -> io::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(sqlite_uri(path, how), flags).map_err(|error| why(&error))
}

/// Opens a copy and then unlinks it: after the first query, SQLite has its log and its index open.
fn connect_to_copy(copy: &Copy) -> io::Result<Connection> {
    let connection = connect(&copy.database, "mode=ro")?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).map_err(|error| why(&error))?;
    copy.unname();
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn k2_a_copy_has_no_name_while_it_is_read() {
        let home = tempfile::tempdir().unwrap();
        let [database, aside] = ["log.db", "aside.db"].map(|name| home.path().join(name));
        let writer = Connection::open(&database).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE prompts (text TEXT)").unwrap();
        writer.execute_batch("INSERT INTO prompts VALUES ('one'), ('two')").unwrap();
        for ending in ["", "-wal"] {
            std::fs::copy(with_ending(&database, ending), with_ending(&aside, ending)).unwrap();
        }
        let within = home.path().join("within");
        std::fs::create_dir(&within).unwrap();
        let copy = Copy::make(&within, &aside, &with_ending(&aside, "-wal")).unwrap();
        assert_eq!(std::fs::read_dir(&within).unwrap().count(), 1);
        let connection = connect_to_copy(&copy).unwrap();
        assert_eq!(std::fs::read_dir(&within).unwrap().count(), 0);
        for begin in ["BEGIN", "COMMIT", "BEGIN"] {
            connection.execute_batch(begin).unwrap();
            let found: i64 = connection.query_row("SELECT count(*) FROM prompts", [], |row| row.get(0)).unwrap();
            assert_eq!(found, 2);
        }
        drop((connection, copy));
        assert_eq!(std::fs::read_dir(&within).unwrap().count(), 0);
    }
}
