//! Location of a store, and how it is opened.

use std::path::PathBuf;

use super::Books;
use crate::ledger::interner::Interner;
use crate::ledger::store::{Step, Store, Stored};
use crate::ledger::write_buffer::WriteBuffer;
use crate::ledger::{LedgerError, StoreError};
use crate::pricing::Pricer;

/// Location of a store, and how it is opened. A store that is always open needs only the first two methods.
pub trait Backing: Sized {
    /// The store.
    type Store: Store;

    /// The open store.
    fn store(&self) -> &Self::Store;

    /// Adds the ledger's identity to a store error.
    fn error(&self, error: StoreError) -> LedgerError;

    /// Called before each step of an atomic sequence, where tests kill the process.
    fn step(&self, _name: &'static str) {}

    /// True until the store is in its final place. No other process has written to it yet.
    fn is_new(&self) -> bool {
        false
    }

    /// Refuses a write for reasons that are known without asking the store.
    ///
    /// # Errors
    /// When nothing may be written.
    fn admit(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Refuses a write for reasons that only its transaction can reveal.
    ///
    /// # Errors
    /// When nothing may be written.
    fn inspect(&self) -> Stored<()> {
        Ok(())
    }

    /// Called before every write but those of `Ledger::flush`.
    ///
    /// # Errors
    /// When nothing may be written.
    fn prepare(_books: &mut Books<Self>) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Writes the buffered batches.
    ///
    /// # Errors
    /// When nothing was written. The batches stay buffered.
    fn flush(books: &mut Books<Self>) -> Result<(), LedgerError> {
        books.flush_gathered()
    }

    /// Called after a batch has been buffered.
    fn absorbed(_books: &mut Books<Self>) {}

    /// Bulk-loads all buffered rows, and everything derived from them, into an empty store. Returns false if the store
    /// is not empty or has no faster way than row by row. `names` are the ledger's; a store that keeps rows as they are
    /// also takes over their names.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    fn load(
        &self,
        _gathered: &mut WriteBuffer,
        _names: &mut Interner,
        _pricer: &dyn Pricer,
        _step: Step<'_>,
    ) -> Stored<bool> {
        Ok(false)
    }

    /// Problems of the store that do not show in its rows, for a full check.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn check(&self) -> Stored<Vec<String>> {
        Ok(Vec::new())
    }

    /// Called when a full check has found a problem.
    fn distrust(&self) {}

    /// Makes a copy of the store, named after the reason, if it can be copied.
    ///
    /// # Errors
    /// When the copy cannot be written.
    fn back_up(&self, _why: &str) -> Stored<Option<PathBuf>> {
        Ok(None)
    }

    /// Opens the store again if that is needed to see other writers.
    fn reopen(_books: &mut Books<Self>) -> Reopened {
        Reopened::NotNeeded
    }
}

/// Outcome of [`Backing::reopen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// Other writers are visible without reopening.
    NotNeeded,
    /// Reopened; the contents may have changed.
    Done,
    /// It cannot be opened yet.
    NotYet,
}
