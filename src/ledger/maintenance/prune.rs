//! Permanently removes old calls.

use rustc_hash::{FxHashMap, FxHashSet};

use super::pages;
use crate::domain::{CallKey, Dimension, Instant};
use crate::ledger::bills::row_keys;
use crate::ledger::books::{Backing, Books};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{Interner, NONE, place};
use crate::ledger::restored;
use crate::ledger::spending::{self, Part};
use crate::ledger::store::{Delta, Step, Store, Stored, Table};
use crate::ledger::working_set::WorkingSet;
use crate::ledger::{Ledger, LedgerError, Sums};

impl<B: Backing> Books<B> {
    /// Permanently deletes every call before a time: reading its log again does not bring it back. Returns the sums of
    /// the deleted calls.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn prune(&mut self, before: Instant) -> Result<Sums, LedgerError> {
        self.flush()?;
        self.write(|store, working_set, _, step| {
            let (mut gone, mut pruned) = (Sums::default(), Pruned::default());
            let mut computed = FxHashSet::default();
            store.each_bill(&mut working_set.state.names, &mut working_set.ids, &mut |_, bill| {
                computed.extend(row_keys(bill));
            })?;
            let has_aliases = store.has_aliases()?;
            pages(store, working_set, Table::Shown, |working_set, rows| {
                step("prune rows");
                let old: Vec<&CompactRow> = rows.iter().filter(|row| row.at < before).collect();
                for row in &old {
                    pruned.take(row, computed.contains(&row.key), &working_set.state.names);
                    gone.add(&row.sums());
                }
                let delta = old.iter().map(|row| (row.key, Some(*row), None)).collect();
                let WorkingSet { state, ids, .. } = working_set;
                store.apply(&mut state.names, ids, &Delta { rows: delta, ..Delta::default() }, step)?;
                if has_aliases {
                    let own = old.iter().flat_map(|row| [Some(row.key), row.alias]).flatten();
                    let mut keys: Vec<CallKey> = own.collect();
                    for alias in old.iter().filter_map(|row| row.alias).filter(|alias| alias.is_of_attempts()) {
                        keys.extend(store.keys_by_alias(&working_set.state.names, alias)?);
                    }
                    remove_unmerged(store, working_set, keys.into_iter(), step)?;
                }
                Ok(is_before(&rows, before))
            })?;
            // A refused call has no shown row. It is pruned by its own time.
            pages(store, working_set, Table::Unmerged, |working_set, rows| {
                let old = rows.iter().filter(|row| row.at < before).map(|row| row.key);
                remove_unmerged(store, working_set, old, step)?;
                Ok(is_before(&rows, before))
            })?;
            pruned.write(store, working_set, step)?;
            let horizon = store.horizon()?.map_or(before, |known| known.max(before));
            restored::prune(store, before, horizon)?;
            store.set_horizon(horizon)?;
            Ok(gone)
        })
    }
}

/// True if later rows may also be before this time.
fn is_before(rows: &[CompactRow], time: Instant) -> bool {
    rows.last().is_some_and(|row| row.at.timestamp() <= time.timestamp())
}

/// Removes the unmerged sightings among these keys that no longer belong to a shown row.
fn remove_unmerged<S: Store>(
    store: &S,
    working_set: &mut WorkingSet<S::Ids>,
    keys: impl Iterator<Item = CallKey>,
    step: Step<'_>,
) -> Stored<()> {
    let WorkingSet { state, ids, .. } = working_set;
    let names = &mut state.names;
    let mut unmerged = Vec::new();
    for key in keys {
        if store.row(names, ids, Table::Unmerged, key)?.is_some() && !is_shown(store, names, ids, key)? {
            unmerged.push((key, None));
        }
    }
    if unmerged.is_empty() {
        return Ok(());
    }
    step("prune apart");
    store.apply(names, ids, &Delta { unmerged, ..Delta::default() }, step)
}

/// True when a row is shown under this key, or has it as its alias.
fn is_shown<S: Store>(store: &S, names: &mut Interner, ids: &mut S::Ids, key: CallKey) -> Stored<bool> {
    for other in std::iter::once(key).chain(store.keys_by_alias(names, key)?) {
        if store.row(names, ids, Table::Shown, other)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sums of pruned rows by interned session and model.
#[derive(Default)]
struct Pruned(FxHashMap<(u32, u32, bool), Part>);

impl Pruned {
    /// Adds a row. Computed rows represent the usage that a bill has beyond the calls.
    fn take(&mut self, row: &CompactRow, is_computed: bool, names: &Interner) {
        let set = names.set(row.set);
        let session = set[place(Dimension::Session)];
        if session != NONE {
            let of = (session, set[place(Dimension::Model)], is_computed);
            self.0.entry(of).or_default().add(&spending::part(row));
        }
    }

    /// Adds the pruned usage that the stored sums do not have yet. For a session with a bill, that is the computed
    /// rows, which must not be computed again. For any other session it is all rows, because a bill that arrives later
    /// covers them too.
    fn write<S: Store>(self, store: &S, working_set: &mut WorkingSet<S::Ids>, step: Step<'_>) -> Stored<()> {
        let WorkingSet { state, ids, .. } = working_set;
        let names = &mut state.names;
        let mut spent = Vec::new();
        for ((session, model, is_computed), part) in self.0 {
            if !is_computed && !store.bills(names, ids, session)?.is_empty() {
                continue;
            }
            let known = store.spent(names, ids, session)?.into_iter().find(|(of, _)| *of == model);
            let mut sums = known.map_or_else(Part::default, |(_, sums)| sums);
            sums.add(&part);
            spent.push((session, model, sums));
        }
        store.apply(names, ids, &Delta { spent, ..Delta::default() }, step)
    }
}
