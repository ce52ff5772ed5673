//! Sidecar files of a log, which hold its project, model or sums, and their state in the log's checkpoint.

use std::hash::{Hash, Hasher as _};
use std::path::{Path, PathBuf};

use rustc_hash::FxHasher;

use super::fs::Fs;
use crate::formats::FormatId;
use crate::ledger::Checkpoint;

/// Start of the line in a checkpoint, before the decoder's state.
const MARK: &str = "beside ";

/// The sidecar files of one log.
pub(super) struct Sidecars {
    pub(super) files: Vec<PathBuf>,
    /// Their state when they were last read; 0 if that is not known.
    pub(super) seen: u64,
    /// A hash of what the reader learned from them; 0 if that is not known.
    pub(super) facts: u64,
}

impl Sidecars {
    /// The sidecar files of a log, with the state from its checkpoint; `None` if its format has no such files.
    pub(super) fn of(format: Option<FormatId>, log: &Path, state: &mut Checkpoint) -> Option<Box<Self>> {
        let files = format?.format().described_by(log);
        if files.is_empty() {
            return None;
        }
        let mut sidecars = Self { files, seen: 0, facts: 0 };
        if let Some((line, rest)) = state.reader.strip_prefix(MARK).and_then(|text| text.split_once('\n')) {
            let number = |text| u64::from_str_radix(text, 16).unwrap_or_default();
            (sidecars.seen, sidecars.facts) =
                line.split_once(' ').map_or((0, 0), |(seen, facts)| (number(seen), number(facts)));
            state.reader = rest.to_owned();
        }
        Some(Box::new(sidecars))
    }

    /// The text before the decoder's state in the checkpoint.
    pub(super) fn line(&self) -> String {
        format!("{MARK}{:x} {:x}\n", self.seen, self.facts)
    }

    /// Their current state.
    pub(super) fn stamp(&self, mut state_of: impl FnMut(&Path) -> u64) -> u64 {
        hash(self.files.iter().map(|file| state_of(file)).collect::<Vec<_>>())
    }
}

/// A number for any value that is never zero.
pub(super) fn hash(value: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish() | 1
}

/// A file's state; 0 if there is none.
pub(super) fn state_of(fs: &dyn Fs, file: &Path) -> u64 {
    fs.stat(file).map_or(0, |stat| hash((stat.id.inode, stat.size, stat.changed_ns)))
}
