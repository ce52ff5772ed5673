//! Tracks files and their names: found, moved, replaced or gone.

use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::fs::{FileId, FileKind, Stat};
use super::tail::Tail;
use super::tails::Followed;
use super::{Condition, RootKind, Tails};
use crate::domain::Label;

impl Tails {
    /// Handles a replaced file: reads the rest of the old one, then follows the new one.
    pub(super) fn replaced(&mut self, id: FileId, stat: Stat, now: Instant) -> Option<FileId> {
        let file = self.files.get(&id)?;
        let (path, layout) = (file.tail.path().to_owned(), file.tail.layout);
        tracing::info!(path = %file.tail.label(), "file replaced");
        self.lost(id, now);
        self.adopt(path.clone(), layout, stat, now);
        let builder = self.files.get_mut(&stat.id)?;
        if builder.tail.path() == path {
            builder.tail.news = Some(Condition::Replaced);
        }
        self.dirty = true;
        Some(stat.id)
    }

    /// Handles a file that is missing at its path: finds its new name, or keeps its descriptor.
    pub(super) fn lost(&mut self, id: FileId, now: Instant) {
        self.dirty = true;
        let Some(file) = self.files.get(&id) else { return };
        let old = file.tail.path().to_owned();
        if self.paths.get(old.as_os_str()) == Some(&id) {
            self.paths.remove(old.as_os_str());
        }
        if let Some((path, stat)) = self.other_name(id, &old) {
            self.paths.insert(path.clone().into_os_string(), id);
            if let Some(file) = self.files.get_mut(&id) {
                tracing::info!(from = %Label::from_path(&old), to = %Label::from_path(&path), "file rotated");
                file.attach(path);
                let stat = file.tail.with_wal(&*self.tools.fs, stat);
                if !file.tail.is_read(&stat) {
                    self.mark(id, stat, now);
                }
            }
            return;
        }
        let Some(file) = self.files.get_mut(&id) else { return };
        match file.tail.held() {
            Some(Ok(stat)) => {
                tracing::info!(path = %file.tail.label(), "file gone, read through its descriptor");
                file.detached = true;
                file.tail.news = Some(Condition::Gone);
                self.mark(id, stat, now);
            }
            Some(Err(_)) | None => self.forget(id),
        }
    }

    /// Another name of a file: a known one, or one next to the old name after log rotation.
    fn other_name(&self, id: FileId, old: &Path) -> Option<(PathBuf, Stat)> {
        let fs = &self.tools.fs;
        let is_it = |path: &Path| fs.stat(path).ok().filter(|stat| stat.id == id && stat.sort == FileKind::File);
        let mut names = self.paths.iter().filter(|(path, other)| **other == id && *path != old.as_os_str());
        if let Some(found) = names.find_map(|(path, _)| Some((path.into(), is_it(path.as_ref())?))) {
            return Some(found);
        }
        let folder = old.parent()?;
        let entries = if id.inode == 0 { Vec::new() } else { fs.list(folder).unwrap_or_default() };
        entries
            .into_iter()
            .filter(|entry| entry.inode == id.inode && entry.sort == FileKind::File)
            .map(|entry| folder.join(entry.name))
            .find_map(|path| is_it(&path).map(|stat| (path, stat)))
    }

    /// Follows a file that was found, unless it is already followed under another name.
    pub(super) fn adopt(&mut self, path: PathBuf, layout: RootKind, stat: Stat, now: Instant) {
        if let Some(file) = self.files.get(&stat.id) {
            let old = file.tail.path().to_owned();
            if old == path && !file.detached {
                self.paths.insert(old.into_os_string(), stat.id);
                self.look(stat.id, now);
                return;
            }
            let at_old = self.tools.fs.stat(&old).ok().filter(|_| !file.detached);
            let had = self.paths.insert(path.clone().into_os_string(), stat.id);
            if at_old.is_none_or(|found| found.id != stat.id)
                && let Some(file) = self.files.get_mut(&stat.id)
            {
                tracing::info!(from = %Label::from_path(&old), to = %Label::from_path(&path), "file rotated");
                file.attach(path.clone());
                let stat = file.tail.with_wal(&*self.tools.fs, stat);
                if !file.tail.is_read(&stat) {
                    self.mark(stat.id, stat, now);
                }
                if self.paths.get(old.as_os_str()) == Some(&stat.id) && old != path {
                    self.paths.remove(old.as_os_str());
                }
                if let Some(found) = at_old {
                    self.adopt(old, layout, found, now);
                }
            }
            self.displace(had, stat.id, &path, now);
            return;
        }
        if stat.sort != FileKind::File {
            return;
        }
        self.has_other_names |= stat.links > 1;
        let known = self.known.take(&path, &stat);
        let tail = Tail::new(&path, layout, &stat, known);
        let stat = tail.with_wal(&*self.tools.fs, stat);
        let is_stale = !tail.is_read(&stat)
            || tail.is_of_earlier_version()
            || self.describers.have_changed(&tail, self.round, &*self.tools.fs);
        let pending = is_stale.then_some(stat);
        self.describers.add(&tail);
        tracing::debug!(path = %Label::from_path(&path), size = stat.size, offset = tail.state.offset, "file found");
        let file =
            Followed { tail, pending, round: self.round, detached: false, seen: now, changed: None, failure: None };
        self.files.insert(stat.id, file);
        if pending.is_some() {
            self.waiting.push(stat.id);
            if self.started {
                self.mark(stat.id, stat, now);
            }
        }
        self.dirty = true;
        match self.paths.entry(path.into_os_string()) {
            Entry::Vacant(place) => drop(place.insert(stat.id)),
            Entry::Occupied(mut place) => {
                let (had, path) = (place.insert(stat.id), PathBuf::from(place.key()));
                self.displace(Some(had), stat.id, &path, now);
            }
        }
    }

    /// Handles a path that now leads to another file.
    fn displace(&mut self, had: Option<FileId>, new: FileId, path: &Path, now: Instant) {
        let Some(old) = had.filter(|old| *old != new) else { return };
        if self.files.get(&old).is_some_and(|file| file.tail.path() == path && !file.detached) {
            self.lost(old, now);
        }
    }

    pub(super) fn forget(&mut self, id: FileId) {
        let Some(mut file) = self.files.remove(&id) else { return };
        file.tail.close();
        self.describers.remove(&file.tail);
        self.open.retain(|other| *other != id);
        self.paths.retain(|_, other| *other != id);
        self.known.extend([file.tail.checkpoint()]);
        self.dirty = true;
    }
}
