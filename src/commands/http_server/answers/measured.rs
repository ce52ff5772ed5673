//! `GET /metrics`, and the metrics sent over OTLP.

use super::summary;
use crate::commands::metrics::{self, View};
use crate::engine::QueryContext;
use crate::ledger::LedgerError;
use crate::output::{self, Metrics, PrometheusFormat, Times};
use crate::server::http::{Answer, Exposition, Kind, Refusal};

/// The metrics as text.
pub(super) fn text(form: Exposition, books: &QueryContext<'_>) -> Result<Answer, Refusal> {
    let format = match form {
        Exposition::Text => PrometheusFormat::Prometheus,
        Exposition::OpenMetrics => PrometheusFormat::OpenMetrics,
    };
    let body = output::prometheus(&measured(books)?, format).into_bytes();
    Ok(Answer { kind: Kind::Metrics(form), body })
}

/// The metrics as an OTLP export.
pub(in crate::commands::http_server) fn export(books: &QueryContext<'_>) -> Result<Vec<u8>, String> {
    let encode = || {
        let metrics = measured(books)?;
        let mut scrape = books.scrape.borrow_mut();
        let sums_began = scrape.began(books.ledger, books.now)?;
        let times = Times { sums_began, histograms_began: scrape.spread.began, now: books.now };
        Ok(output::otlp(&metrics, times))
    };
    encode().map_err(|error: LedgerError| error.to_string())
}

fn measured(books: &QueryContext<'_>) -> Result<Metrics, LedgerError> {
    let mut limits = summary(books)?.limits;
    let mut names = &metrics::NAMES[..];
    // Metrics may be visible to people who must not see names.
    if !books.settings.server.metrics_names {
        limits.retain(|limit| !limit.names_someone());
        names = &[];
    }
    let view = View {
        books: books.ledger,
        limits: &limits,
        unread_files: books.unread_files,
        prices: books.prices,
        names,
        health: Some(&books.health),
        zone: books.settings.zone,
        now: books.now,
    };
    metrics::metrics(&view, books.scrape)
}
