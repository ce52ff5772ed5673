//! The live reader, one step at a time: takes hints, checks files that are due, reads new data.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::dir_watch::{Hint, Watch};
use super::fs::{FileId, FileKind};
use super::poll_schedule;
use super::sqlite_names::database_of_wal;
use super::watching::Watching;
use super::{Health, PollReason, Progress, ReadBatch, RootState, Tails};
use crate::domain::one_by_one;

/// Minimum interval between health reports.
const TELL: Duration = Duration::from_secs(1);
/// Minimum interval between progress reports.
const PROGRESS: Duration = Duration::from_millis(50);
/// Number of newest files that count as recently changed at the start.
const NEWEST: usize = 16;
/// Number of records that are sent together. The last batch may exceed it.
const TOGETHER: usize = 1024;

/// Events of the live reader.
#[derive(Clone, Debug)]
pub enum Event {
    /// New records of one or more files, found by one check.
    ReadBatches(Vec<ReadBatch>),
    /// Progress of the first reading.
    Progress(Progress),
    /// The state of the sources changed.
    Health(Box<Health>),
    /// Everything that was there at the start has been read.
    CaughtUp,
}

/// Follows files as they grow.
///
/// It has no thread and no clock. [`Live::step`] is given the time and returns when it must be called next.
pub(super) struct Live {
    tails: Tails,
    watching: Watching,
    /// Folders to read again, with the time at which to do so.
    again: Vec<(Instant, PathBuf)>,
    due: Due,
    /// Time of the last change anywhere.
    changed: Instant,
    reported: Option<Health>,
}

/// Times at which the next checks are due.
struct Due {
    hot: Instant,
    recent: Instant,
    folders: Instant,
    everything: Instant,
    /// Earliest time of the next full scan, regardless of hints.
    rescan: Instant,
    tell: Instant,
}

impl Live {
    /// A live reader. Without a watch it polls.
    pub(super) fn new(tails: Tails, watch: Result<Box<dyn Watch>, PollReason>, now: Instant) -> Self {
        let due = Due { hot: now, recent: now, folders: now, everything: now, rescan: now, tell: now };
        let watching = Watching::new(watch);
        Self { tails, watching, again: Vec::new(), due, changed: now, reported: None }
    }

    /// Reads everything that is there. The watch is attached first, so nothing is missed in between.
    pub(super) fn begin(&mut self, now: Instant, threads: usize, emit: &mut dyn FnMut(Event)) {
        self.watching.attach(&mut self.tails);
        let mut shown: Option<Instant> = None;
        self.tails.catch_up(now, threads, &mut |batch, progress| {
            emit(Event::ReadBatches(vec![batch]));
            let time = Instant::now();
            if shown.is_none_or(|shown| time.saturating_duration_since(shown) >= PROGRESS) {
                shown = Some(time);
                emit(Event::Progress(progress));
            }
        });
        if self.tails.is_stopping() {
            return;
        }
        self.tails.tools.is_live = true;
        self.tails.seed_recent(NEWEST);
        self.watching.attach(&mut self.tails);
        self.due.everything = now + poll_schedule::TRUST;
        self.due.rescan = self.due.everything;
        self.tell(now, emit);
        emit(Event::CaughtUp);
    }

    /// Handles hints, checks files and reads. Returns the latest time for the next call.
    pub(super) fn step(
        &mut self,
        now: Instant,
        hints: impl IntoIterator<Item = Hint>,
        emit: &mut dyn FnMut(Event),
    ) -> Instant {
        let mut paths = BTreeSet::new();
        for hint in hints {
            match hint {
                Hint::Changed(path) => {
                    paths.insert(path);
                }
                Hint::Rescan => self.due.everything = self.due.everything.min(now),
                Hint::Broken(reason) => self.broken(&reason),
                Hint::Nudge => (self.due.hot, self.due.recent, self.due.folders) = (now, now, now),
            }
        }
        for path in paths {
            self.look_at(&path, now);
        }
        self.look_where_due(now);
        self.tails.round += 1;
        let (mut changed, mut together, mut records) = (false, Vec::new(), 0);
        self.tails.read_pending(now, &mut |batch| {
            changed = true;
            records += batch.records.len();
            together.push(batch);
            if records >= TOGETHER {
                records = 0;
                emit(Event::ReadBatches(std::mem::take(&mut together)));
            }
        });
        if !together.is_empty() {
            emit(Event::ReadBatches(together));
        }
        if changed {
            self.changed = now;
            self.due.everything = self.due.everything.min(now + poll_schedule::EVERYTHING);
        }
        if now >= self.due.tell {
            self.tell(now, emit);
        }
        self.next(now)
    }

    /// Handles a hint about a path.
    fn look_at(&mut self, path: &Path, now: Instant) {
        let database = database_of_wal(path);
        let path = database.as_deref().unwrap_or(path);
        let described = self.tails.describers.logs_of(path);
        for id in &described {
            self.tails.look(*id, now);
        }
        if let Some(id) = self.tails.paths.get(path.as_os_str()) {
            self.tails.look(*id, now);
            return;
        }
        if !described.is_empty() {
            return;
        }
        if self.leads_to_places(path) {
            // A root, or a folder above one, has appeared or vanished, or a list of places has changed.
            self.due.everything = now;
            self.again.extend(poll_schedule::AGAIN.map(|wait| (now + wait, path.to_owned())));
            return;
        }
        match self.tails.tools.fs.stat(path) {
            Ok(stat) if stat.sort == FileKind::Folder => {
                self.tails.rescan_under(path, now);
                self.again.extend(poll_schedule::AGAIN.map(|wait| (now + wait, path.to_owned())));
            }
            Ok(_) => self.tails.rescan_under(path, now),
            Err(_) => {
                // When a folder vanishes, so do its files.
                let inside: Vec<FileId> = self.tails.under(path);
                for id in inside {
                    self.tails.look(id, now);
                }
            }
        }
    }

    /// True for a root or a folder above one, and for a list of places or a folder in it.
    fn leads_to_places(&self, path: &Path) -> bool {
        let mut lists = self.tails.indexes.iter().map(|index| &index.path);
        self.tails.roots.iter().any(|root| root.path.starts_with(path))
            || lists.any(|list| list.starts_with(path) || path.parent() == Some(list))
    }

    fn look_where_due(&mut self, now: Instant) {
        let again: Vec<PathBuf> = self.again.extract_if(.., |(due, _)| *due <= now).map(|(_, path)| path).collect();
        for path in one_by_one::<BTreeSet<_>, _>(again) {
            if self.leads_to_places(&path) {
                self.due.everything = self.due.everything.min(now);
            } else {
                self.tails.rescan_under(&path, now);
            }
        }
        let idle = now.saturating_duration_since(self.changed);
        let has_events = !self.is_polling();
        let pause = if self.tails.may_miss_events() { idle.min(poll_schedule::WITHOUT_EVENTS) } else { idle };
        let recent = now + poll_schedule::recent(pause, has_events);
        if now >= self.due.everything && now >= self.due.rescan {
            self.tails.rescan(now);
            self.tails.look_at_all(now);
            self.watching.attach(&mut self.tails);
            self.due.everything = now + poll_schedule::everything(pause, has_events);
            self.due.rescan = now + poll_schedule::SOON;
            // The recently changed files were included.
            (self.due.recent, self.due.hot) = (recent, now + poll_schedule::FREQUENT);
        } else if now >= self.due.recent {
            self.tails.look_at_recent(now, poll_schedule::RECENT_FOR);
            self.due.recent = recent;
        } else if now >= self.due.hot {
            self.tails.look_at_recent(now, poll_schedule::HOT_FOR);
        }
        if now >= self.due.hot {
            self.due.hot = now + poll_schedule::FREQUENT;
        }
        if now >= self.due.folders {
            if !has_events {
                self.tails.rescan(now);
            }
            self.due.folders = now + poll_schedule::folders(idle, self.tails.folders.len());
        }
    }

    /// Time of the next check.
    fn next(&self, now: Instant) -> Instant {
        let mut next = self.due.everything.max(self.due.rescan);
        if self.tails.has_recent(now, poll_schedule::HOT_FOR) {
            next = next.min(self.due.hot);
        }
        if !self.tails.recent.is_empty() {
            next = next.min(self.due.recent);
        }
        if self.is_polling() {
            next = next.min(self.due.folders);
        }
        if self.tails.dirty {
            next = next.min(self.due.tell);
        }
        let again = self.again.iter().map(|(due, _)| *due);
        let retry = self.tails.next_try().map(|due| due.max(self.due.hot));
        again.chain(retry).fold(next, Instant::min).max(now)
    }

    fn tell(&mut self, now: Instant, emit: &mut dyn FnMut(Event)) {
        if !std::mem::take(&mut self.tails.dirty) {
            return;
        }
        self.due.tell = now + TELL;
        let health = self.tails.health(now);
        if self.reported.as_ref() != Some(&health) {
            self.reported = Some(health.clone());
            emit(Event::Health(Box::new(health)));
        }
    }

    fn is_polling(&self) -> bool {
        self.tails.roots.iter().any(|root| matches!(root.state, RootState::Polling(_)))
    }

    /// Falls back to polling, because events will be missing.
    fn broken(&mut self, reason: &PollReason) {
        for root in &mut self.tails.roots {
            if root.state == RootState::Live {
                root.state = RootState::Polling(reason.clone());
            }
        }
        self.tails.dirty = true;
    }
}

#[cfg(test)]
mod tests;
