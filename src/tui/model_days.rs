//! Dollars per day of each model, for the trend in the Models view.

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::{Day, Dimension, Filter, Instant, Label, Usd, Zone, day_of, day_start};
use crate::ledger::{Grain, PeriodKey, Query, Report};

/// Days in the trend, today last.
pub(super) const DAYS: usize = 30;

/// The trend of every model.
#[derive(Clone, Debug, Default)]
pub(super) struct ModelDays {
    asked: Option<(Query, Day)>,
    is_waiting: bool,
    is_fresh: bool,
    days: BTreeMap<Option<Label>, Vec<Usd>>,
}

impl ModelDays {
    /// The query to send now, if any.
    pub(super) fn question(&mut self, now: Instant, zone: Zone) -> Option<Query> {
        if self.is_waiting || self.is_fresh {
            return None;
        }
        let today = day_of(now, zone);
        let back = i64::try_from(DAYS).unwrap_or(0) - 1;
        let first = today.checked_sub_signed(Duration::days(back)).unwrap_or(today);
        let query = Query {
            by: vec![Dimension::Model],
            filter: Filter { only: Vec::new(), since: Some(day_start(first, zone)), until: None },
            ..Query::new(Grain::Day, zone)
        };
        (self.is_waiting, self.is_fresh) = (true, true);
        self.asked = Some((query.clone(), first));
        Some(query)
    }

    /// Handles an answer. Returns false if it answers another query.
    pub(super) fn answer(&mut self, report: &Report) -> bool {
        let Some((_, first)) = self.asked.as_ref().filter(|(query, _)| *query == report.query) else { return false };
        self.is_waiting = false;
        self.days.clear();
        for row in &report.rows {
            let PeriodKey::Day(day) = row.period else { continue };
            let days = self.days.entry(row.by.first().cloned().flatten()).or_insert_with(|| vec![Usd::ZERO; DAYS]);
            let at = usize::try_from((day - *first).num_days()).ok();
            let there = at.and_then(|at| days.get_mut(at));
            if let Some(there) = there {
                *there += row.sums.cost;
            }
        }
        true
    }

    /// Called when the ledger has changed.
    pub(super) fn turn_stale(&mut self) {
        self.is_fresh = false;
    }

    /// Dollars of a model on each of the last days, today last.
    pub(super) fn costs_of(&self, model: Option<&Label>) -> &[Usd] {
        self.days.get(&model.cloned()).map_or(&[], Vec::as_slice)
    }
}
