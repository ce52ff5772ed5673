//! The numbers that every interface shows.

use std::sync::Arc;

use super::{DayCurve, FleetLine, LimitState, SessionId, SessionLine, Share, Trend, Window};
use crate::domain::{Filter, Instant, Label, Quota, Span, Tokens, Usd};
use crate::ledger::{Row, Sums};

/// Which sessions are followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// The most recently active one.
    #[default]
    Latest,
    /// One particular session.
    Session(SessionId),
    /// No session: all of today's calls together.
    Today,
    /// All calls in view.
    Everything,
}

/// All numbers displayed at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Time of the numbers.
    pub now: Instant,
    /// Which sessions are followed.
    pub follow: Follow,
    /// Calls in view, which all sums cover except those of limits. By default, all calls.
    pub view: Filter,
    /// The followed session (the chosen or the most recently active one); `None` before the first call, or when no
    /// single session is followed.
    pub session: Option<SessionLine>,
    /// Known sessions, most recently active first.
    pub sessions: Vec<SessionLine>,
    /// Today's sessions and those that have not ended: active ones, then waiting ones, each with the latest start
    /// first, then those that have ended, with the latest end first.
    pub fleet: Vec<FleetLine>,
    /// Number of followed sessions, including those not listed; `None` if unknown.
    pub session_count: Option<u64>,
    /// All calls in view.
    pub all: Sums,
    /// The local day.
    pub day: Span,
    /// Today's calls.
    pub today: Sums,
    /// This week's calls.
    pub week: Sums,
    /// This month's calls.
    pub month: Sums,
    /// Sums of the followed calls: the session's, today's, or all in view.
    pub followed: Sums,
    /// Models of the followed sessions, most expensive first.
    pub models: Vec<ModelLine>,
    /// Latest calls of the followed sessions, newest first.
    pub calls: Vec<CallLine>,
    /// Every limit, worst first.
    pub limits: Vec<LimitState>,
    /// Providers' own quota windows, as reported by their agents.
    pub quotas: Vec<Quota>,
    /// Tokens per minute over the last five minutes; zero if nothing was spent in them.
    pub tokens_per_min: u64,
    /// Dollars per hour over the last five minutes.
    pub cost_per_hour: Usd,
    /// The calls of these minutes, of which the rate has the marks.
    pub of_rate: Sums,
    /// True if the counter has grown within the last few seconds (shows the arrow).
    pub growing: bool,
    /// Forecast of today's dollars by midnight; `None` if unknown.
    pub by_day_end: Option<Usd>,
    /// Forecast of this month's dollars by its end; `None` if unknown.
    pub by_month_end: Option<Usd>,
    /// Dollars spent over the course of the day.
    pub curve: DayCurve,
    /// End of every trend: now or, once the latest call is a quarter of an hour old, the minute of that call.
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
            of_rate: Sums::default(),
            growing: false,
            by_day_end: None,
            by_month_end: None,
            curve: DayCurve::default(),
            trend_until: now,
            changes_at: None,
        }
    }

    /// The worst limit that is near or over, for the banner.
    pub fn worst_limit(&self) -> Option<&LimitState> {
        self.limits.first().filter(|limit| limit.warns())
    }

    /// Number of limits that are near or over, besides the worst.
    pub(crate) fn further_warnings(&self) -> usize {
        self.limits.iter().filter(|limit| limit.warns()).count().saturating_sub(1)
    }

    /// The limits of the followed calls, worst first: for a session, those its calls count against; otherwise all.
    pub fn limits_followed(&self) -> impl Iterator<Item = &LimitState> {
        self.limits.iter().filter(|limit| self.follows(limit))
    }

    /// The daily limit that counts exactly the calls in view. No other limit bounds their sum.
    pub fn limit_of_today(&self) -> Option<&LimitState> {
        let view = &self.view;
        let is_of_view = |limit: &&LimitState| {
            let names = limit.limit.scope.names();
            let is_same = names.len() == view.only.len() && names.iter().all(|name| view.only.contains(name));
            limit.limit.window == Window::Day && !limit.limit.scope.each && is_same
        };
        self.limits.iter().find(is_of_view).filter(|_| view.since.is_none() && view.until.is_none())
    }

    /// True when the followed calls count against this limit.
    pub fn follows(&self, limit: &LimitState) -> bool {
        self.session.as_ref().is_none_or(|session| limit.concerns(session))
    }

    /// The limits of other sessions that are near or over, worst first.
    pub fn limits_elsewhere(&self) -> impl Iterator<Item = &LimitState> {
        let elsewhere = |limit: &&LimitState| self.session.as_ref().is_some_and(|session| !limit.concerns(session));
        self.limits.iter().filter(elsewhere).filter(|limit| limit.warns())
    }
}

/// A model's row in the Models pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLine {
    /// Name; `None` where the log has none.
    pub model: Option<Label>,
    /// Its sums in the followed sessions.
    pub sums: Sums,
    /// Its share of their cost, or of their tokens if no cost is known.
    pub share: Share,
    /// Spending per minute.
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
