//! Salvages a damaged ledger: rows that are no longer in any log are copied to the ledger that replaces it.
//!
//! Logs come first: if a log has a call, it is not taken from the damaged rows, whose numbers may be wrong. The new
//! ledger records where the old one is, and the rest is copied once all logs have been read.

use std::path::{Path, PathBuf};

use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Result, params};

use super::file::{Home, Sqlite};
use super::row_mapping;
use super::schema::{COLUMNS, KNOWN, OF_KEY};
use super::store::WorkingSet;
use super::{facts, rollup, schema};
use crate::domain::{Filter, Instant, Record};
use crate::ledger::compact_row::{CompactRow, RowCost};
use crate::ledger::{Ledger, LedgerError, Sums};

/// Key in `meta` for the path of the damaged ledger.
const SALVAGE: &str = "salvage";
/// Keys in `meta` for the path of the last damaged ledger with calls that could not be recovered, and for their number
/// over all damaged ledgers, which is 0 if it is not known.
const LOST_FROM: &str = "lost_from";
const LOST_CALLS: &str = "lost_calls";
/// Rows copied per transaction.
const TOGETHER: usize = 5_000;
/// Unreadable time spans shorter than this, in seconds, are skipped.
const SHORTEST: i64 = 900;
/// Total number of times that unreadable spans may be halved.
const CUTS: u32 = 2_000;
/// Larger token counts are treated as damage.
const MOST_TOKENS: u64 = 1 << 40;

/// Result of a salvage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// Path of the damaged ledger.
    pub from: PathBuf,
    /// Number of recovered calls.
    pub calls: u64,
    /// Number of unreadable calls.
    pub lost: u64,
    /// True when there are more unreadable calls, but their number is unknown.
    pub unsure: bool,
}

/// Calls of a damaged ledger that are in no log and could not be recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Path of the damaged ledger.
    pub(crate) from: PathBuf,
    /// Their number; 0 if it is not known.
    pub(crate) calls: u64,
}

/// Copies the data that must be known before logs are read again into a new ledger: prune horizon and facts. Unreadable
/// entries are skipped.
pub(super) fn begin(conn: &Connection, aside: &Path) -> Result<()> {
    let path = aside.to_string_lossy();
    conn.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", params![SALVAGE, path])?;
    let Some(old) = open(aside) else { return Ok(()) };
    for name in ["machine", "horizon", "horizon_ns", LOST_FROM, LOST_CALLS] {
        let value = old.query_row("SELECT value FROM meta WHERE name = ?", [name], |row| row.get(0));
        if let Ok(value) = value {
            let value: rusqlite::types::Value = value;
            conn.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", params![name, value])?;
        }
    }
    facts::salvage(&old, conn)
}

/// Opens a damaged ledger for reading, if its schema is known.
fn open(path: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).ok()?;
    (schema::version(&conn).ok()? == KNOWN && !schema::is_foreign(&conn).ok()?).then_some(conn)
}

impl Sqlite {
    /// Path of the damaged ledger that this one replaced, while it still has rows to salvage.
    pub fn to_salvage(&self) -> Option<PathBuf> {
        if self.backing.home != Home::Place || self.backing.new_file.is_some() {
            return None;
        }
        self.meta::<String>(SALVAGE).map(PathBuf::from)
    }

    fn meta<T: FromSql>(&self, name: &str) -> Option<T> {
        let select = self.backing.conn.prepare_cached("SELECT value FROM meta WHERE name = ?");
        select.and_then(|mut select| select.query_row([name], |row| row.get(0)).optional()).ok().flatten()
    }

    /// Calls that no salvage could recover, as long as the damaged ledger is kept. Whoever removes it accepts the loss.
    pub(crate) fn lost(&self) -> Option<Lost> {
        let from = PathBuf::from(self.meta::<String>(LOST_FROM)?);
        let calls = self.meta::<i64>(LOST_CALLS).and_then(|calls| u64::try_from(calls).ok()).unwrap_or(0);
        from.exists().then_some(Lost { from, calls })
    }

    /// Salvages rows that are in no log. Call it after all logs have been read.
    ///
    /// # Errors
    /// When this ledger cannot be written. It can then be called again.
    pub fn salvage(&mut self) -> std::result::Result<Option<Salvaged>, LedgerError> {
        let Some(from) = self.to_salvage() else { return Ok(None) };
        self.flush()?;
        let mut salvaged = Salvaged { from: from.clone(), calls: 0, lost: 0, unsure: true };
        if let Some(old) = open(&from) {
            let mut read =
                Reader { conn: &old, working_set: WorkingSet::default(), cuts: CUTS, read: 0, newest: 0, gaps: false };
            // Without their descents, forks keep keys of their own.
            let _ = read.working_set.read_families(&old, true);
            let descents: Vec<Record> = read.descents();
            self.write(|conn, working_set, _, _| {
                descents.iter().try_for_each(|record| working_set.descend(conn, record))
            })?;
            let mut waiting: Vec<CompactRow> = Vec::new();
            let mut failed = None;
            let ends = read.ends();
            read.each(ends.0, ends.1, &mut |row, old_desk| {
                waiting.push(row);
                if waiting.len() >= TOGETHER && failed.is_none() {
                    match self.take_over(&mut waiting, old_desk) {
                        Ok(calls) => salvaged.calls += calls,
                        Err(error) => failed = Some(error),
                    }
                }
                failed.is_none()
            });
            if let Some(error) = failed {
                return Err(error);
            }
            salvaged.calls += self.take_over(&mut waiting, &mut read.working_set)?;
            let expected = expected(&old);
            salvaged.unsure = read.gaps && expected.is_none();
            salvaged.lost = expected.map_or(0, |expected| expected.saturating_sub(read.read));
            if let Some(expected) = expected.filter(|_| salvaged.lost > 0) {
                // Logs may have brought what could not be read.
                let until = Instant::from_timestamp(read.newest.saturating_add(1), 0);
                let there = self.sums(&Filter { until, ..Filter::default() })?.calls;
                salvaged.lost = salvaged.lost.min(expected.saturating_sub(there));
            }
        }
        self.note_lost(&salvaged)?;
        Ok(Some(salvaged))
    }

    /// Records that the salvage is over, and what was lost.
    fn note_lost(&mut self, salvaged: &Salvaged) -> std::result::Result<(), LedgerError> {
        let lost = (salvaged.lost > 0 || salvaged.unsure).then(|| {
            let earlier = self.lost().map_or(0, |lost| lost.calls);
            let calls = i64::try_from(earlier.saturating_add(salvaged.lost)).unwrap_or(i64::MAX);
            (salvaged.from.to_string_lossy().into_owned(), calls)
        });
        self.write(|conn, _, _, _| {
            if let Some((from, calls)) = &lost {
                let insert = "INSERT OR REPLACE INTO meta VALUES(?, ?)";
                conn.execute(insert, params![LOST_FROM, from])?;
                conn.execute(insert, params![LOST_CALLS, calls])?;
            }
            Ok(conn.execute("DELETE FROM meta WHERE name = ?", [SALVAGE]).map(drop)?)
        })
    }

    /// Writes the rows that this ledger does not have. Returns their number.
    fn take_over(&mut self, rows: &mut Vec<CompactRow>, old: &mut WorkingSet) -> std::result::Result<u64, LedgerError> {
        let rows = std::mem::take(rows);
        self.write(|conn, working_set, pricer, step| {
            let mut calls = 0;
            for row in &rows {
                let mut call = row.call(&old.state.names);
                call.fidelity = call.fidelity.as_read();
                if call.lineage.is_some() {
                    call.key = old.state.rooted(row.key, row.lineage);
                }
                working_set.read_families(conn, call.lineage.is_some())?;
                let mut compact = working_set.state.compact_row(&call);
                working_set.fetch(conn, compact.key)?;
                if working_set.state.row_store.shown_for(compact.key).is_some() {
                    continue;
                }
                compact.cost = match row.cost {
                    RowCost::Priced { usd, saved, price, is_guessed } => {
                        let price = old.state.names.label(price).cloned();
                        RowCost::Priced {
                            usd,
                            saved,
                            price: working_set.state.names.number(price.as_ref()),
                            is_guessed,
                        }
                    }
                    RowCost::Quoted(usd) => RowCost::Quoted(usd),
                    RowCost::Pending | RowCost::Unpriced => RowCost::Unpriced,
                };
                let machine = old.state.names.label(row.machine).cloned();
                compact.machine = working_set.state.names.number(machine.as_ref());
                calls += u64::from(working_set.take(conn, compact)?);
            }
            working_set.settle(conn, pricer)?;
            working_set.write_changes(conn, step)?;
            Ok(calls)
        })
    }
}

/// Number of calls in the damaged ledger according to its own sums, if those are readable.
fn expected(old: &Connection) -> Option<u64> {
    let mut all = Sums::default();
    let mut select = old.prepare("SELECT sums FROM rollup_days").ok()?;
    let mut found = select.query([]).ok()?;
    while let Some(row) = found.next().ok()? {
        for entry in rollup::entries(row.get_ref(0).ok()?.as_blob().ok()?) {
            all.add(&entry.ok()?.1);
        }
    }
    Some(all.calls)
}

/// Reads rows of a damaged ledger, skipping unreadable parts.
struct Reader<'a> {
    conn: &'a Connection,
    working_set: WorkingSet,
    cuts: u32,
    read: u64,
    /// Time of the newest row that was read, in seconds since 1970.
    newest: i64,
    gaps: bool,
}

impl Reader<'_> {
    fn descents(&self) -> Vec<Record> {
        let name = |number| self.working_set.state.names.label(number).cloned();
        let all = self.working_set.state.families.descents();
        all.filter_map(|(child, parent)| Some(Record::Descends { child: name(child)?, parent: name(parent)? }))
            .collect()
    }

    /// Range of row ids. If that is unreadable, a century from the year 2000.
    fn ends(&self) -> (i64, i64) {
        let end = |order: &str| {
            let select = format!("SELECT id FROM calls ORDER BY id {order} LIMIT 1");
            self.conn.query_row(&select, [], |row| row.get::<_, i64>(0)).ok()
        };
        let first = end("ASC").unwrap_or_else(|| row_mapping::first_id(946_684_800));
        let last = end("DESC").unwrap_or_else(|| row_mapping::first_id(946_684_800 + 100 * 31_557_600));
        (first, last.saturating_add(1))
    }

    /// Visits each readable row. Returns false if `each` stopped the scan.
    fn each(&mut self, from: i64, until: i64, each: &mut dyn FnMut(CompactRow, &mut WorkingSet) -> bool) -> bool {
        let mut next = from;
        match self.stretch(&mut next, until, each) {
            Ok(going) => going,
            // The error is somewhere after the last row that was read.
            Err(_) if next >= until => true,
            Err(_) if self.cuts == 0 || until - next <= row_mapping::first_id(SHORTEST) => {
                self.gaps = true;
                true
            }
            Err(_) => {
                self.cuts -= 1;
                let middle = next + (until - next) / 2;
                self.each(next, middle, each) && self.each(middle, until, each)
            }
        }
    }

    fn stretch(
        &mut self,
        next: &mut i64,
        until: i64,
        each: &mut dyn FnMut(CompactRow, &mut WorkingSet) -> bool,
    ) -> Result<bool> {
        let select = format!("SELECT {COLUMNS} FROM calls WHERE id >= ? AND id < ? ORDER BY id");
        let mut select = self.conn.prepare_cached(&select)?;
        let mut found = select.query([*next, until])?;
        while let Some(row) = found.next()? {
            let id: i64 = row.get(0)?;
            *next = id.saturating_add(1);
            let WorkingSet { state, ids, .. } = &mut self.working_set;
            // Skip a row that cannot be decoded; later ones may still be intact.
            let Ok(row) = row_mapping::read(row, self.conn, ids, &mut state.names) else {
                self.gaps = true;
                continue;
            };
            if !is_whole(self.conn, id, &row) {
                self.gaps = true;
                continue;
            }
            self.read += 1;
            self.newest = self.newest.max(row.at.timestamp());
            if !each(row, &mut self.working_set) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// True when the index agrees with the row's key and the row's numbers are plausible.
fn is_whole(conn: &Connection, id: i64, row: &CompactRow) -> bool {
    let find = format!("SELECT id FROM calls WHERE {OF_KEY}");
    let found = conn
        .prepare_cached(&find)
        .and_then(|mut find| find.query_row(row_mapping::of_key(row.key), |row| row.get::<_, i64>(0)));
    // An unreadable index does not count against the row.
    let known =
        !matches!(found, Ok(other) if id != other) && !matches!(found, Err(rusqlite::Error::QueryReturnedNoRows));
    known && row.tokens.fields().iter().all(|count| *count < MOST_TOKENS) && row.at.timestamp() > 0
}
