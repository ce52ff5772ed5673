//! Overview of the file, and its maintenance.

use std::path::{Path, PathBuf};

use rusqlite::Result;

use super::file::Sqlite;
use super::file_names::with_ending;
use super::meta::{self, meta};
use super::rollup_delta::moment;
use super::schema;
use crate::domain::{Filter, Instant, Label};
use crate::ledger::store::Store as _;
use crate::ledger::{Checkpoint, Ledger, LedgerError, StoreError, Sums};

/// How long checkpoints are kept once their log is gone: it may be on an unmounted disk.
const LONG_GONE: chrono::Duration = chrono::Duration::days(90);

/// Overview of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Path of the database.
    pub path: PathBuf,
    /// Schema version.
    pub schema: i64,
    /// Id of this machine in exports.
    pub machine: String,
    /// Sums of all calls.
    pub sums: Sums,
    /// Number of sessions.
    pub sessions: u64,
    /// Logs read so far, including deleted ones.
    pub files: u64,
    /// Times of the first and last call.
    pub span: Option<(Instant, Instant)>,
    /// Calls dated in the future, because the writer's clock or ours is wrong.
    pub future_calls: u64,
    /// Calls before this were pruned.
    pub pruned_before: Option<Instant>,
    /// Number of calls imported from each machine.
    pub imported: Vec<(Label, u64)>,
    /// Number of calls per price; `None` for calls without a price.
    pub prices: Vec<(Option<Label>, u64)>,
    /// Size on disk in bytes, including the write-ahead log.
    pub bytes: u64,
}

impl Sqlite {
    /// Overview of the ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn info(&self, now: Instant) -> std::result::Result<Info, LedgerError> {
        let sums = self.sums(&Filter::default())?;
        let future = self.sums(&Filter { since: Some(now), ..Filter::default() })?;
        let ask = || -> std::result::Result<Info, StoreError> {
            let conn = &self.backing.conn;
            let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
            let names = |sql: &str| -> Result<Vec<(Option<Label>, u64)>> {
                let mut select = conn.prepare(sql)?;
                let named = select.query_map([], |row| {
                    let name: Option<String> = row.get(0)?;
                    Ok((name.map(|name| Label::new(&name)), row.get::<_, i64>(1)?.cast_unsigned()))
                })?;
                named.collect()
            };
            let ends = "SELECT (SELECT id >> 20 FROM calls ORDER BY id LIMIT 1), (SELECT id >> 20 FROM calls ORDER BY id DESC LIMIT 1)";
            let span: (Option<i64>, Option<i64>) = conn.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let imported = names(
                "SELECT name, count(*) FROM calls JOIN labels ON labels.id = rare ->> 3 WHERE rare IS NOT NULL
                 GROUP BY name ORDER BY name",
            )?;
            Ok(Info {
                path: self.backing.path.clone(),
                schema: schema::version(conn)?,
                machine: conn.machine()?,
                sums,
                sessions: count("SELECT count(DISTINCT session) FROM sessions WHERE first IS NOT NULL")?,
                files: count(&format!(
                    "SELECT count(*) FROM files WHERE path <> CAST('{}' AS BLOB)",
                    Checkpoint::TELEMETRY
                ))?,
                span: moment(span.0, Some(0)).zip(moment(span.1, Some(0))),
                future_calls: future.calls,
                pruned_before: meta::horizon(conn)?,
                imported: imported.into_iter().filter_map(|(name, calls)| Some((name?, calls))).collect(),
                prices: names(
                    "SELECT name, count(*) FROM calls LEFT JOIN prices ON prices.id = price GROUP BY price ORDER BY name",
                )?,
                bytes: size(&self.backing.path),
            })
        };
        ask().map_err(|error| self.because(error))
    }

    /// Returns unused space to the file system.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn compact(&mut self) -> std::result::Result<(), LedgerError> {
        self.write(|_, _, _, _| Ok(()))?;
        if let Some(step) = &self.backing.options.step {
            step("vacuum");
        }
        self.backing.conn.execute_batch("VACUUM").map_err(|error| self.because(&error))
    }

    /// Once a day, removes the checkpoints of deleted logs that were last written over three months ago. Their calls
    /// stay.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn tidy(&mut self, now: Instant) -> std::result::Result<(), LedgerError> {
        let today = now.timestamp().div_euclid(86_400);
        let done = meta(&self.backing.conn, "tidied").map_err(|error| self.because(&error))?;
        if self.is_read_only() || done == Some(today) {
            return Ok(());
        }
        let before = now.checked_sub_signed(LONG_GONE).and_then(|at| at.timestamp_nanos_opt()).unwrap_or(0);
        self.write(|conn, _, _, _| {
            super::files::forget_gone(conn, before)?;
            Ok(conn.execute("INSERT OR REPLACE INTO meta VALUES('tidied', ?)", [today]).map(drop)?)
        })
    }
}

fn size(path: &Path) -> u64 {
    let of = |ending: &str| std::fs::metadata(with_ending(path, ending)).map_or(0, |metadata| metadata.len());
    of("") + of("-wal")
}
