//! File system events. They are only hints: totals are correct even if every event is lost.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustc_hash::FxHashMap;

use super::PollReason;
use super::fs::{Fs, is_out_of_descriptors};
use super::roots::lies_in;
use super::watcher::watcher;
use crate::domain::Label;

/// Pauses after an event on a database's write-ahead log, which is written page by page: the first one and the longest.
/// Meanwhile the system merges identical events. The pause doubles while there are no other events: then nothing but a
/// database is written, and each wake-up costs as much as writing a page.
type Pauses = (Duration, Duration);

/// The pauses of a watcher of agents' logs, whose events must not wait behind those of a database.
const PAUSES: Pauses = (Duration::from_micros(500), Duration::from_millis(2));
/// The pauses of the watcher of our own logs, which lie next to the ledger: each call that is booked writes its log.
const OWN_PAUSES: Pauses = (Duration::from_millis(33), Duration::from_millis(33));

fn is_of_write_ahead_log(event: &Event) -> bool {
    event.paths.iter().all(|path| path.as_os_str().as_encoded_bytes().ends_with(b"-wal"))
}

/// Wakes up the live reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// A path has changed.
    Changed(PathBuf),
    /// Anything may have changed: scan everything.
    Rescan,
    /// Events will be missing from now on, for this reason.
    Broken(PollReason),
    /// Check now.
    Nudge,
}

/// How much of a folder is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The folder and its subfolders.
    Deep,
    /// The folder.
    Flat,
    /// The folder, which has our own logs and may have the ledger.
    Own,
}

/// Source of hints for the folders attached to it.
pub(super) trait Watch: Send {
    /// Requests hints about a place from a folder. The folder is the place itself, or lies above it. Replaces an
    /// earlier request.
    fn attach(&mut self, place: &Path, folder: &Path, scope: Scope) -> Result<(), PollReason>;
}

/// The operating system's file events.
pub(super) struct System {
    watcher: RecommendedWatcher,
    /// The watcher of our own logs; `None` if the system allows no second one.
    own: Option<RecommendedWatcher>,
    places: Arc<Mutex<Places>>,
    fs: Arc<dyn Fs>,
}

impl System {
    /// Sends hints about the places that it is attached to. If the queue is full, `flooded` is set instead.
    pub(super) fn new(
        fs: Arc<dyn Fs>,
        hints: &SyncSender<Hint>,
        flooded: &Arc<AtomicBool>,
    ) -> Result<Self, PollReason> {
        let places = Arc::new(Mutex::new(Places::default()));
        let start = |pauses: Pauses| {
            let mut pause = pauses.0;
            let (places, hints, flooded) = (Arc::clone(&places), hints.clone(), Arc::clone(flooded));
            let tell = move |event: notify::Result<Event>| {
                let is_burst = event.as_ref().is_ok_and(is_of_write_ahead_log);
                let found = lock(&places).hints(event);
                for hint in found {
                    if let Err(TrySendError::Full(_)) = hints.try_send(hint) {
                        flooded.store(true, Ordering::Relaxed);
                    }
                }
                if is_burst {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(pauses.1);
                } else {
                    pause = pauses.0;
                }
            };
            watcher(tell)
        };
        let (logs, own) = (start(PAUSES), start(OWN_PAUSES).ok());
        logs.map(|watcher| Self { watcher, own, places, fs }).map_err(|error| reason(&error))
    }
}

impl Watch for System {
    fn attach(&mut self, place: &Path, folder: &Path, scope: Scope) -> Result<(), PollReason> {
        lock(&self.places).add(place.to_owned(), |path| self.fs.canonical(path));
        let watcher = match (&mut self.own, scope) {
            (Some(own), Scope::Own) => own,
            (Some(_) | None, _) => &mut self.watcher,
        };
        // Fails if the folder was not attached, which does not matter.
        let _ = watcher.unwatch(folder);
        let mode = if scope == Scope::Deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        watcher.watch(folder, mode).map_err(|error| reason(&error))
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Each as a pair: its canonical path, which the system uses, and the path that we use.
    all: Vec<(PathBuf, PathBuf)>,
    /// Where the paths in each folder lie, so that not every event searches all places.
    folders: FxHashMap<OsString, Inside>,
}

/// Most folders that are remembered at a time.
const FOLDERS: usize = 4096;

/// Where all the paths in a folder lie.
#[derive(Clone, Copy, Debug)]
enum Inside {
    /// In no place, and leading to none.
    Elsewhere,
    /// In a place, under the name that we use.
    Ours,
    /// In the place at this index, under its canonical path.
    Canonical(usize),
}

impl Places {
    /// Adds a place, or resolves a known one again; `canonical` resolves symbolic links.
    fn add(&mut self, place: PathBuf, canonical: impl Fn(&Path) -> io::Result<PathBuf>) {
        let (there, rest) = place
            .ancestors()
            .find_map(|above| Some((canonical(above).ok()?, place.strip_prefix(above).ok()?.to_owned())))
            .unwrap_or_else(|| (place.clone(), PathBuf::new()));
        let real = if rest.as_os_str().is_empty() { there } else { there.join(rest) };
        self.folders.clear();
        match self.all.iter_mut().find(|(_, known)| *known == place) {
            Some(known) => known.0 = real,
            None => self.all.push((real, place)),
        }
    }

    /// Converts a system event to hints.
    ///
    /// Reads are ignored, because otherwise our own reads would wake us.
    fn hints(&mut self, event: notify::Result<Event>) -> Vec<Hint> {
        let event = match event {
            Ok(event) => event,
            Err(error) => return vec![Hint::Broken(reason(&error)), Hint::Rescan],
        };
        if event.need_rescan() {
            return vec![Hint::Rescan];
        }
        if matches!(event.kind, EventKind::Access(_)) {
            return Vec::new();
        }
        event.paths.iter().filter_map(|path| self.ours(path)).map(Hint::Changed).collect()
    }

    /// The path under the name we use, if it is in a root or leads to one.
    fn ours(&mut self, path: &Path) -> Option<PathBuf> {
        let Some(folder) = path.parent() else { return self.search(path) };
        let inside = match self.folders.get(folder.as_os_str()) {
            Some(known) => *known,
            None => {
                let Some(inside) = self.inside(folder) else { return self.search(path) };
                if self.folders.len() >= FOLDERS {
                    self.folders.clear();
                }
                self.folders.insert(folder.into(), inside);
                inside
            }
        };
        match inside {
            Inside::Elsewhere => None,
            Inside::Ours => Some(path.to_owned()),
            Inside::Canonical(at) => {
                let (real, root) = self.all.get(at)?;
                path.strip_prefix(real).ok().map(|rest| root.join(rest))
            }
        }
    }

    /// Where the paths in a folder lie; `None` if that differs, because some lead to a place.
    fn inside(&self, folder: &Path) -> Option<Inside> {
        if self.all.iter().any(|(real, root)| lies_in(root, folder) || lies_in(real, folder)) {
            return None;
        }
        let holds = |(real, root): &(PathBuf, PathBuf)| lies_in(folder, root) || lies_in(folder, real);
        let Some(at) = self.all.iter().position(holds) else { return Some(Inside::Elsewhere) };
        Some(if lies_in(folder, &self.all[at].1) { Inside::Ours } else { Inside::Canonical(at) })
    }

    fn search(&self, path: &Path) -> Option<PathBuf> {
        self.all.iter().find_map(|(real, root)| {
            if lies_in(path, root) || lies_in(root, path) {
                return Some(path.to_owned());
            }
            if lies_in(real, path) {
                return Some(root.clone());
            }
            lies_in(path, real).then(|| path.strip_prefix(real).ok().map(|rest| root.join(rest)))?
        })
    }
}

/// Why there are no events.
fn reason(error: &notify::Error) -> PollReason {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => PollReason::WatchLimit,
        notify::ErrorKind::Io(error) if is_out_of_descriptors(error) => PollReason::InstanceLimit,
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::Io(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => PollReason::Failed(Label::new(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, AccessMode, CreateKind, DataChange, Flag, ModifyKind};

    fn places() -> Places {
        let mut places = Places::default();
        for place in ["/link/logs", "/home/a/.claude/projects"] {
            // `/link` leads to `/real`; nothing below `/home` exists yet.
            places.add(place.into(), |path| match path.to_str() {
                Some("/link/logs") => Ok("/real/logs".into()),
                Some("/home" | "/") => Ok(path.to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            });
        }
        places
    }

    fn hints_for(kind: EventKind, path: &str) -> Vec<Hint> {
        places().hints(Ok(Event::new(kind).add_path(path.into())))
    }

    #[test]
    fn h3_an_overflow_of_the_systems_queue_makes_us_look_everywhere() {
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(places().hints(Ok(overflow)), [Hint::Rescan]);
    }

    #[test]
    fn our_own_reading_is_no_hint() {
        assert_eq!(hints_for(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/link/logs/a.jsonl"), []);
        assert_eq!(hints_for(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/link/logs/a.jsonl"), []);
    }

    #[test]
    fn a_path_is_told_as_we_name_it_whatever_the_system_calls_it() {
        let changed = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        for path in ["/link/logs/p/a.jsonl", "/real/logs/p/a.jsonl"] {
            assert_eq!(hints_for(changed, path), [Hint::Changed("/link/logs/p/a.jsonl".into())]);
        }
        assert_eq!(hints_for(changed, "/home/a/.bash_history"), []);
    }

    #[test]
    fn what_is_remembered_of_a_folder_holds_for_every_path_in_it_and_until_a_place_is_added() {
        let changed = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let mut places = places();
        let mut hints = |path: &str| places.hints(Ok(Event::new(changed).add_path(path.into())));
        for _ in 0..2 {
            assert_eq!(hints("/real/logs/p/a.jsonl"), [Hint::Changed("/link/logs/p/a.jsonl".into())]);
            assert_eq!(hints("/real/logs/p"), [Hint::Changed("/link/logs/p".into())]);
            assert_eq!(hints("/real/logs"), [Hint::Changed("/link/logs".into())]);
            assert_eq!(hints("/home/a/.claude/projects/p/b.jsonl").len(), 1);
            // One name in this folder leads to a place, the other does not.
            assert_eq!(hints("/home/a/.claude").len(), 1);
            assert_eq!(hints("/home/a/.bash_history"), []);
            assert_eq!(hints("/data/ledger.db-wal"), []);
        }
        places.add("/data".into(), |path| Ok(path.to_owned()));
        let event = Event::new(changed).add_path("/data/ledger.db-wal".into());
        assert_eq!(places.hints(Ok(event)), [Hint::Changed("/data/ledger.db-wal".into())]);
    }

    #[test]
    fn what_may_give_birth_to_a_root_is_a_hint() {
        let born = EventKind::Create(CreateKind::Folder);
        assert_eq!(hints_for(born, "/home/a/.claude"), [Hint::Changed("/home/a/.claude".into())]);
        assert_eq!(hints_for(born, "/home/b"), []);
    }

    #[test]
    fn h1_h2_a_watcher_that_fails_says_why_and_is_not_relied_on() {
        let limit = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
        assert_eq!(places().hints(Err(limit)), [Hint::Broken(PollReason::WatchLimit), Hint::Rescan]);
        #[cfg(unix)]
        {
            let many = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
            let hints = places().hints(Err(notify::Error::io(many)));
            assert_eq!(hints[0], Hint::Broken(PollReason::InstanceLimit));
        }
    }
}
