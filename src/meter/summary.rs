//! The numbers shown by all faces.

use std::sync::Arc;

use super::{DayCurve, FleetLine, LimitState, SessionId, SessionLine, Trend, Window};
use crate::domain::{Filter, Instant, Label, Quota, Span, Tokens, Usd};
use crate::ledger::{Row, Sums};

/// The sessions being followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// The most recently active one.
    #[default]
    Latest,
    /// A given session.
    Session(SessionId),
    /// None: all calls of today together.
    Today,
    /// All calls in view.
    Everything,
}

/// All numbers shown at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Time of the numbers.
    pub now: Instant,
    /// Sessions followed.
    pub follow: Follow,
    /// Calls in view, of which all sums but those of limits are; by default all.
    pub view: Filter,
    /// The followed session (chosen, or most recently active); `None` before the first call or when following
    /// everything.
    pub session: Option<SessionLine>,
    /// Known sessions, most recently active first.
    pub sessions: Vec<SessionLine>,
    /// The sessions of today and those that have not ended, begun last first; those that have ended below, the last to
    /// end first.
    pub fleet: Vec<FleetLine>,
    /// Number of the followed sessions, those that are not listed included; `None` if unknown.
    pub session_count: Option<u64>,
    /// All calls in view.
    pub all: Sums,
    /// The local day.
    pub day: Span,
    /// Calls of today.
    pub today: Sums,
    /// This week's.
    pub week: Sums,
    /// Calls of this month.
    pub month: Sums,
    /// The sums of what is followed: the session's, today's, or all in view.
    pub followed: Sums,
    /// Models of the followed sessions, most expensive first.
    pub models: Vec<ModelLine>,
    /// Latest calls of the followed sessions, newest first.
    pub calls: Vec<CallLine>,
    /// Every limit, worst first.
    pub limits: Vec<LimitState>,
    /// Providers' own windows, as their agents state them.
    pub quotas: Vec<Quota>,
    /// Tokens per minute in the last five minutes; zero once nothing was spent in them.
    pub tokens_per_min: u64,
    /// Dollars per hour over the same minutes.
    pub cost_per_hour: Usd,
    /// True while the counter has grown within the last seconds (shows the arrow).
    pub growing: bool,
    /// Forecast of today's dollars at midnight; `None` if unknown.
    pub by_day_end: Option<Usd>,
    /// Forecast of this month's dollars at its end; `None` if unknown.
    pub by_month_end: Option<Usd>,
    /// Dollars of today over the time of the day.
    pub curve: DayCurve,
    /// The end of every trend: now, or half an hour after the latest call.
    pub trend_until: Instant,
    /// When the numbers next change without a call.
    pub changes_at: Option<Instant>,
}

impl Summary {
    /// A summary without calls.
    pub fn empty(now: Instant) -> Self {
        Self {
            now,
            follow: Follow::Latest,
            view: Filter::default(),
            session: None,
            sessions: Vec::new(),
            fleet: Vec::new(),
            session_count: Some(0),
            all: Sums::default(),
            day: Span { from: now, until: now },
            today: Sums::default(),
            week: Sums::default(),
            month: Sums::default(),
            followed: Sums::default(),
            models: Vec::new(),
            calls: Vec::new(),
            limits: Vec::new(),
            quotas: Vec::new(),
            tokens_per_min: 0,
            cost_per_hour: Usd::ZERO,
            growing: false,
            by_day_end: None,
            by_month_end: None,
            curve: DayCurve::default(),
            trend_until: now,
            changes_at: None,
        }
    }

    /// Banner of the worst limit that is near or over.
    pub fn worst_limit(&self) -> Option<&LimitState> {
        self.limits.first().filter(|limit| limit.verdict != super::Verdict::Under && !limit.is_quiet())
    }

    /// The limits of what is followed, worst first: of a session those its calls count against, else all.
    pub fn limits_followed(&self) -> impl Iterator<Item = &LimitState> {
        self.limits.iter().filter(|limit| self.follows(limit))
    }

    /// The limit of today's dollars that counts exactly the calls in view: no other one bounds their sum.
    pub fn limit_of_today(&self) -> Option<&LimitState> {
        let view = &self.view;
        let is_of_view = |limit: &&LimitState| {
            let names = limit.limit.scope.names();
            let is_same = names.len() == view.only.len() && names.iter().all(|name| view.only.contains(name));
            limit.limit.window == Window::Day && !limit.limit.scope.each && is_same
        };
        self.limits.iter().find(is_of_view).filter(|_| view.since.is_none() && view.until.is_none())
    }

    /// True when the calls of what is followed count against this limit.
    pub fn follows(&self, limit: &LimitState) -> bool {
        self.session.as_ref().is_none_or(|session| limit.concerns(session))
    }

    /// The limits of other sessions that are near or over, worst first.
    pub fn limits_elsewhere(&self) -> impl Iterator<Item = &LimitState> {
        let elsewhere = |limit: &&LimitState| self.session.as_ref().is_some_and(|session| !limit.concerns(session));
        let warns = |limit: &&LimitState| limit.verdict != super::Verdict::Under && !limit.is_quiet();
        self.limits.iter().filter(elsewhere).filter(warns)
    }
}

/// A model's row in the Models pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLine {
    /// Name; `None` where the log has none.
    pub model: Option<Label>,
    /// Its sums in the followed sessions.
    pub sums: Sums,
    /// Its share of their cost in whole per cent, or of their tokens where no cost is known.
    pub share: u8,
    /// Its spending minute by minute.
    pub trend: Trend,
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
