//! Limits: what they cover, how much they allow, and how they are judged.

use chrono::Duration;

use crate::domain::{Call, Dimension, Instant, Matcher, Span, Usd};

/// A limit as the config states it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// What it covers.
    pub scope: Scope,
    /// Over which stretch of time.
    pub window: Window,
    /// How much it allows.
    pub amount: Amount,
    /// At how many per cent to warn, ascending, each from 1 to 100.
    pub warn_at: Vec<u8>,
}

/// Which calls a limit covers: all pairs must hold. Empty covers everything on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// A dimension and the names it covers.
    pub only: Vec<(Dimension, Matcher)>,
    /// True for a default such as `users."*"`: every name a `*` matches has a limit of its own.
    pub each: bool,
}

impl Scope {
    /// True when the limit covers this call.
    pub fn covers(&self, call: &Call) -> bool {
        self.only.iter().all(|(dimension, names)| dimension.of(call).is_some_and(|name| names.matches(name)))
    }
}

/// The stretch of time a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// One call.
    Call,
    /// One conversation.
    Session,
    /// One sub-agent's run within a conversation.
    Run,
    /// A clock hour.
    Hour,
    /// A local calendar day.
    Day,
    /// A week, beginning on the configured day.
    Week,
    /// A calendar month.
    Month,
    /// All time.
    Total,
    /// The last so many hours or days, at every moment.
    Rolling(Duration),
}

/// How much is allowed. Either or both; the first one reached decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amount {
    /// Dollars.
    pub usd: Option<Usd>,
    /// Tokens of every class.
    pub tokens: Option<u64>,
    /// Output tokens alone.
    pub output_tokens: Option<u64>,
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Below every warning.
    Under,
    /// At or above a warning: `used × 100 ≥ limit × warn_at`.
    Near,
    /// Reached: `used ≥ limit`.
    Over,
}

/// A limit and how it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitState {
    /// The limit.
    pub limit: Limit,
    /// What it is called: `daily`, `session`, `alice daily`, `claude-opus-* monthly`.
    pub name: String,
    /// Whose it is where a default limits each name: `alice`, a session, a run.
    pub subject: Option<String>,
    /// Used so far, of the amount's own kind.
    pub used: Amount,
    /// The stretch it is about now; `None` for a call, a session, a run and all time.
    pub span: Option<Span>,
    /// The whole per cent used, rounded down, of whichever amount is nearest to its limit.
    pub percent: u64,
    /// How it stands.
    pub verdict: Verdict,
    /// When it will be reached at the present pace: the likely moment, and the band around it.
    pub hit: Option<(Instant, Span)>,
    /// True when some of the tokens in it have no price, so that dollars used are a lower bound.
    pub lower_bound: bool,
}
