//! What every face shows: numbers, no strings to parse back.

use std::sync::Arc;

use chrono::Duration;

use super::{FleetLine, LimitState};
use crate::domain::{Call, Instant, Label, Span, Tokens, Usd};
use crate::ledger::{Row, SessionRow, Sums};

/// Which conversation is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// Whichever was active last.
    #[default]
    Latest,
    /// This one.
    Session(SessionId),
    /// None: all calls of today together.
    Today,
    /// None: all calls in view together.
    Everything,
}

/// What names a conversation: two log formats may use the same name for different ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The log format.
    pub source: Label,
    /// Its name there; `None` collects the calls whose log names no session.
    pub session: Option<Label>,
}

impl SessionId {
    /// The conversation of a call.
    pub fn from_call(call: &Call) -> Self {
        Self { source: call.from.source.clone(), session: call.from.session.clone() }
    }
}

/// Bars in a trend: one a minute.
pub(crate) const TREND: usize = 30;

/// Everything a face shows, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The moment.
    pub now: Instant,
    /// What is followed.
    pub follow: Follow,
    /// The session that is followed (chosen, or the most recently active); nothing yet, or everything.
    pub session: Option<SessionLine>,
    /// Every session known to the meter, most recently active first.
    pub sessions: Vec<SessionLine>,
    /// The sessions of today and those that have not ended, begun last first; those that have ended below.
    pub fleet: Vec<FleetLine>,
    /// All calls in view.
    pub all: Sums,
    /// The local day.
    pub day: Span,
    /// Today's.
    pub today: Sums,
    /// This week's.
    pub week: Sums,
    /// This month's.
    pub month: Sums,
    /// The sums of what is followed: the session's, today's, or all in view.
    pub followed: Sums,
    /// Each model of what is followed, dearest first.
    pub models: Vec<ModelLine>,
    /// The latest calls of what is followed, newest first.
    pub calls: Vec<CallLine>,
    /// Every limit, worst first.
    pub limits: Vec<LimitState>,
    /// Tokens a minute now, decaying when idle.
    pub tokens_per_min: u64,
    /// Dollars an hour now, decaying when idle.
    pub cost_per_hour: Usd,
    /// True while the counter has grown within the last few seconds (the arrow).
    pub growing: bool,
    /// Today's dollars by midnight at the pace of the day; nothing while it cannot be told.
    pub by_day_end: Option<Usd>,
    /// This month's dollars by its end at the pace of the month; nothing while it cannot be told.
    pub by_month_end: Option<Usd>,
    /// The next moment this picture changes by itself.
    pub changes_at: Option<Instant>,
}

impl Summary {
    /// Nothing counted yet.
    pub fn empty(now: Instant) -> Self {
        Self {
            now,
            follow: Follow::Latest,
            session: None,
            sessions: Vec::new(),
            fleet: Vec::new(),
            all: Sums::default(),
            day: Span { from: now, until: now },
            today: Sums::default(),
            week: Sums::default(),
            month: Sums::default(),
            followed: Sums::default(),
            models: Vec::new(),
            calls: Vec::new(),
            limits: Vec::new(),
            tokens_per_min: 0,
            cost_per_hour: Usd::ZERO,
            growing: false,
            by_day_end: None,
            by_month_end: None,
            changes_at: None,
        }
    }

    /// The limit to warn of: the worst one that is near or over.
    pub fn worst_limit(&self) -> Option<&LimitState> {
        self.limits.first().filter(|limit| limit.verdict != super::Verdict::Under && !limit.has_ended())
    }

    /// The limits of what is followed, worst first: of a session those its calls count against, else all.
    pub fn limits_followed(&self) -> impl Iterator<Item = &LimitState> {
        self.limits.iter().filter(|limit| self.session.as_ref().is_none_or(|session| limit.concerns(session)))
    }

    /// The limits of other sessions that are near or over, worst first.
    pub fn limits_elsewhere(&self) -> impl Iterator<Item = &LimitState> {
        let elsewhere = |limit: &&LimitState| self.session.as_ref().is_some_and(|session| !limit.concerns(session));
        let warns = |limit: &&LimitState| limit.verdict != super::Verdict::Under && !limit.has_ended();
        self.limits.iter().filter(elsewhere).filter(warns)
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

impl SessionLine {
    /// What the books know of a session, as it stands now.
    pub(crate) fn from_row(row: SessionRow, now: Instant) -> Self {
        let duration = (row.ended - row.started).max(Duration::zero());
        Self { duration, active: super::session::is_active(row.ended, now), row }
    }

    /// What names it.
    pub fn id(&self) -> SessionId {
        SessionId { source: self.row.source.clone(), session: self.row.session.clone() }
    }

    /// The sub-agents' share of the session's cost, in whole per cent (of tokens where no cost is known).
    pub fn agent_share(&self) -> u8 {
        super::evaluate::share(&self.row.in_agents, &self.row.sums)
    }
}

/// A model's row in the Models pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLine {
    /// Its name; `None` where the log names none.
    pub model: Option<Label>,
    /// Its sums in what is followed.
    pub sums: Sums,
    /// Its share of the cost of what is followed, in whole per cent (of tokens where no cost is known).
    pub share: u8,
    /// Tokens in each of the last `TREND` minutes, oldest first.
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
