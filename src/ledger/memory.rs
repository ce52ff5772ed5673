//! In-memory ledger, for reports over given paths and for when no file can be written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::compact_row::CompactRow;
use super::grouping::{self, admits, in_time};
use super::key_value::{Fact, FactChange, KeyValue, Space};
use super::merge_state::MergeState;
use super::{Batch, BooksError, Change, Checkpoint, Decide, Grain, Ledger, Order, Query, Report, Row, Sums};
use crate::domain::{CallKey, Filter, Record, Span, Status};
use crate::pricing::Pricer;

/// Ledger in memory.
pub struct Memory {
    core: MergeState,
    pricer: Arc<dyn Pricer>,
    files: BTreeMap<PathBuf, Checkpoint>,
    facts: BTreeMap<(Space, String), Fact>,
}

impl Memory {
    /// An empty ledger with this price book.
    pub fn new(pricer: Arc<dyn Pricer>) -> Self {
        Self { core: MergeState::default(), pricer, files: BTreeMap::new(), facts: BTreeMap::new() }
    }

    /// A ledger from existing merge state.
    pub(super) fn from_state(core: MergeState, pricer: Arc<dyn Pricer>) -> Self {
        Self { core, ..Self::new(pricer) }
    }

    /// A ledger from existing merge state and checkpoints.
    pub(super) fn with(core: MergeState, files: impl Iterator<Item = Checkpoint>, pricer: Arc<dyn Pricer>) -> Self {
        let mut books = Self::from_state(core, pricer);
        books.core.settle(&*books.pricer);
        books.files.extend(files.map(|file| (file.path.clone(), file)));
        books
    }

    /// Merge state, and checkpoints of the files read.
    pub(super) fn into_parts(self) -> (MergeState, Vec<Checkpoint>) {
        (self.core, self.files.into_values().collect())
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.core.row_store.rows().len()
    }

    /// True without any call.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn admitted<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a CompactRow> {
        let mut admitted: Vec<Option<bool>> = vec![None; self.core.names.sets()];
        self.core.row_store.rows().iter().filter(move |row| {
            in_time(filter, row.at)
                && *admitted[super::interner::index(row.set)]
                    .get_or_insert_with(|| admits(filter, row.set, &self.core.names))
        })
    }
}

impl Ledger for Memory {
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, BooksError> {
        let mut told = Vec::with_capacity(batch.records.len());
        self.core.row_store.keep_journal();
        for record in &batch.records {
            self.core.post(record, &*self.pricer, &mut told);
        }
        self.core.row_store.take_journal();
        self.keep_the_rest(batch);
        Ok(told)
    }

    fn absorb(&mut self, batch: &Batch) -> Result<(), BooksError> {
        for record in &batch.records {
            self.core.absorb(record);
        }
        self.core.settle(&*self.pricer);
        self.keep_the_rest(batch);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BooksError> {
        Ok(())
    }

    fn report(&self, query: &Query) -> Result<Report, BooksError> {
        let names = &self.core.names;
        let rows = self.core.row_store.rows().iter().filter(|row| in_time(&query.filter, row.at));
        Ok(match query.grain {
            Grain::Call => grouping::calls(query, names, rows),
            Grain::Session => grouping::sessions(query, names, rows.map(grouping::stretch)),
            Grain::Quarter | Grain::Hour | Grain::Day | Grain::Week | Grain::Month | Grain::Total => {
                let mut report = grouping::PeriodReport::new(query, names);
                rows.for_each(|row| report.add(&grouping::quarter(row)));
                report.finish()
            }
        })
    }

    fn sums(&self, filter: &Filter) -> Result<Sums, BooksError> {
        let mut sums = Sums::default();
        for row in self.admitted(filter) {
            sums.add(&row.sums());
        }
        Ok(sums)
    }

    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, BooksError> {
        let mut rows: Vec<&CompactRow> = self.admitted(filter).collect();
        let newest = |row: &&CompactRow| std::cmp::Reverse((row.at, row.key));
        if limit < rows.len() {
            rows.select_nth_unstable_by_key(limit, newest);
            rows.truncate(limit);
        }
        rows.sort_unstable_by_key(newest);
        Ok(rows.into_iter().map(|row| row.row(&self.core.names)).collect())
    }

    fn each(&self, filter: &Filter, order: Order, each: &mut dyn FnMut(&Arc<Row>) -> bool) -> Result<(), BooksError> {
        let mut rows: Vec<&CompactRow> = self.admitted(filter).collect();
        rows.sort_unstable_by_key(|row| (row.at, row.key));
        if order == Order::Descending {
            rows.reverse();
        }
        let _ = rows.into_iter().all(|row| each(&row.row(&self.core.names)));
        Ok(())
    }

    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, BooksError> {
        let mut all = vec![Sums::default(); spans.len()];
        for row in self.admitted(filter) {
            for (_, sums) in spans.iter().zip(&mut all).filter(|(span, _)| span.contains(row.at)) {
                sums.add(&row.sums());
            }
        }
        Ok(all)
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, BooksError> {
        Ok(self.core.row_store.shown_for(key).map(|row| row.row(&self.core.names)))
    }

    fn files(&self) -> Result<Vec<Checkpoint>, BooksError> {
        Ok(self.files.values().cloned().collect())
    }

    fn exclusively(&mut self, decide: Decide<'_>) -> Result<(), BooksError> {
        for edit in decide(self)? {
            let place = (edit.space, edit.key);
            self.facts.remove(&place);
            self.facts.extend(edit.fact.map(|fact| (place, fact)));
        }
        Ok(())
    }

    fn statuses(&self) -> Result<Vec<Status>, BooksError> {
        let all = self.core.statuses.iter();
        Ok(all.filter_map(|(name, value)| Status::from_entry(name, value)).collect())
    }
}

impl KeyValue for Memory {
    fn update(&mut self, space: Space, key: &str, change: FactChange<'_>) -> Result<bool, BooksError> {
        let place = (space, key.to_owned());
        let fact = change(self.facts.get(&place));
        let is_written = fact.is_some();
        self.facts.extend(fact.map(|fact| (place, fact)));
        Ok(is_written)
    }

    fn remove(&mut self, space: Space, key: &str) -> Result<(), BooksError> {
        self.facts.remove(&(space, key.to_owned()));
        Ok(())
    }

    fn facts(&self, space: Space, prefix: &str) -> Result<Vec<(String, Fact)>, BooksError> {
        let from = self.facts.range((space, prefix.to_owned())..);
        let found = from.take_while(|((of, key), _)| *of == space && key.starts_with(prefix));
        Ok(found.map(|((_, key), fact)| (key.clone(), fact.clone())).collect())
    }
}

impl Memory {
    /// Keeps the parts of a batch that are not about rows.
    fn keep_the_rest(&mut self, batch: &Batch) {
        self.files.extend(batch.files.iter().map(|file| (file.path.clone(), file.clone())));
        for record in &batch.records {
            if let Record::Settled(hold) = record {
                self.facts.remove(&(Space::Hold, hold.to_string()));
            }
        }
    }
}
