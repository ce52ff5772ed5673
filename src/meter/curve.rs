//! The day's spending as a curve: the total at each quarter hour, and the forecast band until midnight.

use std::collections::BTreeMap;

use crate::domain::{Instant, Span, Usd, quarter_of};
use crate::ledger::{PeriodKey, Report, Sums};

/// Dollars spent over the course of the day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCurve {
    /// The running total at these times, from midnight until now. Empty before the first call.
    pub spent: Vec<(Instant, Usd)>,
    /// Forecast of the rest of the day; empty when idle.
    pub ahead: Vec<Ahead>,
}

/// Additional dollars expected by a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The time.
    pub at: Instant,
    /// Lower edge of the band.
    pub least: Usd,
    /// The likely amount.
    pub likely: Usd,
    /// Upper edge of the band.
    pub most: Usd,
}

/// Dollars spent in each quarter hour of the day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quarters(BTreeMap<i64, Usd>);

impl Quarters {
    /// From a report by quarter hour.
    pub(crate) fn from_report(report: &Report) -> Self {
        let quarter = |row: &crate::ledger::ReportRow| {
            let PeriodKey::Quarter(start) = row.period else { return None };
            Some((quarter_of(start), row.sums.cost))
        };
        Self(report.rows.iter().filter_map(quarter).filter(|(_, cost)| *cost != Usd::ZERO).collect())
    }

    pub(crate) fn add(&mut self, at: Instant, sums: &Sums) {
        if sums.cost != Usd::ZERO {
            *self.0.entry(quarter_of(at)).or_default() += sums.cost;
        }
    }

    pub(crate) fn sub(&mut self, at: Instant, sums: &Sums) {
        let quarter = quarter_of(at);
        if let Some(cost) = self.0.get_mut(&quarter) {
            *cost -= sums.cost;
            if *cost == Usd::ZERO {
                self.0.remove(&quarter);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The current curve for this day.
    pub(crate) fn curve(&self, day: Span, ahead: Vec<Ahead>, now: Instant) -> DayCurve {
        let (mut spent, mut total) = (Vec::new(), Usd::ZERO);
        if !self.0.is_empty() {
            spent.push((day.from, total));
        }
        let start_of = |quarter: i64| Instant::from_timestamp(quarter.saturating_mul(900), 0);
        for (quarter, cost) in &self.0 {
            let (Some(from), Some(until)) = (start_of(*quarter), start_of(quarter.saturating_add(1))) else { continue };
            spent.push((from.min(now), total));
            total += *cost;
            spent.push((until.min(now), total));
        }
        spent.extend((!self.0.is_empty()).then_some((now, total)));
        spent.dedup();
        DayCurve { spent, ahead }
    }
}
