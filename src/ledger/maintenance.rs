//! Operations on the whole ledger, for any store: export and import, prune, reprice, verify.

mod export;
mod export_line;
mod import;
mod prune;
mod reprice;
mod restore_pruned;
mod verify;
mod verify_bills;

use super::compact_row::CompactRow;
use super::store::{Place, Store, Stored, Table};
use super::working_set::WorkingSet;

pub(crate) use export::ExportError;
pub(crate) use import::ImportError;
pub use reprice::Repriced;
pub(super) use verify::{Findings, compare, compare_sums};

/// Visits every row of a table page by page to bound memory, until `each` returns false. `each` may change rows of its
/// own page but no others.
fn pages<S: Store>(
    store: &S,
    working_set: &mut WorkingSet<S::Ids>,
    table: Table,
    mut each: impl FnMut(&mut WorkingSet<S::Ids>, Vec<CompactRow>) -> Stored<bool>,
) -> Stored<()> {
    let mut place = Place::default();
    loop {
        let rows = store.rows(&mut working_set.state.names, &mut working_set.ids, table, &mut place)?;
        if rows.is_empty() || !each(working_set, rows)? {
            return Ok(());
        }
    }
}
