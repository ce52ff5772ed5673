//! Writes the calls of the logs, and tells the screen what they change.

use super::LedgerThread;
use crate::domain::Record;
use crate::engine::Feed;
use crate::ingest::ReadBatch;
use crate::ledger::{Batch, Change, Ledger};

impl LedgerThread {
    /// Takes a batch of the reader: writes it, or holds it during the first reading.
    pub(super) fn batch(&mut self, batch: ReadBatch) {
        let troubled = self.health.batch(&batch);
        self.state.unread_again |= batch.file.is_none();
        let batch = Batch::from(batch);
        if self.state.caught_up {
            self.post(&batch);
        } else {
            self.state.absorbed = true;
            if self.is_full() {
                self.leave_out();
            } else if let Err(error) = self.books.absorb(&batch) {
                self.failed(&error);
            }
        }
        if troubled {
            self.tell_health();
        }
    }

    /// Writes a batch and sends the changes to the screen.
    fn post(&mut self, batch: &Batch) {
        if self.state.stuck.is_some() {
            // Keep the order: a later offset must never be written before the rows of an earlier one.
            self.hold(batch);
            return;
        }
        match self.books.post(batch) {
            Ok(changes) => {
                self.tell_statuses(batch);
                // A repeat may have been written by another process first.
                if changes.contains(&Change::Repeat) && self.has_changed() {
                    self.note_changes(&changes);
                    self.open_again();
                } else {
                    self.tell_changes(changes);
                }
            }
            Err(error) => {
                if !self.failed(&error) {
                    self.hold(batch);
                }
            }
        }
    }

    /// Sends the statements of agents and providers, if the batch has any.
    fn tell_statuses(&self, batch: &Batch) {
        if batch.records.iter().any(|record| matches!(record, Record::Status(_)))
            && let Ok(statuses) = self.books.statuses()
        {
            self.tell(Feed::Statuses(statuses));
        }
    }

    /// Sends changes to the screen.
    pub(super) fn tell_changes(&mut self, changes: Vec<Change>) {
        if changes.iter().any(|change| *change != Change::Repeat) {
            self.note_changes(&changes);
            self.tell(Feed::Changes(changes));
        }
    }

    /// Notes changes in the state of health.
    fn note_changes(&mut self, changes: &[Change]) {
        if self.health.booked(changes, self.env.now()) {
            self.tell_health();
        }
    }
}
