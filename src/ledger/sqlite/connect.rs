//! Connects to a database file and chooses its journal mode.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::file_names::{sqlite_uri, with_ending};
use super::options::{Options, WriteAccess};
use super::warning::Note;
use super::{full_disk, schema};

/// Pages collected in the write-ahead log before they are copied to the file. Under load a page is written many times
/// but copied only once.
const LOG_PAGES: i64 = 4000;
/// SQLite's page cache in KiB.
pub(super) const CACHE_KIB: i64 = 8_000;

pub(super) fn connect(path: &Path, standing: WriteAccess, options: &Options) -> rusqlite::Result<Connection> {
    let access = match standing {
        WriteAccess::Writable => OpenFlags::SQLITE_OPEN_READ_WRITE,
        WriteAccess::ReadOnly | WriteAccess::Full | WriteAccess::Newer { .. } => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let conn = match schema::version(&conn) {
        // A write-ahead log needs another file next to it, even for reading. If that cannot be created, there can be no
        // writer either, so open the database as immutable.
        Err(error) if standing == WriteAccess::ReadOnly && error.sqlite_error_code().is_some_and(needs_a_log) => {
            let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(sqlite_uri(path, "immutable=1"), flags)?
        }
        Err(error) if full_disk::no_room(path, &error) => return Err(error),
        Ok(_) | Err(_) => conn,
    };
    prepare(conn, options)
}

/// Connects to a ledger on a full disk without creating any files.
pub(super) fn connect_to_full_disk(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let log = fs::metadata(with_ending(path, "-wal"));
    let conn = if log.is_ok_and(|log| log.len() > 0) {
        // The last writer was killed, and the log holds its commits. In exclusive mode the log's index is kept in
        // memory. This connection writes only data that is already in the log.
        let conn =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(options.busy)?;
        conn.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
        conn.pragma_update(None, "query_only", true)?;
        conn
    } else {
        // There can be no writer, because it would need the index too.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(sqlite_uri(path, "immutable=1"), flags)?
    };
    prepare(conn, options)
}

/// Configures a connection.
fn prepare(conn: Connection, options: &Options) -> rusqlite::Result<Connection> {
    conn.busy_timeout(options.busy)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    if let Some(pages) = options.max_pages {
        conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(conn)
}

/// Delay before retrying a lock that SQLite does not wait for.
const AGAIN: Duration = Duration::from_millis(2);

pub(super) fn needs_a_log(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
}

/// Enables the write-ahead log where possible. Warns about other journal modes.
pub(super) fn journal(
    conn: &Connection,
    path: &Path,
    options: &Options,
    notes: &mut Vec<Note>,
) -> rusqlite::Result<()> {
    let network = (options.is_network)(path);
    let wanted = if network { "delete" } else { "wal" };
    let mut mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let since = Instant::now();
    while mode != wanted {
        // SQLite does not wait here by itself: when several processes open a new ledger at once, each has a lock that
        // the others need.
        match conn.query_row(&format!("PRAGMA journal_mode = {wanted}"), [], |row| row.get(0)) {
            Ok(set) => {
                mode = set;
                break;
            }
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && since.elapsed() < options.busy =>
            {
                thread::sleep(AGAIN);
                mode = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            }
            Err(error) => return Err(error),
        }
    }
    if network {
        conn.pragma_update(None, "synchronous", "FULL")?;
        notes.push(Note::Network { mode });
    } else if mode != wanted {
        conn.pragma_update(None, "synchronous", "FULL")?;
        notes.push(Note::Journal { mode });
    }
    Ok(())
}
