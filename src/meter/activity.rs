//! Activity of a session by the time since its last call.

use chrono::Duration;

use crate::domain::Instant;

/// A session certainly works so long after its last call.
pub(crate) const WORKING: Duration = Duration::seconds(60);
/// A session is active so long after its last call: a long answer is logged when it is complete.
pub(crate) const ACTIVE: Duration = Duration::minutes(5);
/// A session waits so long after its last call; then it has ended.
pub(crate) const WAITING: Duration = Duration::hours(1);
/// Activity by the time since the last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// Within the last minute.
    Working,
    /// Within the last minutes: a long answer, or an agent that has stopped; no log tells.
    Quiet,
    /// Within the last hour.
    Waiting,
    /// Longer ago.
    Ended,
}

impl Activity {
    /// Of a last call; a clock a little late does not matter.
    pub(crate) fn at(last: Instant, now: Instant) -> Self {
        let since = now.signed_duration_since(last).abs();
        if since < WORKING {
            Self::Working
        } else if since < ACTIVE {
            Self::Quiet
        } else if since < WAITING {
            Self::Waiting
        } else {
            Self::Ended
        }
    }
}

/// True when a session with this last call is active; tolerates a slightly wrong clock.
pub(crate) fn is_active(last: Instant, now: Instant) -> bool {
    now.signed_duration_since(last).abs() < ACTIVE
}

/// Sort key by last activity. A session whose clock is ahead does not stay the latest for ever.
pub(crate) fn recency(last: Instant, now: Instant) -> (bool, Instant) {
    (last.signed_duration_since(now) <= ACTIVE, last)
}
