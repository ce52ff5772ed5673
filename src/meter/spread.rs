//! Distribution of calls by cost and by latency, for each model.

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::{Filter, Instant, Label, Usd};
use crate::ledger::{Ledger, LedgerError, Order, Row};

/// Time after which a call counts as complete. While an answer is being streamed, its line in the log still grows, and
/// a count that decreases would look like a restart to Prometheus.
const SETTLED: Duration = Duration::minutes(2);

/// Upper bounds of the cost buckets, in micro-dollars.
const COSTS: [i64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];
/// Upper bounds of the latency buckets, in milliseconds.
const LATENCIES: [i64; 12] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000];

/// Observations by size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// Upper bounds, ascending.
    pub(crate) bounds: Vec<i128>,
    /// Observations in each bucket; the last count is for those above every bound.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: i128,
}

impl Histogram {
    fn new(bounds: impl Iterator<Item = i128>) -> Self {
        let bounds: Vec<i128> = bounds.collect();
        Self { counts: vec![0; bounds.len() + 1], bounds, sum: 0 }
    }

    fn observe(&mut self, size: i128) {
        let at = self.bounds.partition_point(|bound| *bound < size);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(size);
    }

    /// Adds the observations of another histogram with the same bounds.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// True when nothing was observed.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }
}

/// Cost and latency of the calls of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Cost in pico-dollars, of the calls that have one.
    pub(crate) cost: Histogram,
    /// Latency in nanoseconds, of the calls whose log gives it.
    pub(crate) latency: Histogram,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            cost: Histogram::new(COSTS.into_iter().map(|micro| Usd::from_micro(micro).pico())),
            latency: Histogram::new(LATENCIES.into_iter().map(|milliseconds| i128::from(milliseconds) * 1_000_000)),
        }
    }
}

impl Sizes {
    fn observe(&mut self, row: &Row) {
        if let Some(usd) = row.cost.usd() {
            self.cost.observe(usd.pico());
        }
        if let Some(latency) = row.call.latency {
            self.latency.observe(i128::try_from(latency.as_nanos()).unwrap_or(i128::MAX));
        }
    }
}

/// The calls made since a moment. Each is observed once, when it is complete.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    /// That moment.
    pub(crate) began: Instant,
    /// Calls before this time have been observed.
    seen: Instant,
    models: BTreeMap<Option<Label>, Sizes>,
}

impl Spread {
    /// No calls yet. Calls made from now on count.
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, seen: now, models: BTreeMap::new() }
    }

    /// Observes the calls that have completed since the last update. The work depends only on their number.
    ///
    /// # Errors
    /// When the ledger cannot be read. They are then observed next time.
    pub(crate) fn update(&mut self, books: &dyn Ledger, now: Instant) -> Result<(), LedgerError> {
        let until = now.checked_sub_signed(SETTLED).unwrap_or(now);
        if until <= self.seen {
            return Ok(());
        }
        let filter = Filter { since: Some(self.seen), until: Some(until), ..Filter::default() };
        let mut models = self.models.clone();
        books.each(&filter, Order::Ascending, &mut |row| {
            models.entry(row.call.model.clone()).or_default().observe(row);
            true
        })?;
        (self.models, self.seen) = (models, until);
        Ok(())
    }

    /// The models with their histograms.
    pub(crate) fn models(&self) -> impl Iterator<Item = (Option<&Label>, &Sizes)> {
        self.models.iter().map(|(model, sizes)| (model.as_ref(), sizes))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Attribution, Call, CallKey, Record, Tokens};
    use crate::ledger::{Batch, Memory};
    use crate::pricing::{CostMode, CustomPrice, PriceBook, Rates};

    fn call(number: u64, at: Instant, output: u64) -> Record {
        let (from, key) = (Attribution::new(at, Label::new("native")), CallKey::from_parts(&[number.to_string()]));
        let tokens = Tokens { output, ..Tokens::ZERO };
        let latency = Some(std::time::Duration::from_secs(number));
        Record::Call(Call { latency, ..Call::new(key, from, Some(Label::new("penny")), tokens) })
    }

    #[test]
    fn a_call_is_observed_once_and_only_when_it_has_settled() {
        let began = Instant::from_timestamp(1_790_000_000, 0).unwrap();
        let at = |minutes| began + Duration::minutes(minutes);
        let rates = Rates { output: Usd::from_micro(10_000), ..Rates::default() };
        let price = CustomPrice { model: "penny".to_owned(), from: None, rates };
        let mut books = Memory::new(Arc::new(PriceBook::new(vec![price], Vec::new(), CostMode::Auto)));
        let mut post = |records| books.post(&Batch { records, files: Vec::new() }).map(drop);
        let mut spread = Spread::new(began);
        // One call before the start, one whose answer is still growing, and one exactly on a bound.
        post(vec![call(9, at(-1), 1), call(1, at(1), 1)]).unwrap();
        post(vec![call(1, at(1), 300), call(2, at(2), 1)]).unwrap();
        for (minutes, counted) in [(1, 0), (3, 0), (4, 1), (5, 2), (50, 2)] {
            spread.update(&books, at(minutes)).unwrap();
            let count: u64 = spread.models().flat_map(|(_, sizes)| &sizes.cost.counts).sum();
            assert_eq!(count, counted, "after {minutes} minutes");
        }
        let (model, sizes) = spread.models().next().unwrap();
        assert_eq!(model, Some(&Label::new("penny")));
        // $3 and $0.01, with latencies of one and two seconds.
        assert_eq!((sizes.cost.counts[11], sizes.cost.counts[3], sizes.cost.sum), (1, 1, 3_010_000_000_000));
        assert_eq!((sizes.latency.counts[3], sizes.latency.counts[4], sizes.latency.sum), (1, 1, 3_000_000_000));
    }
}
