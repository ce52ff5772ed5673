//! Questions to the books of the running meter, answered on the thread that owns them.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::{HealthView, Scrape};
use crate::config::Settings;
use crate::domain::Instant;
use crate::ledger::{Checkpoint, Ledger};
use crate::meter::{Recent, Rules};
use crate::pricing::PriceBook;

/// A question: it is called with the books and sends its answer itself. Dropped unanswered when the meter closes.
pub(crate) type Question = Box<dyn FnOnce(&BooksView<'_>) + Send>;

/// The books and everything that an answer depends on, at one moment.
pub(crate) struct BooksView<'a> {
    /// The books, with the calls that cannot be written now.
    pub(crate) ledger: &'a dyn Ledger,
    /// Limits, zone and filter.
    pub(crate) rules: &'a Rules,
    /// Settings in force.
    pub(crate) settings: &'a Settings,
    /// Prices in force.
    pub(crate) prices: &'a Arc<PriceBook>,
    /// State of sources, ledger and prices.
    pub(crate) health: HealthView,
    /// Why the numbers may be wrong.
    pub(crate) warning: Option<String>,
    /// Files that may hold more calls and could not be read.
    pub(crate) unread_files: u64,
    /// False during the first reading, when numbers are still too small.
    pub(crate) is_caught_up: bool,
    /// State of the metrics.
    pub(crate) scrape: &'a RefCell<Scrape>,
    /// The calls of the last hours, as snapshots keep them.
    pub(crate) recent: &'a RefCell<Recent>,
    /// The time now.
    pub(crate) now: Instant,
}

impl BooksView<'_> {
    /// The state with which the reader of telemetry ended; empty if there was none.
    pub(crate) fn telemetry_state(&self) -> String {
        let checkpoint = self.ledger.file(Path::new(Checkpoint::TELEMETRY)).ok().flatten();
        checkpoint.map(|checkpoint| checkpoint.reader).unwrap_or_default()
    }
}
