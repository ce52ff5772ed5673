//! The watched places and files, for the Health view.

use super::HealthState;
use super::words::{condition_words, trouble};
use crate::domain::Label;
use crate::engine::{SourceView, Watching};
use crate::ingest::{Health, Note, RootState, RootStatus};
use crate::text;

impl HealthState {
    /// Updates the state of the sources.
    pub(crate) fn sources(&mut self, health: &Health) {
        self.unread_files = health.unread_files();
        self.view.watching = if health.is_polling() { Watching::Polling } else { Watching::Live };
        // A place that does not exist yet is not a problem.
        let there = health.roots.iter().filter(|root| root.state != RootState::Waiting);
        let brought = &self.brought;
        let of = |path: &Label| brought.get(path).cloned().unwrap_or_default();
        let roots = there.map(|root| (root, root.path())).map(|(root, path)| SourceView {
            format: of(&path).format(),
            fidelity: root.exactness(),
            watching: match root.state {
                RootState::Live => Watching::Live,
                RootState::Polling(_) => Watching::Polling,
                RootState::Waiting
                | RootState::Found
                | RootState::Gone
                | RootState::PermissionDenied
                | RootState::Failing(_) => Watching::Off,
            },
            files: root.files,
            bad: of(&path).bad,
            last: of(&path).last,
            path,
            trouble: trouble(&root.state),
        });
        let files = health.notes.iter().chain(&self.lost).map(file_view);
        self.view.sources = roots.chain(files).collect();
        self.view.files = health.files;
        self.view.bad_total = health.tallies.bad;
        self.view.awaited = health.awaited().map(RootStatus::path).collect();
        self.view.absent = health.absent();
        self.view.found = health.existing_agents();
        self.view.notes = notes(health);
    }

    /// Records the calls of a damaged ledger that could not be recovered.
    pub(crate) fn lost(&mut self, lost: Option<Note>) {
        if let Some(lost) = &lost
            && self.lost.is_none()
        {
            self.view.sources.push(file_view(lost));
        }
        self.lost = lost;
    }
}

fn file_view(note: &Note) -> SourceView {
    SourceView {
        path: note.path.clone(),
        format: None,
        fidelity: String::new(),
        watching: Watching::Live,
        files: 0,
        bad: 0,
        last: None,
        trouble: Some(Label::new(&condition_words(&note.what))),
    }
}

fn notes(health: &Health) -> Vec<Label> {
    let mut notes = Vec::new();
    if health.gone > 0 {
        notes.push(Label::new(&format!("{} gone, kept in the ledger", text::plural(health.gone, "source"))));
    }
    if health.more_notes > 0 {
        notes.push(Label::new(&format!("{} more", text::plural(health.more_notes, "note"))));
    }
    notes
}
