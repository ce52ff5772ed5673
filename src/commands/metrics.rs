//! `metrics`: totals and limits as Prometheus text, also used by the server.

mod calls;
mod health;
mod limits;

use std::cell::RefCell;

use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::domain::{Dimension, Instant, Zone, sort_by_key};
use crate::engine::{HealthView, Scrape};
use crate::ledger::{Grain, Ledger, LedgerError, Query};
use crate::meter::LimitState;
use crate::output::{self, Kind, Metrics, PrometheusFormat};
use crate::pricing::PriceBook;

pub(super) fn run(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let limits = catch_up::limit_states(context, &books, None)?;
    let now = context.now();
    let view = View {
        books: &books.ledger,
        limits: &limits,
        unread_files: books.health.unread_files(),
        prices: &books.prices,
        names: &[],
        health: None,
        zone: context.settings.zone,
        now,
    };
    let metrics = metrics(&view, &Scrape::new(now))?;
    context.out.write_all(output::prometheus(&metrics, PrometheusFormat::Prometheus).as_bytes())?;
    Ok(Exit::Fine)
}

/// Further labels of calls, if names are requested.
pub(super) const NAMES: [(&str, Dimension); 4] = [
    ("user", Dimension::User),
    ("team", Dimension::Team),
    ("project", Dimension::Project),
    ("agent", Dimension::Agent),
];

/// Everything that the metrics are based on.
pub(super) struct View<'a> {
    pub(super) books: &'a dyn Ledger,
    pub(super) limits: &'a [LimitState],
    pub(super) unread_files: u64,
    pub(super) prices: &'a PriceBook,
    /// Labels of calls in addition to source and model.
    pub(super) names: &'a [(&'static str, Dimension)],
    /// State of a running meter.
    pub(super) health: Option<&'a HealthView>,
    /// Time zone of a day.
    pub(super) zone: Zone,
    pub(super) now: Instant,
}

/// The metrics of this ledger.
pub(super) fn metrics(view: &View<'_>, scrape: &RefCell<Scrape>) -> Result<Metrics, LedgerError> {
    let scrape = &mut *scrape.borrow_mut();
    let split: Vec<(&'static str, Dimension)> =
        [("source", Dimension::Source), ("model", Dimension::Model)].iter().chain(view.names).copied().collect();
    let by = split.iter().map(|(_, dimension)| *dimension).collect();
    let mut rows = view.books.report(&Query { by, ..Query::new(Grain::Total, Zone::UTC) })?.rows;
    // The first names get a series of their own.
    sort_by_key(&mut rows, |row| std::cmp::Reverse((row.sums.cost, row.sums.tokens.total())));
    let mut metrics = Metrics::default();
    calls::totals(&mut metrics, &rows, &split, &mut scrape.labels);
    calls::today(&mut metrics, view)?;
    if view.health.is_some() {
        scrape.spread.update(view.books, view.now)?;
        calls::sizes(&mut metrics, &scrape.spread, &mut scrape.labels);
    }
    limits::limits(&mut metrics, view.limits, &mut scrape.labels, view.now);
    health::health(&mut metrics, view, &mut scrape.labels)?;
    let build = [("version", env!("CARGO_PKG_VERSION").to_owned())];
    metrics.begin("tokmeter_build_info", Kind::Gauge, "One, with the version of the program.").sample(&build, 1_u64);
    Ok(metrics)
}

#[cfg(test)]
mod tests;
