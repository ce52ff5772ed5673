//! Checks whether another process has written to the ledger.

use std::time::Duration;

use super::LedgerThread;
use crate::domain::Label;
use crate::engine::health::unpriced;
use crate::engine::inbox::LedgerMessage;
use crate::engine::{EngineEvent, Note, Tone};
use crate::ledger::{Displaced, Ledger};

/// Delay before the next check while the proxy is writing.
const AGAIN: Duration = Duration::from_secs(1);

impl LedgerThread {
    pub(super) fn look_at_ledger(&mut self) {
        if self.handle_displaced() {
            return;
        }
        if self.state.caught_up && self.has_changed() {
            self.show_ledger();
        }
        self.show_health();
    }

    /// Handles a ledger file that was removed or replaced; returns false if it was not. Another ledger in its place is
    /// opened at once, and the logs that it does not know are read. A removed ledger is created again with the next
    /// call and not before, because another file may be about to be copied there.
    pub(super) fn handle_displaced(&mut self) -> bool {
        let Some((how, error)) = self.books.displaced() else { return false };
        match how {
            Displaced::ByAnother => _ = self.failed(&error),
            Displaced::Removed if self.health.ledger_failed(&error) => {
                let path = self.config_edits.paths.ledger();
                let path = path.as_deref().map_or_else(|| Label::new("ledger"), Label::from_path);
                let text = format!("the ledger {path} was removed; it is created again with the next call");
                self.tell(EngineEvent::Note(Note::new(Tone::Danger, &text)));
                self.tell_health();
            }
            Displaced::Removed => {}
        }
        true
    }

    /// Shows the ledger one second after the proxy has written. Everything written so far is in the snapshot, so only
    /// later writes start the next check.
    pub(super) fn look_again(&mut self) {
        self.state.is_to_look = false;
        self.second_books.take_written();
        self.books.changed_elsewhere();
        if self.state.caught_up {
            self.show_ledger();
        }
    }

    fn show_ledger(&mut self) {
        self.open_again();
        // Another process's calls may be of models without a price.
        if unpriced(&self.books).is_ok_and(|models| self.health.unpriced(models)) {
            self.tell_health();
        }
        self.show_health();
    }

    /// Shows the ledger's state if it is another.
    fn show_health(&mut self) {
        if self.state.stuck.is_none() && self.health.ledger_became(&self.books.view()) {
            self.tell_health();
        }
    }

    /// True when another process may have changed the numbers. Holds do not change the numbers, but look like another
    /// process's writes. So while the proxy is writing, this checks only once a second.
    pub(super) fn has_changed(&mut self) -> bool {
        let is_changed = self.books.changed_elsewhere();
        if !self.second_books.take_written() {
            return is_changed;
        }
        if is_changed && !self.state.is_to_look {
            let work = self.config_edits.work.clone();
            let look = move || {
                std::thread::sleep(AGAIN);
                if let Some(work) = work.upgrade() {
                    let _ = work.blocking_send(LedgerMessage::Look);
                }
            };
            // If no thread can be started, the next write starts the next check.
            self.state.is_to_look = std::thread::Builder::new().name("look".to_owned()).spawn(look).is_ok();
        }
        false
    }
}
