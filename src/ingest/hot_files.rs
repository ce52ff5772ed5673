//! Selects the files to check often: those that changed recently.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Tails;
use super::fs::FileId;
use crate::domain::sort_by;

impl Tails {
    /// Checks every known file.
    pub(super) fn look_at_all(&mut self, now: Instant) {
        let ids: Vec<FileId> = self.files.keys().copied().collect();
        for id in ids {
            if self.is_stopping() {
                return;
            }
            self.look(id, now);
        }
        // A line that stays incomplete is eventually reported without any event.
        self.dirty |= self.files.values().any(|file| file.tail.partial.is_some());
    }

    /// Checks the files that changed within this time, and files that cause no events.
    pub(super) fn look_at_recent(&mut self, now: Instant, within: Duration) {
        for id in self.recent_within(now, within) {
            self.look(id, now);
        }
        if within < super::poll_schedule::RECENT_FOR {
            return;
        }
        self.recent = self.recent_within(now, within);
    }

    /// True when a file changed within this time.
    pub(super) fn has_recent(&self, now: Instant, within: Duration) -> bool {
        let changed = |id| self.files.get(id).and_then(|file| file.changed);
        self.recent.iter().filter_map(changed).any(|changed| now.saturating_duration_since(changed) < within)
    }

    /// True if a file may be written without an event: under a second name, or without a name in a watched folder.
    pub(super) fn may_miss_events(&self) -> bool {
        let is_detached = |id| self.files.get(id).is_some_and(|file| file.detached);
        self.has_other_names || self.recent.iter().any(is_detached)
    }

    /// Treats the newest files as recently changed.
    pub(super) fn seed_recent(&mut self, count: usize) {
        let mut newest: Vec<(i64, FileId)> =
            self.files.iter().map(|(id, file)| (file.tail.state.modified_ns, *id)).collect();
        sort_by(&mut newest, |one, other| other.cmp(one));
        self.recent.extend(newest.into_iter().take(count).map(|(_, id)| id));
    }

    /// When a file that could not be read is retried.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.recent.iter().filter_map(|id| self.files.get(id)?.failure.as_ref()).map(|failure| failure.again).min()
    }

    /// Files in a folder, including subfolders.
    pub(super) fn under(&self, folder: &Path) -> Vec<FileId> {
        let inside = self.files.iter().filter(|(_, file)| file.tail.path().starts_with(folder));
        inside.map(|(id, _)| *id).collect()
    }

    /// True when changes are found by polling.
    pub(super) fn polls(&self) -> bool {
        self.options.poll
    }

    fn recent_within(&self, now: Instant, within: Duration) -> Vec<FileId> {
        let is_recent = |id: &&FileId| {
            self.files.get(id).is_some_and(|file| {
                file.failure.is_some() || file.detached || now.saturating_duration_since(file.since()) < within
            })
        };
        let mut recent: Vec<FileId> = self.recent.iter().filter(is_recent).copied().collect();
        sort_by(&mut recent, Ord::cmp);
        recent.dedup();
        recent
    }
}
