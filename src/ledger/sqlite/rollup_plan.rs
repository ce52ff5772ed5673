//! Chooses the coarsest sums that can answer a query, and reads them.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Result, params};
use rustc_hash::FxHashMap;

use super::id_map::Ids;
use super::rollup::{self, QUARTERS};
use super::row_codec::damaged;
use crate::domain::{Filter, Instant, quarter_of};
use crate::ledger::Sums;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::grouping::{self, Quarter};

/// For up to this many keys, single lookups are faster than a scan.
const FEW: i64 = 2_000;

/// A filter's time range, split into whole quarter hours and the remainder at each end.
pub(super) struct Window {
    pub(super) quarters: Range<i64>,
    pub(super) edges: Vec<(Instant, Instant)>,
}

impl Window {
    pub(super) fn from_filter(filter: &Filter) -> Self {
        let start = |quarter: i64| Instant::from_timestamp(quarter.saturating_mul(900), 0).unwrap_or_default();
        let (mut from, mut until) = (i64::MIN, i64::MAX);
        let mut edges = Vec::new();
        if let Some(since) = filter.since {
            from = quarter_of(since);
            if start(from) < since {
                from += 1;
                edges.push((since, filter.until.map_or(start(from), |until| until.min(start(from)))));
            }
        }
        if let Some(end) = filter.until {
            until = quarter_of(end);
            if start(until) < end && until >= from {
                edges.push((start(until).max(filter.since.unwrap_or(start(until))), end));
            }
        }
        edges.retain(|(from, until)| from < until);
        Self { quarters: from..until.max(from), edges }
    }

    /// First and last UTC day of these quarters.
    fn days(&self) -> (i64, i64) {
        (self.quarters.start.div_euclid(QUARTERS), self.quarters.end.saturating_sub(1).div_euclid(QUARTERS))
    }
}

/// A row of `sessions`.
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) set: u32,
    pub(super) first: Instant,
    pub(super) last: Instant,
}

/// The sums chosen for a query.
pub(super) struct Source {
    pub(super) window: Window,
    pub(super) ragged: Vec<CompactRow>,
    pub(super) sums: SumLevel,
}

pub(super) enum SumLevel {
    /// All-time sums by kind of call, already loaded.
    Ever(Vec<(u32, Sums)>),
    /// All calls by quarter hour, whatever their names. Holds the set without names.
    Days(u32),
    /// Kinds of calls by quarter hour.
    Kinds,
    /// These sessions by quarter hour.
    Sessions(Vec<Run>),
}

impl Source {
    pub(super) fn each(&self, conn: &Connection, ids: &mut Ids, each: &mut dyn FnMut(Quarter)) -> Result<()> {
        for row in &self.ragged {
            each(grouping::quarter(row));
        }
        if self.window.quarters.is_empty() {
            return Ok(());
        }
        let days = self.window.days();
        let mut unpack = |day: i64, set: u32, packed: &[u8]| -> Result<()> {
            for entry in rollup::entries(packed) {
                let (quarter, sums) = entry?;
                let number = day.saturating_mul(QUARTERS).saturating_add(i64::from(quarter));
                if self.window.quarters.contains(&number) {
                    each(Quarter { number, set, sums });
                }
            }
            Ok(())
        };
        match &self.sums {
            SumLevel::Ever(kinds) => {
                for (set, sums) in kinds {
                    each(Quarter { number: 0, set: *set, sums: *sums });
                }
            }
            SumLevel::Days(set) => {
                let select = "SELECT day, sums FROM rollup_days WHERE day >= ? AND day <= ?";
                let mut select = conn.prepare_cached(select)?;
                let mut found = select.query([days.0, days.1])?;
                while let Some(row) = found.next()? {
                    unpack(row.get(0)?, *set, row.get_ref(1)?.as_blob()?)?;
                }
            }
            SumLevel::Kinds => {
                let select = "SELECT day, of, sums FROM rollup_kinds WHERE day >= ? AND day <= ?";
                let mut select = conn.prepare_cached(select)?;
                let mut found = select.query([days.0, days.1])?;
                while let Some(row) = found.next()? {
                    let kind = ids.cached_kind(row.get(1)?).ok_or_else(|| damaged("sums of no kind"))?;
                    unpack(row.get(0)?, kind, row.get_ref(2)?.as_blob()?)?;
                }
            }
            SumLevel::Sessions(runs) => {
                let day = |at: Instant| quarter_of(at).div_euclid(QUARTERS);
                let span = |run: &Run| (day(run.first).max(days.0), day(run.last).min(days.1));
                let lookups: i64 = runs.iter().map(span).map(|(from, to)| (to - from + 1).max(0)).sum();
                if lookups <= FEW {
                    let mut select = conn.prepare_cached("SELECT sums FROM rollup WHERE day = ? AND of = ?")?;
                    for run in runs {
                        let (from, to) = span(run);
                        for day in from..=to {
                            let packed: Option<Vec<u8>> =
                                select.query_row(params![day, run.id], |row| row.get(0)).optional()?;
                            unpack(day, run.set, packed.as_deref().unwrap_or_default())?;
                        }
                    }
                    return Ok(());
                }
                let wanted: FxHashMap<i64, u32> = runs.iter().map(|run| (run.id, run.set)).collect();
                let mut select = conn.prepare_cached("SELECT day, of, sums FROM rollup WHERE day >= ? AND day <= ?")?;
                let mut found = select.query([days.0, days.1])?;
                while let Some(row) = found.next()? {
                    if let Some(set) = wanted.get(&row.get(1)?) {
                        unpack(row.get(0)?, *set, row.get_ref(2)?.as_blob()?)?;
                    }
                }
            }
        }
        Ok(())
    }
}
