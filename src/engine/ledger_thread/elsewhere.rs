//! Checks whether another process has written to the ledger.

use std::time::Duration;

use super::LedgerThread;
use crate::engine::inbox::LedgerMessage;
use crate::ledger::Ledger;

/// Delay before the next check while the proxy is writing.
const AGAIN: Duration = Duration::from_secs(1);

impl LedgerThread {
    pub(super) fn look_at_ledger(&mut self) {
        if self.state.caught_up && self.has_changed() {
            self.show_ledger();
        }
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
