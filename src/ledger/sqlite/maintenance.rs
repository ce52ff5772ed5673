//! Maintenance commands: info, prune, compact, reprice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Result, params};

use super::bill;
use super::db_file::back_up;
use super::file::Sqlite;
use super::insert::Inserter;
use super::meta::meta;
use super::rollup_delta::{Tally, moment};
use super::row_mapping;
use super::schema;
use super::schema::{COLUMNS, OF_KEY};
use super::store::WorkingSet;
use crate::domain::{Filter, Instant, Label, Usd};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::merge_state::MergeState;
use crate::ledger::row_pricer::RowPricer;
use crate::ledger::{BooksError, Ledger, Memory, Query, Report, Sums};
use crate::pricing::Pricer;

/// How long checkpoints outlive their logs, which may be on an unmounted disk.
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
    /// Logs read so far, deleted ones included.
    pub files: u64,
    /// Times of the first and last call.
    pub span: Option<(Instant, Instant)>,
    /// Calls dated in the future: the writer's clock or ours is wrong.
    pub future_calls: u64,
    /// Calls before this were pruned.
    pub pruned_before: Option<Instant>,
    /// Number of calls imported from each machine.
    pub imported: Vec<(Label, u64)>,
    /// Number of calls per price; `None` for calls without one.
    pub prices: Vec<(Option<Label>, u64)>,
    /// Size on disk in bytes, with the write-ahead log.
    pub bytes: u64,
}

/// Effect of repricing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    /// Calls whose cost or price changes.
    pub calls: u64,
    /// Their booked cost.
    pub before: Usd,
    /// Their new cost.
    pub after: Usd,
    /// Changes per (booked price, new price); `None` is no price.
    pub by_price: BTreeMap<(Option<Label>, Option<Label>), PriceChange>,
    /// Backup made before writing.
    pub backup: Option<PathBuf>,
}

/// Calls that change from one price to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceChange {
    /// Number of calls.
    pub calls: u64,
    /// Their booked cost.
    pub before: Usd,
    /// Their new cost.
    pub after: Usd,
}

impl Sqlite {
    /// Overview of the ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn info(&self, now: Instant) -> std::result::Result<Info, BooksError> {
        let sums = self.sums(&Filter::default())?;
        let future = self.sums(&Filter { since: Some(now), ..Filter::default() })?;
        let ask = || -> Result<Info> {
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
                machine: machine(conn)?,
                sums,
                sessions: count("SELECT count(DISTINCT session) FROM sessions WHERE first IS NOT NULL")?,
                files: count("SELECT count(*) FROM files")?,
                span: moment(span.0, Some(0)).zip(moment(span.1, Some(0))),
                future_calls: future.calls,
                pruned_before: horizon(conn)?,
                imported: imported.into_iter().filter_map(|(name, calls)| Some((name?, calls))).collect(),
                prices: names(
                    "SELECT name, count(*) FROM calls LEFT JOIN prices ON prices.id = price GROUP BY price ORDER BY name",
                )?,
                bytes: size(&self.backing.path),
            })
        };
        ask().map_err(|error| self.because(&error))
    }

    /// Deletes every call before a time for good: rereading its log does not bring it back. Returns the sums of the
    /// deleted calls.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn prune(&mut self, before: Instant) -> std::result::Result<Sums, BooksError> {
        self.flush()?;
        self.write(|conn, working_set, _, step| {
            let mut tally = Tally::default();
            let mut gone = Sums::default();
            let mut delete = conn.prepare(&format!("DELETE FROM calls WHERE {OF_KEY}"))?;
            let until = row_mapping::first_id(before.timestamp().saturating_add(1));
            let (computed, mut pruned) = (bill::computed(conn)?, bill::Pruned::default());
            batches(conn, working_set, "calls", until, |working_set, batch| {
                step("prune rows");
                for row in batch.iter().filter(|row| row.at < before) {
                    pruned.take(row, computed.contains(&row.key), &working_set.core.names);
                    delete.execute(row_mapping::of_key(row.key))?;
                    tally.take(row);
                    gone.add(&row.sums());
                }
                Ok(())
            })?;
            pruned.write(conn, &mut working_set.ids, &working_set.core.names)?;
            step("prune apart");
            // Unmerged sightings of a call are pruned with its row; a refusal has no row, and is pruned by its time.
            let refused = row_mapping::is_refused("body ->> 9");
            conn.execute(
                &format!("DELETE FROM apart
                 WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.hash = apart.hash AND calls.rest = apart.rest)
                   AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.alias = unhex(format('%016x%016x', apart.hash, apart.rest)))
                   AND NOT (id >= ?1 AND {refused})"),
                [until],
            )?;
            tally.write(conn, &mut working_set.ids, &mut working_set.core.names, step)?;
            let kept = horizon(conn)?.map_or(before, |kept| kept.max(before));
            for (name, value) in [("horizon", kept.timestamp()), ("horizon_ns", kept.timestamp_subsec_nanos().into())] {
                conn.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", params![name, value])?;
            }
            Ok(gone)
        })
    }

    /// Returns unused space to the file system.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn compact(&mut self) -> std::result::Result<(), BooksError> {
        self.write(|_, _, _, _| Ok(()))?;
        if let Some(step) = &self.backing.options.step {
            step("vacuum");
        }
        self.backing.conn.execute_batch("VACUUM").map_err(|error| self.because(&error))
    }

    /// Once a day, removes the checkpoints of deleted logs last written three months ago. Their calls stay.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn tidy(&mut self, now: Instant) -> std::result::Result<(), BooksError> {
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

    /// The effect of repricing every call; writes nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn price_changes(&self, pricer: &dyn Pricer) -> std::result::Result<Repriced, BooksError> {
        let attempt = || {
            let _snapshot = self.backing.conn.unchecked_transaction()?;
            let (mut till, mut changed) = (RowPricer::new(pricer), Repriced::default());
            batches(
                &self.backing.conn,
                &mut self.working_set.borrow_mut(),
                "calls",
                i64::MAX,
                |working_set, batch| {
                    for row in batch {
                        let mut new = row.clone();
                        till.settle(&mut new, &mut working_set.core.names);
                        changed.count(&row, &new, &working_set.core.names);
                    }
                    Ok(())
                },
            )?;
            Ok(changed)
        };
        attempt().map_err(|error| self.because(&error))
    }

    /// Runs a query with every call repriced; writes nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn report_repriced(&self, query: &Query, pricer: Arc<dyn Pricer>) -> std::result::Result<Report, BooksError> {
        let core = self.read(|mut reading| {
            let rows = reading.joined_rows(&query.filter)?;
            let mut core = MergeState { names: std::mem::take(reading.names()), ..MergeState::default() };
            for row in rows {
                core.row_store.restore(row, true, &core.names);
            }
            Ok(core)
        });
        // The interner was moved out: reset what refers to it.
        self.working_set.borrow_mut().forget();
        self.held.take();
        let mut core = core?;
        core.row_store.reprice(&*pricer, &mut core.names);
        Memory::from_state(core, pricer).report(query)
    }

    /// Reprices every call with this ledger's price book, after a backup.
    ///
    /// # Errors
    /// When the ledger cannot be written or copied.
    pub fn reprice(&mut self, now: Instant) -> std::result::Result<Repriced, BooksError> {
        self.flush()?;
        self.write(|_, _, _, _| Ok(()))?;
        let why = format!("before-reprice-{}", now.format("%Y%m%dT%H%M%SZ"));
        let backup = back_up(&self.backing.conn, &self.backing.path, &why).map_err(|error| self.because(&error))?;
        let mut changed = self.write(|conn, working_set, pricer, step| {
            let mut changed = Repriced::default();
            let mut solved: Vec<(CompactRow, CompactRow)> = Vec::new();
            for table in ["calls", "apart"] {
                let (mut till, mut tally) = (RowPricer::new(pricer), Tally::default());
                let mut delete = conn.prepare(&format!("DELETE FROM {table} WHERE {OF_KEY}"))?;
                let mut inserter = Inserter::new(conn, table)?;
                batches(conn, working_set, table, i64::MAX, |working_set, batch| {
                    step("reprice rows");
                    for row in batch {
                        let mut new = row.clone();
                        till.settle(&mut new, &mut working_set.core.names);
                        if new == row {
                            continue;
                        }
                        delete.execute(row_mapping::of_key(row.key))?;
                        inserter.insert(&new, &mut working_set.ids, &mut working_set.core.names)?;
                        if table == "calls" {
                            changed.count(&row, &new, &working_set.core.names);
                            tally.take(&row);
                            tally.add(&new);
                            if row.tokens != new.tokens {
                                solved.push((row, new));
                            }
                        }
                    }
                    Ok(())
                })?;
                tally.write(conn, &mut working_set.ids, &mut working_set.core.names, step)?;
            }
            working_set.follow_solved(conn, &solved)?;
            working_set.settle(conn, pricer)?;
            let MergeState { names, row_store, .. } = &working_set.core;
            for (key, before) in row_store.changes_since(0) {
                if let (Some(before), Some(after)) = (before, row_store.get(key)) {
                    changed.count(&before, after, names);
                }
            }
            working_set.write_changes(conn, step)?;
            Ok(changed)
        })?;
        changed.backup = Some(backup);
        Ok(changed)
    }
}

impl Repriced {
    fn count(&mut self, old: &CompactRow, new: &CompactRow, names: &crate::ledger::interner::Interner) {
        if old.cost == new.cost {
            return;
        }
        let (before, after) = (old.cost(names), new.cost(names));
        let dollars = |cost: &crate::pricing::Cost| cost.usd().unwrap_or_default();
        let (was, is) = (dollars(&before), dollars(&after));
        self.calls += 1;
        self.before += was;
        self.after += is;
        let entry = self.by_price.entry((price(&before), price(&after))).or_default();
        entry.calls += 1;
        entry.before += was;
        entry.after += is;
    }
}

fn price(cost: &crate::pricing::Cost) -> Option<Label> {
    match cost {
        crate::pricing::Cost::Priced { price, .. } => Some(price.clone()),
        crate::pricing::Cost::Quoted(_) => Some(Label::new("quoted")),
        crate::pricing::Cost::Unpriced => None,
    }
}

/// Visits every row of a table with an id below `until`, in batches to bound memory. `each` may change the rows of its
/// batch, and no others.
pub(super) fn batches(
    conn: &Connection,
    working_set: &mut WorkingSet,
    table: &str,
    until: i64,
    mut each: impl FnMut(&mut WorkingSet, Vec<CompactRow>) -> Result<()>,
) -> Result<()> {
    let select = format!("SELECT {COLUMNS} FROM {table} WHERE id > ? AND id < ? ORDER BY id LIMIT 10000");
    let mut select = conn.prepare(&select)?;
    let mut last = i64::MIN;
    loop {
        let found = select.query_map([last, until], |row| {
            last = row.get(0)?;
            row_mapping::read(row, conn, &mut working_set.ids, &mut working_set.core.names)
        })?;
        let batch: Vec<CompactRow> = found.collect::<Result<_>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        each(working_set, batch)?;
    }
}

/// Id of this machine in exports.
pub(super) fn machine(conn: &Connection) -> Result<String> {
    conn.query_row("SELECT value FROM meta WHERE name = 'machine'", [], |row| row.get(0))
}

fn horizon(conn: &Connection) -> Result<Option<Instant>> {
    let (second, ns) = (meta(conn, "horizon")?, meta(conn, "horizon_ns")?);
    Ok(moment(second, ns.and_then(|ns| u32::try_from(ns).ok())))
}

fn size(path: &Path) -> u64 {
    let of = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        std::fs::metadata(name).map_or(0, |metadata| metadata.len())
    };
    of("") + of("-wal")
}
