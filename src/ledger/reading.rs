//! Answers queries from a store's sums and rows, replacing stored rows with unwritten ones where there are any.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

use super::compact_row::CompactRow;
use super::grouping::{self, PeriodReport, Stretch, admits, in_time};
use super::interner::{Interner, index};
use super::store::{Store, Stored};
use super::unwritten::Changes;
use super::working_set::WorkingSet;
use super::{Grain, Order, Query, Report, Sums};
use crate::domain::{CallKey, Filter, Instant, Span, quarter_of};

/// State of one query.
pub(super) struct Reading<'a, S: Store> {
    pub(super) store: &'a S,
    pub(super) ids: &'a mut S::Ids,
    pub(super) names: &'a mut Interner,
    /// Unwritten rows to include.
    pub(super) held: Option<Changes<'a>>,
}

impl<'a, S: Store> Reading<'a, S> {
    pub(super) fn new(store: &'a S, working_set: &'a mut WorkingSet<S::Ids>) -> Self {
        Self { store, ids: &mut working_set.ids, names: &mut working_set.state.names, held: None }
    }

    pub(super) fn report(mut self, query: &Query) -> Stored<Report> {
        match query.grain {
            Grain::Call => {
                let rows = self.joined_rows(&query.filter)?;
                Ok(grouping::calls(query, self.names, rows.iter()))
            }
            Grain::Session => {
                // Unwritten rows may move any session to the front.
                if self.held.is_none()
                    && let Some(first) = self.store.first_stretches(self.names, self.ids, query)?
                {
                    let report = grouping::sessions(query, self.names, first.stretches.into_iter(), first.all_rows);
                    return Ok(Report { total: self.sums(&query.filter)?, ..report });
                }
                let stretches = self.store.stretches(self.names, self.ids, &query.filter)?;
                let stretches = self.join_stretches(&query.filter, stretches)?;
                Ok(grouping::sessions(query, self.names, stretches.into_iter(), None))
            }
            Grain::Quarter | Grain::Hour | Grain::Day | Grain::Week | Grain::Month | Grain::Total => {
                let timeless = query.grain == Grain::Total;
                let quarters = self.store.quarters(self.names, self.ids, &query.filter, &query.by, timeless)?;
                let mut report = PeriodReport::new(query, self.names);
                quarters(self.ids, &mut |quarter| report.add(&quarter))?;
                let admitted = |row: &&CompactRow| in_time(&query.filter, row.at);
                for (before, after) in self.held.into_iter().flat_map(Changes::each) {
                    after.filter(admitted).into_iter().for_each(|row| report.add(&grouping::quarter(row)));
                    before.filter(admitted).into_iter().for_each(|row| report.take(&grouping::quarter(row)));
                }
                Ok(report.finish())
            }
        }
    }

    pub(super) fn sums(self, filter: &Filter) -> Stored<Sums> {
        let quarters = self.store.quarters(self.names, self.ids, filter, &[], true)?;
        let mut verdicts = Verdicts::new(filter, self.names);
        let mut sums = Sums::default();
        quarters(self.ids, &mut |quarter| {
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

    /// Sums of time spans. The spans and the filter's times must start and end on quarter hours.
    pub(super) fn spans(self, spans: &[Span], filter: &Filter) -> Stored<Vec<Sums>> {
        let whole = Filter {
            since: filter.since.into_iter().chain(spans.iter().map(|span| span.from).min()).max(),
            until: filter.until.into_iter().chain(spans.iter().map(|span| span.until).max()).min(),
            ..filter.clone()
        };
        let quarters = self.store.quarters(self.names, self.ids, &whole, &[], false)?;
        let mut verdicts = Verdicts::new(filter, self.names);
        let numbers: Vec<Range<i64>> = spans.iter().map(|span| quarter_of(span.from)..quarter_of(span.until)).collect();
        let mut all = vec![Sums::default(); spans.len()];
        quarters(self.ids, &mut |quarter| {
            if verdicts.admits(quarter.set) {
                let inside = numbers.iter().zip(&mut all).filter(|(span, _)| span.contains(&quarter.number));
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

    /// The newest `limit` rows that pass a filter, newest first.
    pub(super) fn newest(&mut self, filter: &Filter, limit: usize) -> Stored<Vec<CompactRow>> {
        let mut rows: Vec<CompactRow> = Vec::new();
        let (mut last, held) = (None, self.held);
        self.each_row(filter, Some(Order::Descending), &mut |row| {
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
    pub(super) fn call(&mut self, key: CallKey) -> Stored<Option<CompactRow>> {
        if let Some(held) = self.held {
            let shown = held.shown_for(key).cloned();
            if shown.is_some() || held.concern(key) {
                return Ok(shown);
            }
        }
        self.store.shown_row(self.names, self.ids, key)
    }

    /// Every row that passes a filter, including unwritten ones.
    pub(super) fn joined_rows(&mut self, filter: &Filter) -> Stored<Vec<CompactRow>> {
        let mut rows = self.rows(filter)?;
        if let Some(held) = self.held {
            rows.retain(|row| !held.concern(row.key));
            rows.extend(self.unbooked(filter).cloned());
        }
        Ok(rows)
    }

    /// Unwritten rows that pass a filter: new, or different from the stored ones.
    fn unbooked(&self, filter: &Filter) -> impl Iterator<Item = &'a CompactRow> {
        let names = &*self.names;
        let all = self.held.into_iter().flat_map(Changes::each).filter_map(|(_, after)| after);
        all.filter(move |row| in_time(filter, row.at) && admits(filter, row.set, names))
    }

    /// Visits each row that passes a filter in order of time and key, until `each` returns false. Holds one second's
    /// worth of rows at a time.
    pub(super) fn in_order(
        &mut self,
        filter: &Filter,
        order: Order,
        each: &mut dyn FnMut(&CompactRow, &Interner) -> bool,
    ) -> Stored<()> {
        let newest_first = order == Order::Descending;
        let in_order = |one: &CompactRow, other: &CompactRow| {
            let order = (one.at, one.key).cmp(&(other.at, other.key));
            if newest_first { order.reverse() } else { order }
        };
        let mut unbooked: Vec<&CompactRow> = self.unbooked(filter).collect();
        unbooked.sort_unstable_by(|one, other| in_order(one, other));
        let mut unbooked = unbooked.into_iter().cloned().peekable();
        let (mut second, mut going, held) = (Vec::new(), true, self.held);
        // `until` is the second that has just begun. Rows before it are complete.
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
        self.store.each_row(self.names, self.ids, filter, Some(order), &mut |row, names| {
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
    fn join_stretches(&mut self, filter: &Filter, stretches: Vec<Stretch>) -> Stored<Vec<Stretch>> {
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
        // Find the new first and last calls among the rows.
        for stretch in of_set.values_mut().filter(|stretch| doubtful.contains(&stretch.set)) {
            let mut ends: Option<(Instant, Instant)> = None;
            let since = Some(stretch.first);
            self.each_row(&Filter { since, ..filter.clone() }, None, &mut |row| {
                if row.set == stretch.set && !held.concern(row.key) {
                    let (first, last) = ends.unwrap_or((row.at, row.at));
                    ends = Some((first.min(row.at), last.max(row.at)));
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

    /// Every stored row that passes a filter.
    pub(super) fn rows(&mut self, filter: &Filter) -> Stored<Vec<CompactRow>> {
        let mut rows = Vec::new();
        self.each_row(filter, None, &mut |row| {
            rows.push(row);
            true
        })?;
        Ok(rows)
    }

    /// Visits each stored row that passes a filter, until `each` returns false; see [`Store::each_row`].
    fn each_row(
        &mut self,
        filter: &Filter,
        order: Option<Order>,
        each: &mut dyn FnMut(CompactRow) -> bool,
    ) -> Stored<()> {
        self.store.each_row(self.names, self.ids, filter, order, &mut |row, _| each(row))
    }
}

/// Caches whether a filter admits each set.
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
