//! The ledger's interface to the modules above it.

use std::path::Path;
use std::sync::Arc;

use super::LedgerError;
use super::key_value::{FactEdit, KeyValue};
use super::query::{Order, Query, Report};
use super::types::{Batch, Change, Checkpoint, Row, Sums};
use crate::domain::{CallKey, Filter, Span, Status};

/// Interface of all ledger stores.
///
/// Implementations merge sightings by key, follow descents (`Record::Descends`) so that calls replayed by a fork keep
/// their root's keys, and merge calls that two logs report under different names (`Call::alias`). The result does not
/// depend on the order of batches.
pub trait Ledger: KeyValue {
    /// Writes records and checkpoints, all or nothing.
    ///
    /// # Errors
    /// When nothing was written. The batch can be posted again.
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, LedgerError>;

    /// Like [`Ledger::post`], together with what arrives while it is being written. `more` appends that to the batch,
    /// and returns false if there is nothing. A store may ignore `more`.
    ///
    /// # Errors
    /// When nothing was written. The batch, which may have grown, can be posted again.
    fn post_with(
        &mut self,
        batch: &mut Batch,
        more: &mut dyn FnMut(&mut Batch) -> bool,
    ) -> Result<Vec<Change>, LedgerError> {
        let _ = more;
        self.post(batch)
    }

    /// Adds a batch without reporting changes, for bulk reading.
    ///
    /// The batch may stay buffered and invisible to queries until [`Ledger::flush`] or the next [`Ledger::post`], so
    /// that many batches become one transaction.
    ///
    /// # Errors
    /// When nothing was added.
    fn absorb(&mut self, batch: &Batch) -> Result<(), LedgerError>;

    /// Writes buffered batches.
    ///
    /// # Errors
    /// When nothing was written. The batches stay buffered for another attempt.
    fn flush(&mut self) -> Result<(), LedgerError>;

    /// Runs `ask`, whose queries all see the same state of the ledger, whatever other processes write meanwhile.
    ///
    /// # Errors
    /// When the ledger cannot be read. `ask` was not run then.
    fn on_one_state(&self, ask: &mut dyn FnMut()) -> Result<(), LedgerError> {
        ask();
        Ok(())
    }

    /// Runs a query.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn report(&self, query: &Query) -> Result<Report, LedgerError>;

    /// Sums of the calls that pass a filter.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn sums(&self, filter: &Filter) -> Result<Sums, LedgerError>;

    /// The newest `limit` calls that pass a filter, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, LedgerError>;

    /// Visits the calls that pass a filter in order of time, until `each` returns false. Only a few calls are in memory
    /// at a time. `each` must not query this ledger.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn each(&self, filter: &Filter, order: Order, each: &mut dyn FnMut(&Arc<Row>) -> bool) -> Result<(), LedgerError> {
        let mut rows = self.calls(filter, usize::MAX)?;
        if order == Order::Ascending {
            rows.reverse();
        }
        let _ = rows.iter().all(each);
        Ok(())
    }

    /// Sums per time span, oldest first, for the bars of a history.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, LedgerError> {
        spans.iter().map(|span| self.sums(&within(span, filter))).collect()
    }

    /// The call with this key.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, LedgerError>;

    /// Checkpoints of all files, by path.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn files(&self) -> Result<Vec<Checkpoint>, LedgerError>;

    /// Checkpoint of one file, for hooks, which read just one file.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn file(&self, path: &Path) -> Result<Option<Checkpoint>, LedgerError> {
        Ok(self.files()?.into_iter().find(|file| file.path == path))
    }

    /// The latest status reports of agents and providers.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn statuses(&self) -> Result<Vec<Status>, LedgerError> {
        Ok(Vec::new())
    }

    /// Runs `decide` on the ledger and writes the facts it returns. No other process can write in between, so the
    /// second of two decisions sees the first.
    ///
    /// # Errors
    /// When the ledger cannot be read or written, or `decide` fails. Nothing is written then.
    fn exclusively(&mut self, decide: Decide<'_>) -> Result<(), LedgerError>;

    /// True when another process has written to the ledger since the last call.
    fn changed_elsewhere(&mut self) -> bool {
        false
    }
}

/// A decision based on the ledger. Returns the facts to write.
pub type Decide<'a> = &'a mut dyn FnMut(&dyn Ledger) -> Result<Vec<FactEdit>, LedgerError>;

/// The same filter, restricted to a time span.
pub(super) fn within(span: &Span, filter: &Filter) -> Filter {
    let since = filter.since.map_or(span.from, |since| since.max(span.from));
    let until = filter.until.map_or(span.until, |until| until.min(span.until));
    Filter { since: Some(since), until: Some(until), ..filter.clone() }
}
