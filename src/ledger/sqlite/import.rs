//! Imports an export: checks every line before the books are touched, then books in short turns.

use std::io::{BufRead, Read as _};

use rusqlite::Connection;

use super::export_import::{self, BookedCost};
use super::{Sqlite, maintenance};
use crate::domain::{Call, Instant, Tokens, Usd};
use crate::ledger::{BooksError, Ledger};

/// Lines that are booked in one transaction: others may write again after each, a fraction of a second later.
const TURN: usize = 2_000;
/// The longest line of an export, in bytes: ten times what its longest names need.
const LONGEST: u64 = 1 << 20;
/// Refused lines that are named.
const NAMED: usize = 20;
/// More dollars than one call can cost.
const DEAREST: Usd = Usd::from_micro(1_000_000_000_000);

/// Outcome of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Calls booked or found to be known.
    pub calls: u64,
    /// Calls that were new, or added to what was known.
    pub told: u64,
    /// Lines refused because they hold what no log could hold.
    pub refused: u64,
    /// The first of them: the line, from 1, and the reason.
    pub first_refused: Vec<(u64, String)>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The books cannot be written.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// A line is not one of an export.
    #[error("line {line}: {what}; nothing was imported")]
    Line {
        /// Counted from 1.
        line: u64,
        /// The mistake.
        what: String,
    },
}

/// Why a line is refused.
pub(super) enum Wrong {
    /// It is not a line of an export, so the file is not one either.
    Foreign(String),
    /// It states a count, a cost or a time that no log could hold.
    Impossible(String),
}

/// Lines that were checked, in a temporary file that only this process knows.
struct Checked {
    conn: Connection,
}

impl Checked {
    /// An empty list. SQLite makes the file when the pages in memory no longer suffice, and removes its name at once.
    fn new() -> rusqlite::Result<Self> {
        let conn = Connection::open("")?;
        conn.execute_batch("CREATE TABLE lines(number INTEGER PRIMARY KEY, text TEXT NOT NULL); BEGIN")?;
        Ok(Self { conn })
    }

    fn keep(&self, number: u64, text: &str) -> rusqlite::Result<()> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.conn.prepare_cached("INSERT INTO lines VALUES(?, ?)")?.execute((number, text)).map(drop)
    }

    /// The next lines behind this one, and the number of the last.
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

impl Sqlite {
    /// Joins an export with these books. Calls that both have count once, and what was booked here stays as it was.
    ///
    /// Every line is read and checked first. A line that is none of an export refuses the whole file; a line that
    /// holds what no log could hold is refused alone. The rest is booked in turns: an import that is interrupted can
    /// be repeated.
    ///
    /// # Errors
    /// When the books cannot be written, or a line is not one of an export.
    pub fn import(&mut self, lines: &mut dyn BufRead) -> Result<Imported, ImportError> {
        self.flush()?;
        let mut imported = Imported::default();
        let checked = self.check(lines, &mut imported)?;
        let mut last = 0;
        loop {
            let (reached, texts) = checked.behind(last).map_err(|error| self.because(&error))?;
            if texts.is_empty() {
                return Ok(imported);
            }
            last = reached;
            self.write(|conn, working_set, pricer, step| {
                working_set.ignore_horizon();
                let machine = maintenance::machine(conn)?;
                for text in &texts {
                    // What was understood when it was checked is understood again.
                    let Ok(heard) = export_import::understand(text) else { continue };
                    let told = export_import::take(conn, working_set, heard, &machine)?;
                    imported.calls += u64::from(told.is_some());
                    imported.told += u64::from(told == Some(true));
                }
                working_set.settle(conn, pricer)?;
                working_set.write_changes(conn, step)
            })?;
        }
    }

    /// Reads every line and keeps those that can be booked.
    fn check(&self, lines: &mut dyn BufRead, imported: &mut Imported) -> Result<Checked, ImportError> {
        let checked = Checked::new().map_err(|error| self.because(&error))?;
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
            match export_import::understand(text) {
                Ok(_) => checked.keep(line, text).map_err(|error| self.because(&error))?,
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

/// Makes sure that a call holds nothing that no log could bring in.
///
/// # Errors
/// The impossible value.
pub(super) fn possible(call: &Call, cost: &BookedCost) -> Result<(), String> {
    let names = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"];
    for (name, count) in names.into_iter().zip(call.tokens.fields()) {
        if count > Tokens::MOST {
            return Err(format!("{name}_tokens is {count}, more than one call can use"));
        }
    }
    if u64::from(call.web_searches) > Tokens::MOST {
        return Err(format!("web_searches is {}, more than one call can make", call.web_searches));
    }
    let at: Instant = call.at();
    if !(0..253_402_300_800).contains(&at.timestamp()) {
        return Err(format!("at is {}, a time before 1970 or after 9999", at.format("%Y-%m-%d")));
    }
    if let Some(quoted) = call.quoted.filter(|usd| usd.is_negative() || *usd > DEAREST) {
        return Err(format!("quoted_usd is {quoted}, which no call costs"));
    }
    match cost {
        Some((usd, _)) if usd.is_negative() || *usd > DEAREST => {
            Err(format!("booked_usd is {usd}, which no call costs"))
        }
        Some((_, Some((saved, _)))) if *saved > DEAREST || *saved < Usd::ZERO - DEAREST => {
            Err(format!("saved_usd is {saved}, which no call saves"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The count that keeps a line from being one of an export, when that is all that is wrong with it: negative, with a
/// fraction, or greater than any counter.
pub(super) fn impossible_count(text: &str) -> Option<String> {
    let serde_json::Value::Object(line) = serde_json::from_str(text).ok()? else { return None };
    let is_call =
        ["key", "at", "source", "machine"].iter().all(|name| line.get(*name).is_some_and(serde_json::Value::is_string));
    let mut numbers = line.iter().filter(|(_, value)| value.is_number());
    let (name, value) = numbers.find(|(_, value)| !value.is_u64())?;
    is_call.then(|| format!("{name} is {value}, which is no count"))
}
