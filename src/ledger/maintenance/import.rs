//! Imports an export. Checks every line first, then writes in short transactions.

use std::io::{BufRead, Read as _};

use rusqlite::Connection;

use super::export_line::{self, Parsed, Wrong};
use super::restore_pruned::RestoredSessions;
use crate::ledger::books::{Backing, Books};
use crate::ledger::store::Store as _;
use crate::ledger::{Ledger, LedgerError, StoreError};

/// Lines per transaction. Between transactions, which take a fraction of a second, other processes can write.
const TURN: usize = 2_000;
/// Longest accepted line in bytes: ten times what the longest names need.
const LONGEST: u64 = 1 << 20;
/// Maximum number of rejected lines that are listed.
const NAMED: usize = 20;
/// Outcome of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Calls imported, including ones already known.
    pub calls: u64,
    /// Calls that were new or had new data.
    pub new: u64,
    /// Lines rejected for implausible values.
    pub refused: u64,
    /// The first rejected lines: line number from 1, and reason.
    pub first_refused: Vec<(u64, String)>,
}

/// Why the import as a whole failed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The ledger cannot be written.
    #[error(transparent)]
    Books(#[from] LedgerError),
    /// A line does not belong to an export.
    #[error("line {line}: {what}; nothing was imported")]
    Line {
        /// Line number from 1.
        line: u64,
        /// The problem.
        what: String,
    },
}

/// Checked lines, stored in an anonymous temporary database.
struct Checked {
    conn: Connection,
}

impl Checked {
    /// An empty list. SQLite creates the file once its page cache is full and unlinks it at once.
    fn new() -> rusqlite::Result<Self> {
        let conn = Connection::open("")?;
        conn.execute_batch("CREATE TABLE lines(number INTEGER PRIMARY KEY, text TEXT NOT NULL); BEGIN")?;
        Ok(Self { conn })
    }

    fn keep(&self, number: u64, text: &str) -> rusqlite::Result<()> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.conn.prepare_cached("INSERT INTO lines VALUES(?, ?)")?.execute((number, text)).map(drop)
    }

    /// The lines that follow this one, and the number of the last of them.
    fn behind(&self, last: i64) -> rusqlite::Result<(i64, Vec<String>)> {
        let mut find = self.conn.prepare_cached("SELECT number, text FROM lines WHERE number > ? ORDER BY number")?;
        let mut rows = find.query([last])?;
        let (mut reached, mut texts) = (last, Vec::new());
        while texts.len() < TURN
            && let Some(row) = rows.next()?
        {
            reached = row.get(0)?;
            texts.push(row.get(1)?);
        }
        Ok((reached, texts))
    }
}

impl<B: Backing> Books<B> {
    /// Merges an export into this ledger. Calls that are in both count once, and costs already booked here are kept.
    ///
    /// Every line is read and checked first. A line that is not part of an export rejects the whole file; a line with
    /// implausible values is skipped. The rest is written in several transactions, so an interrupted import can be
    /// repeated.
    ///
    /// # Errors
    /// When the ledger cannot be written, or a line is not part of an export.
    pub fn import(&mut self, lines: &mut dyn BufRead) -> Result<Imported, ImportError> {
        self.flush()?;
        let mut imported = Imported::default();
        let checked = self.check(lines, &mut imported)?;
        let mut last = 0;
        loop {
            let (reached, texts) = checked.behind(last).map_err(|error| self.backing.error(StoreError::from(error)))?;
            if texts.is_empty() {
                return Ok(imported);
            }
            last = reached;
            self.write(|store, working_set, pricer, step| {
                working_set.ignore_horizon();
                let mut back = RestoredSessions::default();
                let machine = store.machine()?;
                for text in &texts {
                    // This cannot fail: the line was parsed when it was checked.
                    let Ok(parsed) = export_line::parse(text) else { continue };
                    if let Parsed::Bill(bill, missing) = &parsed {
                        back.bill::<B::Store>(working_set, bill, missing);
                    }
                    let is_new = export_line::take(store, working_set, parsed, &machine)?;
                    imported.calls += u64::from(is_new.is_some());
                    imported.new += u64::from(is_new == Some(true));
                }
                working_set.settle(store, pricer)?;
                if back.balance(store, working_set)? {
                    working_set.settle(store, pricer)?;
                }
                working_set.write_changes(store, step)?;
                back.write(store, working_set, step)
            })?;
        }
    }

    /// Reads every line and keeps the valid ones.
    fn check(&self, lines: &mut dyn BufRead, imported: &mut Imported) -> Result<Checked, ImportError> {
        let checked = Checked::new().map_err(|error| self.backing.error(StoreError::from(error)))?;
        let mut line = 0_u64;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            line += 1;
            let wrong = |what: String| ImportError::Line { line, what };
            lines.take(LONGEST + 1).read_until(b'\n', &mut bytes).map_err(|error| wrong(error.to_string()))?;
            if bytes.is_empty() {
                return Ok(checked);
            }
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST {
                return Err(wrong("not a line of an export: it is longer than 1 MiB".to_owned()));
            }
            let text = std::str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?.trim();
            if text.is_empty() {
                continue;
            }
            match export_line::parse(text) {
                Ok(_) => checked.keep(line, text).map_err(|error| self.backing.error(StoreError::from(error)))?,
                Err(Wrong::Foreign(what)) => return Err(wrong(what)),
                Err(Wrong::Impossible(what)) => {
                    imported.refused += 1;
                    if imported.first_refused.len() < NAMED {
                        imported.first_refused.push((line, what));
                    }
                }
            }
        }
    }
}
