//! Logs with sidecar files, which hold their project, model or sums.
//!
//! An agent may write such a file after the log. When it has changed, the log is read again, and from its beginning if
//! its reader has learned something else. Its state is in the log's checkpoint, so that this also happens at the next
//! start.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::fs::{FileId, Fs};
use super::sidecars::{hash, state_of};
use super::tail::{Tail, Tools};
use crate::formats::{Decoder, Framing};
use crate::ledger::Checkpoint;

impl Tail {
    /// The checkpoint to store.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        let mut state = self.state.clone();
        if let Some(sidecars) = self.sidecars.as_deref() {
            state.reader.insert_str(0, &sidecars.line());
        }
        state
    }

    /// The current state of its sidecar files.
    pub(super) fn sidecar_stamp(&self, fs: &dyn Fs) -> u64 {
        self.sidecars.as_deref().map_or(0, |sidecars| sidecars.stamp(|file| state_of(fs, file)))
    }

    /// Records the state of its sidecar files and the facts read from them. If the facts have changed, a log of lines
    /// is read again from its beginning.
    pub(super) fn learn(&mut self, seen: u64, facts: &str, lines: &mut Decoder, tools: &Tools) {
        let Some(sidecars) = self.sidecars.as_deref_mut().filter(|sidecars| sidecars.seen != seen) else { return };
        let facts = hash(facts);
        let is_news = sidecars.facts != 0 && sidecars.facts != facts;
        (sidecars.seen, sidecars.facts, self.booked) = (seen, facts, false);
        if is_news && self.framing == Framing::Lines {
            tracing::info!(path = %self.label(), "sidecar changed, read again from its beginning");
            self.restart();
            *lines = self.decoder(tools);
        }
    }
}

/// Index of logs by sidecar file, and the sidecar files checked in this round.
#[derive(Default)]
pub(super) struct SidecarIndex {
    logs: FxHashMap<OsString, Vec<FileId>>,
    round: u64,
    checked: FxHashMap<PathBuf, u64>,
}

impl SidecarIndex {
    /// Adds a log.
    pub(super) fn add(&mut self, tail: &Tail) {
        for file in tail.sidecars.iter().flat_map(|sidecars| &sidecars.files) {
            self.logs.entry(file.clone().into_os_string()).or_default().push(tail.id());
        }
    }

    /// Removes a log.
    pub(super) fn remove(&mut self, tail: &Tail) {
        for file in tail.sidecars.iter().flat_map(|sidecars| &sidecars.files) {
            let Some(logs) = self.logs.get_mut(file.as_os_str()) else { continue };
            logs.retain(|id| *id != tail.id());
            if logs.is_empty() {
                self.logs.remove(file.as_os_str());
            }
        }
    }

    /// The logs that have this sidecar file.
    pub(super) fn logs_of(&self, file: &Path) -> Vec<FileId> {
        self.logs.get(file.as_os_str()).cloned().unwrap_or_default()
    }

    /// True if a sidecar file has changed since the log was read. A file that several logs share is checked once per
    /// round.
    pub(super) fn have_changed(&mut self, tail: &Tail, round: u64, fs: &dyn Fs) -> bool {
        let Some(sidecars) = tail.sidecars.as_deref() else { return false };
        if self.round != round {
            (self.round, self.checked) = (round, FxHashMap::default());
        }
        let stamp = sidecars.stamp(|file| match self.checked.get(file) {
            Some(state) => *state,
            None => *self.checked.entry(file.to_owned()).or_insert_with(|| state_of(fs, file)),
        });
        stamp != sidecars.seen
    }
}
