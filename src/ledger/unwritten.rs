//! Calls that cannot be written now, joined with the ledger in memory so that every query includes them.
//!
//! The affected rows are read from the ledger and merged as a transaction would do it, but not written. Queries replace
//! the stored versions of these rows with the merged ones, so a call that is both stored and buffered counts once.

use super::by_key::ByKey;
use super::compact_row::CompactRow;
use super::interner::Interner;
use super::row_store::RowStore;
use super::store::{Store, Stored};
use super::working_set::WorkingSet;
use super::write_buffer::WriteBuffer;
use super::{Batch, Change};
use crate::domain::{Call, CallKey, Record};
use crate::pricing::Pricer;

/// Unwritten calls joined with one version of the ledger.
pub(super) struct Unwritten<Ids> {
    working_set: WorkingSet<Ids>,
    /// Version of the store when the rows were read.
    version: i64,
    /// Stored version of each changed row; `None` for a new row.
    before: ByKey<Option<Box<CompactRow>>>,
}

/// Differences between stored and merged rows.
#[derive(Clone, Copy)]
pub(super) struct Changes<'a> {
    before: &'a ByKey<Option<Box<CompactRow>>>,
    row_store: &'a RowStore,
}

impl<'a> Changes<'a> {
    /// Each row that differs, as (stored, merged).
    pub(super) fn each(self) -> impl Iterator<Item = (Option<&'a CompactRow>, Option<&'a CompactRow>)> {
        let pairs = self.before.iter().map(move |(key, before)| (before.as_deref(), self.row_store.get(*key)));
        pairs.filter(|(before, after)| before != after)
    }

    /// True for a row that [`Changes::each`] yields.
    pub(super) fn concern(self, key: CallKey) -> bool {
        self.before.get(&key).is_some_and(|before| before.as_deref() != self.row_store.get(key))
    }

    /// The merged row in which a key is shown, if affected.
    pub(super) fn shown_for(self, key: CallKey) -> Option<&'a CompactRow> {
        self.row_store.shown_for(key)
    }
}

impl<Ids: Default> Unwritten<Ids> {
    /// Joins the buffer with the ledger. Call within a transaction.
    pub(super) fn from_gathered(
        store: &impl Store<Ids = Ids>,
        gathered: &WriteBuffer,
        names: &Interner,
        pricer: &dyn Pricer,
    ) -> Stored<Self> {
        let version = store.version()?;
        let mut working_set = WorkingSet::of_a_reader(names.clone());
        working_set.open(store)?;
        let rows = || gathered.state.row_store.plain_rows();
        if rows().any(CompactRow::is_grouped) {
            working_set.find_carriers(store, rows().filter_map(|row| row.alias).collect())?;
        }
        gathered.join(store, &mut working_set, pricer)?;
        let mut held = Self { working_set, version, before: ByKey::default() };
        held.note_changes();
        Ok(held)
    }

    /// True while the version of the store is unchanged.
    pub(super) fn is_fresh(&self, store: &impl Store<Ids = Ids>) -> Stored<bool> {
        Ok(store.version()? == self.version)
    }

    /// Merges a batch and returns the changes that it would make.
    pub(super) fn post(
        &mut self,
        store: &impl Store<Ids = Ids>,
        batch: &Batch,
        pricer: &dyn Pricer,
    ) -> Stored<Vec<Change>> {
        let calls = || {
            batch.records.iter().filter_map(|record| if let Record::Call(call) = record { Some(call) } else { None })
        };
        if self.working_set.has_telemetry() || calls().any(Call::is_grouped) {
            self.working_set.find_carriers(store, calls().filter_map(|call| call.alias).collect())?;
        }
        self.working_set.state.row_store.keep_journal();
        let mut changes = Vec::with_capacity(batch.records.len());
        self.working_set.post(store, &batch.records, pricer, &mut changes)?;
        self.note_changes();
        Ok(changes)
    }

    /// The parts that a query needs: the store's ids, the names, and the unwritten rows.
    pub(super) fn parts(&mut self) -> (&mut Ids, &mut Interner, Changes<'_>) {
        let state = &mut self.working_set.state;
        let held = Changes { before: &self.before, row_store: &state.row_store };
        (&mut self.working_set.ids, &mut state.names, held)
    }

    /// Records the stored versions of rows that have just changed.
    fn note_changes(&mut self) {
        for (key, before) in self.working_set.state.row_store.take_journal() {
            self.before.entry(key).or_insert(before);
        }
        self.working_set.state.row_store.keep_journal();
    }
}
