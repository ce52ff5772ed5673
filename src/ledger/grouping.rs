//! Groups rows, or sums of rows, into report rows. Shared by all stores.

mod sessions;

use std::cmp::Ordering;

use rustc_hash::FxHashMap;

use super::compact_row::CompactRow;
use super::interner::{Interner, NONE, count, index, place};
use super::periods::Periods;
use super::{Order, PeriodKey, Query, Report, ReportRow, Sums};
use crate::domain::{Dimension, Filter, Instant, Label, quarter_of, repository_of, sort_by};

pub(super) use sessions::{SessionPart, count_rows, sessions};

/// Sums of the calls with one attribution within one quarter hour.
pub struct Quarter {
    /// Quarter hours since 1970, see [`quarter_of`].
    pub(super) number: i64,
    pub(super) set: u32,
    pub(super) sums: Sums,
}

/// Sums of the calls with one attribution, and the times of the first and last call.
pub struct Stretch {
    pub(super) first: Instant,
    pub(super) last: Instant,
    pub(super) set: u32,
    pub(super) sums: Sums,
}

/// The stretches of the sessions that come first in a limited report.
pub struct FirstStretches {
    /// The stretches.
    pub(super) stretches: Vec<Stretch>,
    /// Number of rows that the report would have without the limit; `None` if all sessions are included.
    pub(super) all_rows: Option<usize>,
}

/// Maps attributions to groups: whether the filter admits them, and the group of their `by` values.
struct Groups<'a> {
    names: &'a Interner,
    query: &'a Query,
    of_set: Vec<Group>,
    values: Vec<Vec<u32>>,
    numbers: FxHashMap<Vec<u32>, usize>,
    /// Names of values without an interned id, such as the repositories of worktrees. Their ids count down from
    /// `u32::MAX`.
    uncounted: Vec<Label>,
}

#[derive(Clone, Copy)]
enum Group {
    NotAsked,
    Out,
    In(usize),
}

impl<'a> Groups<'a> {
    fn new(query: &'a Query, names: &'a Interner) -> Self {
        Self {
            names,
            query,
            of_set: vec![Group::NotAsked; names.sets()],
            values: Vec::new(),
            numbers: FxHashMap::default(),
            uncounted: Vec::new(),
        }
    }

    /// The group of an attribution; `None` if the filter excludes it.
    fn group_of(&mut self, set: u32) -> Option<usize> {
        match self.of_set[index(set)] {
            Group::In(group) => return Some(group),
            Group::Out => return None,
            Group::NotAsked => {}
        }
        let group = if admits(&self.query.filter, set, self.names) {
            let values: Vec<u32> = self.query.by.iter().map(|by| self.value(set, *by)).collect();
            let next = self.values.len();
            let group = *self.numbers.entry(values.clone()).or_insert(next);
            if group == next {
                self.values.push(values);
            }
            Group::In(group)
        } else {
            Group::Out
        };
        self.of_set[index(set)] = group;
        self.group_of(set)
    }

    /// The value of a dimension, under its name in the report. Worktrees stored before schema 4 are mapped to their
    /// repository.
    fn value(&mut self, set: u32, by: Dimension) -> u32 {
        let number = self.names.set(set)[place(by)];
        let is_renamed = by == Dimension::Project || by.base() != by;
        let Some(label) = self.names.label(number).filter(|_| is_renamed) else { return number };
        let Some(named) = self.query.name_of(by, label) else { return NONE };
        let is_project = by.base() == Dimension::Project;
        let name = if named == label { repository_of(label).filter(|_| is_project) } else { Some(named.as_str()) };
        let Some(name) = name else { return number };
        let known = self.uncounted.iter().position(|known| known.as_str() == name);
        let at = known.unwrap_or_else(|| {
            self.uncounted.push(Label::new(name));
            self.uncounted.len() - 1
        });
        self.names.find(&self.uncounted[at]).unwrap_or(u32::MAX - count(at))
    }

    fn label(&self, number: u32) -> Option<Label> {
        let unnamed = self.uncounted.get(index(u32::MAX - number));
        unnamed.or_else(|| self.names.label(number)).cloned()
    }

    fn labels(&self, group: usize) -> Vec<Option<Label>> {
        self.values[group].iter().map(|number| self.label(*number)).collect()
    }
}

/// True when this attribution passes the filter's names. The filter's times are ignored.
pub(super) fn admits(filter: &Filter, set: u32, names: &Interner) -> bool {
    filter.only.is_empty()
        || Dimension::filters()
            .all(|dimension| filter.admits_value(dimension, names.value(set, dimension).map(Label::as_str)))
}

/// Accumulates a report by hour, day, week, month, or in total.
pub(super) struct PeriodReport<'a> {
    query: &'a Query,
    groups: Groups<'a>,
    periods: Periods,
    /// Sums per period and group.
    cells: Vec<((usize, usize), Sums)>,
    cell_of: FxHashMap<(usize, usize), usize>,
    /// The last cell used, because neighbouring rows share it.
    last: Option<((usize, usize), usize)>,
}

impl<'a> PeriodReport<'a> {
    pub(super) fn new(query: &'a Query, names: &'a Interner) -> Self {
        let (groups, periods) = (Groups::new(query, names), Periods::new(query.grain, query.zone));
        Self { query, groups, periods, cells: Vec::new(), cell_of: FxHashMap::default(), last: None }
    }

    /// Adds a quarter hour if it passes the filter's names.
    pub(super) fn add(&mut self, quarter: &Quarter) {
        if let Some(cell) = self.cell(quarter) {
            self.cells[cell].1.add(&quarter.sums);
        }
    }

    /// Subtracts a quarter hour added before.
    pub(super) fn take(&mut self, quarter: &Quarter) {
        if let Some(cell) = self.cell(quarter) {
            self.cells[cell].1.sub(&quarter.sums);
        }
    }

    /// The cell of a quarter hour, if it passes the filter's names.
    fn cell(&mut self, quarter: &Quarter) -> Option<usize> {
        let group = self.groups.group_of(quarter.set)?;
        let place = (self.periods.number(quarter.number), group);
        let cell = match self.last {
            Some((last, cell)) if last == place => cell,
            Some(_) | None => {
                let next = self.cells.len();
                let cell = *self.cell_of.entry(place).or_insert(next);
                if cell == next {
                    self.cells.push((place, Sums::default()));
                }
                self.last = Some((place, cell));
                cell
            }
        };
        Some(cell)
    }

    pub(super) fn finish(self) -> Report {
        let cells = self.cells.iter().filter(|(_, sums)| sums.calls > 0);
        let rows = cells.map(|((period, group), sums)| ReportRow {
            period: self.periods.keys[*period].clone(),
            by: self.groups.labels(*group),
            sums: *sums,
            session: None,
            call: None,
        });
        let rows: Vec<ReportRow> = rows.collect();
        let (total, all) = (total(&rows), rows.len());
        finish(self.query, rows, total, all)
    }
}

/// Builds a report of single calls.
pub(super) fn calls<'a>(query: &Query, names: &Interner, rows: impl Iterator<Item = &'a CompactRow>) -> Report {
    let mut groups = Groups::new(query, names);
    let mut total = Sums::default();
    let mut kept: Vec<(&CompactRow, usize)> = Vec::new();
    for row in rows {
        if let Some(group) = groups.group_of(row.set) {
            total.add(&row.sums());
            kept.push((row, group));
        }
    }
    sort_by(&mut kept, |(one, _), (other, _)| {
        let order = (one.at, one.key).cmp(&(other.at, other.key));
        match query.order {
            Order::Ascending => order,
            Order::Descending => order.reverse(),
        }
    });
    let all = kept.len();
    kept.truncate(query.limit.unwrap_or(usize::MAX));
    let all_rows = beyond(all, kept.len());
    let rows = kept.into_iter().map(|(row, group)| ReportRow {
        period: PeriodKey::Call(row.at, row.key),
        by: groups.labels(group),
        sums: row.sums(),
        session: None,
        call: Some(row.row(names)),
    });
    Report { query: query.clone(), rows: rows.collect(), total, all_rows, unread_files: 0 }
}

fn total(rows: &[ReportRow]) -> Sums {
    let mut total = Sums::default();
    for row in rows {
        total.add(&row.sums);
    }
    total
}

/// The total number of rows, if not all are shown.
fn beyond(all: usize, shown: usize) -> Option<u64> {
    (all > shown).then(|| u64::try_from(all).unwrap_or(u64::MAX))
}

/// Sorts rows and applies the limit; `all` is the number of rows without it.
fn finish(query: &Query, mut rows: Vec<ReportRow>, total: Sums, all: usize) -> Report {
    sort_by(&mut rows, |one, other| {
        let period = in_order(query.order, &one.period, &other.period);
        one.by.iter().zip(&other.by).fold(period, |order, (one, other)| {
            order.then_with(|| match (one, other) {
                (Some(one), Some(other)) => in_order(query.order, one, other),
                (one, other) => none_last(one.as_ref(), other.as_ref()),
            })
        })
    });
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    let all_rows = beyond(all, rows.len());
    Report { query: query.clone(), rows, total, all_rows, unread_files: 0 }
}

fn in_order<T: Ord>(order: Order, one: &T, other: &T) -> Ordering {
    match order {
        Order::Ascending => one.cmp(other),
        Order::Descending => other.cmp(one),
    }
}

fn none_last(one: Option<&Label>, other: Option<&Label>) -> Ordering {
    one.is_none().cmp(&other.is_none()).then_with(|| one.cmp(&other))
}

/// One row as the sums of its quarter hour.
pub(super) fn quarter(row: &CompactRow) -> Quarter {
    Quarter { number: quarter_of(row.at), set: row.set, sums: row.sums() }
}

/// One row as a stretch.
pub(super) fn stretch(row: &CompactRow) -> Stretch {
    Stretch { first: row.at, last: row.at, set: row.set, sums: row.sums() }
}

/// Merges stretches into one per attribution.
pub(super) fn united(stretches: impl IntoIterator<Item = Stretch>) -> Vec<Stretch> {
    let mut of_set: FxHashMap<u32, Stretch> = FxHashMap::default();
    for stretch in stretches {
        match of_set.get_mut(&stretch.set) {
            Some(known) => {
                (known.first, known.last) = (known.first.min(stretch.first), known.last.max(stretch.last));
                known.sums.add(&stretch.sums);
            }
            None => _ = of_set.insert(stretch.set, stretch),
        }
    }
    of_set.into_values().collect()
}

/// True when the time is within the filter's bounds.
pub(super) fn in_time(filter: &Filter, at: Instant) -> bool {
    filter.since.is_none_or(|since| since <= at) && filter.until.is_none_or(|until| at < until)
}
