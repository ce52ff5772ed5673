//! State of the metrics between two scrapes.

use std::cell::RefCell;

use crate::domain::{Filter, Instant};
use crate::ledger::{Ledger, LedgerError, Order};
use crate::meter::Spread;
use crate::output::LabelSets;

/// State of the metrics, kept from one scrape to the next: a series that has appeared stays, and no count decreases.
pub(crate) struct Scrape {
    /// Cost and latency of the calls of this run.
    pub(crate) spread: Spread,
    /// The label sets that have a series.
    pub(crate) labels: LabelSets,
    /// The time of the first call when it was first asked for: the start of all sums.
    began: Option<Instant>,
}

impl Scrape {
    /// The state at the start of a run.
    pub(crate) fn new(now: Instant) -> RefCell<Self> {
        RefCell::new(Self { spread: Spread::new(now), labels: LabelSets::default(), began: None })
    }

    /// The start of all sums.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn began(&mut self, books: &dyn Ledger, now: Instant) -> Result<Instant, LedgerError> {
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
