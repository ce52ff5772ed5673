//! Finds log files: walks the roots, follows links once, and reports files that are not read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxHashSet;

use super::fs::{Entry, FileId, FileKind, Listing, Stat, inside, is_missing};
use super::log_names::{admits, unsupported_log};
use super::places::{DEEPEST, Folder, Root};
use super::prefetch::{Prefetch, Prefetcher};
use super::roots::{Place, lies_in};
use super::{Condition, Kind, RootKind, RootState, Tails};
use crate::domain::Label;

/// State of one walk.
struct Walk<'a> {
    layout: RootKind,
    is_flat: bool,
    now: Instant,
    /// Identities of the parent folders.
    above: Vec<FileId>,
    /// Identities of all folders visited, under any root.
    visited: FxHashSet<FileId>,
    /// Folders read ahead by another thread.
    ahead: Option<&'a Prefetch>,
}

impl Tails {
    /// Starts reading folders on a second thread. The next full scan uses the result. Listings may be older than the
    /// checkpoints given to [`Tails::resume`], but that does no harm, because changed files are checked again before
    /// they are read.
    pub fn look_ahead(&mut self) {
        let fs = Arc::clone(&self.tools.fs);
        let trees = self.roots.iter().filter(|root| !root.is_flat);
        let roots: Vec<_> = trees.map(|Root { path, layout, .. }| (path.to_path_buf(), *layout)).collect();
        self.looking = Some(Prefetcher::start(fs, roots));
    }

    /// Scans all roots. Unchanged folders are not read again.
    pub fn rescan(&mut self, now: Instant) {
        let looking = self.looking.take();
        let ahead = looking.as_ref().map(Prefetcher::ahead);
        let mut visited = FxHashSet::default();
        visited.reserve(self.folders.len());
        self.root_stats.start_scan();
        self.read_indexes();
        for at in 0..self.roots.len() {
            if self.is_stopping() {
                return;
            }
            let Root { ref path, layout, is_flat, .. } = self.roots[at];
            let path = Arc::clone(path);
            let (layout, is_flat) = layout.of_path(&path).unwrap_or((layout, is_flat));
            let found = self.root_stats.stat(&*self.tools.fs, &path);
            self.update_root(at, &found);
            match found {
                Ok(stat) if stat.sort == FileKind::Folder => {
                    let mut walk = Walk { layout, is_flat, now, above: Vec::new(), visited, ahead };
                    self.walk(&path, Some(stat), &mut walk);
                    visited = walk.visited;
                }
                Ok(stat) => self.add_file(path.to_path_buf(), layout, stat, now),
                Err(_) => {}
            }
        }
    }

    /// Adds places that are listed by the indexes and not followed yet.
    fn read_indexes(&mut self) {
        for index in &mut self.indexes {
            for place in index.news(&*self.tools.fs).unwrap_or_default() {
                let root = Root::new(Place { path: &place.path, is_flat: place.is_flat, kind: index.layout() });
                if !self.roots.iter().any(|other| other.path == root.path) {
                    self.roots.push(root);
                    self.dirty = true;
                }
            }
        }
    }

    /// Scans one folder and its subfolders, or one path.
    pub(super) fn rescan_under(&mut self, path: &Path, now: Instant) {
        let Some((layout, is_flat)) = self.naming_of(path) else { return };
        match self.tools.fs.stat(path) {
            Ok(stat) if stat.sort == FileKind::Folder => {
                if let Some(folder) = self.folders.get_mut(path.as_os_str()) {
                    folder.settled = false;
                    folder.changed_ns = 0;
                }
                let mut walk =
                    Walk { layout, is_flat, now, above: Vec::new(), visited: FxHashSet::default(), ahead: None };
                self.walk(path, Some(stat), &mut walk);
            }
            Ok(stat) if self.is_root(path) || path.file_name().is_some_and(|name| admits(name, layout)) => {
                self.add_file(path.to_owned(), layout, stat, now);
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Kind of the root that contains a path; `None` outside of all roots.
    fn naming_of(&self, path: &Path) -> Option<(RootKind, bool)> {
        let reaches = |root: &&Root| !root.is_flat || *path == *root.path || path.parent() == Some(&*root.path);
        let holding = self.roots.iter().filter(|root| lies_in(path, &root.path)).filter(reaches);
        let root = holding.max_by_key(|root| root.path.as_os_str().len())?;
        if let Some((layout, is_flat)) = root.layout.of_path(path) {
            let is_place = |folder: &Path| root.layout.of_folder(folder).is_some();
            let is_right_in = || path.parent().is_some_and(is_place) && !self.is_folder(path);
            let is_reached = !is_flat || is_place(path) || is_right_in();
            return is_reached.then_some((layout, is_flat));
        }
        // Folders inside a flat place are not searched.
        Some((root.layout, root.is_flat))
            .filter(|(_, is_flat)| !is_flat || *path == *root.path || !self.is_folder(path))
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.tools.fs.stat(path).is_ok_and(|stat| stat.sort == FileKind::Folder)
    }

    pub(super) fn is_root(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| *root.path == *path)
    }

    /// Updates the state of a root.
    fn update_root(&mut self, at: usize, found: &io::Result<Stat>) {
        let root = &mut self.roots[at];
        let state = match found {
            Ok(stat) => {
                if root.seen && root.id.is_none() {
                    root.reattached += 1;
                    self.dirty = true;
                }
                root.seen = true;
                root.id = Some(stat.id);
                match root.state {
                    RootState::Live | RootState::Polling(_) => return,
                    RootState::Waiting
                    | RootState::Found
                    | RootState::Gone
                    | RootState::PermissionDenied
                    | RootState::Failing(_) => RootState::Found,
                }
            }
            Err(error) if is_missing(error) => {
                root.id = None;
                if root.seen { RootState::Gone } else { RootState::Waiting }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => RootState::PermissionDenied,
            Err(error) => RootState::Failing(Label::new(&error.to_string())),
        };
        if root.state != state {
            root.state = state;
            self.dirty = true;
        }
    }

    /// Adds a path that is read whatever its name is.
    fn add_file(&mut self, path: PathBuf, layout: RootKind, stat: Stat, now: Instant) {
        match stat.sort {
            FileKind::File => {
                if self.paths.get(path.as_os_str()) != Some(&stat.id) {
                    self.adopt(path, layout, stat, now);
                }
            }
            FileKind::Folder => self.note(&path, Condition::Skipped(Kind::Folder)),
            FileKind::Link => self.note(&path, Condition::DanglingLink),
            FileKind::Other(kind) => self.note(&path, Condition::Skipped(kind)),
        }
    }

    /// Walks a folder and its subfolders by the rules of the agent that it belongs to.
    fn walk(&mut self, path: &Path, found: Option<Stat>, walk: &mut Walk<'_>) {
        let Some(agents) = walk.layout.of_folder(path) else { return self.walk_below(path, found, walk) };
        let named = (walk.layout, walk.is_flat);
        (walk.layout, walk.is_flat) = agents;
        self.walk_below(path, found, walk);
        (walk.layout, walk.is_flat) = named;
    }

    /// Walks a folder and its subfolders. A known, unchanged folder is only checked.
    fn walk_below(&mut self, path: &Path, found: Option<Stat>, walk: &mut Walk<'_>) {
        if walk.above.len() >= DEEPEST || self.is_stopping() {
            return;
        }
        let known = self.folders.get(path.as_os_str()).map(|folder| (folder.id, folder.changed_ns, folder.settled));
        let found = match (found, known) {
            (None, Some(_)) => match self.tools.fs.stat(path) {
                Ok(stat) if stat.sort == FileKind::Folder => Some(stat),
                Ok(_) | Err(_) => return,
            },
            (found, _) => found,
        };
        if let Some(stat) = found
            && !self.enter(path, stat.id, walk)
        {
            return;
        }
        let is_read = |(id, changed_ns, settled): (FileId, i64, bool)| {
            settled && found.is_some_and(|stat| (stat.id, stat.changed_ns) == (id, changed_ns))
        };
        if !known.is_some_and(is_read) {
            let layout = walk.layout;
            let ahead = walk.ahead.and_then(|ahead| ahead.take(path)).map(Ok);
            let read = || self.tools.fs.read_folder(path, &|name| admits(name, layout));
            let Listing { stat, entries } = match ahead.unwrap_or_else(read) {
                Ok(listing) => listing,
                Err(error) => {
                    if !is_missing(&error) {
                        self.note(path, Condition::of_error(&error));
                    }
                    self.folders.remove(path.as_os_str());
                    if found.is_some() {
                        walk.above.pop();
                    }
                    return;
                }
            };
            if found.is_none() && !self.enter(path, stat.id, walk) {
                return;
            }
            let (folders, sound) = self.take_in(path, entries, walk);
            // Changes made during the first read show up in the second.
            let again = known.is_some_and(|(id, changed_ns, _)| (id, changed_ns) == (stat.id, stat.changed_ns));
            let settled = again && sound && !self.tools.fs.is_remote(path);
            let kept = Folder { id: stat.id, changed_ns: stat.changed_ns, settled, folders };
            self.folders.insert(path.as_os_str().to_owned(), kept);
        }
        let folders = self.folders.get_mut(path.as_os_str()).map(|folder| std::mem::take(&mut folder.folders));
        let folders = folders.unwrap_or_default();
        for folder in &folders {
            self.walk(folder, None, walk);
        }
        if let Some(folder) = self.folders.get_mut(path.as_os_str()) {
            folder.folders = folders;
        }
        walk.above.pop();
    }

    /// Enters a folder, unless it was visited before or would cause a loop.
    fn enter(&mut self, path: &Path, id: FileId, walk: &mut Walk<'_>) -> bool {
        if walk.above.contains(&id) {
            self.note(path, Condition::SymlinkLoop);
            return false;
        }
        let new = walk.visited.insert(id);
        if new {
            walk.above.push(id);
        }
        new
    }

    /// Follows the files in a listing. Returns its subfolders, and whether all files could be followed.
    fn take_in(&mut self, folder: &Path, entries: Vec<Entry>, walk: &mut Walk<'_>) -> (Vec<PathBuf>, bool) {
        self.notes.retain(|path, _| path != folder && path.parent() != Some(folder));
        let (mut folders, mut sound) = (Vec::new(), true);
        for entry in entries {
            if self.is_stopping() {
                return (folders, false);
            }
            let admitted = admits(&entry.name, walk.layout);
            match entry.sort {
                FileKind::Folder if admitted => {
                    self.note(&folder.join(entry.name), Condition::Skipped(Kind::Folder));
                }
                FileKind::Folder if walk.is_flat => {}
                FileKind::Folder => folders.push(inside(folder, &entry.name)),
                FileKind::File if admitted => self.meet(inside(folder, &entry.name), &entry, walk),
                FileKind::File => {
                    if let Some(what) = unsupported_log(&entry.name, walk.layout) {
                        self.note(&folder.join(entry.name), Condition::Unsupported(what));
                    }
                }
                FileKind::Link => {
                    let path = folder.join(entry.name);
                    match self.tools.fs.stat(&path) {
                        Ok(stat) if stat.sort == FileKind::Folder && !walk.is_flat => folders.push(path),
                        Ok(stat) if admitted => {
                            self.has_other_names = true;
                            self.add_file(path, walk.layout, stat, walk.now);
                        }
                        Ok(_) => {}
                        Err(error) => {
                            sound = false;
                            let dangling = is_missing(&error);
                            let looped = !dangling && error.kind() != io::ErrorKind::PermissionDenied;
                            self.note(
                                &path,
                                if dangling {
                                    Condition::DanglingLink
                                } else if looped {
                                    Condition::SymlinkLoop
                                } else {
                                    Condition::PermissionDenied
                                },
                            );
                        }
                    }
                }
                FileKind::Other(kind) if admitted => self.note(&folder.join(entry.name), Condition::Skipped(kind)),
                FileKind::Other(_) => {}
            }
        }
        (folders, sound)
    }

    /// Follows a regular file, unless it is already followed.
    fn meet(&mut self, path: PathBuf, entry: &Entry, walk: &Walk<'_>) {
        if let Some(stat) = entry.stat {
            self.add_file(path, walk.layout, stat, walk.now);
            return;
        }
        if self.paths.get(path.as_os_str()).is_some_and(|id| entry.inode != 0 && id.inode == entry.inode) {
            return;
        }
        match self.tools.fs.stat(&path) {
            Ok(stat) => self.add_file(path, walk.layout, stat, walk.now),
            Err(error) if is_missing(&error) => {}
            Err(error) => self.note(&path, Condition::of_error(&error)),
        }
    }

    fn note(&mut self, path: &Path, what: Condition) {
        if self.notes.get(path) != Some(&what) {
            self.notes.insert(path.to_owned(), what);
            self.dirty = true;
        }
    }
}
