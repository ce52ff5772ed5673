//! A transaction's changes to sums and session bounds, applied once at its end.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, params, params_from_iter};
use rustc_hash::FxHashMap;

use super::id_map::Ids;
use super::rollup::{self, Delta, QUARTERS};
use super::row_mapping;
use crate::domain::{Instant, quarter_of};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::Interner;
use crate::ledger::store::Step;

/// Changes to sums and session bounds.
#[derive(Default)]
pub(super) struct Tally {
    deltas: FxHashMap<(i64, u32), Delta>,
    bounds: FxHashMap<u32, Bounds>,
    /// True if the database has no sums yet.
    first: bool,
}

#[derive(Default)]
struct Bounds {
    gained: Option<(Instant, Instant)>,
    lost: Option<(Instant, Instant)>,
}

fn widen(bounds: &mut Option<(Instant, Instant)>, at: Instant) {
    *bounds = Some(bounds.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
}

impl Tally {
    /// For a database that has no sums yet.
    pub(super) fn first() -> Self {
        Self { first: true, ..Self::default() }
    }

    pub(super) fn add(&mut self, row: &CompactRow) {
        self.deltas.entry((quarter_of(row.at), row.set)).or_default().add.add(&row.sums());
        widen(&mut self.bounds.entry(row.set).or_default().gained, row.at);
    }

    /// Subtracts a row.
    pub(super) fn take(&mut self, row: &CompactRow) {
        self.deltas.entry((quarter_of(row.at), row.set)).or_default().sub.add(&row.sums());
        widen(&mut self.bounds.entry(row.set).or_default().lost, row.at);
    }

    /// Applies the changes to the database.
    pub(super) fn write(&self, conn: &Connection, ids: &mut Ids, names: &mut Interner, step: Step<'_>) -> Result<()> {
        let mut by_session: BTreeMap<(i64, i64), Vec<(u8, Delta)>> = BTreeMap::new();
        let mut by_kind: BTreeMap<(i64, i64), BTreeMap<u8, Delta>> = BTreeMap::new();
        let mut by_day: BTreeMap<i64, BTreeMap<u8, Delta>> = BTreeMap::new();
        let mut of_kind: BTreeMap<i64, Delta> = BTreeMap::new();
        for ((quarter, set), delta) in &self.deltas {
            let (day, within) = (quarter.div_euclid(QUARTERS), quarter.rem_euclid(QUARTERS));
            let within = u8::try_from(within).unwrap_or(0);
            by_session.entry((day, ids.session(conn, names, *set)?)).or_default().push((within, *delta));
            let kind = ids.kind_of(names, *set);
            let kind = ids.kind(conn, names, kind)?;
            by_kind.entry((day, kind)).or_default().entry(within).or_default().and(delta);
            by_day.entry(day).or_default().entry(within).or_default().and(delta);
            of_kind.entry(kind).or_default().and(delta);
        }
        step("write rollup");
        for ((day, of), deltas) in by_session {
            SESSIONS.write(conn, &[day, of], &deltas, self.first)?;
        }
        step("write rollup of kinds");
        for ((day, of), deltas) in by_kind {
            let deltas: Vec<(u8, Delta)> = deltas.into_iter().collect();
            KINDS.write(conn, &[day, of], &deltas, self.first)?;
        }
        step("write rollup of days");
        write_coarse(conn, by_day, of_kind, self.first)?;
        step("write sessions");
        for (set, bounds) in &self.bounds {
            let id = ids.session(conn, names, *set)?;
            write_bounds(conn, id, bounds, self.first)?;
        }
        Ok(())
    }
}

/// A table of packed sums, with the statements that change it.
struct Packed {
    find: &'static str,
    put: &'static str,
    clear: &'static str,
    /// Query for the finer sums that these add up. Used when a count may saturate and subtraction is not safe.
    parts: Option<&'static str>,
    /// True when all quarter hours share one entry.
    whole: bool,
}

const SESSIONS: Packed = Packed {
    find: "SELECT sums FROM rollup WHERE day = ? AND of = ?",
    put: "INSERT OR REPLACE INTO rollup(sums, day, of) VALUES(?, ?, ?)",
    clear: "DELETE FROM rollup WHERE day = ? AND of = ?",
    parts: None,
    whole: false,
};
const KINDS: Packed = Packed {
    find: "SELECT sums FROM rollup_kinds WHERE day = ? AND of = ?",
    put: "INSERT OR REPLACE INTO rollup_kinds(sums, day, of) VALUES(?, ?, ?)",
    clear: "DELETE FROM rollup_kinds WHERE day = ? AND of = ?",
    parts: None,
    whole: false,
};
/// All calls by quarter hour. This is what most queries read.
const DAYS: Packed = Packed {
    find: "SELECT sums FROM rollup_days WHERE day = ?",
    put: "INSERT OR REPLACE INTO rollup_days(sums, day) VALUES(?, ?)",
    clear: "DELETE FROM rollup_days WHERE day = ?",
    parts: Some("SELECT sums FROM rollup_kinds WHERE day = ?"),
    whole: false,
};
/// All calls of one kind, in a single entry.
const EVER: Packed = Packed {
    find: "SELECT sums FROM kinds WHERE id = ?",
    put: "UPDATE kinds SET sums = ? WHERE id = ?",
    clear: "UPDATE kinds SET sums = NULL WHERE id = ?",
    parts: Some("SELECT sums FROM rollup_kinds WHERE of = ?"),
    whole: true,
};

impl Packed {
    /// Changes the sums at a key. With `first`, there are none yet.
    fn write(&self, conn: &Connection, place: &[i64], deltas: &[(u8, Delta)], first: bool) -> Result<()> {
        let find = || conn.prepare_cached(self.find)?.query_row(params_from_iter(place), |row| row.get(0)).optional();
        let packed: Option<Vec<u8>> = if first { None } else { find()?.flatten() };
        let kept = packed.as_deref().unwrap_or_default();
        let now = match self.parts {
            Some(parts) if rollup::may_overflow(kept, deltas)? => add_up(conn, parts, place, self.whole)?,
            Some(_) | None => rollup::apply(kept, deltas)?,
        };
        match now {
            Some(packed) => {
                let place = place.iter().map(|number| Value::Integer(*number));
                let values = std::iter::once(Value::Blob(packed)).chain(place);
                conn.prepare_cached(self.put)?.execute(params_from_iter(values)).map(drop)
            }
            None if packed.is_some() => conn.prepare_cached(self.clear)?.execute(params_from_iter(place)).map(drop),
            None => Ok(()),
        }
    }
}

/// Recomputes the sums at a key from finer ones.
fn add_up(conn: &Connection, parts: &str, place: &[i64], whole: bool) -> Result<Option<Vec<u8>>> {
    let mut deltas = Vec::new();
    let mut select = conn.prepare_cached(parts)?;
    let mut found = select.query(params_from_iter(place))?;
    while let Some(row) = found.next()? {
        for entry in rollup::entries(row.get_ref(0)?.as_blob()?) {
            let (quarter, sums) = entry?;
            deltas.push((if whole { 0 } else { quarter }, Delta::from_sums(sums)));
        }
    }
    rollup::apply(&[], &deltas)
}

/// Fills the tables that schema 2 added from those of schema 1.
pub(super) fn sum_up(conn: &Connection) -> Result<()> {
    let mut by_day: BTreeMap<i64, BTreeMap<u8, Delta>> = BTreeMap::new();
    let mut of_kind: BTreeMap<i64, Delta> = BTreeMap::new();
    let mut select = conn.prepare("SELECT day, of, sums FROM rollup_kinds")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let (day, kind) = (row.get(0)?, row.get(1)?);
        for entry in rollup::entries(row.get_ref(2)?.as_blob()?) {
            let (quarter, sums) = entry?;
            by_day.entry(day).or_default().entry(quarter).or_default().and(&Delta::from_sums(sums));
            of_kind.entry(kind).or_default().and(&Delta::from_sums(sums));
        }
    }
    write_coarse(conn, by_day, of_kind, true)
}

/// Changes the coarser sums, per day and per kind.
fn write_coarse(
    conn: &Connection,
    by_day: BTreeMap<i64, BTreeMap<u8, Delta>>,
    of_kind: BTreeMap<i64, Delta>,
    first: bool,
) -> Result<()> {
    for (day, deltas) in by_day {
        let deltas: Vec<(u8, Delta)> = deltas.into_iter().collect();
        DAYS.write(conn, &[day], &deltas, first)?;
    }
    for (kind, delta) in of_kind {
        EVER.write(conn, &[kind], &[(0, delta)], first)?;
    }
    Ok(())
}

/// Combines two columns into a time.
pub(super) fn moment(second: Option<i64>, ns: Option<u32>) -> Option<Instant> {
    Instant::from_timestamp(second?, ns?)
}

/// Changes the bounds of a session. With `first`, there are none yet.
fn write_bounds(conn: &Connection, id: i64, bounds: &Bounds, first: bool) -> Result<()> {
    let find = || {
        let mut select = conn.prepare_cached("SELECT first, first_ns, last, last_ns FROM sessions WHERE id = ?")?;
        select.query_row([id], |row| Ok(moment(row.get(0)?, row.get(1)?).zip(moment(row.get(2)?, row.get(3)?))))
    };
    let known = if first { None } else { find()? };
    let mut now = known;
    for at in bounds.gained.iter().flat_map(|(first, last)| [*first, *last]) {
        widen(&mut now, at);
    }
    // A deleted call only matters if it was the first or the last.
    if let (Some((first, last)), Some((lost_first, lost_last))) = (now, bounds.lost)
        && (lost_first <= first || lost_last >= last)
    {
        let low = known.map_or(first, |(first, _)| first).min(first);
        let high = known.map_or(last, |(_, last)| last).max(last);
        now = first_and_last(conn, id, low, high)?;
    }
    if now == known {
        return Ok(());
    }
    let (first, last) = (now.map(|(first, _)| first), now.map(|(_, last)| last));
    conn.prepare_cached("UPDATE sessions SET first = ?, first_ns = ?, last = ?, last_ns = ? WHERE id = ?")?.execute(
        params![
            first.map(|at| at.timestamp()),
            first.map(|at| at.timestamp_subsec_nanos()),
            last.map(|at| at.timestamp()),
            last.map(|at| at.timestamp_subsec_nanos()),
            id
        ],
    )?;
    Ok(())
}

/// First and last call of a session between two times, found through its sums.
fn first_and_last(conn: &Connection, session: i64, low: Instant, high: Instant) -> Result<Option<(Instant, Instant)>> {
    let days = quarter_of(low).div_euclid(QUARTERS)..=quarter_of(high).div_euclid(QUARTERS);
    let mut select = conn.prepare_cached("SELECT sums FROM rollup WHERE day = ? AND of = ?")?;
    let mut quarters = Vec::new();
    for day in days {
        let packed: Option<Vec<u8>> = select.query_row([day, session], |row| row.get(0)).optional()?;
        for entry in rollup::entries(packed.as_deref().unwrap_or_default()) {
            let (quarter, sums) = entry?;
            if sums.calls > 0 {
                quarters.push(day * QUARTERS + i64::from(quarter));
            }
        }
    }
    let mut bounds = None;
    for quarter in quarters.first().into_iter().chain(quarters.last()) {
        let mut find = conn.prepare_cached("SELECT id, body FROM calls WHERE id >= ? AND id < ? AND session = ?")?;
        let ids = (row_mapping::first_id(quarter * 900), row_mapping::first_id((quarter + 1) * 900), session);
        for at in find.query_map(ids, row_mapping::moment)? {
            widen(&mut bounds, at?);
        }
    }
    Ok(bounds)
}
