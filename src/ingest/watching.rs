//! Attaches the watch to the places of logs, and to the folders in which missing places may appear.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::dir_watch::{Scope, Watch};
use super::fs::{FileId, FileKind, Fs};
use super::{PollReason, RootKind, RootState, Tails};

/// The watch and what it is attached to. Without a watch, every place is polled.
pub(super) struct Watching {
    watch: Result<Box<dyn Watch>, PollReason>,
    /// The folder that is watched for each place, with its identity.
    attached: FxHashMap<Arc<Path>, (PathBuf, FileId)>,
}

/// A place, and the folder to watch for it.
struct Target {
    place: Arc<Path>,
    folder: (PathBuf, FileId),
    scope: Scope,
    /// True if the subfolders of another place include it.
    is_covered: bool,
}

impl Watching {
    pub(super) fn new(watch: Result<Box<dyn Watch>, PollReason>) -> Self {
        Self { watch, attached: FxHashMap::default() }
    }

    /// Watches places that are new or have changed.
    pub(super) fn attach(&mut self, tails: &mut Tails) {
        let fs = Arc::clone(&tails.tools.fs);
        let trees = tails.roots.iter().filter(|root| !root.is_flat).map(|root| Arc::clone(&root.path));
        let mut is_folder =
            |path: &Arc<Path>| tails.root_stats.stat(&*fs, path).is_ok_and(|stat| stat.sort == FileKind::Folder);
        let deep: Vec<Arc<Path>> = trees.filter(&mut is_folder).collect();
        for at in 0..tails.roots.len() {
            let root = &tails.roots[at];
            let (place, is_flat, is_own) = (Arc::clone(&root.path), root.is_flat, root.layout == RootKind::Own);
            let Some(mut target) = target_of(&*fs, tails, place, is_flat, &deep) else { continue };
            if is_own && target.scope == Scope::Flat {
                target.scope = Scope::Own;
            }
            let exists = tails.root_stats.stat(&*fs, &target.place).is_ok();
            let root = &tails.roots[at];
            if self.is_attached(&target) && (!exists || root.state != RootState::Found) {
                continue;
            }
            let state = self.watch(&*fs, target).map_or_else(RootState::Polling, |()| RootState::Live);
            let root = &mut tails.roots[at];
            if exists && root.state != state {
                root.state = state;
                tails.dirty = true;
            }
        }
        for at in 0..tails.indexes.len() {
            let place = tails.indexes[at].path.as_path().into();
            if let Some(target) = target_of(&*fs, tails, place, true, &deep)
                && !self.is_attached(&target)
            {
                // If it cannot be watched, it is read with every full scan.
                let _ = self.watch(&*fs, target);
            }
        }
    }

    fn is_attached(&self, target: &Target) -> bool {
        self.attached.get(&target.place) == Some(&target.folder)
    }

    fn watch(&mut self, fs: &dyn Fs, target: Target) -> Result<(), PollReason> {
        let Target { place, folder, scope, is_covered } = target;
        let watched = match &mut self.watch {
            _ if fs.is_remote(&folder.0) => Err(PollReason::Remote),
            Err(reason) => Err(reason.clone()),
            Ok(_) if is_covered => Ok(()),
            Ok(watch) => watch.attach(&place, &folder.0, scope),
        };
        self.attached.insert(place, folder);
        watched
    }
}

/// The folder to watch for a place: the place itself if it is a folder, else the nearest existing one above it.
fn target_of(fs: &dyn Fs, tails: &mut Tails, place: Arc<Path>, is_flat: bool, deep: &[Arc<Path>]) -> Option<Target> {
    let stats = &mut tails.root_stats;
    let is_folder = stats.stat(fs, &place).is_ok_and(|stat| stat.sort == FileKind::Folder);
    let from = if is_folder { &place } else { place.parent().unwrap_or(&place) };
    let folder = stats.nearest(fs, from)?;
    let scope = if is_folder && !is_flat { Scope::Deep } else { Scope::Flat };
    let is_covered = scope == Scope::Flat && deep.iter().any(|tree| folder.0.starts_with(tree));
    Some(Target { place, folder, scope, is_covered })
}
