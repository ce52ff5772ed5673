//! Opens the ledger in any state: creates it, migrates it, moves a damaged file aside, or opens it read-only.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::connect::{connect, connect_to_full_disk, journal, needs_a_log};
use super::db_file::{back_up, current_copy, drop_copy, identity, irregular, make, set_aside};
use super::file::{Sqlite, SqliteFile, at};
use super::migrations::{MIGRATIONS, Migration, migrate};
use super::options::{Options, WriteAccess};
use super::schema::{self, KNOWN};
use super::store::WorkingSet;
use super::warning::Note;
use super::{files, full_disk, leftover_files, quick_check, salvage};
use crate::ledger::reading::Reading;
use crate::ledger::{LedgerError, StoreError};
use crate::pricing::Pricer;

/// An open ledger, and warnings about it.
pub struct Opened {
    /// The open ledger.
    pub books: Sqlite,
    /// Warnings for the user.
    pub notes: Vec<Note>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Opened").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// Opens the ledger at a path. Creates it and its folder if needed, readable only by the user.
///
/// # Errors
/// When it can be neither read nor created. The caller then uses [`crate::ledger::Memory`].
pub fn open(path: &Path, options: Options, pricer: Arc<dyn Pricer>) -> Result<Opened, LedgerError> {
    open_with(path, options, pricer, MIGRATIONS, KNOWN)
}

pub(super) fn open_with(
    path: &Path,
    options: Options,
    pricer: Arc<dyn Pricer>,
    migrations: &[Migration],
    known: i64,
) -> Result<Opened, LedgerError> {
    let mut notes = Vec::new();
    if let Some(what) = irregular(path) {
        return Err(LedgerError::Other { path: path.to_owned(), what });
    }
    if let Some(books) = Sqlite::begin_first_fill(path, &options, &pricer) {
        return Ok(Opened { books, notes });
    }
    for second_try in [false, true] {
        let seen = identity(path);
        match try_open(path, &options, migrations, known, &mut notes) {
            Ok((conn, standing)) => {
                if let Some(aside) = notes.iter().find_map(Note::set_aside) {
                    salvage::begin(&conn, aside).map_err(|error| at(path, &error))?;
                }
                let books = Sqlite::over(SqliteFile::new(path.to_owned(), conn, options, standing), pricer);
                return Ok(Opened { books, notes });
            }
            Err(LedgerError::Damaged { what, .. }) if !second_try && !options.read_only && seen.is_some() => {
                // Another process may have replaced it meanwhile.
                if identity(path) == seen {
                    notes.push(Note::SetAside { to: set_aside(path, options.now)?, what });
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(LedgerError::Damaged { path: path.to_owned(), what: "it is damaged again and again".to_owned() })
}

fn try_open(
    path: &Path,
    options: &Options,
    migrations: &[Migration],
    known: i64,
    notes: &mut Vec<Note>,
) -> Result<(Connection, WriteAccess), LedgerError> {
    let step = |name| {
        if let Some(step) = &options.step {
            step(name);
        }
    };
    let mut standing = if options.read_only { WriteAccess::ReadOnly } else { WriteAccess::Writable };
    if standing == WriteAccess::Writable
        && let Err(error) = make(path)
    {
        let denied = matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
        if !denied {
            return Err(LedgerError::Other { path: path.to_owned(), what: error.to_string() });
        }
        if !path.exists() {
            return Err(LedgerError::ReadOnly { path: path.to_owned() });
        }
        standing = WriteAccess::ReadOnly;
        notes.push(Note::ReadOnly { path: path.to_owned() });
    }
    if standing == WriteAccess::Writable {
        leftover_files::remove_drafts(path);
    }
    step("opened file");
    let because = |error| at(path, &error);
    let mut connected = connect(path, standing, options);
    if connected.as_ref().is_err_and(|error| full_disk::no_room(path, error)) {
        // Existing data can still be read.
        connected = connect_to_full_disk(path, options);
        if standing == WriteAccess::Writable {
            standing = WriteAccess::Full;
            notes.push(Note::Full { path: path.to_owned() });
        }
    }
    let mut conn = connected.map_err(|error| {
        // SQLite's message gives no reason. The file exists, so it must be the permissions.
        let denied = error.sqlite_error_code().is_some_and(needs_a_log) && standing == WriteAccess::ReadOnly;
        if denied && path.exists() { LedgerError::ReadOnly { path: path.to_owned() } } else { because(error) }
    })?;
    let found = schema::version(&conn).map_err(because)?;
    if schema::is_foreign(&conn).map_err(because)? {
        let what = "it is a database of another program; name another place with --data-dir".to_owned();
        return Err(LedgerError::Other { path: path.to_owned(), what });
    }
    if found < 0 {
        return Err(LedgerError::Damaged { path: path.to_owned(), what: format!("schema {found}") });
    }
    if found > known {
        // A newer version may have added to the tables. If it changed existing tables, they cannot be read.
        if !is_understood(&conn) {
            return Err(LedgerError::Newer { path: path.to_owned(), found, known });
        }
        notes.push(Note::Newer { found });
        return Ok((conn, WriteAccess::Newer { found }));
    }
    let look = |conn: &Connection| {
        if options.quick_check == 0 {
            return Ok(());
        }
        let looked = quick_check::quick_check(conn, options.quick_check).map_err(|error| at(path, error))?;
        looked.map_err(|what| LedgerError::Damaged { path: path.to_owned(), what })
    };
    if standing != WriteAccess::Writable {
        if found == known {
            look(&conn)?;
            return Ok((conn, standing));
        }
        let path = path.to_owned();
        return Err(if standing == WriteAccess::Full {
            LedgerError::Full { path }
        } else {
            LedgerError::ReadOnly { path }
        });
    }
    journal(&conn, path, options, notes).map_err(because)?;
    if found == 0 {
        step("create");
        schema::create(&mut conn).map_err(because)?;
    } else if found < known {
        let why = format!("schema-{found}");
        let backup = current_copy(path, &why).map_or_else(|| back_up(&conn, path, &why), Ok).map_err(because)?;
        step("backed up");
        if let Err(error) = migrate(&mut conn, migrations, &step) {
            // The ledger is unchanged. Every run retries the migration, so one backup is enough.
            drop_copy(path, &why, &backup);
            return Err(because(error));
        }
        // Return the space of the old tables. If there is not enough room for that, SQLite reuses it later.
        let _ = conn.execute_batch("VACUUM");
        notes.push(Note::Migrated { from: found, backup });
    } else {
        look(&conn)?;
    }
    Ok((conn, standing))
}

/// True when a newer version's tables can be read like ours: they have everything that queries need, and the newest
/// sums are consistent.
fn is_understood(conn: &Connection) -> bool {
    let read = || -> Result<bool, StoreError> {
        let mut working_set = WorkingSet::default();
        files::read_files(conn)?;
        working_set.read_families(conn, true)?;
        let newest = crate::domain::Filter::default();
        Reading::new(conn, &mut working_set).newest(&newest, 10)?;
        Reading::new(conn, &mut working_set).sums(&newest)?;
        conn.prepare("SELECT space, key, at, value FROM facts")?;
        Ok(quick_check::quick_check(conn, NEWEST)?.is_ok())
    };
    read().unwrap_or(false)
}

/// Number of sums checked in a ledger from a newer version.
const NEWEST: usize = 2_000;

#[cfg(test)]
mod tests;
