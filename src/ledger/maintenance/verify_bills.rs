//! Checks the sums that bills are compared with, and the rows computed from bills.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::domain::{CallKey, Dimension, Instant};
use crate::ledger::bills::Bills;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{Interner, place};
use crate::ledger::lineage::Families;
use crate::ledger::restored::horizon_of;
use crate::ledger::spending::{Part, Spending, part};
use crate::ledger::store::{Store, Stored};
use crate::ledger::working_set::WorkingSet;

/// Sums by interned session and model.
type Sums = FxHashMap<(u32, u32), Part>;

/// Time and counts of rows.
type Rows = FxHashMap<CallKey, (Instant, Part)>;

/// Compares the stored sums of sessions that have a bill with their rows, and the rows computed from bills with the
/// difference between bills and sums.
pub(super) struct BillCheck {
    /// Sessions that have a bill.
    billed: FxHashSet<u32>,
    kept: Sums,
    of_rows: Sums,
    /// Keys of rows that may be computed from bills.
    keys: FxHashSet<CallKey>,
    computed: Rows,
    stored: Rows,
    /// After pruning, the stored sums include the pruned calls.
    is_pruned: bool,
}

impl BillCheck {
    /// Reads bills and sums.
    pub(super) fn begin<S: Store>(store: &S, working_set: &mut WorkingSet<S::Ids>) -> Stored<Self> {
        let WorkingSet { state, ids, .. } = working_set;
        let names = &mut state.names;
        let (mut all, mut spending, mut keys) = (Bills::default(), Spending::default(), FxHashSet::default());
        let (mut billed, mut kept) = (FxHashSet::default(), Sums::default());
        store.each_bill(names, ids, &mut |session, bill| {
            all.restore(session, bill.clone());
            billed.insert(session);
        })?;
        let horizon = store.horizon()?;
        for session in &billed {
            keys.extend(all.booked(*session));
            let sums = store.spent(names, ids, *session)?;
            kept.extend(sums.iter().map(|(model, part)| ((*session, *model), *part)));
            spending.watch(*session, sums.into_iter().collect());
            if horizon.is_some() {
                all.set_horizon(*session, horizon_of(store, names, *session)?);
            }
        }
        let families = families(store, names, ids)?;
        let mut computed = Rows::default();
        for family in all.take_due(billed.iter().copied()) {
            let (calls, _) = all.unlisted_calls(&family, &spending, horizon, names, &families);
            computed.extend(calls.iter().map(|call| (call.key, (call.at(), Part::of_call(call)))));
        }
        let (of_rows, stored) = (Sums::default(), Rows::default());
        Ok(Self { billed, kept, of_rows, keys, computed, stored, is_pruned: horizon.is_some() })
    }

    /// Adds a row.
    pub(super) fn take(&mut self, names: &Interner, row: &CompactRow) {
        if self.keys.contains(&row.key) {
            self.stored.insert(row.key, (row.at, part(row)));
            return;
        }
        let set = names.set(row.set);
        let of = (set[place(Dimension::Session)], set[place(Dimension::Model)]);
        if self.billed.contains(&of.0) {
            self.of_rows.entry(of).or_default().add(&part(row));
        }
    }

    /// The problem found after all rows have been added, if any.
    pub(super) fn problem(self) -> Option<&'static str> {
        let (is_pruned, none) = (self.is_pruned, Part::default());
        let is_well = self.kept.keys().chain(self.of_rows.keys()).all(|of| {
            let [kept, of_rows] = [&self.kept, &self.of_rows].map(|sums| sums.get(of).unwrap_or(&none).sides());
            if is_pruned { kept.iter().zip(of_rows).all(|(kept, rows)| *kept >= rows) } else { kept == of_rows }
        });
        if !is_well {
            return Some("the sums that bills are compared with are not those of the calls");
        }
        // After pruning, the rest of a computed row depends on how it was split before.
        let is_right = is_pruned || self.stored == self.computed;
        (!is_right).then_some("the rows computed from bills do not equal the bills minus the logged calls")
    }
}

fn families<S: Store>(store: &S, names: &mut Interner, ids: &mut S::Ids) -> Stored<Families> {
    let mut families = Families::default();
    for (child, parent) in store.descents(names, ids)? {
        families.learn(child, parent, names);
    }
    families.moves();
    Ok(families)
}
