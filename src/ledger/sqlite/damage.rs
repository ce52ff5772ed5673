//! Moves a damaged ledger aside, after a full check.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, Result};

use super::db_file::{identity, set_aside};
use super::file::at;
use super::open::open;
use super::options::Options;
use super::salvage;
use super::schema::{self, KNOWN};
use super::store::WorkingSet;
use super::warning::Note;
use crate::ledger::maintenance::{Findings, compare};
use crate::ledger::{LedgerError, StoreError};
use crate::pricing::Pricer;

/// If a full check confirms the damage, moves the ledger aside and creates a new one that refers to it.
///
/// # Errors
/// When it can neither be moved aside nor created.
pub(crate) fn replace_damaged(
    path: &Path,
    options: Options,
    pricer: Arc<dyn Pricer>,
) -> std::result::Result<Vec<Note>, LedgerError> {
    let (seen, now) = (identity(path), options.now);
    let Err(what) = check(path) else { return Ok(Vec::new()) };
    // Another process may already have repaired it.
    if seen.is_none() || identity(path) != seen {
        return Ok(Vec::new());
    }
    let to = set_aside(path, now)?;
    let opened = open(path, options, pricer)?;
    salvage::begin(&opened.books.backing.conn, &to).map_err(|error| opened.books.because(&error))?;
    Ok([Note::SetAside { to, what }].into_iter().chain(opened.notes).collect())
}

/// Fully checks a file that this process does not have open. The error describes the damage. A file that cannot be
/// checked right now, because it is locked or on a full disk, does not count as damaged.
pub(super) fn check(path: &Path) -> std::result::Result<(), String> {
    let attempt = || -> Result<std::result::Result<(), String>, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        if let Err(what) = quick_check(&conn)? {
            return Ok(Err(what));
        }
        // Sums that are unknown because a newer version added them are not damage.
        match schema::version(&conn)? {
            KNOWN => {}
            newer if newer > KNOWN => return Ok(Ok(())),
            older => return Ok(Err(uncheckable(older))),
        }
        let mut findings = Findings::default();
        compare(&conn, &mut WorkingSet::default(), &mut findings)?;
        Ok(findings.problems.pop().map_or(Ok(()), Err))
    };
    match attempt().map_err(|error| at(path, error)) {
        Ok(checked) => checked,
        Err(LedgerError::Damaged { what, .. }) => Err(what),
        Err(_) => Ok(()),
    }
}

/// The error for a file whose sums belong to another schema.
fn uncheckable(found: i64) -> String {
    format!("schema {found} cannot be checked by a program that knows schema {KNOWN}")
}

/// Problems of an open file that do not show in its rows.
pub(super) fn problems(conn: &Connection) -> Result<Vec<String>> {
    let of_schema = || Ok(Some(schema::version(conn)?).filter(|found| *found != KNOWN).map(uncheckable));
    quick_check(conn)?.map_or_else(|what| Ok(Some(what)), |()| of_schema()).map(|problem| problem.into_iter().collect())
}

fn quick_check(conn: &Connection) -> Result<std::result::Result<(), String>> {
    let mut check = conn.prepare("PRAGMA quick_check(1)")?;
    let answer: String = check.query_row([], |row| row.get(0))?;
    Ok(if answer == "ok" { Ok(()) } else { Err(answer) })
}
