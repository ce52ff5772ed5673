//! Checks of the logs, their bad lines, and the folders to watch.

use std::path::{Path, PathBuf};

use super::{Report, Root, State};
use crate::app::catch_up::{Books, LogSelection};
use crate::commands::audit::{self, Bad};
use crate::commands::{Context, Failure};
use crate::domain::one_by_one;
use crate::engine::health::{condition_words, state_name, state_words};
use crate::ingest::RootState;
use crate::ledger::Ledger;
use crate::text;

/// Maximum number of files read again to list their bad lines.
const READ_AGAIN: usize = 5;

/// Maximum number of bad lines listed as text.
pub(crate) const NAMED: usize = 8;

/// Maximum number of notes on single files that are listed.
pub(crate) const NOTES: usize = 20;

impl Report {
    pub(super) fn sources(&mut self, books: &Books) {
        let absent = books.health.absent();
        for root in &books.health.roots {
            // Agents that are not installed are listed on one line, below.
            if root.agent.is_some() && root.state == RootState::Waiting {
                continue;
            }
            let state = match &root.state {
                RootState::Found | RootState::Live | RootState::Polling(_) => State::Ok,
                RootState::Waiting | RootState::Gone => State::Note,
                RootState::PermissionDenied | RootState::Failing(_) => State::Attention,
            };
            let words = state_words(&root.state).unwrap_or_else(|| text::plural(root.files, "file"));
            self.say("logs", state, format!("{}: {words}", root.path()));
            self.roots.push(Root { path: root.path(), state: state_name(&root.state), files: root.files });
        }
        for (agent, fidelity, gaps) in books.health.existing_agents() {
            self.found += 1;
            self.say("not logged", State::Note, text::agent_gaps(agent, &fidelity, gaps));
        }
        if !absent.is_empty() {
            self.say("agents", State::Note, text::absent(&absent));
        }
        for note in books.health.notes.iter().take(NOTES) {
            let state = if note.what.unread().is_some() { State::Attention } else { State::Note };
            self.say("file", state, format!("{}: {}", note.path, condition_words(&note.what)));
        }
        if books.health.gone > 0 {
            let gone = text::plural(books.health.gone, "log");
            self.say("logs", State::Note, format!("{gone} read before and now gone; the ledger keeps their calls"));
        }
    }

    /// The ledger has only their number. To list them, files that still exist are read again.
    pub(super) fn bad_lines(&mut self, context: &mut Context<'_>, books: &Books) -> Result<(), Failure> {
        let files: Vec<_> = books.ledger.files()?.into_iter().filter(|file| file.bad_lines > 0).collect();
        self.bad_lines = files.iter().map(|file| file.bad_lines).sum();
        if self.bad_lines == 0 {
            self.say("lines", State::Ok, "every line of a known format was counted");
            return Ok(());
        }
        let there = files.iter().map(|file| &file.path).filter(|path| path.is_file());
        let again: Vec<PathBuf> = there.take(READ_AGAIN).cloned().collect();
        if !again.is_empty() {
            let read = audit::read(context, &LogSelection::Paths(again))?;
            self.first_bad_lines = read.bad.iter().map(Bad::from_note).collect();
        }
        let files = text::plural(u64::try_from(files.len()).unwrap_or(u64::MAX), "file");
        let lines = text::plural(self.bad_lines, "line");
        self.say("lines", State::Attention, format!("{lines} in {files} quarantined, not counted"));
        let named: Vec<String> = self.first_bad_lines.iter().take(NAMED).map(ToString::to_string).collect();
        for line in named {
            self.say("lines", State::Note, line);
        }
        Ok(())
    }

    /// Compares the number of log folders with the system's limit on watches.
    pub(super) fn watches(&mut self, books: &Books) -> Result<(), Failure> {
        let limit = |name: &str| -> Option<u64> {
            std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok()
        };
        let Some(most) = limit("max_user_watches") else { return Ok(()) };
        let files = books.ledger.files()?;
        let folders: std::collections::BTreeSet<&Path> =
            one_by_one(files.iter().filter_map(|file| file.path.parent()).filter(|path| path.is_absolute()));
        let folders = u64::try_from(folders.len()).unwrap_or(u64::MAX);
        let (state, near) = if folders.saturating_mul(10) >= most.saturating_mul(8) {
            (State::Attention, "; raise fs.inotify.max_user_watches, or changes are found by polling")
        } else {
            (State::Ok, "")
        };
        let folders = text::plural(folders, "folder");
        self.say("watching", state, format!("{folders} to watch, the system allows {}{near}", text::count(most)));
        if limit("max_user_instances").is_some_and(|instances| instances < 8) {
            self.say("watching", State::Note, "few watchers allowed; raise fs.inotify.max_user_instances");
        }
        Ok(())
    }
}
