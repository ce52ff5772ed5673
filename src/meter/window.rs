//! The periods of limits.

use std::fmt;

use chrono::{Duration, Weekday};

use crate::domain::{Instant, Span, Zone};

/// Period of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// One call: evaluated for the largest call of the local day.
    Call,
    /// One session.
    Session,
    /// One sub-agent's run within a session.
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
    /// The most recent hours or days.
    Rolling(Duration),
    /// Five hours from the first call. The next block starts with the first call after that.
    Block,
}

impl Window {
    /// True for calendar periods and blocks, which reset at a known time.
    pub(crate) const fn is_periodic(self) -> bool {
        matches!(self, Self::Hour | Self::Day | Self::Week | Self::Month | Self::Block)
    }

    /// True for windows that are counted per session.
    pub(crate) const fn is_per_session(self) -> bool {
        matches!(self, Self::Session | Self::Run)
    }
}

impl fmt::Display for Window {
    /// The config's notation: `day`, `5h`, `7d`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Call => "call",
            Self::Session => "session",
            Self::Run => "run",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
            Self::Block => "block",
            Self::Rolling(length) => {
                let hours = length.num_hours();
                return match hours % 24 {
                    0 if hours > 24 => write!(out, "{}d", hours / 24),
                    _ => write!(out, "{hours}h"),
                };
            }
        })
    }
}

impl Window {
    /// The current period; `None` if it is not bounded by time alone (a session, a run, a block, all time). A rolling
    /// window ends now.
    pub fn span(self, now: Instant, zone: Zone, week_start: Weekday) -> Option<Span> {
        match self {
            Self::Call | Self::Day => Some(Span::day(now, zone)),
            Self::Hour => Some(Span::hour(now, zone)),
            Self::Week => Some(Span::week(now, zone, week_start)),
            Self::Month => Some(Span::month(now, zone)),
            Self::Rolling(length) => {
                Some(Span { from: now.checked_sub_signed(length).unwrap_or(Instant::MIN_UTC), until: now })
            }
            Self::Session | Self::Run | Self::Total | Self::Block => None,
        }
    }

    /// Approximate length, for comparing two windows; zero for a session, a run and a call.
    pub(crate) const fn length(self) -> Duration {
        match self {
            Self::Call | Self::Session | Self::Run => Duration::zero(),
            Self::Hour => Duration::hours(1),
            Self::Block => Duration::hours(5),
            Self::Day => Duration::days(1),
            Self::Week => Duration::days(7),
            Self::Month => Duration::days(31),
            Self::Total => Duration::MAX,
            Self::Rolling(length) => length,
        }
    }

    /// Adjective in a limit's name: `daily`, `session`, `5-hour`.
    pub fn adjective(self) -> String {
        match self {
            Self::Call => "call".to_owned(),
            Self::Session => "session".to_owned(),
            Self::Run => "run".to_owned(),
            Self::Hour => "hourly".to_owned(),
            Self::Day => "daily".to_owned(),
            Self::Week => "weekly".to_owned(),
            Self::Month => "monthly".to_owned(),
            Self::Total => "total".to_owned(),
            Self::Block => "5-hour block".to_owned(),
            Self::Rolling(length) => {
                let minutes = length.num_minutes();
                match (minutes % 1440, minutes % 60) {
                    (0, _) => format!("{}-day", minutes / 1440),
                    (_, 0) => format!("{}-hour", minutes / 60),
                    _ => format!("{minutes}-minute"),
                }
            }
        }
    }
}
