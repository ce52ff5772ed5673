//! All followed files: finds new data, tracks replacements, and limits open descriptors.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::checkpoints::Checkpoints;
use super::fs::{FileId, FileKind, Fs, Stat, descriptors, is_missing, is_out_of_descriptors};
use super::indexes::Index;
use super::line_splitter::{LONGEST_LINE, LineSplitter};
use super::os_fs::OsFs;
use super::places::{Folder, Root};
use super::prefetch::Prefetcher;
use super::project::Projects;
use super::root_stats::RootStats;
use super::sidecar_index::SidecarIndex;
use super::tail::{Reached, Tail, Tools};
use super::{Condition, Owner, Progress, ReadBatch, Roots, Tallies, parallel};
use crate::domain::sort_by;
use crate::ledger::Checkpoint;

/// Initial delay before retrying a file that could not be read. It doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest delay before a retry.
const LONGEST_WAIT: Duration = Duration::from_secs(32);
/// How long an unlinked file is still read after its last change.
const UNNAMED: Duration = Duration::from_secs(60);
/// How long a file that was moved out of sight is still read after its last change.
const MOVED_AWAY: Duration = Duration::from_secs(600);

/// Options of the readers.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of the formats to try; empty for all.
    pub only: Vec<String>,
    /// Default attribution.
    pub owner: Owner,
    /// Maximum line length, in bytes.
    pub longest_line: usize,
    /// Number of descriptors kept open.
    pub open_files: usize,
    /// Poll for changes instead of using file events.
    pub poll: bool,
    /// Read the oldest files first instead of the newest. For commands that show nothing before the end, because the
    /// ledger is filled faster by calls in order of time.
    pub oldest_first: bool,
    /// How long to wait for a database's writer to pause before locking the file for reading. The live reader, which
    /// does other things meanwhile, waits three times as long.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            owner: Owner::default(),
            longest_line: LONGEST_LINE,
            open_files: descriptors(),
            poll: false,
            oldest_first: false,
            patience: Duration::from_secs(2),
        }
    }
}

/// All followed files.
///
/// Passive and without a clock: a command or the live reader drives it. Batches include checkpoints. Pass them to
/// [`Tails::resume`] after a restart, and only new data will be read.
pub struct Tails {
    pub(super) roots: Vec<Root>,
    pub(super) root_stats: RootStats,
    /// Files and folders that list further roots.
    pub(super) indexes: Vec<Index>,
    pub(super) tools: Tools,
    pub(super) files: FxHashMap<FileId, Followed>,
    /// Every known name of each followed file.
    pub(super) paths: FxHashMap<OsString, FileId>,
    pub(super) folders: FxHashMap<OsString, Folder>,
    /// Checkpoints from earlier runs whose files have not been found yet.
    pub(super) known: Checkpoints,
    pub(super) notes: BTreeMap<PathBuf, Condition>,
    pub(super) tallies: Tallies,
    /// True when the state of the sources may have changed.
    pub(super) dirty: bool,
    /// True if a file has a second name, or is reached through a link. Writing to it may cause no event.
    pub(super) has_other_names: bool,
    /// Number of scans of all files.
    pub(super) round: u64,
    /// True after the first read. Files found later are new.
    pub(super) started: bool,
    /// Recently changed files, with possible duplicates.
    pub(super) recent: Vec<FileId>,
    /// Files that may have new data, with possible duplicates.
    pub(super) waiting: Vec<FileId>,
    pub(super) options: Options,
    /// Files with open descriptors, least recently used first.
    pub(super) open: VecDeque<FileId>,
    /// The files that describe logs.
    pub(super) describers: SidecarIndex,
    /// Thread that reads folders ahead for the next full scan.
    pub(super) looking: Option<Prefetcher>,
}

/// A followed file and its schedule.
pub(super) struct Followed {
    pub(super) tail: Tail,
    /// Metadata from when new data was noticed.
    pub(super) pending: Option<Stat>,
    /// The round in which it was found. It need not be checked again in that round.
    pub(super) round: u64,
    /// True when no name leads to it any more. It is then read through its open descriptor.
    pub(super) detached: bool,
    /// When it was found.
    pub(super) seen: Instant,
    /// When it last had new data.
    pub(super) changed: Option<Instant>,
    /// Why it could not be read, and when to retry.
    pub(super) failure: Option<Failure>,
}

/// A failed read.
pub(super) struct Failure {
    pub(super) what: Condition,
    pub(super) again: Instant,
    wait: Duration,
    changed_ns: i64,
}

impl Tails {
    /// Follows these roots on the real file system. Reads nothing yet.
    pub fn new(roots: &Roots, options: Options) -> Self {
        Self::on(Arc::new(OsFs), roots, options)
    }

    /// Follows these roots on this file system.
    pub fn on(fs: Arc<dyn Fs>, roots: &Roots, options: Options) -> Self {
        let tools = Tools {
            projects: Arc::new(Projects::new(Arc::clone(&fs))),
            fs,
            splitter: LineSplitter::new(options.longest_line),
            only: options.only.clone().into(),
            owner: options.owner.clone(),
            stop: Arc::new(AtomicBool::new(false)),
            patience: options.patience,
            is_live: false,
        };
        Self {
            roots: roots.places().into_iter().map(Root::new).collect(),
            root_stats: RootStats::default(),
            indexes: roots.indexes.iter().map(Index::new).collect(),
            tools,
            files: FxHashMap::default(),
            paths: FxHashMap::default(),
            folders: FxHashMap::default(),
            known: Checkpoints::default(),
            notes: BTreeMap::new(),
            tallies: Tallies::default(),
            dirty: true,
            has_other_names: false,
            round: 1,
            started: false,
            recent: Vec::new(),
            waiting: Vec::new(),
            options,
            open: VecDeque::new(),
            describers: SidecarIndex::default(),
            looking: None,
        }
    }

    /// Adds checkpoints from earlier runs. Call it before the first scan.
    pub fn resume(&mut self, states: impl IntoIterator<Item = Checkpoint>) {
        self.known.extend(states);
        // About as many files will follow. Growing the tables step by step would cost several times as much.
        self.files.reserve(self.known.len());
        self.paths.reserve(self.known.len());
    }

    /// A flag that stops reading soon after it is set. Batches already emitted stay valid.
    pub fn stopper(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.tools.stop)
    }

    /// True once reading should stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.tools.is_stopping()
    }

    /// Checks every known file, and reads new data.
    pub fn poll_once(&mut self, now: Instant, sink: &mut dyn FnMut(ReadBatch)) {
        self.look_at_all(now);
        (self.started, self.round) = (true, self.round + 1);
        self.read_pending(now, sink);
    }

    /// Scans all roots, then reads new data of several files at a time, newest first.
    ///
    /// With `threads` = 1, it reads on this thread. `sink` is called on this thread in any case.
    pub fn catch_up(&mut self, now: Instant, threads: usize, sink: &mut dyn FnMut(ReadBatch, Progress)) {
        self.rescan(now);
        self.look_at_all(now);
        self.round += 1;
        let mut jobs: Vec<(&mut Tail, Stat)> =
            self.files.values_mut().filter_map(|file| Some((&mut file.tail, file.pending?))).collect();
        if jobs.is_empty() {
            self.started = true;
            return;
        }
        parallel::arrange(&mut jobs, threads, self.options.oldest_first);
        let (order, jobs): (Vec<FileId>, Vec<_>) =
            jobs.into_iter().map(|(tail, stat)| (tail.id(), (tail, stat))).unzip();
        let tallies = &mut self.tallies;
        let ends =
            parallel::read_all(jobs, &mut self.tools, threads, self.options.open_files, &mut |batch, progress| {
                tallies.add(&batch.tallies);
                trace_batch(&batch);
                sink(batch, progress);
            });
        self.dirty = true;
        for (id, end) in order.into_iter().zip(ends) {
            self.ended(id, end, now);
        }
        // Handle files whose read failed (too many open files, a replacement) one by one.
        self.started = true;
        self.read_pending(now, &mut |batch| sink(batch, Progress::default()));
    }

    /// Reads the files with new data, newest first.
    pub(super) fn read_pending(&mut self, now: Instant, sink: &mut dyn FnMut(ReadBatch)) {
        let waiting = std::mem::take(&mut self.waiting);
        let modified = |id: FileId| Some((self.files.get(&id)?.pending?.modified_ns, id));
        let mut waiting: Vec<(i64, FileId)> = waiting.into_iter().filter_map(modified).collect();
        sort_by(&mut waiting, |one, other| other.cmp(one));
        waiting.dedup();
        let mut queue: VecDeque<FileId> = waiting.into_iter().map(|(_, id)| id).collect();
        while let Some(id) = queue.pop_front() {
            if self.is_stopping() {
                return;
            }
            queue.extend(self.read_one(id, now, sink));
        }
    }

    /// Reads one file. Returns the file to read after it, if any.
    fn read_one(&mut self, id: FileId, now: Instant, sink: &mut dyn FnMut(ReadBatch)) -> Option<FileId> {
        let (tallies, dirty) = (&mut self.tallies, &mut self.dirty);
        let file = self.files.get_mut(&id)?;
        let end = file.tail.read(&mut self.tools, &mut |batch| {
            tallies.add(&batch.tallies);
            *dirty |= batch.tallies.bad > 0;
            trace_batch(&batch);
            sink(batch);
        });
        if let Err(error) = &end
            && is_out_of_descriptors(error)
            && !self.open.is_empty()
        {
            self.keep_open(self.open.len() / 2);
            return Some(id);
        }
        self.ended(id, end, now)
    }

    /// Handles the end of a read. Returns the file to read after it, if any.
    fn ended(&mut self, id: FileId, end: io::Result<Reached>, now: Instant) -> Option<FileId> {
        let file = self.files.get_mut(&id)?;
        let next = match end {
            Ok(Reached::End) => {
                self.dirty |= file.failure.take().is_some() || file.tail.news.is_some() || file.tail.partial.is_some();
                file.pending = None;
                None
            }
            Ok(Reached::Busy) if self.tools.is_live => {
                // The next round gets to it.
                self.waiting.push(id);
                None
            }
            Ok(Reached::More | Reached::Busy) => Some(id),
            Ok(Reached::Replaced(stat)) => self.replaced(id, stat, now),
            Err(error) if is_missing(&error) => {
                self.lost(id, now);
                None
            }
            Err(error) => {
                self.fail(id, &error, now);
                None
            }
        };
        self.open.retain(|other| *other != id);
        if self.files.get(&id).is_some_and(|file| file.tail.is_open()) {
            self.open.push_back(id);
            self.keep_open(self.options.open_files);
        }
        next
    }

    /// Checks a file for new data, and whether it is still at its path.
    pub(super) fn look(&mut self, id: FileId, now: Instant) {
        let Some(file) = self.files.get_mut(&id) else { return };
        if file.round == self.round {
            return;
        }
        if file.detached {
            self.look_at_detached(id, now);
            return;
        }
        match self.tools.fs.stat(file.tail.path()) {
            Ok(stat) if stat.id == id && stat.sort == FileKind::File => {
                let stat = file.tail.with_wal(&*self.tools.fs, stat);
                let waits = file
                    .failure
                    .as_ref()
                    .is_some_and(|failure| now < failure.again && failure.changed_ns == stat.changed_ns);
                if file.failure.is_some() && !waits {
                    file.pending = Some(stat);
                    self.waiting.push(id);
                } else if !waits
                    && (!file.tail.is_read(&stat)
                        || self.describers.have_changed(&file.tail, self.round, &*self.tools.fs))
                {
                    self.mark(id, stat, now);
                }
            }
            Ok(stat) => {
                self.replaced(id, stat, now);
            }
            Err(error) if is_missing(&error) => self.lost(id, now),
            Err(_) if file.failure.as_ref().is_some_and(|failure| now < failure.again) => {}
            Err(error) => self.fail(id, &error, now),
        }
    }

    /// Marks a file as having new data.
    pub(super) fn mark(&mut self, id: FileId, stat: Stat, now: Instant) {
        let Some(file) = self.files.get_mut(&id) else { return };
        (file.pending, file.changed) = (Some(stat), Some(now));
        self.waiting.push(id);
        if self.recent.last() != Some(&id) {
            self.recent.push(id);
        }
    }

    /// Checks an unlinked or moved file, whose writer may still be active for a while.
    fn look_at_detached(&mut self, id: FileId, now: Instant) {
        let Some(file) = self.files.get_mut(&id) else { return };
        match file.tail.held() {
            Some(Ok(stat)) if !file.tail.is_read(&stat) => self.mark(id, stat, now),
            Some(Ok(stat)) => {
                let kept = if stat.links == 0 { UNNAMED } else { MOVED_AWAY };
                if file.changed.is_none_or(|changed| now.saturating_duration_since(changed) >= kept) {
                    self.forget(id);
                }
            }
            Some(Err(_)) | None => self.forget(id),
        }
    }

    fn fail(&mut self, id: FileId, error: &io::Error, now: Instant) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let wait = file.failure.as_ref().map_or(FIRST_WAIT, |failure| (failure.wait * 2).min(LONGEST_WAIT));
        let changed_ns = file.pending.take().map_or(0, |stat| stat.changed_ns);
        let what = Condition::of_error(error);
        tracing::warn!(path = %file.tail.label(), %error, retry_in = ?wait, "file not read");
        self.dirty |= file.failure.as_ref().is_none_or(|failure| failure.what != what);
        self.recent.push(id);
        file.failure = Some(Failure { what, again: now + wait, wait, changed_ns });
    }

    /// Closes the least recently used descriptors beyond the first `most`.
    ///
    /// Files without a name are closed last, because they cannot be reopened.
    fn keep_open(&mut self, most: usize) {
        while self.open.len() > most {
            let is_detached = |id: &FileId| self.files.get(id).is_some_and(|file| file.detached);
            let at = self.open.iter().position(|id| !is_detached(id)).unwrap_or_default();
            let Some(id) = self.open.remove(at) else { return };
            if let Some(file) = self.files.get_mut(&id) {
                file.tail.close();
            }
        }
    }
}

fn trace_batch(batch: &ReadBatch) {
    let offset = batch.file.as_ref().map(|file| file.offset);
    let (records, bad) = (batch.records.len(), batch.tallies.bad);
    tracing::debug!(path = %batch.path, records, bad, offset, "batch handed on");
}
