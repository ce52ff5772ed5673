//! `metrics`: totals and limits as Prometheus text.

use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::config::LimitKey;
use crate::domain::{Dimension, Zone};
use crate::ledger::{BooksError, Grain, Ledger, Query, ReportRow};
use crate::meter::{Amount, LimitState};
use crate::output::{Kind, Metrics};
use crate::pricing::PriceBook;

pub(super) fn run(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let limits = catch_up::limit_states(context, &books.ledger, None)?;
    let metrics = metrics(&books.ledger, &limits, books.health.unread_files(), &books.prices, &[])?;
    metrics.write(context.out)?;
    Ok(Exit::Fine)
}

/// Labels by which calls are also split where names are asked for.
pub(super) const NAMES: [(&str, Dimension); 4] = [
    ("user", Dimension::User),
    ("team", Dimension::Team),
    ("project", Dimension::Project),
    ("agent", Dimension::Agent),
];

/// The metrics of these books; calls are split by source, model and `names`.
pub(super) fn metrics(
    books: &dyn Ledger,
    limits: &[LimitState],
    unread_files: u64,
    prices: &PriceBook,
    names: &[(&'static str, Dimension)],
) -> Result<Metrics, BooksError> {
    let split: Vec<_> =
        [("source", Dimension::Source), ("model", Dimension::Model)].iter().chain(names).copied().collect();
    let by = split.iter().map(|(_, dimension)| *dimension).collect();
    let rows = books.report(&Query { by, ..Query::new(Grain::Total, Zone::UTC) })?.rows;
    let bad: u64 = books.files()?.iter().map(|file| file.bad_lines).sum();
    let mut metrics = Metrics::default();
    of_calls(&mut metrics, &rows, &split);
    of_limits(&mut metrics, limits);
    metrics.begin("tokmeter_bad_lines", Kind::Gauge, "Lines of logs that could not be counted.").sample(&[], bad);
    metrics
        .begin("tokmeter_unread_files", Kind::Gauge, "Files that may hold more calls and could not be read.")
        .sample(&[], unread_files);
    metrics
        .begin("tokmeter_price_list_timestamp_seconds", Kind::Gauge, "The day of the price list in use.")
        .sample(&[], prices.as_of().and_time(chrono::NaiveTime::MIN).and_utc().timestamp());
    Ok(metrics)
}

/// Reads a count from a row.
type Count = fn(&ReportRow) -> u64;
/// Reads an amount from a limit.
type Part = fn(&LimitState) -> Amount;

fn of_calls(metrics: &mut Metrics, rows: &[ReportRow], split: &[(&'static str, Dimension)]) {
    let named = rows.iter().map(|row| {
        let labels: Vec<_> = split
            .iter()
            .zip(&row.by)
            .map(|((label, _), value)| (*label, value.as_deref().unwrap_or_default()))
            .collect();
        (row, labels)
    });
    let rows: Vec<(&ReportRow, Vec<(&str, &str)>)> = named.collect();
    let mut tokens = metrics.begin(
        "tokmeter_tokens_total",
        Kind::Counter,
        "Tokens by class. The classes do not overlap; output includes reasoning.",
    );
    for (row, labels) in &rows {
        let of = &row.sums.tokens;
        let classes = [
            ("input", of.input),
            ("cache_read", of.cache_read),
            ("cache_write_5m", of.cache_write_5m),
            ("cache_write_1h", of.cache_write_1h),
            ("output", of.output),
        ];
        for (class, count) in classes {
            tokens.sample(&[labels, &[("class", class)][..]].concat(), count);
        }
    }
    let counts: [(&'static str, &'static str, Count); 5] = [
        ("tokmeter_reasoning_tokens_total", "The part of the output that was reasoning.", |row| {
            row.sums.tokens.reasoning
        }),
        ("tokmeter_calls_total", "Calls.", |row| row.sums.calls),
        ("tokmeter_unpriced_tokens_total", "Tokens of calls without a price.", |row| row.sums.unpriced_tokens),
        ("tokmeter_lower_bound_calls_total", "Calls that were logged only in part.", |row| row.sums.lower_bound_calls),
        ("tokmeter_guessed_calls_total", "Calls whose model, split or rate is a guess.", |row| row.sums.guessed_calls),
    ];
    for (name, help, count) in counts {
        let mut metric = metrics.begin(name, Kind::Counter, help);
        for (row, labels) in &rows {
            metric.sample(labels, count(row));
        }
    }
    let mut cost =
        metrics.begin("tokmeter_cost_usd_total", Kind::Counter, "Cost in US dollars of the calls that have a price.");
    for (row, labels) in &rows {
        cost.sample(labels, row.sums.cost);
    }
    let mut saved = metrics.begin("tokmeter_cache_saved_usd", Kind::Gauge, "US dollars that caching saved.");
    for (row, labels) in &rows {
        saved.sample(labels, row.sums.saved);
    }
}

fn of_limits(metrics: &mut Metrics, limits: &[LimitState]) {
    let amounts: [(&'static str, &'static str, Part); 2] = [
        ("tokmeter_limit_used", "Used amount of a limit, in its unit.", |state| state.used),
        ("tokmeter_limit", "Allowed amount of a limit, in its unit.", |state| state.limit.amount),
    ];
    for (name, help, amount) in amounts {
        let mut metric = metrics.begin(name, Kind::Gauge, help);
        for state in limits {
            let key = LimitKey::from_limit(&state.limit).to_string();
            let labels =
                |unit| [("limit", key.as_str()), ("subject", state.subject.as_deref().unwrap_or("")), ("unit", unit)];
            let (allowed, amount) = (state.limit.amount, amount(state));
            if allowed.usd.is_some() {
                metric.sample(&labels("usd"), amount.usd.unwrap_or_default());
            }
            if allowed.tokens.is_some() {
                metric.sample(&labels("tokens"), amount.tokens.unwrap_or(0));
            }
            if allowed.output_tokens.is_some() {
                metric.sample(&labels("output_tokens"), amount.output_tokens.unwrap_or(0));
            }
        }
    }
}
