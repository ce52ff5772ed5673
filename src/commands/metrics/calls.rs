//! Metrics of calls: their sums, and their distribution by cost and latency.

use std::collections::BTreeMap;

use super::View;
use crate::domain::{Dimension, Filter, Label, Span, Usd};
use crate::ledger::{LedgerError, ReportRow, Sums};
use crate::meter::{Histogram, Sizes, Spread};
use crate::output::{Buckets, Kind, LabelPair, LabelSets, Metrics};

/// Reads a count from sums.
type Count = fn(&Sums) -> u64;

/// Sums of all calls in the ledger.
pub(super) fn totals(
    metrics: &mut Metrics,
    rows: &[ReportRow],
    split: &[(&'static str, Dimension)],
    sets: &mut LabelSets,
) {
    let mut sums: BTreeMap<Vec<LabelPair>, Sums> = BTreeMap::new();
    for row in rows {
        let names = row.by.iter().map(|name| name.as_deref().unwrap_or_default());
        let pairs: Vec<(&'static str, &str)> = split.iter().map(|(label, _)| *label).zip(names).collect();
        sums.entry(sets.labels(&pairs)).or_default().add(&row.sums);
    }
    let tokens = metrics.begin(
        "tokmeter_tokens_total",
        Kind::Counter,
        "Tokens by type. The types do not overlap; output includes reasoning.",
    );
    for (labels, sums) in &sums {
        let of = &sums.tokens;
        let types = [
            ("input", of.input),
            ("cache_read", of.cache_read),
            ("cache_write_5m", of.cache_write_5m),
            ("cache_write_1h", of.cache_write_1h),
            ("output", of.output),
        ];
        for (name, count) in types {
            tokens.sample(&[&labels[..], &[("type", name.to_owned())]].concat(), count);
        }
    }
    let counts: [(&'static str, &'static str, Count); 5] = [
        ("tokmeter_reasoning_tokens_total", "The part of the output that was reasoning.", |sums| sums.tokens.reasoning),
        ("tokmeter_calls_total", "Calls.", |sums| sums.calls),
        ("tokmeter_unpriced_tokens_total", "Tokens of calls without a price.", |sums| sums.unpriced_tokens),
        ("tokmeter_lower_bound_calls_total", "Calls that were logged only in part.", |sums| sums.lower_bound_calls),
        ("tokmeter_guessed_calls_total", "Calls whose model, split or rate is a guess.", |sums| sums.guessed_calls),
    ];
    for (name, help, count) in counts {
        let family = metrics.begin(name, Kind::Counter, help);
        for (labels, sums) in &sums {
            family.sample(labels, count(sums));
        }
    }
    let cost =
        metrics.begin("tokmeter_cost_usd_total", Kind::Counter, "Cost in US dollars of the calls that have a price.");
    for (labels, sums) in &sums {
        cost.sample(labels, sums.cost);
    }
    let saved = metrics.begin("tokmeter_cache_saved_usd", Kind::Gauge, "US dollars that caching saved.");
    for (labels, sums) in sums.iter().filter(|(_, sums)| !sums.is_unpriced()) {
        saved.sample(labels, sums.saved);
    }
}

/// Today's sums.
pub(super) fn today(metrics: &mut Metrics, view: &View<'_>) -> Result<(), LedgerError> {
    let day = Span::day(view.now, view.zone);
    let sums = view.books.sums(&Filter { since: Some(day.from), until: Some(day.until), ..Filter::default() })?;
    let cost = "Cost in US dollars of the calls of today, in the time zone of the meter.";
    let cost = metrics.begin("tokmeter_today_cost_usd", Kind::Gauge, cost);
    // Without any price it is unknown, and not 0.
    if !sums.is_unpriced() {
        cost.sample(&[], sums.cost);
    }
    metrics.begin("tokmeter_today_tokens", Kind::Gauge, "Tokens of today.").sample(&[], sums.tokens.total());
    metrics.begin("tokmeter_today_calls", Kind::Gauge, "Calls of today.").sample(&[], sums.calls);
    Ok(())
}

/// Reads a histogram from the sizes of a model's calls.
type Size = fn(&Sizes) -> &Histogram;

/// Cost and latency of the calls of this run.
pub(super) fn sizes(metrics: &mut Metrics, spread: &Spread, sets: &mut LabelSets) {
    // Costs are in pico-dollars, latencies in nanoseconds.
    let families: [(&'static str, &'static str, Size, i128); 2] = [
        (
            "tokmeter_call_cost_usd",
            "Cost in US dollars of a call, of the calls made since the server started.",
            |sizes| &sizes.cost,
            1,
        ),
        (
            "tokmeter_call_latency_seconds",
            "Time that an answer took, where the log states it, of the calls made since the server started.",
            |sizes| &sizes.latency,
            1_000,
        ),
    ];
    for (name, help, size, unit) in families {
        let mut models: BTreeMap<String, Histogram> = BTreeMap::new();
        for (model, sizes) in spread.models() {
            let histogram = size(sizes);
            if histogram.is_empty() {
                continue;
            }
            let model = sets.value("model", model.map(Label::as_str).unwrap_or_default());
            match models.get_mut(&model) {
                Some(known) => known.add(histogram),
                None => _ = models.insert(model, histogram.clone()),
            }
        }
        let family = metrics.begin(name, Kind::Histogram, help);
        let decimal = |size: i128| Usd::from_pico(size.saturating_mul(unit));
        for (model, histogram) in models {
            let bounds = histogram.bounds.into_iter().map(decimal).collect();
            let buckets = Buckets { bounds, counts: histogram.counts, sum: decimal(histogram.sum) };
            family.histogram(&[("model", model)], buckets);
        }
    }
}
