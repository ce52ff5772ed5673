//! Rows of sessions that have a bill: their sums, and the rows computed from them.

use rustc_hash::{FxHashMap, FxHashSet};

use super::RowStore;
use crate::domain::{CallKey, Dimension, Fidelity};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{Interner, place};
use crate::ledger::spending::{Part, Spending, part, session_of};

impl RowStore {
    /// The sums of sessions that have a bill; `None` while there is no bill.
    pub(in crate::ledger) fn spending(&self) -> Option<&Spending> {
        self.spending.as_deref()
    }

    /// Starts tracking rows by session.
    pub(in crate::ledger) fn look_for_spending(&mut self, names: &Interner) -> &mut Spending {
        let rows = self.shown.rows();
        self.spending.get_or_insert_with(|| {
            let mut spending = Box::<Spending>::default();
            for row in rows {
                spending.index(row, names);
            }
            spending
        })
    }

    /// Tracks the sums of a session that has a bill. `sums` may be given; otherwise they are those of the rows here.
    pub(in crate::ledger) fn watch(&mut self, session: u32, sums: Option<FxHashMap<u32, Part>>, names: &Interner) {
        if self.look_for_spending(names).watches(session) {
            return;
        }
        let keys: FxHashSet<CallKey> =
            self.spending.iter().flat_map(|spending| spending.rows(session)).copied().collect();
        let is_saved = sums.is_some();
        let sums = sums.unwrap_or_else(|| {
            let mut sums: FxHashMap<u32, Part> = FxHashMap::default();
            for row in keys.iter().filter_map(|key| self.get(*key)) {
                if session_of(row, names) == session && !self.is_computed(row.key) {
                    sums.entry(names.set(row.set)[place(Dimension::Model)]).or_default().add(&part(row));
                }
            }
            sums
        });
        let spending = self.look_for_spending(names);
        spending.watch(session, sums);
        if !is_saved {
            spending.unsaved(session);
        }
        let mut keys: Vec<CallKey> = keys.into_iter().collect();
        keys.sort_unstable();
        for key in keys {
            if let Some(row) = self.get(key).filter(|row| row.fidelity == Fidelity::Unlisted) {
                self.replace(row.clone(), names);
            }
        }
    }

    /// Takes the watched sessions whose sums have changed since the last call.
    pub(in crate::ledger) fn take_touched(&mut self) -> FxHashSet<u32> {
        self.spending.as_mut().map(|spending| spending.take_touched()).unwrap_or_default()
    }

    /// Shows a computed row in place of the current one with its key.
    pub(in crate::ledger) fn put(&mut self, row: CompactRow, names: &Interner) {
        self.look_for_spending(names).compute(std::iter::once(row.key));
        self.show(row, names);
    }

    /// Stops showing a computed row.
    pub(in crate::ledger) fn remove(&mut self, key: CallKey, names: &Interner) {
        self.look_for_spending(names).compute(std::iter::once(key));
        self.hide(key, names);
    }

    /// Takes the sessions whose sums must be stored.
    pub(in crate::ledger) fn take_unsaved(&mut self) -> Vec<u32> {
        self.spending.as_mut().map(|spending| spending.take_unsaved()).unwrap_or_default()
    }

    /// Marks the sums of all watched sessions as not stored.
    pub(in crate::ledger) fn all_unsaved(&mut self) {
        if let Some(spending) = &mut self.spending {
            spending.all_unsaved();
        }
    }

    /// True when a row is computed from the bill of its session.
    pub(in crate::ledger) fn is_computed(&self, key: CallKey) -> bool {
        self.spending.as_ref().is_some_and(|spending| spending.is_computed(key))
    }
}
