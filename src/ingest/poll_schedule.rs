//! How often to look, so that nothing is missed for long and an idle meter costs nothing.

use std::time::Duration;

/// How long a file that has changed is looked at closely.
pub(super) const HOT_FOR: Duration = Duration::from_secs(10);
/// How long it is looked at from time to time after that.
pub(super) const RECENT_FOR: Duration = Duration::from_secs(15 * 60);
/// How often a file is looked at closely.
pub(super) const CLOSELY: Duration = Duration::from_millis(250);
/// How often everything is looked at, events or not.
pub(super) const EVERYTHING: Duration = Duration::from_secs(30);
/// How soon after looking everywhere it may be done again, however many hints ask for it.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// How long after the first reading folders are read once more, before their times are trusted: longer than the
/// coarsest times that file systems keep (FAT's, two seconds).
pub(super) const TRUST: Duration = Duration::from_millis(2_100);
/// When a new folder is looked into again: what appears in it before it is watched raises no event.
pub(super) const AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Folders that are looked at as often as the files in them, when nobody tells of changes.
const FEW: usize = 500;

/// How often files are looked at that changed not long ago, when the last change anywhere is this long past.
pub(super) fn recent(idle: Duration, told: bool) -> Duration {
    Duration::from_secs(match (told, idle.as_secs()) {
        (true, 0..10) | (false, 0..900) => 2,
        (false, _) => 5,
        (true, _) => 15,
    })
}

/// How often folders are looked at for new files, when nobody tells of them.
pub(super) fn folders(idle: Duration, count: usize) -> Duration {
    let long = idle >= RECENT_FOR || count > FEW;
    Duration::from_secs(if long { 10 } else { 2 })
}
