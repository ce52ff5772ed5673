//! Writes the ledger as JSONL.

use std::collections::BTreeMap;
use std::io::{self, Write};

use rustc_hash::{FxHashMap, FxHashSet};

use super::export_line::{BillLine, DescentLine, Line, WrittenMissing, call_line};
use super::pages;
use crate::domain::{Instant, Label, sort_by};
use crate::ledger::LedgerError;
use crate::ledger::bill_json::Written;
use crate::ledger::bills::row_keys;
use crate::ledger::books::{Backing, Books};
use crate::ledger::interner::Interner;
use crate::ledger::merge_state::MergeState;
use crate::ledger::restored::{self, horizon_of};
use crate::ledger::store::{Store, Stored, Table};
use crate::ledger::working_set::WorkingSet;

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Books(#[from] LedgerError),
    /// The output cannot be written.
    #[error("write failed: {0}")]
    Write(#[from] io::Error),
}

impl<B: Backing> Books<B> {
    /// Writes the ledger as JSONL: descents first, then one call per line, oldest first.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `out` cannot be written.
    pub fn export(&self, out: &mut dyn Write) -> Result<u64, ExportError> {
        let mut lines = Lines { out, failed: None };
        let calls = self.view(|store| write_all(store, &mut self.working_set.borrow_mut(), &mut lines))?;
        lines.failed.map_or(Ok(calls), |error| Err(error.into()))
    }
}

/// Writes lines until one fails.
struct Lines<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Lines<'_> {
    /// Writes a line; true on success.
    fn write(&mut self, line: &Line) -> bool {
        if self.failed.is_none() {
            let written = serde_json::to_writer(&mut *self.out, line).map_err(io::Error::from);
            self.failed = written.and_then(|()| self.out.write_all(b"\n")).err();
        }
        self.failed.is_none()
    }
}

/// Writes descents, bills and calls; returns the number of calls.
fn write_all<S: Store>(store: &S, working_set: &mut WorkingSet<S::Ids>, lines: &mut Lines<'_>) -> Stored<u64> {
    working_set.read_families(store, true)?;
    let WorkingSet { state: MergeState { names, families, .. }, ids, .. } = &mut *working_set;
    let name = |number| names.label(number).map_or_else(String::new, Label::to_string);
    let mut descents: Vec<(String, String)> =
        families.descents().map(|(child, parent)| (name(child), name(parent))).collect();
    sort_by(&mut descents, Ord::cmp);
    for (child, parent) in descents {
        lines.write(&Line::Descent(DescentLine { child, parent }));
    }
    let missing = missing(store, names, ids)?;
    let mut computed = FxHashSet::default();
    store.each_bill(names, ids, &mut |session, bill| {
        computed.extend(row_keys(bill));
        if let Some(bill) = Written::from_bill(bill) {
            let missing = missing.get(&session).cloned();
            lines.write(&Line::Bill(BillLine { bill: Box::new(bill), missing }));
        }
    })?;
    let machine = store.machine()?;
    let (mut unmerged, mut calls) = (FxHashSet::default(), 0);
    // Telemetry rows that were merged into another row are exported as they were read.
    for table in [Table::Unmerged, Table::Shown] {
        pages(store, working_set, table, |working_set, mut rows| {
            rows.sort_unstable_by_key(|row| (row.at, row.key));
            for row in rows {
                let is_written = match table {
                    Table::Unmerged => unmerged.insert(row.key),
                    Table::Shown => !unmerged.contains(&row.key),
                };
                // Rows computed from a bill are recomputed on import.
                if is_written && !computed.contains(&row.key) {
                    calls +=
                        u64::from(lines.write(&Line::Call(Box::new(call_line(&row, &working_set.state, &machine)))));
                }
            }
            Ok(lines.failed.is_none())
        })?;
    }
    Ok(calls)
}

/// The usage that was pruned from each session with a bill.
fn missing<S: Store>(store: &S, names: &mut Interner, ids: &mut S::Ids) -> Stored<FxHashMap<u32, WrittenMissing>> {
    let mut found = FxHashMap::default();
    if store.horizon()?.is_none() {
        return Ok(found);
    }
    let mut began: BTreeMap<u32, Instant> = BTreeMap::new();
    store.each_bill(names, ids, &mut |session, bill| {
        let at = bill.since().map_or(bill.from.at, |since| since.min(bill.from.at));
        began.entry(session).and_modify(|began| *began = at.min(*began)).or_insert(at);
    })?;
    for (session, began) in began {
        let Some(before) = horizon_of(store, names, session)? else { continue };
        let sums = restored::missing(store, names, ids, session)?;
        if began < before || !sums.is_empty() {
            found.insert(session, WrittenMissing::of(before, &sums, names));
        }
    }
    Ok(found)
}
