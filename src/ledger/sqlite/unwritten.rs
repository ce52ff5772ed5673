//! Calls that cannot be booked now, joined with the ledger in memory so that every answer includes them.
//!
//! The rows that such calls concern are fetched from the books and joined as a transaction would join them, only that
//! nothing is written. A question is answered from the books, without those rows as they stand there and with them as
//! they would stand. So a call that is booked too, by whomever, counts once.

use rusqlite::{Connection, Result};

use super::Gathered;
use super::read::Reading;
use super::working_set::WorkingSet;
use crate::domain::{CallKey, Record};
use crate::ledger::by_key::ByKey;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::merge_state::MergeState;
use crate::ledger::row_store::RowStore;
use crate::ledger::{Batch, Change};
use crate::pricing::Pricer;

/// Unbooked calls joined with one version of the ledger.
pub(super) struct Unwritten {
    working_set: WorkingSet,
    /// The version of the data that the rows were fetched at.
    version: i64,
    /// Each row that changes, as it stands in the books; nothing where it is new.
    before: ByKey<Option<Box<CompactRow>>>,
}

/// How rows would stand if everything could be booked.
#[derive(Clone, Copy)]
pub(super) struct Changes<'a> {
    before: &'a ByKey<Option<Box<CompactRow>>>,
    row_store: &'a RowStore,
}

impl<'a> Changes<'a> {
    /// Each row that differs from the books: as it stands there, and as it would stand.
    pub(super) fn each(self) -> impl Iterator<Item = (Option<&'a CompactRow>, Option<&'a CompactRow>)> {
        let pairs = self.before.iter().map(move |(key, before)| (before.as_deref(), self.row_store.get(*key)));
        pairs.filter(|(before, after)| before != after)
    }

    /// True for a row that [`Changes::each`] shows.
    pub(super) fn concern(self, key: CallKey) -> bool {
        self.before.get(&key).is_some_and(|before| before.as_deref() != self.row_store.get(key))
    }

    /// The row as which a key would be shown, if it is one of those at work here.
    pub(super) fn shown_for(self, key: CallKey) -> Option<&'a CompactRow> {
        self.row_store.shown_for(key)
    }
}

impl Unwritten {
    /// Joins what was gathered with the books. Call it within a transaction, so that the books stand still.
    pub(super) fn from_gathered(conn: &Connection, gathered: &Gathered, pricer: &dyn Pricer) -> Result<Self> {
        let version = version(conn)?;
        let mut working_set = WorkingSet::of_a_reader();
        working_set.open(conn)?;
        let rows = || gathered.core.row_store.plain_rows();
        if rows().any(|row| row.alias == Some(row.key) || row.is_refused()) {
            working_set.find_carriers(conn, rows().filter_map(|row| row.alias).collect())?;
        }
        working_set.take_all(conn, &gathered.core)?;
        for record in &gathered.rekeyed {
            working_set.rekey(conn, record)?;
        }
        working_set.settle(conn, pricer)?;
        let mut held = Self { working_set, version, before: ByKey::default() };
        held.note_changes();
        Ok(held)
    }

    /// True while the books are as they were when this was joined with them.
    pub(super) fn is_fresh(&self, conn: &Connection) -> Result<bool> {
        Ok(version(conn)? == self.version)
    }

    /// Takes in more, and says what it would change.
    pub(super) fn post(&mut self, conn: &Connection, batch: &Batch, pricer: &dyn Pricer) -> Result<Vec<Change>> {
        let calls = || {
            batch.records.iter().filter_map(|record| match record {
                Record::Call(call) => Some(call),
                Record::Descends { .. } | Record::Bill(_) | Record::Rekeyed { .. } => None,
            })
        };
        if self.working_set.has_telemetry() || calls().any(|call| call.alias == Some(call.key) || call.is_refused()) {
            self.working_set.find_carriers(conn, calls().filter_map(|call| call.alias).collect())?;
        }
        self.working_set.core.row_store.keep_journal();
        let mut told = Vec::with_capacity(batch.records.len());
        self.working_set.post(conn, batch, pricer, &mut told)?;
        self.note_changes();
        Ok(told)
    }

    /// Reads for one question, with what is held.
    pub(super) fn reading<'a>(&'a mut self, conn: &'a Connection) -> Reading<'a> {
        let MergeState { names, row_store, .. } = &mut self.working_set.core;
        let held = Some(Changes { before: &self.before, row_store });
        Reading { conn, ids: &mut self.working_set.ids, names, held }
    }

    /// Remembers how the rows that just changed stand in the books.
    fn note_changes(&mut self) {
        for (key, before) in self.working_set.core.row_store.take_journal() {
            self.before.entry(key).or_insert(before);
        }
        self.working_set.core.row_store.keep_journal();
    }
}

fn version(conn: &Connection) -> Result<i64> {
    conn.pragma_query_value(None, "data_version", |row| row.get(0))
}
