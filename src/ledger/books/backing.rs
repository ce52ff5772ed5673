//! Where a store is, and how it is opened.

use std::path::PathBuf;

use super::Books;
use crate::ledger::gathered::Gathered;
use crate::ledger::interner::Interner;
use crate::ledger::store::{Step, Store, Stored};
use crate::ledger::{BooksError, StoreError};
use crate::pricing::Pricer;

/// Where a store is, and how it is opened. A store that is always open needs only the first two methods.
pub trait Backing: Sized {
    /// The store.
    type Store: Store;

    /// The open store.
    fn store(&self) -> &Self::Store;

    /// Adds which ledger it was to an error of the store.
    fn error(&self, error: StoreError) -> BooksError;

    /// Called before each step of an atomic sequence, where tests kill the process.
    fn step(&self, _name: &'static str) {}

    /// True until the store has its final place; no other process has written to it.
    fn is_new(&self) -> bool {
        false
    }

    /// Refuses a write, for reasons known without asking the store.
    ///
    /// # Errors
    /// When nothing may be written.
    fn admit(&self) -> Result<(), BooksError> {
        Ok(())
    }

    /// Refuses a write, for reasons known within its transaction.
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
    fn prepare(_books: &mut Books<Self>) -> Result<(), BooksError> {
        Ok(())
    }

    /// Writes the buffered batches.
    ///
    /// # Errors
    /// When nothing was written; the batches stay buffered.
    fn flush(books: &mut Books<Self>) -> Result<(), BooksError> {
        books.flush_gathered()
    }

    /// Called after a batch was buffered.
    fn absorbed(_books: &mut Books<Self>) {}

    /// Writes all buffered rows into an empty store, with what is derived from them, in a quicker way than one by one.
    /// False if there is none, or the store is not empty. `names` are those of the ledger; a store that takes the rows
    /// as they are takes their names over, too.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    fn load(
        &self,
        _gathered: &mut Gathered,
        _names: &mut Interner,
        _pricer: &dyn Pricer,
        _step: Step<'_>,
    ) -> Stored<bool> {
        Ok(false)
    }

    /// Problems of the store that its rows do not show, for a full check.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn check(&self) -> Stored<Vec<String>> {
        Ok(Vec::new())
    }

    /// Called when a full check found a problem.
    fn distrust(&self) {}

    /// Copies the store, named after the reason, if it can be copied.
    ///
    /// # Errors
    /// When the copy cannot be written.
    fn back_up(&self, _why: &str) -> Stored<Option<PathBuf>> {
        Ok(None)
    }

    /// Opens the store again if that is what it takes to see other writers.
    fn reopen(_books: &mut Books<Self>) -> Reopened {
        Reopened::NotNeeded
    }
}

/// Outcome of [`Backing::reopen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// Other writers are seen without it.
    NotNeeded,
    /// It was opened again, and may have changed.
    Done,
    /// It cannot be opened yet.
    NotYet,
}
