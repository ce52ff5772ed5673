//! Check of what bills are compared with, and of what is computed from them.

use rusqlite::{Connection, Result};
use rustc_hash::{FxHashMap, FxHashSet};

use super::bill;
use super::id_map::Ids;
use super::meta;
use super::store::WorkingSet;
use crate::domain::{CallKey, Dimension, Instant};
use crate::ledger::bills::Bills;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{Interner, place};
use crate::ledger::lineage::Families;
use crate::ledger::spending::{Part, Spending, part};

/// Sums by the numbers that session and model have in the database.
type Sums = FxHashMap<(i64, i64), Part>;

/// Time and counts of rows.
type Rows = FxHashMap<CallKey, (Instant, Part)>;

/// Compares the stored sums of sessions that have a bill with their rows, and the rows computed from bills with what
/// bills and sums come to.
pub(super) struct BillCheck {
    /// Sessions that have a bill.
    billed: FxHashSet<i64>,
    kept: Sums,
    of_rows: Sums,
    /// Keys of rows that may be computed from bills.
    keys: FxHashSet<CallKey>,
    computed: Rows,
    stored: Rows,
}

impl BillCheck {
    /// Reads bills and sums.
    pub(super) fn begin(conn: &Connection, working_set: &mut WorkingSet) -> Result<Self> {
        let bills = bill::all(conn)?;
        let billed: FxHashSet<i64> = bills.iter().map(|(session, _)| *session).collect();
        let mut kept: Sums = bill::all_spent(conn)?;
        kept.retain(|(session, _), _| billed.contains(session));
        let (ids, names) = (&mut working_set.ids, &mut working_set.core.names);
        let families = families(conn, ids, names)?;
        let (mut all, mut spending, mut keys) = (Bills::default(), Spending::default(), FxHashSet::default());
        let mut sums: FxHashMap<u32, FxHashMap<u32, Part>> = FxHashMap::default();
        for (session, bill) in bills {
            let session = ids.known_label(conn, names, session)?;
            sums.entry(session).or_default();
            all.restore(session, bill);
            keys.extend(all.booked(session));
        }
        for ((session, model), part) in &kept {
            let session = ids.known_label(conn, names, *session)?;
            let model = ids.known_label(conn, names, *model)?;
            sums.entry(session).or_default().insert(model, *part);
        }
        let sessions: Vec<u32> = sums.keys().copied().collect();
        for (session, sums) in sums {
            spending.watch(session, sums);
        }
        let horizon = meta::horizon(conn)?;
        let mut computed = Rows::default();
        for family in all.take_due(sessions.into_iter()) {
            let (calls, _) = all.rest(&family, &spending, horizon, names, &families);
            computed
                .extend(calls.iter().map(|call| (call.key, (call.at(), Part::new(call.tokens, call.web_searches)))));
        }
        Ok(Self { billed, kept, of_rows: Sums::default(), keys, computed, stored: Rows::default() })
    }

    /// True without any bill: there is nothing to compare.
    pub(super) fn is_empty(&self) -> bool {
        self.billed.is_empty()
    }

    /// Takes in a row.
    pub(super) fn take(&mut self, conn: &Connection, working_set: &mut WorkingSet, row: &CompactRow) -> Result<()> {
        if self.keys.contains(&row.key) {
            self.stored.insert(row.key, (row.at, part(row)));
            return Ok(());
        }
        let set = *working_set.core.names.set(row.set);
        // A row of no model stands under the number of none.
        let mut id = |of| {
            let id = working_set.ids.stored_label(conn, &working_set.core.names, set[place(of)]);
            id.map(Option::unwrap_or_default)
        };
        let of = (id(Dimension::Session)?, id(Dimension::Model)?);
        if self.billed.contains(&of.0) {
            self.of_rows.entry(of).or_default().add(&part(row));
        }
        Ok(())
    }

    /// The problem found once all rows were taken in, if there is one.
    pub(super) fn problem(self, conn: &Connection) -> Result<Option<&'static str>> {
        // Where something was pruned, the stored sums hold that too.
        let is_pruned = meta::meta(conn, "horizon")?.is_some();
        let none = Part::default();
        let is_well = self.kept.keys().chain(self.of_rows.keys()).all(|of| {
            let [kept, of_rows] = [&self.kept, &self.of_rows].map(|sums| sums.get(of).unwrap_or(&none).sides());
            if is_pruned { kept.iter().zip(of_rows).all(|(kept, rows)| *kept >= rows) } else { kept == of_rows }
        });
        if !is_well {
            return Ok(Some("the sums that bills are compared with are not those of the calls"));
        }
        // After pruning, the rest of a computed row depends on how it was split before.
        let is_right = is_pruned || self.stored == self.computed;
        Ok((!is_right).then_some("the calls computed from bills are not what bills have beyond the calls"))
    }
}

fn families(conn: &Connection, ids: &mut Ids, names: &mut Interner) -> Result<Families> {
    let mut select = conn.prepare("SELECT child, parent FROM lineage")?;
    let descents: Vec<(i64, i64)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let mut families = Families::default();
    for (child, parent) in descents {
        let (child, parent) = (ids.known_label(conn, names, child)?, ids.known_label(conn, names, parent)?);
        families.learn(child, parent, names);
    }
    families.moves();
    Ok(families)
}
