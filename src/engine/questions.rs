//! Queries to the ledger of the running meter, answered on the thread that owns it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::{HealthView, Scrape};
use crate::config::Settings;
use crate::domain::Instant;
use crate::ledger::{Checkpoint, Ledger};
use crate::meter::{Recent, Rules};
use crate::pricing::PriceBook;

/// A query. It is called with the ledger and sends its answer itself. If the meter shuts down, it is dropped
/// unanswered.
pub(crate) type Question = Box<dyn FnOnce(&QueryContext<'_>) + Send>;

/// The ledger and everything else that an answer depends on, at one point in time.
pub(crate) struct QueryContext<'a> {
    /// The ledger, including calls that cannot be written now.
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
    /// Number of files that may contain more calls but could not be read.
    pub(crate) unread_files: u64,
    /// False during the first read, while the numbers are still too small.
    pub(crate) is_caught_up: bool,
    /// State of the metrics.
    pub(crate) scrape: &'a RefCell<Scrape>,
    /// The calls of the last hours, as kept by snapshots.
    pub(crate) recent: &'a RefCell<Recent>,
    /// The current time.
    pub(crate) now: Instant,
}

impl QueryContext<'_> {
    /// The last state of the telemetry reader; empty if there is none.
    pub(crate) fn telemetry_state(&self) -> String {
        let checkpoint = self.ledger.file(Path::new(Checkpoint::TELEMETRY)).ok().flatten();
        checkpoint.map(|checkpoint| checkpoint.reader).unwrap_or_default()
    }
}
