//! The stores on which the laws of the ledger are tried: in memory, in a file, and the third one.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use proptest::prelude::*;
use tokmeter::testing::domain::Instant;
use tokmeter::testing::ledger::{
    Backing, Batch, Books, Change, Ledger, Memory, Options, Query, Report, Repriced, Sums, open,
};
use tokmeter::testing::pricing::Pricer;

use super::common::{at, prices};
use super::shaky::Shaky;

/// A ledger, and the work on all of it.
pub trait AnyBooks: Ledger {
    fn exported(&self) -> Vec<u8>;
    /// Imports an export: the number of calls that were new, or the error.
    fn import_lines(&mut self, lines: &[u8]) -> Result<u64, String>;
    fn prune_before(&mut self, before: Instant) -> Sums;
    fn reprice_all(&mut self) -> Repriced;
    fn price_changes_by(&self, prices: &dyn Pricer) -> Repriced;
    fn report_at(&self, query: &Query, prices: Arc<dyn Pricer>) -> Report;
    fn hold_batch(&mut self, batch: &Batch) -> Vec<Change>;
    fn problems(&self) -> Vec<String>;
}

impl<B: Backing> AnyBooks for Books<B> {
    fn exported(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        self.export(&mut lines).unwrap();
        lines
    }

    fn import_lines(&mut self, mut lines: &[u8]) -> Result<u64, String> {
        self.import(&mut lines).map(|imported| imported.new).map_err(|error| error.to_string())
    }

    fn prune_before(&mut self, before: Instant) -> Sums {
        self.prune(before).unwrap()
    }

    fn reprice_all(&mut self) -> Repriced {
        self.reprice(at(3)).unwrap()
    }

    fn price_changes_by(&self, prices: &dyn Pricer) -> Repriced {
        self.price_changes(prices).unwrap()
    }

    fn report_at(&self, query: &Query, prices: Arc<dyn Pricer>) -> Report {
        self.report_repriced(query, prices).unwrap()
    }

    fn hold_batch(&mut self, batch: &Batch) -> Vec<Change> {
        self.hold(batch).unwrap()
    }

    fn problems(&self) -> Vec<String> {
        self.verify().unwrap().problems
    }
}

enum Place {
    Memory,
    File(tempfile::TempDir),
    Third(Shaky),
}

/// A ledger in one of the stores.
pub struct Kept {
    place: Place,
    books: Box<dyn AnyBooks>,
}

impl Kept {
    fn new(place: Place) -> Self {
        let mut kept = Self { place, books: Box::new(Memory::new(prices())) };
        kept.restart();
        kept
    }

    /// Closes the ledger and opens it again. What is in memory stays as it is.
    pub fn restart(&mut self) {
        if !matches!(self.place, Place::Memory) {
            self.restart_with(prices());
        }
    }

    /// Closes the ledger and opens it again with another price book. What is in memory is exported and imported.
    pub fn restart_with(&mut self, prices: Arc<dyn Pricer>) {
        let spare = Box::new(Memory::new(Arc::clone(&prices)));
        let closed = std::mem::replace(&mut self.books, spare);
        match &self.place {
            Place::Memory => assert!(self.books.import_lines(&closed.exported()).is_ok()),
            Place::File(folder) => {
                drop(closed);
                let opened = open(&folder.path().join("ledger.db"), Options::new(at(0)), prices).unwrap();
                assert_eq!(opened.notes, []);
                self.books = Box::new(opened.books);
            }
            Place::Third(store) => self.books = Box::new(Books::over(store.another(), prices)),
        }
    }

    /// Checks the ledger against its rows.
    pub fn sound(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.problems(), Vec::<String>::new(), "{}", self.name());
        Ok(())
    }

    pub fn name(&self) -> &'static str {
        match self.place {
            Place::Memory => "in memory",
            Place::File(_) => "in a file",
            Place::Third(_) => "in the third store",
        }
    }
}

impl Deref for Kept {
    type Target = dyn AnyBooks;

    fn deref(&self) -> &Self::Target {
        &*self.books
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.books
    }
}

/// An empty ledger in every store.
pub fn every_store() -> [Kept; 3] {
    let folder = tempfile::tempdir().unwrap();
    [Place::Memory, Place::File(folder), Place::Third(Shaky::new())].map(Kept::new)
}
