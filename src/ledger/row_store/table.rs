//! Rows by key, stored in one list.

use crate::domain::CallKey;
use crate::ledger::by_key::ByKey;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{count, index};

/// Rows by key.
#[derive(Debug, Default)]
pub(in crate::ledger) struct RowTable {
    places: ByKey<u32>,
    rows: Vec<CompactRow>,
}

impl RowTable {
    pub(in crate::ledger) fn get(&self, key: CallKey) -> Option<&CompactRow> {
        self.places.get(&key).map(|place| &self.rows[index(*place)])
    }

    pub(in crate::ledger) fn get_mut(&mut self, key: CallKey) -> Option<&mut CompactRow> {
        self.places.get(&key).map(|place| &mut self.rows[index(*place)])
    }

    /// Every row, in no particular order.
    pub(in crate::ledger) fn rows(&self) -> &[CompactRow] {
        &self.rows
    }

    pub(in crate::ledger) fn rows_mut(&mut self) -> &mut [CompactRow] {
        &mut self.rows
    }

    /// Adds a row whose key is not in the table.
    pub(in crate::ledger) fn insert(&mut self, row: CompactRow) {
        self.places.insert(row.key, count(self.rows.len()));
        self.rows.push(row);
    }

    pub(in crate::ledger) fn remove(&mut self, key: CallKey) -> Option<CompactRow> {
        let place = self.places.remove(&key)?;
        let row = self.rows.swap_remove(index(place));
        if let Some(moved) = self.rows.get(index(place)) {
            self.places.insert(moved.key, place);
        }
        Some(row)
    }

    /// Replaces or removes the row with this key. Returns the previous row.
    pub(in crate::ledger) fn put(&mut self, key: CallKey, row: Option<CompactRow>) -> Option<CompactRow> {
        match (row, self.get_mut(key)) {
            (Some(row), Some(place)) => return Some(std::mem::replace(place, row)),
            (Some(row), None) => self.insert(row),
            (None, _) => return self.remove(key),
        }
        None
    }
}
