//! Tests of a running meter's metrics.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::{Attribution, Call, CallKey, Label, Record, Tokens, Usd};
use crate::ledger::{Batch, Memory};
use crate::pricing::{CostMode, CustomPrice, Rates};

#[test]
fn calls_of_this_run_are_in_the_histograms_and_all_calls_in_the_sums() {
    let began = Instant::from_timestamp(1_790_000_000, 0).unwrap();
    let rates = Rates { output: Usd::from_micro(10_000), ..Rates::default() };
    let price = CustomPrice { model: "penny".to_owned(), from: None, rates };
    let prices = Arc::new(PriceBook::new(vec![price], Vec::new(), CostMode::Auto));
    let mut books = Memory::new(prices.clone());
    let call = |number: i64, output| {
        let from = Attribution::new(began + chrono::Duration::minutes(number), Label::new("native"));
        let key = CallKey::from_parts(&[number.to_string()]);
        let tokens = Tokens { output, ..Tokens::ZERO };
        let latency = Some(Duration::from_millis(1_500));
        Record::Call(Call { latency, ..Call::new(key, from, Some(Label::new("penny")), tokens) })
    };
    // One call before the run, one during it, and one so recent that it may still grow.
    books.post(&Batch { records: vec![call(-5, 9), call(1, 3), call(9, 5)], files: Vec::new() }).unwrap();
    let lags = vec![(Label::new("native"), chrono::Duration::milliseconds(40))];
    let health = HealthView { lags, ..HealthView::default() };
    let view = View {
        books: &books,
        limits: &[],
        unread_files: 0,
        prices: &prices,
        names: &[],
        health: Some(&health),
        zone: Zone::UTC,
        now: began + chrono::Duration::minutes(10),
    };
    let scrape = Scrape::new(began);
    let text = |scrape| output::prometheus(&metrics(&view, scrape).unwrap(), PrometheusFormat::OpenMetrics);
    let page = text(&scrape);
    for line in [
        "tokmeter_calls_total{source=\"native\",model=\"penny\"} 3",
        "tokmeter_tokens_total{source=\"native\",model=\"penny\",type=\"output\"} 17",
        "tokmeter_cost_usd_total{source=\"native\",model=\"penny\"} 0.17",
        "tokmeter_call_cost_usd_bucket{model=\"penny\",le=\"0.025\"} 0",
        "tokmeter_call_cost_usd_bucket{model=\"penny\",le=\"0.05\"} 1",
        "tokmeter_call_cost_usd_bucket{model=\"penny\",le=\"1.0\"} 1",
        "tokmeter_call_cost_usd_sum{model=\"penny\"} 0.03",
        "tokmeter_call_latency_seconds_bucket{model=\"penny\",le=\"1.0\"} 0",
        "tokmeter_call_latency_seconds_bucket{model=\"penny\",le=\"2.5\"} 1",
        "tokmeter_call_latency_seconds_sum{model=\"penny\"} 1.5",
        "tokmeter_last_event_age_seconds 60",
        "tokmeter_feed_lag_seconds{source=\"native\"} 0.04",
        "tokmeter_ledger_writable 1",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line} in {page}");
    }
    // A scrape changes nothing.
    assert_eq!(text(&scrape), page);
}
