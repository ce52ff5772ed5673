//! Full check of the file, and of all derived data against the rows.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, Result};

use super::compare::{Findings, compare};
use super::db_file::{identity, set_aside};
use super::file::{Sqlite, at};
use super::open::open;
use super::options::Options;
use super::salvage;
use super::schema::{self, KNOWN};
use super::store::WorkingSet;
use super::warning::Note;
use crate::ledger::BooksError;
use crate::pricing::Pricer;

impl Sqlite {
    /// Checks the file, and its sums against its rows.
    ///
    /// # Errors
    /// When the ledger cannot be read at all.
    pub fn verify(&self) -> std::result::Result<Findings, BooksError> {
        let attempt = || {
            let _snapshot = self.backing.conn.unchecked_transaction()?;
            let mut findings = Findings::default();
            if let Err(what) = quick_check(&self.backing.conn)? {
                findings.problems.push(what);
                return Ok(findings);
            }
            compare(&self.backing.conn, &mut self.working_set.borrow_mut(), &mut findings)?;
            Ok(findings)
        };
        let found: Result<Findings> = attempt();
        match found.map_err(|error| self.because(&error)) {
            Err(BooksError::Damaged { what, .. }) => Ok(Findings { calls: 0, problems: vec![what] }),
            Ok(findings) => {
                self.backing.damaged.set(self.backing.damaged.get() || !findings.problems.is_empty());
                Ok(findings)
            }
            Err(error) => Err(error),
        }
    }
}

/// Moves a damaged ledger aside if a full check confirms the damage, and creates a new one that refers to it.
///
/// # Errors
/// When it can be neither moved aside nor created.
pub(crate) fn mend(
    path: &Path,
    options: Options,
    pricer: Arc<dyn Pricer>,
) -> std::result::Result<Vec<Note>, BooksError> {
    let (seen, now) = (identity(path), options.now);
    let Err(what) = check(path) else { return Ok(Vec::new()) };
    // Another process may have repaired it already.
    if seen.is_none() || identity(path) != seen {
        return Ok(Vec::new());
    }
    let to = set_aside(path, now)?;
    let opened = open(path, options, pricer)?;
    salvage::begin(&opened.books.backing.conn, &to).map_err(|error| opened.books.because(&error))?;
    Ok([Note::SetAside { to, what }].into_iter().chain(opened.notes).collect())
}

/// Full check of a file that this process does not have open; the error describes the damage. A file that cannot be
/// checked now, on a full disk or while locked, does not count as damaged.
pub(super) fn check(path: &Path) -> std::result::Result<(), String> {
    let attempt = || -> Result<std::result::Result<(), String>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        if let Err(what) = quick_check(&conn)? {
            return Ok(Err(what));
        }
        if schema::version(&conn)? > KNOWN {
            // Unknown sums of a newer version are no damage.
            return Ok(Ok(()));
        }
        let mut findings = Findings::default();
        compare(&conn, &mut WorkingSet::default(), &mut findings)?;
        Ok(findings.problems.pop().map_or(Ok(()), Err))
    };
    match attempt().map_err(|error| at(path, &error)) {
        Ok(checked) => checked,
        Err(BooksError::Damaged { what, .. }) => Err(what),
        Err(_) => Ok(()),
    }
}

fn quick_check(conn: &Connection) -> Result<std::result::Result<(), String>> {
    let mut check = conn.prepare("PRAGMA quick_check(1)")?;
    let said: String = check.query_row([], |row| row.get(0))?;
    Ok(if said == "ok" { Ok(()) } else { Err(said) })
}
