//! Polling intervals that find changes quickly and cost nothing while idle.

use std::time::Duration;

/// How long a changed file is polled closely.
pub(super) const HOT_FOR: Duration = Duration::from_secs(10);
/// How long it is polled less often after that.
pub(super) const RECENT_FOR: Duration = Duration::from_secs(15 * 60);
/// Interval of close polling.
pub(super) const FREQUENT: Duration = Duration::from_millis(250);
/// Interval of full scans while something changes, and without events at all times.
pub(super) const EVERYTHING: Duration = Duration::from_secs(30);
/// Longest interval of checks while a file may be written without an event.
pub(super) const WITHOUT_EVENTS: Duration = Duration::from_secs(15);
/// Longest interval of any check while nothing changes and there are events.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// Minimum interval between full scans caused by hints.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// Delay before folders are read once more after the first read, after which their times can be trusted. It is longer
/// than the coarsest timestamps of file systems (two seconds on FAT).
pub(super) const TRUST: Duration = Duration::from_millis(2_100);
/// When a new folder is read again, because files created before it was watched caused no event.
pub(super) const AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Number of folders that are polled as often as files if there are no events.
const FEW: usize = 500;

/// Interval of full scans, depending on the time since the last change anywhere.
///
/// With events a scan is a precaution. Each takes a millisecond or more, because the processor's caches are cold by
/// then. So while nothing changes, the time between two scans doubles.
pub(super) fn everything(idle: Duration, has_events: bool) -> Duration {
    if has_events { idle.clamp(EVERYTHING, LONGEST) } else { EVERYTHING }
}

/// Polling interval for recently changed files, depending on the time since the last change anywhere.
pub(super) fn recent(idle: Duration, has_events: bool) -> Duration {
    match (has_events, idle.as_secs()) {
        (true, 0..10) | (false, 0..900) => Duration::from_secs(2),
        (false, _) => Duration::from_secs(5),
        (true, _) => idle.clamp(Duration::from_secs(15), LONGEST),
    }
}

/// Polling interval for folders that may have new files, if there are no events.
pub(super) fn folders(idle: Duration, count: usize) -> Duration {
    let long = idle >= RECENT_FOR || count > FEW;
    Duration::from_secs(if long { 10 } else { 2 })
}
