//! Answers queries from the tables: packed sums for whole quarter hours, rows for the remainder at either end.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Result, params};
use rustc_hash::{FxHashMap, FxHashSet};

use super::id_map::Ids;
use super::rollup;
use super::rollup_plan::{Kept, Source, Window};
use super::row_mapping;
use super::schema::{COLUMNS, OF_KEY};
use super::session_index::exact_session;
use super::unwritten::Changes;
use super::working_set::{WorkingSet, meta};
use crate::domain::{CallKey, Dimension, Filter, Instant, Span, quarter_of};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::grouping::{self, PeriodReport, Stretch, admits, in_time};
use crate::ledger::interner::{DIMENSIONS, Interner, NONE, index};
use crate::ledger::{Grain, Order, Query, Report, Sums};

/// State of one query.
pub(super) struct Reading<'a> {
    pub(super) conn: &'a Connection,
    pub(super) ids: &'a mut Ids,
    pub(super) names: &'a mut Interner,
    /// Unwritten rows to include.
    pub(super) held: Option<Changes<'a>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(conn: &'a Connection, working_set: &'a mut WorkingSet) -> Self {
        Self { conn, ids: &mut working_set.ids, names: &mut working_set.core.names, held: None }
    }

    pub(super) fn report(mut self, query: &Query) -> Result<Report> {
        match query.grain {
            Grain::Call => {
                let rows = self.joined_rows(&query.filter)?;
                Ok(grouping::calls(query, self.names, rows.iter()))
            }
            Grain::Session => {
                // Unwritten rows may move any session to the front.
                if self.held.is_none()
                    && let Some(runs) = self.first_runs(query)?
                {
                    let stretches = self.stretches(&query.filter, runs)?;
                    let report = grouping::sessions(query, self.names, stretches.into_iter());
                    return Ok(Report { total: self.sums(&query.filter)?, ..report });
                }
                let runs = self.runs(&query.filter)?;
                let stretches = self.stretches(&query.filter, runs)?;
                let stretches = self.join_stretches(&query.filter, stretches)?;
                Ok(grouping::sessions(query, self.names, stretches.into_iter()))
            }
            Grain::Quarter | Grain::Hour | Grain::Day | Grain::Week | Grain::Month | Grain::Total => {
                let source = self.prepare(&query.filter, &query.by, query.grain == Grain::Total)?;
                let mut report = PeriodReport::new(query, self.names);
                source.each(self.conn, self.ids, &mut |quarter| report.add(&quarter))?;
                let admitted = |row: &&CompactRow| in_time(&query.filter, row.at);
                for (before, after) in self.held.into_iter().flat_map(Changes::each) {
                    after.filter(admitted).into_iter().for_each(|row| report.add(&grouping::quarter(row)));
                    before.filter(admitted).into_iter().for_each(|row| report.take(&grouping::quarter(row)));
                }
                Ok(report.finish())
            }
        }
    }

    pub(super) fn sums(mut self, filter: &Filter) -> Result<Sums> {
        let source = self.prepare(filter, &[], true)?;
        let mut verdicts = Verdicts::new(filter, self.names);
        let mut sums = Sums::default();
        source.each(self.conn, self.ids, &mut |quarter| {
            if verdicts.admits(quarter.set) {
                sums.add(&quarter.sums);
            }
        })?;
        for (before, after) in self.held.into_iter().flat_map(Changes::each) {
            let mut admitted = |row: &&CompactRow| in_time(filter, row.at) && verdicts.admits(row.set);
            after.filter(&mut admitted).into_iter().for_each(|row| sums.add(&row.sums()));
            before.filter(&mut admitted).into_iter().for_each(|row| sums.sub(&row.sums()));
        }
        Ok(sums)
    }

    /// Sums of time spans that begin and end on quarter hours.
    pub(super) fn spans(mut self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>> {
        let whole = Filter {
            since: filter.since.into_iter().chain(spans.iter().map(|span| span.from).min()).max(),
            until: filter.until.into_iter().chain(spans.iter().map(|span| span.until).max()).min(),
            ..filter.clone()
        };
        let source = self.prepare(&whole, &[], false)?;
        let mut verdicts = Verdicts::new(filter, self.names);
        let quarters: Vec<Range<i64>> =
            spans.iter().map(|span| quarter_of(span.from)..quarter_of(span.until)).collect();
        let mut all = vec![Sums::default(); spans.len()];
        source.each(self.conn, self.ids, &mut |quarter| {
            if verdicts.admits(quarter.set) {
                let inside = quarters.iter().zip(&mut all).filter(|(span, _)| span.contains(&quarter.number));
                inside.for_each(|(_, sums)| sums.add(&quarter.sums));
            }
        })?;
        for (before, after) in self.held.into_iter().flat_map(Changes::each) {
            let mut admitted = |row: &&CompactRow| in_time(filter, row.at) && verdicts.admits(row.set);
            let (after, before) = (after.filter(&mut admitted), before.filter(&mut admitted));
            for (span, sums) in spans.iter().zip(&mut all) {
                let inside = |row: &&CompactRow| span.contains(row.at);
                after.filter(inside).into_iter().for_each(|row| sums.add(&row.sums()));
                before.filter(inside).into_iter().for_each(|row| sums.sub(&row.sums()));
            }
        }
        Ok(all)
    }

    /// The newest `limit` rows that a filter admits, newest first.
    pub(super) fn newest(&mut self, filter: &Filter, limit: usize) -> Result<Vec<CompactRow>> {
        let mut rows: Vec<CompactRow> = Vec::new();
        let (mut last, held) = (None, self.held);
        self.each_row(filter, true, &mut |row| {
            if held.is_some_and(|held| held.concern(row.key)) {
                return true;
            }
            let second = row.at.timestamp();
            if rows.len() >= limit && last != Some(second) {
                return false;
            }
            last = Some(second);
            rows.push(row);
            true
        })?;
        rows.extend(self.unbooked(filter).cloned());
        rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.key)));
        rows.truncate(limit);
        Ok(rows)
    }

    /// The row in which a key is shown.
    pub(super) fn call(&mut self, key: CallKey) -> Result<Option<CompactRow>> {
        let (conn, held) = (self.conn, self.held);
        let (ids, names) = (&mut *self.ids, &mut *self.names);
        if let Some(held) = held {
            let shown = held.shown_for(key).cloned();
            if shown.is_some() || held.concern(key) {
                return Ok(shown);
            }
        }
        let mut find = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM calls WHERE {OF_KEY}"))?;
        if let Some(row) =
            find.query_row(row_mapping::of_key(key), |row| row_mapping::read(row, conn, ids, names)).optional()?
        {
            return Ok(Some(row));
        }
        if meta(conn, "telemetry")?.is_none() {
            return Ok(None);
        }
        let [hash, rest] = row_mapping::of_key(key);
        let apart = format!("SELECT 1 FROM apart WHERE {OF_KEY} AND alias = ?3");
        let apart = conn.prepare_cached(&apart)?.exists(params![hash, rest, key.bytes()])?;
        // Key halves are stored as signed integers, but keys order as unsigned: negative ones come last.
        let host =
            format!("SELECT {COLUMNS} FROM calls WHERE alias = ? ORDER BY hash < 0, hash, rest < 0, rest LIMIT 1");
        let mut host = conn.prepare_cached(&host)?;
        if apart {
            host.query_row([key.bytes()], |row| row_mapping::read(row, conn, ids, names)).optional()
        } else {
            Ok(None)
        }
    }

    /// The interner for numbers in rows.
    pub(super) fn names(&mut self) -> &mut Interner {
        self.names
    }

    /// Every row that a filter admits, unwritten ones included.
    pub(super) fn joined_rows(&mut self, filter: &Filter) -> Result<Vec<CompactRow>> {
        let mut rows = self.rows(filter)?;
        if let Some(held) = self.held {
            rows.retain(|row| !held.concern(row.key));
            rows.extend(self.unbooked(filter).cloned());
        }
        Ok(rows)
    }

    /// Rows that a filter admits and that differ from the stored ones, or are new.
    fn unbooked(&self, filter: &Filter) -> impl Iterator<Item = &'a CompactRow> {
        let names = &*self.names;
        let all = self.held.into_iter().flat_map(Changes::each).filter_map(|(_, after)| after);
        all.filter(move |row| in_time(filter, row.at) && admits(filter, row.set, names))
    }

    /// Visits each row that a filter admits in order of time and key, until `each` returns false. Holds the rows of one
    /// second at a time.
    pub(super) fn in_order(
        &mut self,
        filter: &Filter,
        order: Order,
        each: &mut dyn FnMut(&CompactRow, &Interner) -> bool,
    ) -> Result<()> {
        let newest_first = order == Order::Descending;
        let in_order = |one: &CompactRow, other: &CompactRow| {
            let order = (one.at, one.key).cmp(&(other.at, other.key));
            if newest_first { order.reverse() } else { order }
        };
        let mut unbooked: Vec<&CompactRow> = self.unbooked(filter).collect();
        unbooked.sort_unstable_by(|one, other| in_order(one, other));
        let mut unbooked = unbooked.into_iter().cloned().peekable();
        let (mut second, mut going, held) = (Vec::new(), true, self.held);
        // `until` is the second that has just begun: rows before it are complete.
        let mut show = |second: &mut Vec<CompactRow>, until: Option<i64>, names: &Interner| {
            let is_past = |row: &CompactRow| {
                until.is_none_or(|until| {
                    let at = row.at.timestamp();
                    if newest_first { at > until } else { at < until }
                })
            };
            while let Some(row) = unbooked.next_if(is_past) {
                second.push(row);
            }
            second.sort_unstable_by(in_order);
            second.drain(..).all(|row| each(&row, names))
        };
        self.each_row_named(filter, newest_first, &mut |row, names| {
            if held.is_some_and(|held| held.concern(row.key)) {
                return true;
            }
            let at = row.at.timestamp();
            if second.last().is_some_and(|last: &CompactRow| last.at.timestamp() != at) {
                going = show(&mut second, Some(at), names);
            }
            second.push(row);
            going
        })?;
        if going {
            show(&mut second, None, self.names);
        }
        Ok(())
    }

    /// Joins the sessions' stretches with unwritten rows.
    fn join_stretches(&mut self, filter: &Filter, stretches: Vec<Stretch>) -> Result<Vec<Stretch>> {
        let Some(held) = self.held else { return Ok(stretches) };
        let mut of_set: FxHashMap<u32, Stretch> = stretches.into_iter().map(|stretch| (stretch.set, stretch)).collect();
        let mut doubtful: FxHashSet<u32> = FxHashSet::default();
        let admitted = |row: &&CompactRow| in_time(filter, row.at) && admits(filter, row.set, self.names);
        for (before, after) in held.each() {
            let after = after.filter(admitted);
            if let Some(before) = before.filter(admitted)
                && let Some(stretch) = of_set.get_mut(&before.set)
            {
                stretch.sums.sub(&before.sums());
                let stays = after.is_some_and(|after| (after.set, after.at) == (before.set, before.at));
                if !stays && (before.at <= stretch.first || before.at >= stretch.last) {
                    doubtful.insert(before.set);
                }
            }
        }
        of_set.retain(|_, stretch| stretch.sums.calls > 0);
        // The new first and last calls are found among the rows.
        for stretch in of_set.values_mut().filter(|stretch| doubtful.contains(&stretch.set)) {
            let mut ends: Option<(Instant, Instant)> = None;
            let since = Some(stretch.first);
            self.each_row(&Filter { since, ..filter.clone() }, false, &mut |row| {
                if row.set == stretch.set && !held.concern(row.key) {
                    let (first, _) = ends.unwrap_or((row.at, row.at));
                    ends = Some((first.min(row.at), row.at));
                }
                true
            })?;
            (stretch.first, stretch.last) = ends.unwrap_or((Instant::MAX_UTC, Instant::MIN_UTC));
        }
        let unbooked: Vec<&CompactRow> = self.unbooked(filter).collect();
        for row in unbooked {
            let new = || Stretch { sums: Sums::default(), ..grouping::stretch(row) };
            let stretch = of_set.entry(row.set).or_insert_with(new);
            (stretch.first, stretch.last) = (stretch.first.min(row.at), stretch.last.max(row.at));
            stretch.sums.add(&row.sums());
        }
        Ok(of_set.into_values().collect())
    }

    /// Every stored row that a filter admits.
    pub(super) fn rows(&mut self, filter: &Filter) -> Result<Vec<CompactRow>> {
        let mut rows = Vec::new();
        self.each_row(filter, false, &mut |row| {
            rows.push(row);
            true
        })?;
        Ok(rows)
    }

    /// Visits each stored row that a filter admits in order of seconds, until `each` returns false.
    fn each_row(
        &mut self,
        filter: &Filter,
        newest_first: bool,
        each: &mut dyn FnMut(CompactRow) -> bool,
    ) -> Result<()> {
        self.each_row_named(filter, newest_first, &mut |row, _| each(row))
    }

    fn each_row_named(
        &mut self,
        filter: &Filter,
        newest_first: bool,
        each: &mut dyn FnMut(CompactRow, &Interner) -> bool,
    ) -> Result<()> {
        let mut low = filter.since.map_or(i64::MIN, |since| row_mapping::first_id(since.timestamp()));
        let mut high =
            filter.until.map_or(i64::MAX, |until| row_mapping::first_id(until.timestamp().saturating_add(1)));
        if exact_session(filter).is_some() {
            let runs = self.runs(filter)?;
            low =
                low.max(runs.iter().map(|run| row_mapping::first_id(run.first.timestamp())).min().unwrap_or(i64::MAX));
            high = high
                .min(runs.iter().map(|run| row_mapping::first_id(run.last.timestamp() + 1)).max().unwrap_or(i64::MIN));
        }
        let order = if newest_first { "DESC" } else { "ASC" };
        let select = format!("SELECT {COLUMNS} FROM calls WHERE id >= ? AND id < ? ORDER BY id {order}");
        let mut select = self.conn.prepare_cached(&select)?;
        let mut found = select.query([low, high])?;
        let mut verdicts: FxHashMap<i64, bool> = FxHashMap::default();
        while let Some(row) = found.next()? {
            let session: i64 = row.get(3)?;
            let admitted = match verdicts.get(&session) {
                Some(admitted) => *admitted,
                None => {
                    let set = self.ids.known_session(self.conn, self.names, session)?;
                    let admitted = admits(filter, set, self.names);
                    verdicts.insert(session, admitted);
                    admitted
                }
            };
            if admitted {
                let row = row_mapping::read(row, self.conn, self.ids, self.names)?;
                if in_time(filter, row.at) && !each(row, self.names) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Chooses the sums for a query and interns every name in them, so that they can be read in one pass. `timeless`
    /// means that the query does not group by time.
    fn prepare(&mut self, filter: &Filter, by: &[Dimension], timeless: bool) -> Result<Source> {
        let narrow = |dimension: &Dimension| matches!(dimension, Dimension::Session | Dimension::Agent);
        let sums = if by.iter().any(narrow) || filter.only.iter().any(|(dimension, _)| narrow(dimension)) {
            Kept::Sessions(self.runs(filter)?)
        } else if timeless && filter.since.is_none() && filter.until.is_none() {
            Kept::Ever(self.kinds()?)
        } else if by.is_empty() && filter.only.is_empty() {
            Kept::Days(self.names.set_number([NONE; DIMENSIONS]))
        } else {
            self.kinds()?;
            Kept::Kinds
        };
        self.source(filter, sums)
    }

    pub(super) fn source(&mut self, filter: &Filter, sums: Kept) -> Result<Source> {
        let window = Window::from_filter(filter);
        let mut ragged = Vec::new();
        for (from, until) in &window.edges {
            let edge = Filter { since: Some(*from), until: Some(*until), ..filter.clone() };
            ragged.extend(self.rows(&edge)?);
        }
        Ok(Source { window, ragged, sums })
    }

    /// Every kind of call with its all-time sums.
    pub(super) fn kinds(&mut self) -> Result<Vec<(u32, Sums)>> {
        let mut select =
            self.conn.prepare_cached("SELECT id, model, source, user, project, team, feature, org, sums FROM kinds")?;
        let mut found = select.query([])?;
        let mut kinds = Vec::new();
        while let Some(row) = found.next()? {
            let kind = self.ids.learn_kind(self.conn, self.names, row)?;
            for entry in rollup::entries(row.get_ref(8)?.as_blob_or_null()?.unwrap_or_default()) {
                kinds.push((kind, entry?.1));
            }
        }
        Ok(kinds)
    }
}

/// A filter's verdicts per set, cached.
struct Verdicts<'a> {
    filter: &'a Filter,
    names: &'a Interner,
    of_set: Vec<Option<bool>>,
}

impl<'a> Verdicts<'a> {
    fn new(filter: &'a Filter, names: &'a Interner) -> Self {
        Self { filter, names, of_set: vec![None; names.sets()] }
    }

    fn admits(&mut self, set: u32) -> bool {
        *self.of_set[index(set)].get_or_insert_with(|| admits(self.filter, set, self.names))
    }
}
/// True for the start of a quarter hour.
pub(super) fn is_aligned(at: Instant) -> bool {
    at.timestamp().rem_euclid(900) == 0 && at.timestamp_subsec_nanos() == 0
}
