//! Looks whether another process has written to the ledger.

use std::time::Duration;

use super::LedgerThread;
use crate::engine::inbox::LedgerMessage;
use crate::ledger::Ledger;

/// How soon it is looked again while the proxy writes.
const AGAIN: Duration = Duration::from_secs(1);

impl LedgerThread {
    pub(super) fn look_at_ledger(&mut self) {
        if self.state.caught_up && self.has_changed() {
            self.open_again();
            if self.state.stuck.is_none() && self.health.ledger_became(&self.books.view()) {
                self.tell_health();
            }
        }
    }

    /// Looks a second after the proxy wrote: only what it has written since puts this off once more.
    pub(super) fn look_again(&mut self) {
        self.second_books.has_written();
        self.look_at_ledger();
    }

    /// True when another process may have changed the numbers. What the proxy holds changes none, but is written by a
    /// connection of its own; so while it writes, this is true once a second.
    fn has_changed(&mut self) -> bool {
        let is_changed = self.books.changed_elsewhere();
        if !self.second_books.has_written() {
            let is_to_look = std::mem::take(&mut self.state.is_to_look);
            return is_changed || is_to_look;
        }
        if is_changed && !std::mem::replace(&mut self.state.is_to_look, true) {
            let work = self.config_edits.work.clone();
            // Without a thread the next look follows the next write.
            let _ = std::thread::Builder::new().name("look".to_owned()).spawn(move || {
                std::thread::sleep(AGAIN);
                if let Some(work) = work.upgrade() {
                    let _ = work.blocking_send(LedgerMessage::Look);
                }
            });
        }
        false
    }
}
