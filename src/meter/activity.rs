//! Session activity, judged by the last call or a later prompt: when it was made, and whether the turn has ended.

use chrono::Duration;

use crate::domain::Instant;

/// Time after the last call during which a session is certainly working.
pub(crate) const WORKING: Duration = Duration::seconds(60);
/// Time after the last call during which a session is active. A long answer is only logged once it is complete.
pub(crate) const ACTIVE: Duration = Duration::minutes(5);
/// Time after the last call during which a session is waiting. After that it has ended.
pub(crate) const WAITING: Duration = Duration::hours(1);

/// Activity by the time since the last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// Within the last minute there was a call, or a prompt that is not answered yet.
    Working,
    /// Within the last few minutes: either a long answer or an agent that has stopped, if its log does not say which.
    Quiet,
    /// Within the last hour there was a call, and its turn has ended according to the log, or there was none for five
    /// minutes.
    Waiting,
    /// Longer ago than that.
    Ended,
}

impl Activity {
    /// Activity at `now`, given the last call, and whether the model ended its turn with it.
    pub(crate) fn of(last: Instant, ends_turn: bool, now: Instant) -> Self {
        let activity = Self::at(last, now);
        if ends_turn { activity.max(Self::Waiting) } else { activity }
    }

    /// Activity at `now`, given only the time of the last call. A clock that is slightly off does not matter.
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

/// True when a session with this last call is active. Tolerates a clock that is slightly off.
pub(crate) fn is_active(last: Instant, now: Instant) -> bool {
    now.signed_duration_since(last).abs() < ACTIVE
}

/// True when a session with this last call has ended: it made none for an hour.
pub(crate) fn has_ended(last: Instant, now: Instant) -> bool {
    Activity::at(last, now) == Activity::Ended
}

/// Sort key by last activity. A session whose clock is ahead does not stay in front for ever.
pub(crate) fn recency(last: Instant, now: Instant) -> (bool, Instant) {
    (last.signed_duration_since(now) <= ACTIVE, last)
}
