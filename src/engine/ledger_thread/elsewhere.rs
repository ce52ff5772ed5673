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
            self.show_ledger();
        }
    }

    /// Shows the ledger a second after the proxy wrote. What was written until now is in the snapshot, so that only later
    /// writes start the next look.
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
        if self.state.stuck.is_none() && self.health.ledger_became(&self.books.view()) {
            self.tell_health();
        }
    }

    /// True when another process may have changed the numbers. Holds change no numbers, but look like another process's
    /// writes. While the proxy writes, changes are therefore looked for once a second.
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
            // Without a thread the next look follows the next write.
            self.state.is_to_look = std::thread::Builder::new().name("look".to_owned()).spawn(look).is_ok();
        }
        false
    }
}
