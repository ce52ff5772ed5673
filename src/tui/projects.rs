//! Cost of each project today, this month and in total, and the queries for it.

use std::collections::BTreeMap;

use crate::domain::{Dimension, Filter, Instant, Label, Span, Zone, sort_by_key};
use crate::ledger::{Grain, Query, Report, Sums};

/// The state of the Projects view.
#[derive(Clone, Debug)]
pub(super) struct Projects {
    /// The queries sent last: for today, for this month, and for all time.
    asked: Vec<Query>,
    answers: [Option<Report>; 3],
    /// Number of answers still to come. Nothing is queried again before they have arrived.
    waiting: usize,
    stale: bool,
}

/// A project, with its cost today, this month and in total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProjectRow {
    pub(super) project: Option<Label>,
    pub(super) sums: [Sums; 3],
}

impl Default for Projects {
    fn default() -> Self {
        Self { asked: Vec::new(), answers: [const { None }; 3], waiting: 0, stale: true }
    }
}

impl Projects {
    /// The queries to send now, if any.
    pub(super) fn questions(&mut self, now: Instant, zone: Zone) -> Vec<Query> {
        if self.waiting > 0 || !self.stale {
            return Vec::new();
        }
        let of = |span: Option<Span>| Query {
            by: vec![Dimension::Project],
            filter: Filter { only: Vec::new(), since: span.map(|span| span.from), until: span.map(|span| span.until) },
            ..Query::new(Grain::Total, zone)
        };
        self.asked = vec![of(Some(Span::day(now, zone))), of(Some(Span::month(now, zone))), of(None)];
        (self.waiting, self.stale) = (self.asked.len(), false);
        self.asked.clone()
    }

    /// Handles an answer. Returns false if it answers another query.
    pub(super) fn answer(&mut self, report: &Report) -> bool {
        let Some(at) = self.asked.iter().position(|query| *query == report.query) else { return false };
        self.answers[at] = Some(report.clone());
        self.waiting = self.waiting.saturating_sub(1);
        true
    }

    /// Called when the ledger has changed.
    pub(super) fn turn_stale(&mut self) {
        self.stale = true;
    }

    /// True while a query is unanswered.
    pub(super) const fn is_asked(&self) -> bool {
        self.waiting > 0
    }

    /// True until the first answer has arrived.
    pub(super) fn is_waiting(&self) -> bool {
        self.answers.iter().all(Option::is_none)
    }

    /// Every project, sorted by today's cost, then this month's, then the total, most expensive first.
    pub(super) fn rows(&self) -> Vec<ProjectRow> {
        let mut all: BTreeMap<Option<Label>, [Sums; 3]> = BTreeMap::new();
        for (at, report) in self.answers.iter().enumerate() {
            for row in report.iter().flat_map(|report| &report.rows) {
                let sums = all.entry(row.by.first().cloned().flatten()).or_default();
                sums[at] = row.sums;
            }
        }
        let mut rows: Vec<ProjectRow> = all.into_iter().map(|(project, sums)| ProjectRow { project, sums }).collect();
        sort_by_key(&mut rows, |row| std::cmp::Reverse(row.sums.map(|sums| (sums.cost, sums.tokens.total()))));
        rows
    }
}
