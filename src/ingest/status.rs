//! Collects the state of the sources.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::places::Root;
use super::roots::lies_in;
use super::tails::Followed;
use super::{Condition, Health, Note, RootState, RootStatus, Tails};
use crate::domain::{Label, sort_by};

/// How long a last line may be incomplete before it is reported.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

impl Tails {
    /// State of all sources.
    pub fn health(&self, now: Instant) -> Health {
        let mut roots: Vec<RootStatus> = self
            .roots
            .iter()
            .map(|root| RootStatus {
                path: Arc::clone(&root.path),
                agent: root.layout.agent(),
                fidelity: root.layout.fidelity(),
                state: root.state.clone(),
                files: 0,
                reattached: root.reattached,
            })
            .collect();
        // Most agents' places do not exist and so have no files.
        let is_there = |root: &&Root| root.state != RootState::Waiting;
        let mut there: Vec<(&Root, &mut RootStatus)> =
            self.roots.iter().zip(&mut roots).filter(|(root, _)| is_there(root)).collect();
        for file in self.files.values() {
            for (root, status) in &mut there {
                status.files += u64::from(lies_in(file.tail.path(), &root.path));
            }
        }
        let mut notes: Vec<Note> =
            self.notes.iter().map(|(path, what)| Note { path: label(path), what: what.clone() }).collect();
        // If another file now has the name, only that one is reported.
        let tells = |file: &&Followed| !file.detached || !self.paths.contains_key(file.tail.path().as_os_str());
        for file in self.files.values().filter(tells) {
            file.conditions(now, &mut |what| notes.push(Note { path: file.tail.label().clone(), what }));
        }
        sort_by(&mut notes, |one, other| one.path.cmp(&other.path));
        let more_notes = notes.len().saturating_sub(Health::NOTES) as u64;
        notes.truncate(Health::NOTES);
        Health {
            roots,
            files: self.files.len() as u64,
            gone: self.missing(),
            tallies: self.tallies,
            lag: self.files.values().map(|file| file.tail.lag).sum(),
            notes,
            more_notes,
        }
    }

    /// Number of files under these roots that earlier runs have read and that no longer exist.
    fn missing(&self) -> u64 {
        let ours = |path: &Path| self.roots.iter().any(|root| lies_in(path, &root.path));
        let is_missing = |path: &Path| ours(path) && !self.paths.contains_key(path.as_os_str());
        self.known.states().filter(|state| is_missing(&state.path)).count() as u64
    }
}

impl Followed {
    /// Gives it this path: it was renamed, or is back after it was gone.
    pub(super) fn attach(&mut self, path: PathBuf) {
        self.tail.move_to(path);
        self.detached = false;
        if self.tail.news == Some(Condition::Gone) {
            self.tail.news = None;
        }
    }

    /// Time of the last change.
    pub(super) fn since(&self) -> Instant {
        self.changed.unwrap_or(self.seen)
    }

    fn conditions(&self, now: Instant, say: &mut dyn FnMut(Condition)) {
        if let Some(failure) = &self.failure {
            say(failure.what.clone());
        }
        if self.tail.strange {
            say(Condition::NotRecognised);
        }
        if let Some(offset) = self.tail.partial
            && now.saturating_duration_since(self.since()) >= TIMEOUT
        {
            say(Condition::Partial { offset });
        }
        if self.tail.tallies.nuls > 0 {
            say(Condition::NulsSkipped { bytes: self.tail.tallies.nuls });
        }
        if let Some(news) = &self.tail.news {
            say(news.clone());
        }
    }
}

fn label(path: &Path) -> Label {
    Label::from_path(path)
}
