//! Drilling down from a project or a day to its sessions.

use crate::domain::{Filter, Instant, Zone};
use crate::ledger::{Grain, Order, Query, Report};
use crate::meter::SessionLine;

use super::View;

/// Maximum number of sessions listed for a project or a day, latest start first.
const LISTED: usize = 500;

/// A project or a day that has been opened, and its sessions.
#[derive(Clone, Debug)]
pub(super) struct DrillDown {
    /// The view it was opened in.
    pub(super) from: View,
    /// Name of the item that was opened in the view above.
    pub(super) words: String,
    query: Query,
    is_asked: bool,
    is_stale: bool,
    /// Its sessions; `None` until the ledger has answered.
    pub(super) sessions: Option<Vec<SessionLine>>,
    /// The number of all its sessions, if those are not all listed.
    pub(super) all: Option<u64>,
}

impl DrillDown {
    pub(super) fn new(from: View, words: String, filter: Filter, zone: Zone) -> Self {
        let query = Query { filter, order: Order::Descending, limit: Some(LISTED), ..Query::new(Grain::Session, zone) };
        Self { from, words, query, is_asked: false, is_stale: true, sessions: None, all: None }
    }

    /// The query to send now, if any.
    pub(super) fn question(&mut self) -> Option<Query> {
        if self.is_asked || !self.is_stale {
            return None;
        }
        (self.is_asked, self.is_stale) = (true, false);
        Some(self.query.clone())
    }

    /// True until the ledger has answered.
    pub(super) const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Handles an answer. Returns false if it answers another query.
    pub(super) fn answer(&mut self, report: &Report, now: Instant) -> bool {
        if report.query != self.query {
            return false;
        }
        self.is_asked = false;
        self.all = report.all_rows;
        let rows = report.rows.iter().filter_map(|row| row.session.as_deref().cloned());
        self.sessions = Some(rows.map(|row| SessionLine::from_row(row, now)).collect());
        true
    }

    /// Called when the ledger has changed.
    pub(super) fn turn_stale(&mut self) {
        self.is_stale = true;
    }
}
