//! A session as shown in lists.

use chrono::Duration;

use super::activity::is_active;
use super::session_id::SessionId;
use super::share::{Share, share};
use crate::domain::Instant;
use crate::ledger::SessionRow;

/// A session in the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLine {
    /// The session's data from the ledger.
    pub row: SessionRow,
    /// Time from first to last call.
    pub duration: Duration,
    /// True if it made a call within the last few minutes.
    pub active: bool,
}

impl SessionLine {
    /// Current row of a session in the ledger.
    pub(crate) fn from_row(row: SessionRow, now: Instant) -> Self {
        let duration = (row.ended - row.started).max(Duration::zero());
        Self { duration, active: is_active(row.ended, now), row }
    }

    /// Identity of the session.
    pub fn id(&self) -> SessionId {
        SessionId::from_row(&self.row)
    }

    /// The sub-agents' share of the session's cost, or of its tokens if no cost is known.
    pub fn agent_share(&self) -> Share {
        share(&self.row.in_agents, &self.row.sums)
    }
}
