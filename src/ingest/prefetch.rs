//! Reads folders ahead of the walk, starting from its far end. A second thread examines files while the first opens the
//! ledger, and shares the work on the rest of a large home directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::RootKind;
use super::fs::{FileKind, Fs, Listing, inside};
use super::log_names::admits;
use super::places::DEEPEST;

/// Folders read ahead. The walk reads any that are missing itself.
#[derive(Default)]
pub(super) struct Prefetch {
    /// Folders read ahead; `None` for folders that the walk has reached.
    folders: Mutex<FxHashMap<OsString, Option<Listing>>>,
    over: AtomicBool,
}

/// Handle of the reading thread, which ends when the handle is dropped.
pub(super) struct Prefetcher(Arc<Prefetch>);

impl Prefetcher {
    /// Starts a thread that reads these roots. If no thread can be started, the walk reads everything itself.
    pub(super) fn start(fs: Arc<dyn Fs>, roots: Vec<(PathBuf, RootKind)>) -> Self {
        let ahead = Arc::new(Prefetch::default());
        let shared = Arc::clone(&ahead);
        let _ = std::thread::Builder::new().name("ahead".to_owned()).spawn(move || shared.read(&*fs, &roots));
        Self(ahead)
    }

    pub(super) fn ahead(&self) -> &Prefetch {
        &self.0
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Prefetch {
    /// Called when the walk reaches a folder. Returns its listing if it was read ahead.
    pub(super) fn take(&self, folder: &Path) -> Option<Listing> {
        self.lock().insert(folder.as_os_str().to_owned(), None).flatten()
    }

    /// Reads the roots from last to first, until it reaches the folders that the walk has visited.
    fn read(&self, fs: &dyn Fs, roots: &[(PathBuf, RootKind)]) {
        for (root, layout) in roots.iter().rev() {
            if !self.read_below(fs, root, *layout, 0) {
                return;
            }
        }
    }

    /// Reads a folder and its subfolders, last first. Returns false if the walk got there first, or has ended.
    fn read_below(&self, fs: &dyn Fs, folder: &Path, layout: RootKind, depth: usize) -> bool {
        if self.over.load(Ordering::Relaxed) {
            return false;
        }
        if depth >= DEEPEST {
            return true;
        }
        let has_come = |folder: &Path| matches!(self.lock().get(folder.as_os_str()), Some(None));
        let come = has_come(folder);
        // The walk will report the error.
        let Ok(listing) = fs.read_folder(folder, &|name| admits(name, layout)) else { return true };
        let is_folder = |sort: FileKind, name: &std::ffi::OsStr| sort == FileKind::Folder && !admits(name, layout);
        let below = listing.entries.iter().filter(|entry| is_folder(entry.sort, &entry.name));
        let below: Vec<_> = below.map(|entry| inside(folder, &entry.name)).collect();
        if come && below.last().is_none_or(|last| has_come(last)) {
            return false;
        }
        if !come {
            self.lock().entry(folder.as_os_str().to_owned()).or_insert(Some(listing));
        }
        below.iter().rev().all(|folder| self.read_below(fs, folder, layout, depth + 1))
    }

    /// Held only to look up a folder, never while reading one.
    fn lock(&self) -> MutexGuard<'_, FxHashMap<OsString, Option<Listing>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Options, OsFs, Roots, Tails};
    use std::fs;
    use std::time::Instant;

    fn home() -> (tempfile::TempDir, PathBuf) {
        let keep = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(keep.path()).unwrap();
        for number in 0..1100 {
            let folder = root.join(format!("p{}/s{}/sub", number % 7, number % 31));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{number}.jsonl")), "{}\n").unwrap();
        }
        fs::write(root.join("p0/x.jsonl.gz"), "").unwrap();
        fs::create_dir(root.join("p1/folder.jsonl")).unwrap();
        (keep, root)
    }

    #[test]
    fn everything_below_is_read_ahead_and_given_once() {
        let (_keep, root) = home();
        let ahead = Prefetch::default();
        ahead.read(&OsFs, &[(root.clone(), RootKind::Own)]);
        for folder in [root.clone(), root.join("p3"), root.join("p3/s3/sub")] {
            assert!(ahead.take(&folder).is_some(), "{}", folder.display());
            assert!(ahead.take(&folder).is_none());
        }
        assert!(ahead.take(&root.join("p1/folder.jsonl")).is_none());
    }

    #[test]
    fn it_ends_where_it_meets_the_walk() {
        let (_keep, root) = home();
        let mut all = vec![root.clone()];
        for at in 0.. {
            let Some(folder) = all.get(at).cloned() else { break };
            let below = OsFs.list(&folder).unwrap().into_iter().filter(|entry| entry.sort == FileKind::Folder);
            all.extend(below.map(|entry| folder.join(entry.name)));
        }
        let ahead = Prefetch::default();
        for folder in &all {
            assert!(ahead.take(folder).is_none());
        }
        ahead.read(&OsFs, &[(root.clone(), RootKind::Own)]);
        assert!(ahead.lock().values().all(Option::is_none));
    }

    #[test]
    fn the_second_thread_ends_with_the_first_look() {
        let (_keep, root) = home();
        let mut tails = Tails::new(&Roots::only([root]), Options::default());
        tails.look_ahead();
        let ahead = Arc::clone(&tails.looking.as_ref().unwrap().0);
        assert!(!ahead.over.load(Ordering::Relaxed));
        tails.rescan(Instant::now());
        assert!(ahead.over.load(Ordering::Relaxed) && tails.looking.is_none());
    }

    #[test]
    #[cfg(unix)]
    fn two_threads_find_what_one_finds() {
        let (_keep, root) = home();
        std::os::unix::fs::symlink(&root, root.join("p2/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("p2/dangling.jsonl")).unwrap();
        fs::hard_link(root.join("p3/s3/sub/3.jsonl"), root.join("p4/again.jsonl")).unwrap();
        let roots = Roots::only([root.clone(), root.join("p5"), root.join("missing")]);
        let now = Instant::now();
        let mut states = Vec::new();
        let mut first = Tails::new(&roots, Options::default());
        first.catch_up(now, 1, &mut |batch, _| states.extend(batch.file));
        let seen = |two: bool| {
            let mut tails = Tails::new(&roots, Options::default());
            if two {
                tails.look_ahead();
            }
            tails.resume(states.clone());
            let mut batches = 0;
            tails.catch_up(now, 1, &mut |_, _| batches += 1);
            let health = tails.health(now);
            (batches, health.files, health.gone, health.roots, health.notes, tails.folders.len())
        };
        let (one, two) = (seen(false), seen(true));
        assert_eq!((one.0, one.1, one.2), (0, 1100, 0));
        assert_eq!(one, two);
    }
}
