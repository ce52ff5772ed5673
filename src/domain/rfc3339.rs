//! RFC 3339 timestamps for other programs.

use chrono::SecondsFormat;

use super::{Instant, Zone};

/// A time in UTC, at full precision.
pub(crate) fn rfc3339(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A time in UTC, in milliseconds.
pub(crate) fn rfc3339_millis(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time in a zone, to the second.
pub(crate) fn rfc3339_seconds(at: Instant, zone: Zone) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true)
}
