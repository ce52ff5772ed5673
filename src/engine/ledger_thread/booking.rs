//! Writes the calls from the logs, and sends the resulting changes to the screen.

use super::LedgerThread;
use crate::domain::Record;
use crate::engine::EngineEvent;
use crate::engine::inbox::Inbox;
use crate::ingest::ReadBatch;
use crate::ledger::{Batch, Change, Ledger};

/// Number of records from logs that are written in one transaction. The last batch may exceed it.
const TOGETHER: usize = 1024;

impl LedgerThread {
    /// Buffers a batch of the first read.
    pub(super) fn absorb(&mut self, batch: ReadBatch) {
        let (batch, is_troubled) = self.take(batch);
        self.state.absorbed = true;
        if self.is_full() {
            self.leave_out();
        } else if let Err(error) = self.books.absorb(&batch) {
            self.failed(&error);
        }
        if is_troubled {
            self.tell_health();
        }
    }

    /// Writes batches, and those that have arrived after them, in one transaction.
    pub(super) fn batches(&mut self, first: Vec<ReadBatch>, inbox: &mut Inbox) {
        let (mut together, mut is_troubled) = (Batch::default(), false);
        let mut next = Some(first);
        while let Some(batches) = next {
            for batch in batches {
                let (batch, troubled) = self.take(batch);
                together.records.extend(batch.records);
                together.files.extend(batch.files);
                is_troubled |= troubled;
            }
            next = if together.records.len() < TOGETHER { inbox.next_batches() } else { None };
        }
        self.post(&together);
        if is_troubled {
            self.tell_health();
        }
    }

    /// Notes a batch's bad lines in the health state. Returns the records to write, and whether there were bad lines.
    fn take(&mut self, batch: ReadBatch) -> (Batch, bool) {
        self.state.unread_again |= batch.file.is_none();
        let is_troubled = self.health.batch(&batch);
        (Batch::from(batch), is_troubled)
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
                // For a repeat, another process may have written the call first.
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

    /// Sends the status reports of agents and providers, if the batch has any.
    fn tell_statuses(&self, batch: &Batch) {
        if batch.records.iter().any(|record| matches!(record, Record::Status(_)))
            && let Ok(statuses) = self.books.statuses()
        {
            self.tell(EngineEvent::Statuses(statuses));
        }
    }

    /// Sends changes to the screen.
    pub(super) fn tell_changes(&mut self, changes: Vec<Change>) {
        if changes.iter().any(|change| *change != Change::Repeat) {
            self.note_changes(&changes);
            self.tell(EngineEvent::Changes(changes));
        }
    }

    /// Records changes that affect the health state.
    fn note_changes(&mut self, changes: &[Change]) {
        if self.health.booked(changes, self.env.now()) {
            self.tell_health();
        }
    }
}
