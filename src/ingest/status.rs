//! Puts together how the sources are doing.

use std::path::Path;
use std::time::{Duration, Instant};

use super::roots::lies_in;
use super::tails::Followed;
use super::{Condition, Health, Note, RootStatus, Tails};
use crate::domain::Label;

/// How long a last line may be incomplete before it is worth a word.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

impl Tails {
    /// How the sources are doing.
    pub fn health(&self, now: Instant) -> Health {
        let mut roots: Vec<RootStatus> = self
            .roots
            .iter()
            .map(|root| RootStatus {
                path: label(&root.path),
                state: root.state.clone(),
                files: 0,
                reattached: root.reattached,
            })
            .collect();
        for file in self.files.values() {
            for (root, status) in self.roots.iter().zip(&mut roots) {
                status.files += u64::from(lies_in(file.tail.path(), &root.path));
            }
        }
        let mut notes: Vec<Note> =
            self.notes.iter().map(|(path, what)| Note { path: label(path), what: what.clone() }).collect();
        // Of a file whose name another has taken, that other one tells.
        let tells = |file: &&Followed| !file.detached || !self.paths.contains_key(file.tail.path().as_os_str());
        for file in self.files.values().filter(tells) {
            file.conditions(now, &mut |what| notes.push(Note { path: file.tail.label().clone(), what }));
        }
        notes.sort_by(|one, other| one.path.cmp(&other.path));
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

    /// Files that earlier runs read under these roots, and that are no longer there.
    fn missing(&self) -> u64 {
        let ours = |path: &Path| self.roots.iter().any(|root| lies_in(path, &root.path));
        let is_missing = |path: &Path| ours(path) && !self.paths.contains_key(path.as_os_str());
        self.known.states().filter(|state| is_missing(&state.path)).count() as u64
    }
}

impl Followed {
    /// Since when nothing has happened to it.
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
            && now.saturating_duration_since(self.since()) >= PATIENCE
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
    Label::from_bytes(path.as_os_str().as_encoded_bytes())
}
