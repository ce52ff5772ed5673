//! Fills a new ledger.
//!
//! Nobody reads a new ledger before it is complete, so rows are written while the logs are still being read: one
//! processor reads, another writes. A row that a later line changes is written again. The newest rows wait for other
//! logs of the same hours, because rows in order of time are written at half the cost. Sums, sessions and other derived
//! data are written after all rows.

use chrono::TimeDelta;
use rusqlite::{Connection, Result};
use rustc_hash::{FxHashMap, FxHashSet};

use super::bill;
use super::id_map::Ids;
use super::insert::Inserter;
use super::rollup_delta::Tally;
use super::row_mapping;
use super::schema::{DROP_BOUNDS, DROP_INDEX, INDEX, INDEX_ALIAS, INDEX_BOUNDS, OF_KEY};
use super::store::write_descents;
use crate::domain::{CallKey, Instant};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::Interner;
use crate::ledger::merge_state::{Billed, MergeState};
use crate::ledger::row_store::{Before, RowStore};
use crate::ledger::store::Step;
use crate::pricing::Pricer;

/// Number of rows from which it is faster to build the index afterwards.
const MANY: usize = 2_000;

/// Age, relative to the position in the logs, at which a row is written. Most sessions are shorter than this.
const LAG: TimeDelta = TimeDelta::hours(6);
/// Number of waiting rows at which all of them are written.
const TIMEOUT: usize = 8_192;

/// Progress of filling a new ledger.
#[derive(Default)]
pub(super) struct Draft {
    ids: Ids,
    taken: FxHashSet<i64>,
    /// How far the logs have been read: the median time of the latest changes, because some logs are from another time
    /// altogether.
    reached: Instant,
    /// Times of the rows that are not written yet.
    waiting: FxHashMap<CallKey, Instant>,
}

impl Draft {
    /// Begins the draft and its transaction. Indexes are built after all rows.
    pub(super) fn begin(conn: &Connection) -> Result<Self> {
        conn.execute_batch("BEGIN IMMEDIATE")?;
        conn.execute_batch(DROP_INDEX)?;
        conn.execute_batch(DROP_BOUNDS)?;
        Ok(Self { ids: Ids::of_new_books(), ..Self::default() })
    }

    /// Writes the rows that changed since the last call, except the newest.
    pub(super) fn write(&mut self, conn: &Connection, state: &mut MergeState, pricer: &dyn Pricer) -> Result<()> {
        let (mut changes, mut times) = self.changes(state, pricer);
        if !times.is_empty() {
            let middle = times.len() / 2;
            self.reached = self.reached.max(*times.select_nth_unstable(middle).1);
        }
        let settled = if self.waiting.len() > TIMEOUT { Instant::MAX_UTC } else { self.reached - LAG };
        changes.extend(self.waiting.extract_if(|_, at| *at <= settled).map(|(key, _)| (key, None)));
        self.write_changes(conn, &state.row_store, &mut state.names, &changes)
    }

    /// Changes of written rows since the last call, and the times of all changed rows. Rows that are not written yet
    /// keep waiting.
    fn changes(&mut self, state: &mut MergeState, pricer: &dyn Pricer) -> (Vec<Before>, Vec<Instant>) {
        state.settle(pricer);
        let (mut changes, mut times) = (state.row_store.take_journal(), Vec::new());
        state.row_store.keep_journal();
        changes.retain(|(key, before)| {
            let at = state.row_store.get(*key).map(|row| row.at);
            times.extend(at);
            match at {
                Some(at) if before.is_none() || self.waiting.contains_key(key) => {
                    self.waiting.insert(*key, at);
                    false
                }
                Some(_) => true,
                None => self.waiting.remove(key).is_none(),
            }
        });
        (changes, times)
    }

    /// Writes the remaining rows and all derived data.
    pub(super) fn finish(
        &mut self,
        conn: &Connection,
        state: &mut MergeState,
        pricer: &dyn Pricer,
        step: Step<'_>,
    ) -> Result<()> {
        let (mut changes, _) = self.changes(state, pricer);
        changes.extend(self.waiting.drain().map(|(key, _)| (key, None)));
        step("write rows");
        let tally = summed(&state.row_store, Tally::first, || {
            self.write_changes(conn, &state.row_store, &mut state.names, &changes)?;
            step("index rows");
            conn.execute_batch(INDEX)
        })?;
        write_rest(conn, state, &mut self.ids, &tally, step)?;
        conn.execute_batch(INDEX_BOUNDS)
    }

    fn write_changes(
        &mut self,
        conn: &Connection,
        row_store: &RowStore,
        names: &mut Interner,
        changes: &[Before],
    ) -> Result<()> {
        let delete = format!("DELETE FROM calls WHERE {OF_KEY} AND id >= ?3 AND id < ?4");
        let mut delete = conn.prepare_cached(&delete)?;
        let mut new: Vec<&CompactRow> = Vec::with_capacity(changes.len());
        for (key, before) in changes {
            let after = row_store.get(*key);
            if before.as_deref() == after {
                continue;
            }
            if let Some(before) = before {
                let ([hash, rest], second) = (row_mapping::of_key(*key), before.at.timestamp());
                delete.execute([hash, rest, row_mapping::first_id(second), row_mapping::first_id(second + 1)])?;
            }
            new.extend(after);
        }
        // Cache the sort keys: looking them up in the rows would cost a cache miss each.
        new.sort_by_cached_key(|row| row_mapping::order(row));
        Inserter::new(conn, "calls")?.fill(&new, &mut self.taken, &mut self.ids, names)
    }
}

/// True for a ledger without rows, descents, bills or pruned calls.
pub(super) fn is_empty(conn: &Connection) -> Result<bool> {
    conn.query_row(
        "SELECT NOT EXISTS(SELECT 1 FROM calls) AND NOT EXISTS(SELECT 1 FROM apart)
         AND NOT EXISTS(SELECT 1 FROM lineage) AND NOT EXISTS(SELECT 1 FROM bills)
         AND NOT EXISTS(SELECT 1 FROM meta WHERE name = 'horizon')",
        [],
        |row| row.get(0),
    )
}

/// Writes all rows of a merge state at once.
pub(super) fn write_all(conn: &Connection, state: &mut MergeState, pricer: &dyn Pricer, step: Step<'_>) -> Result<()> {
    state.settle(pricer);
    let mut ids = Ids::default();
    let mut rows: Vec<&CompactRow> = state.row_store.rows().iter().collect();
    rows.sort_by_cached_key(|row| row_mapping::order(row));
    let many = rows.len() > MANY;
    if many {
        conn.execute_batch(DROP_INDEX)?;
    }
    step("write rows");
    let names = &mut state.names;
    let tally = summed(&state.row_store, Tally::default, || {
        Inserter::new(conn, "calls")?.fill(&rows, &mut FxHashSet::default(), &mut ids, names)?;
        step("index rows");
        if many { conn.execute_batch(INDEX) } else { Ok(()) }
    })?;
    write_rest(conn, state, &mut ids, &tally, step)
}

/// Sums up all rows on a second thread while `write` writes and indexes them, or on this thread if none can be started.
fn summed(row_store: &RowStore, begin: fn() -> Tally, write: impl FnOnce() -> Result<()>) -> Result<Tally> {
    let sum_up = || {
        let mut tally = begin();
        for row in row_store.rows() {
            tally.add(row);
        }
        tally
    };
    std::thread::scope(|scope| {
        let elsewhere = std::thread::Builder::new().name("sums".to_owned()).spawn_scoped(scope, sum_up);
        write()?;
        Ok(elsewhere.ok().and_then(|sums| sums.join().ok()).unwrap_or_else(sum_up))
    })
}

/// Writes sums, sessions, bills and other derived data into a ledger that holds only rows.
fn write_rest(conn: &Connection, state: &mut MergeState, ids: &mut Ids, tally: &Tally, step: Step<'_>) -> Result<()> {
    let Billed { bills, spent } = state.take_all_billed();
    let MergeState { names, row_store, families, .. } = state;
    step("write rows apart");
    if row_store.has_telemetry() {
        conn.execute_batch(INDEX_ALIAS)?;
        conn.execute("INSERT OR REPLACE INTO meta VALUES('telemetry', 1)", [])?;
    }
    let mut inserter = Inserter::new(conn, "apart")?;
    for row in row_store.unmerged() {
        inserter.insert(row, ids, names)?;
    }
    tally.write(conn, ids, names, step)?;
    write_descents(conn, names, ids, families.descents())?;
    step("write bills");
    bill::write(conn, names, ids, &bills, &spent)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Free, call};
    use super::super::schema;
    use super::*;

    #[test]
    fn the_newest_rows_wait_for_those_that_other_logs_tell_of_the_same_hours() {
        let mut conn = Connection::open_in_memory().unwrap();
        schema::create(&mut conn).unwrap();
        let mut state = MergeState::default();
        state.row_store.keep_journal();
        let mut draft = Draft::begin(&conn).unwrap();
        // Hours, with the output tokens of the calls in them.
        let drafted = |conn: &Connection| -> Vec<(i64, i64)> {
            let mut select = conn.prepare("SELECT (id >> 20) / 3600, body ->> 5 FROM calls ORDER BY id").unwrap();
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
        };
        for (output, times, written) in [
            (1, &[100, 90, 103][..], &[(90, 1)][..]),
            // A single log from another time does not release the others.
            (2, &[5_000, 101, 104], &[(90, 1)]),
            (3, &[110, 109, 111], &[(90, 1), (100, 1), (101, 2), (103, 1), (104, 2)]),
            // Rows already in the draft are updated at once.
            (4, &[90], &[(90, 4), (100, 1), (101, 2), (103, 1), (104, 2)]),
        ] {
            for hour in times {
                state.absorb(&call(*hour, output));
            }
            draft.write(&conn, &mut state, &Free).unwrap();
            assert_eq!(drafted(&conn), written);
        }
        assert_eq!(draft.waiting.len(), 4);
    }
}
