//! Logs that are followed into a ledger in memory and one in a file.

use std::sync::Arc;
use std::time::Instant;

use tokmeter::testing::domain::{Dimension, Filter, Zone};
use tokmeter::testing::ingest::{Options, Roots, Tails};
use tokmeter::testing::ledger::{self, Batch, Grain, Ledger, Memory, Query, open};
use tokmeter::testing::pricing::{CostMode, PriceBook};

pub(crate) struct Followed {
    tails: Tails,
    books: [Box<dyn Ledger>; 2],
    _folder: tempfile::TempDir,
}

impl Followed {
    pub(crate) fn of(roots: &Roots) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto));
        let file = open(
            &folder.path().join("ledger.db"),
            ledger::Options::new("2026-11-20T12:00:00Z".parse().unwrap()),
            prices.clone(),
        )
        .unwrap();
        let books: [Box<dyn Ledger>; 2] = [Box::new(Memory::new(prices)), Box::new(file.books)];
        Self { tails: Tails::new(roots, Options::default()), books, _folder: folder }
    }

    /// Looks everywhere, and books what is new.
    pub(crate) fn poll(&mut self) {
        let (now, books) = (Instant::now(), &mut self.books);
        self.tails.rescan(now);
        self.tails.poll_once(now, &mut |batch| {
            for books in &mut *books {
                books.post(&Batch { records: batch.records.clone(), files: Vec::new() }).unwrap();
            }
        });
    }

    /// Input, cache reads and output of all that is booked.
    pub(crate) fn assert_sums(&self, input: u64, cache_read: u64, output: u64) {
        for books in &self.books {
            let sums = books.sums(&Filter::default()).unwrap();
            let calls = books.calls(&Filter::default(), usize::MAX).unwrap();
            let found = (sums.tokens.input, sums.tokens.cache_read, sums.tokens.output);
            assert_eq!(found, (input, cache_read, output), "{calls:#?}");
        }
    }

    /// Calls and output of each model, in the order of their names.
    pub(crate) fn models(&self) -> Vec<(Option<String>, u64, u64)> {
        let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, Zone::UTC) };
        let [memory, file] = self.books.each_ref().map(|books| {
            let rows = books.report(&query).unwrap().rows.into_iter();
            let mut models: Vec<_> = rows
                .map(|row| {
                    let model = row.by[0].as_ref().map(|model| model.as_str().to_owned());
                    (model, row.sums.calls, row.sums.tokens.output)
                })
                .collect();
            models.sort();
            models
        });
        assert_eq!(memory, file);
        memory
    }
}
