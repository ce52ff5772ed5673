//! The generated logs of the benchmarks are counted exactly, in any store and with any number of threads.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokmeter::testing::domain::{Dimension, Label, Zone};
use tokmeter::testing::ingest::{Options, Roots, Tails};
use tokmeter::testing::ledger::{self, Batch, Grain, Ledger, Memory, PeriodKey, Query};
use tokmeter::testing::pricing::{CostMode, PriceBook};

#[path = "../benches/corpus/mod.rs"]
mod corpus;

fn prices() -> Arc<PriceBook> {
    Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::default()))
}

fn read(folder: &Path, threads: usize, books: &mut dyn Ledger) {
    let roots = Roots::discover(Some(&folder.join("home")), |_| None);
    let mut tails = Tails::new(&roots, Options::default());
    tails.resume(books.files().unwrap());
    tails.catch_up(Instant::now(), threads, &mut |batch, _| books.absorb(&Batch::from(batch)).unwrap());
    books.flush().unwrap();
}

fn counted(books: &dyn Ledger) -> BTreeMap<corpus::Key, corpus::Count> {
    let query = Query { by: vec![Dimension::Source, Dimension::Model], ..Query::new(Grain::Day, Zone::UTC) };
    let name = |label: &Option<Label>| label.as_deref().unwrap_or_default().to_owned();
    let rows = books.report(&query).unwrap().rows;
    rows.iter()
        .map(|row| {
            let PeriodKey::Day(day) = row.period else { panic!("a day was asked for") };
            let count = corpus::Count { calls: row.sums.calls, tokens: row.sums.tokens.fields() };
            ((day, name(&row.by[0]), name(&row.by[1])), count)
        })
        .collect()
}

#[test]
fn made_up_logs_of_all_agents_are_counted_exactly_in_memory_and_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let truth = corpus::write_all_agents(folder.path(), 12_000_000, 3).unwrap();
    let agents: BTreeSet<_> = truth.rows.keys().map(|(_, agent, _)| agent.as_str()).collect();
    assert_eq!(agents.len(), 14, "{agents:?}");
    let mut memory = Memory::new(prices());
    read(folder.path(), 2, &mut memory);
    assert_eq!(counted(&memory), truth.rows);
    let options = ledger::Options::new(chrono::DateTime::UNIX_EPOCH);
    let mut books = ledger::open(&folder.path().join("ledger.db"), options, prices()).unwrap().books;
    for _ in 0..2 {
        read(folder.path(), 2, &mut books);
        assert_eq!(counted(&books), truth.rows);
    }
}

#[test]
fn made_up_logs_are_counted_exactly_in_memory_and_in_the_ledger() {
    let mut traps = BTreeSet::new();
    for seed in [1, 7] {
        let folder = tempfile::tempdir().unwrap();
        let truth = corpus::write(folder.path(), 4_000_000, seed).unwrap();
        for threads in [1, 3] {
            let mut memory = Memory::new(prices());
            read(folder.path(), threads, &mut memory);
            assert_eq!(counted(&memory), truth.rows);
        }
        let path = folder.path().join("ledger.db");
        let options = ledger::Options::new(chrono::DateTime::UNIX_EPOCH);
        let mut books = ledger::open(&path, options, prices()).unwrap().books;
        read(folder.path(), 2, &mut books);
        assert_eq!(counted(&books), truth.rows);
        read(folder.path(), 2, &mut books);
        assert_eq!(counted(&books), truth.rows, "a second look finds nothing new");
        traps.extend(truth.traps.into_keys());
    }
    assert_eq!(traps.len(), 17, "the logs must hold every trap: {traps:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let texts = |seed| corpus::in_memory(300_000, seed).0.into_iter().map(|log| log.text).collect::<Vec<_>>();
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(2));
}
