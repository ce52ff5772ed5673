//! Checkpoints from earlier runs whose files have not been found yet.

use std::path::Path;

use rustc_hash::FxHashMap;

use super::fs::Stat;
use crate::ledger::Checkpoint;

/// Checkpoints whose files have not been found yet.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// `None` once the file has been found.
    states: Vec<Option<Checkpoint>>,
    /// Index of the last checkpoint per inode.
    last: FxHashMap<u64, usize>,
    /// Index of the previous checkpoint with the same inode.
    before: Vec<Option<usize>>,
}

impl Checkpoints {
    /// Adds checkpoints.
    pub(super) fn extend(&mut self, states: impl IntoIterator<Item = Checkpoint>) {
        if self.states.is_empty() {
            // Collecting into an empty list reuses its memory.
            self.states = states.into_iter().map(Some).collect();
            self.last.reserve(self.states.len());
            let inodes = self.states.iter().flatten().map(|state| state.inode);
            self.before = inodes.enumerate().map(|(at, inode)| self.last.insert(inode, at)).collect();
            return;
        }
        for state in states {
            let free = self.places(state.inode).find(|at| self.states[*at].is_none());
            if let Some(at) = free {
                self.states[at] = Some(state);
            } else {
                self.before.push(self.last.insert(state.inode, self.states.len()));
                self.states.push(Some(state));
            }
        }
    }

    /// Number of checkpoints, including those already found.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Checkpoints whose files have not been found.
    pub(super) fn states(&self) -> impl Iterator<Item = &Checkpoint> {
        self.states.iter().flatten()
    }

    /// Takes the checkpoint of a file, matched by everything that is known without opening it.
    pub(super) fn take(&mut self, path: &Path, stat: &Stat) -> Option<Checkpoint> {
        // A network drive or a container may come back with a different device number.
        let fits = |state: &Checkpoint| state.device == stat.id.device || state.path == path;
        let fitting = self
            .places(stat.id.inode)
            .filter_map(|at| Some((at, self.states[at].as_ref().filter(|state| fits(state))?)));
        let (best, _) = fitting.max_by_key(|(_, state)| {
            let same = state.size == stat.size && state.modified_ns == stat.changed_ns;
            (same, state.path == path, state.offset)
        })?;
        self.states[best].take()
    }

    /// Indexes of the checkpoints with this inode.
    fn places(&self, inode: u64) -> impl Iterator<Item = usize> {
        std::iter::successors(self.last.get(&inode).copied(), |at| self.before[*at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::fs::{FileId, FileKind};

    fn state(path: &str, device: u64, size: u64) -> Checkpoint {
        Checkpoint { device, inode: 7, offset: size, size, modified_ns: 1, ..Checkpoint::unread(path.into()) }
    }

    fn stat(device: u64, size: u64) -> Stat {
        let id = FileId { device, inode: 7 };
        Stat { id, sort: FileKind::File, size, modified_ns: 1, changed_ns: 1, links: 1 }
    }

    #[test]
    fn of_several_files_of_one_inode_the_one_that_fits_best_is_taken_and_only_once() {
        let mut known = Checkpoints::default();
        known.extend([state("/a", 1, 10), state("/b", 1, 30), state("/c", 2, 40)]);
        let mut take =
            |path: &str, device, size| known.take(Path::new(path), &stat(device, size)).map(|state| state.size);
        assert_eq!(take("/x", 1, 10), Some(10), "the same size");
        assert_eq!(take("/x", 1, 99), Some(30), "the same device");
        assert_eq!(take("/x", 1, 99), None);
        assert_eq!(take("/c", 9, 99), Some(40), "the same path on a device that came back under another number");
        assert_eq!(known.states().count(), 0);
    }

    #[test]
    fn what_is_taken_and_given_back_over_and_over_needs_no_more_room() {
        let mut known = Checkpoints::default();
        known.extend([state("/a", 1, 10), state("/b", 1, 30)]);
        for _ in 0..100 {
            let taken = known.take(Path::new("/a"), &stat(1, 10)).unwrap();
            known.extend([taken]);
        }
        assert_eq!((known.len(), known.states().count()), (2, 2));
    }
}
