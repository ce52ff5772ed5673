//! Metrics of everything that the numbers depend on.

use super::View;
use crate::domain::{Filter, Usd};
use crate::engine::LedgerView;
use crate::ledger::LedgerError;
use crate::output::{Kind, LabelSets, Metrics};

/// State of the logs, the ledger and the prices.
pub(super) fn health(metrics: &mut Metrics, view: &View<'_>, sets: &mut LabelSets) -> Result<(), LedgerError> {
    let bad: u64 = view.books.files()?.iter().map(|file| file.bad_lines).sum();
    metrics.begin("tokmeter_bad_lines", Kind::Gauge, "Lines of logs that could not be counted.").sample(&[], bad);
    metrics
        .begin("tokmeter_unread_files", Kind::Gauge, "Files that may hold more calls and could not be read.")
        .sample(&[], view.unread_files);
    let age =
        metrics.begin("tokmeter_last_event_age_seconds", Kind::Gauge, "Seconds since the latest call in the books.");
    if let Some(row) = view.books.calls(&Filter::default(), 1)?.first() {
        age.sample(&[], (view.now - row.call.at()).num_seconds().max(0));
    }
    if let Some(health) = view.health {
        let lag = metrics.begin(
            "tokmeter_feed_lag_seconds",
            Kind::Gauge,
            "Seconds between the latest call of a source and its arrival, of calls that came since the server started.",
        );
        let mut lags = std::collections::BTreeMap::new();
        for (source, lasted) in &health.lags {
            let longest = lags.entry(sets.value("source", source)).or_insert(*lasted);
            *longest = (*longest).max(*lasted);
        }
        for (source, lasted) in lags {
            lag.sample(&[("source", source)], Usd::from_micro(lasted.num_microseconds().unwrap_or(i64::MAX)));
        }
        let is_written = match health.ledger {
            LedgerView::Memory | LedgerView::Open(_) => 1_u64,
            LedgerView::ReadOnly(_) | LedgerView::Failed(_) => 0,
        };
        metrics
            .begin("tokmeter_ledger_writable", Kind::Gauge, "1 while calls are booked, 0 while they wait in memory.")
            .sample(&[], is_written);
    }
    metrics
        .begin("tokmeter_price_list_timestamp_seconds", Kind::Gauge, "The day of the price list in use.")
        .sample(&[], view.prices.as_of().and_time(chrono::NaiveTime::MIN).and_utc().timestamp());
    Ok(())
}
