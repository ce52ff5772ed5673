//! State of the metrics between two questions for them.

use std::cell::RefCell;

use crate::domain::{Filter, Instant};
use crate::ledger::{BooksError, Ledger, Order};
use crate::meter::Spread;
use crate::output::LabelSets;

/// State of the metrics, kept from one question to the next: a series that was there stays, and no count falls.
pub(crate) struct Scrape {
    /// Cost and latency of the calls of this run.
    pub(crate) spread: Spread,
    /// The names that have a series.
    pub(crate) labels: LabelSets,
    /// The time of the first call when it was first asked: the beginning of all sums.
    began: Option<Instant>,
}

impl Scrape {
    /// The state at the start of a run.
    pub(crate) fn new(now: Instant) -> RefCell<Self> {
        RefCell::new(Self { spread: Spread::new(now), labels: LabelSets::default(), began: None })
    }

    /// The beginning of all sums.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn began(&mut self, books: &dyn Ledger, now: Instant) -> Result<Instant, BooksError> {
        if let Some(began) = self.began {
            return Ok(began);
        }
        let mut first = now;
        books.each(&Filter::default(), Order::Ascending, &mut |row| {
            first = row.call.at().min(now);
            false
        })?;
        self.began = Some(first);
        Ok(first)
    }
}
