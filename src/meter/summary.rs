//! What every face shows: numbers, no strings to parse back.

use std::sync::Arc;

use chrono::Duration;

use super::LimitState;
use crate::domain::{Instant, Label, Tokens, Usd};
use crate::ledger::{Row, SessionRow, Sums};

/// Bars in a trend: one a minute.
pub const TREND: usize = 30;

/// Everything a face shows, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The moment.
    pub now: Instant,
    /// The session that is followed (chosen, or the most recently active), or nothing yet.
    pub session: Option<SessionLine>,
    /// Every session known to the meter, most recently active first.
    pub sessions: Vec<SessionLine>,
    /// All calls in view.
    pub all: Sums,
    /// Today's.
    pub today: Sums,
    /// This month's.
    pub month: Sums,
    /// Each model of the session that is followed, dearest first.
    pub models: Vec<ModelLine>,
    /// The latest calls, newest first.
    pub calls: Vec<CallLine>,
    /// Every limit, worst first.
    pub limits: Vec<LimitState>,
    /// Tokens a minute now, decaying when idle.
    pub tokens_per_min: u64,
    /// Dollars an hour now, decaying when idle.
    pub cost_per_hour: Usd,
    /// True while the counter has grown within the last few seconds (the arrow).
    pub growing: bool,
    /// The next moment this picture changes by itself.
    pub changes_at: Option<Instant>,
}

impl Summary {
    /// The limit to warn of: the worst one that is near or over.
    pub fn worst_limit(&self) -> Option<&LimitState> {
        self.limits.first().filter(|limit| limit.verdict != super::Verdict::Under)
    }
}

/// A session as the screen and the closing summary show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLine {
    /// What the books know of it.
    pub row: SessionRow,
    /// From its first to its last call.
    pub duration: Duration,
    /// True while it has had a call within the last minutes.
    pub active: bool,
}

/// A model's row in the Models pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLine {
    /// Its name; `None` where the log names none.
    pub model: Option<Label>,
    /// Its sums in the session that is followed.
    pub sums: Sums,
    /// Its share of the session's cost, in whole per cent (of tokens where no cost is known).
    pub share: u8,
    /// Tokens in each of the last [`TREND`] minutes, oldest first.
    pub trend: [u64; TREND],
}

/// A line in the Calls pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLine {
    /// The call and its cost.
    pub row: Arc<Row>,
}

impl CallLine {
    /// Its tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.row.call.tokens
    }
}
