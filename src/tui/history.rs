//! The bars of the History view, and the queries for them.

use std::collections::BTreeMap;

use chrono::{Datelike, Duration, Months, Timelike};

use crate::domain::{
    Day, Dimension, Filter, Instant, Label, Span, Usd, Zone, day_of, day_start, month_of, sort_by_key, week_of,
};
use crate::ledger::{Grain, PeriodKey, Query, Report, Sums};
use crate::text;

/// Bars per page.
pub(super) const BARS: usize = 30;
/// Number of past weeks in the pattern by hour and weekday.
pub(super) const PATTERN: usize = 12;
/// Number of weeks in the calendar.
pub(super) const WEEKS: usize = 26;

/// State of the History view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    pub(super) step: Step,
    /// Number of bars between the end of the page and the current bar.
    pub(super) back: usize,
    /// Cursor position, in bars before the page's last.
    pub(super) cursor: usize,
    bars: Option<Report>,
    calendar: BTreeMap<Day, Sums>,
    /// Dollars by weekday and hour, over the weeks in the pattern.
    pattern: [[Usd; 24]; 7],
    /// The query for the previous period, up to the same point in it.
    asked_before: Option<Query>,
    before: Option<Sums>,
    /// True while a query is unanswered; there is at most one at a time.
    asked: bool,
    stale: bool,
}

/// Period of a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Step {
    #[default]
    Day,
    Week,
    Month,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) first: Day,
    pub(super) sums: Sums,
    /// Sums of each model, in the order of [`Bars::models`].
    pub(super) models: Vec<Sums>,
}

/// A page of bars, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bars {
    /// Models on the page, most expensive first.
    pub(super) models: Vec<Option<Label>>,
    pub(super) bars: Vec<Bar>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            step: Step::Day,
            back: 0,
            cursor: 0,
            bars: None,
            calendar: BTreeMap::new(),
            pattern: [[Usd::ZERO; 24]; 7],
            asked_before: None,
            before: None,
            asked: false,
            stale: true,
        }
    }
}

impl Step {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Day => Self::Week,
            Self::Week => Self::Month,
            Self::Month => Self::Day,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    const fn grain(self) -> Grain {
        match self {
            Self::Day => Grain::Day,
            Self::Week => Grain::Week,
            Self::Month => Grain::Month,
        }
    }

    /// First day of the period that contains `day`.
    fn first(self, day: Day) -> Day {
        match self {
            Self::Day => day,
            Self::Week => {
                let into = Duration::days(day.weekday().num_days_from_monday().into());
                day.checked_sub_signed(into).unwrap_or(day)
            }
            Self::Month => month_of(day),
        }
    }

    /// First day of the period `count` periods earlier.
    fn before(self, first: Day, count: usize) -> Day {
        let earlier = match self {
            Self::Day => {
                first.checked_sub_signed(Duration::days(i64::try_from(count).unwrap_or(i64::MAX / 1_000_000_000)))
            }
            Self::Week => {
                first.checked_sub_signed(Duration::weeks(i64::try_from(count).unwrap_or(i64::MAX / 10_000_000_000)))
            }
            Self::Month => first.checked_sub_months(Months::new(u32::try_from(count).unwrap_or(u32::MAX))),
        };
        earlier.unwrap_or(first)
    }

    fn after(self, first: Day) -> Day {
        let later = match self {
            Self::Day => first.checked_add_signed(Duration::days(1)),
            Self::Week => first.checked_add_signed(Duration::weeks(1)),
            Self::Month => first.checked_add_months(Months::new(1)),
        };
        later.unwrap_or(first)
    }

    /// The previous period up to the current point: the same hour of the day, the same day of the week or month. A
    /// shorter month ends earlier.
    fn so_far_before(self, now: Instant, zone: Zone) -> Span {
        let today = day_of(now, zone);
        let first = self.first(today);
        let (from, whole) = (self.before(first, 1), first);
        let day = from.checked_add_signed(today - first).unwrap_or(whole);
        let into_day = now - day_start(today, zone);
        let until = day_start(day, zone).checked_add_signed(into_day).unwrap_or(now);
        Span { from: day_start(from, zone), until: until.min(day_start(whole, zone)) }
    }

    fn key(self, first: Day) -> PeriodKey {
        match self {
            Self::Day => PeriodKey::Day(first),
            Self::Week => PeriodKey::Week(week_of(first)),
            Self::Month => PeriodKey::Month(first),
        }
    }

    /// Title of a bar: `Sun 22 Nov`, `week 47 from Mon 16 Nov`, `Nov 2026`.
    pub(super) fn title(self, first: Day, today: Day) -> String {
        match self {
            Self::Day => text::day_name(first, today),
            Self::Week => format!("week {} from {}", week_of(first).number, text::day_name(first, today)),
            Self::Month => text::month_name(first),
        }
    }
}

impl Step {
    /// Label below a bar: below every bar if there is room, otherwise below some.
    pub(super) fn label(self, first: Day, each: bool) -> Option<String> {
        let is_named = match self {
            Self::Day => first.weekday() == chrono::Weekday::Mon,
            Self::Week => first.day() <= 7,
            Self::Month => first.month() % 3 == 1,
        };
        match self {
            Self::Day if each && first.day() == 1 => Some(first.format("%b").to_string()),
            Self::Day if each => Some(first.format("%-d").to_string()),
            Self::Week if each => Some(format!("w{}", week_of(first).number)),
            Self::Month if each => Some(first.format("%b").to_string()),
            Self::Day | Self::Week => is_named.then(|| first.format("%-d %b").to_string()),
            Self::Month => is_named.then(|| first.format("%b %y").to_string()),
        }
    }

    /// The current point in the running period: `14:02`, `Thu 14:02`, `day 26, 14:02`.
    pub(super) fn point(self, now: Instant, zone: Zone) -> String {
        let local = now.with_timezone(&zone);
        let format = match self {
            Self::Day => "%H:%M",
            Self::Week => "%a %H:%M",
            Self::Month => "day %-d, %H:%M",
        };
        local.format(format).to_string()
    }
}

impl History {
    /// Queries to send now, if any.
    pub(super) fn questions(&mut self, now: Instant, zone: Zone) -> Vec<Query> {
        if self.asked || !self.stale {
            return Vec::new();
        }
        (self.asked, self.stale) = (true, false);
        let today = day_of(now, zone);
        let last = self.step.before(self.step.first(today), self.back);
        let first = self.step.before(last, BARS);
        let weeks = Step::Week.before(Step::Week.first(today), WEEKS);
        let query = |grain, by: &[Dimension], from: Day, until: Day| Query {
            by: by.to_vec(),
            filter: Filter {
                only: Vec::new(),
                since: Some(day_start(from, zone)),
                until: Some(day_start(until, zone)),
            },
            ..Query::new(grain, zone)
        };
        let hours = Step::Week.before(Step::Week.first(today), PATTERN);
        let so_far = self.step.so_far_before(now, zone);
        let before = Query {
            filter: Filter { only: Vec::new(), since: Some(so_far.from), until: Some(so_far.until) },
            ..Query::new(Grain::Total, zone)
        };
        self.asked_before = Some(before.clone());
        vec![
            query(Grain::Day, &[], weeks, Step::Day.after(today)),
            query(Grain::Hour, &[], hours, Step::Day.after(today)),
            before,
            query(self.step.grain(), &[Dimension::Model], first, self.step.after(last)),
        ]
    }

    /// Handles an answer.
    pub(super) fn answer(&mut self, report: Report) {
        if Some(&report.query) == self.asked_before.as_ref() {
            self.before = Some(report.total);
        } else if report.query.grain == Grain::Hour {
            self.pattern = [[Usd::ZERO; 24]; 7];
            for row in &report.rows {
                let PeriodKey::Hour(start) = row.period else { continue };
                let local = start.with_timezone(&report.query.zone);
                let (day, hour) = (local.weekday().num_days_from_monday(), local.hour());
                let hours = usize::try_from(day).ok().and_then(|day| self.pattern.get_mut(day));
                let here = hours.and_then(|hours| hours.get_mut(usize::try_from(hour).ok()?));
                if let Some(here) = here {
                    *here += row.sums.cost;
                }
            }
        } else if report.query.by.is_empty() {
            self.calendar = report
                .rows
                .iter()
                .filter_map(|row| if let PeriodKey::Day(day) = row.period { Some((day, row.sums)) } else { None })
                .collect();
        } else {
            self.asked = false;
            if report.query.grain == self.step.grain() {
                self.bars = Some(report);
            } else {
                self.stale = true;
            }
        }
    }

    /// Marks the data as out of date.
    pub(super) fn turn_stale(&mut self) {
        self.stale = true;
    }

    /// The bar under the cursor: its name, its first day, and the first day after it.
    pub(super) fn chosen(&self, now: Instant, zone: Zone) -> (String, Day, Day) {
        let today = day_of(now, zone);
        let first = self.step.before(self.step.first(today), self.back + self.cursor);
        (self.step.title(first, today), first, self.step.after(first))
    }

    /// True while a query is unanswered.
    pub(super) const fn is_asked(&self) -> bool {
        self.asked
    }

    /// True until the first answer.
    pub(super) fn is_waiting(&self) -> bool {
        self.bars.is_none()
    }

    /// Spending in the previous period up to the same point; `None` until it is known.
    pub(super) const fn before(&self) -> Option<&Sums> {
        self.before.as_ref()
    }

    /// Dollars for each hour of each weekday, Monday first.
    pub(super) const fn pattern(&self) -> &[[Usd; 24]; 7] {
        &self.pattern
    }

    pub(super) fn day(&self, day: Day) -> Sums {
        self.calendar.get(&day).copied().unwrap_or_default()
    }

    /// First day of the calendar's first week.
    pub(super) fn calendar_start(now: Instant, zone: Zone) -> Day {
        Step::Week.before(Step::Week.first(day_of(now, zone)), WEEKS - 1)
    }

    /// The page of bars, with one more bar before it for comparison.
    pub(super) fn page(&self, now: Instant, zone: Zone) -> Bars {
        let Some(report) = &self.bars else { return Bars::default() };
        let mut totals: BTreeMap<Option<Label>, Sums> = BTreeMap::new();
        let mut cells: BTreeMap<(&PeriodKey, Option<Label>), Sums> = BTreeMap::new();
        for row in &report.rows {
            let model = row.by.first().cloned().flatten();
            totals.entry(model.clone()).or_default().add(&row.sums);
            cells.entry((&row.period, model)).or_default().add(&row.sums);
        }
        let mut models: Vec<(Option<Label>, Sums)> = totals.into_iter().collect();
        sort_by_key(&mut models, |(_, sums)| std::cmp::Reverse((sums.cost, sums.tokens.total())));
        let models: Vec<Option<Label>> = models.into_iter().map(|(model, _)| model).collect();
        let last = self.step.before(self.step.first(day_of(now, zone)), self.back);
        let bars = (0..=BARS).rev().map(|back| {
            let first = self.step.before(last, back);
            let key = self.step.key(first);
            let parts: Vec<Sums> =
                models.iter().map(|model| cells.get(&(&key, model.clone())).copied().unwrap_or_default()).collect();
            let mut sums = Sums::default();
            for part in &parts {
                sums.add(part);
            }
            Bar { first, sums, models: parts }
        });
        Bars { bars: bars.collect(), models }
    }
}
