//! Reprices calls with another price book.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::pages;
use crate::domain::{Instant, Label, Usd};
use crate::ledger::books::{Backing, Books};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::Interner;
use crate::ledger::merge_state::MergeState;
use crate::ledger::row_pricer::RowPricer;
use crate::ledger::store::{Delta, Store as _, Table};
use crate::ledger::working_set::WorkingSet;
use crate::ledger::write_buffer::WriteBuffer;
use crate::ledger::{Ledger, LedgerError, Memory, Query, Report};
use crate::pricing::{Cost, Pricer};

/// Effect of repricing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    /// Calls whose cost or price changes.
    pub calls: u64,
    /// Their booked cost.
    pub before: Usd,
    /// Their new cost.
    pub after: Usd,
    /// Changes by (booked price, new price); `None` means no price.
    pub by_price: BTreeMap<(Option<Label>, Option<Label>), PriceChange>,
    /// Backup made before writing.
    pub backup: Option<PathBuf>,
}

/// Calls that change from one particular price to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceChange {
    /// Number of calls.
    pub calls: u64,
    /// Their booked cost.
    pub before: Usd,
    /// Their new cost.
    pub after: Usd,
}

impl<B: Backing> Books<B> {
    /// The effect of repricing every call. Writes nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn price_changes(&self, pricer: &dyn Pricer) -> Result<Repriced, LedgerError> {
        self.view(|store| {
            let (mut row_pricer, mut changed) = (RowPricer::new(pricer), Repriced::default());
            pages(store, &mut self.working_set.borrow_mut(), Table::Shown, |working_set, rows| {
                for row in rows {
                    let mut new = row.clone();
                    row_pricer.settle(&mut new, &mut working_set.state.names);
                    changed.count(&row, &new, &working_set.state.names);
                }
                Ok(true)
            })?;
            Ok(changed)
        })
    }

    /// Runs a query with every call repriced. Writes nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn report_repriced(&self, query: &Query, pricer: Arc<dyn Pricer>) -> Result<Report, LedgerError> {
        let mut state = self.read(|mut reading| {
            let rows = reading.joined_rows(&query.filter)?;
            let mut state = MergeState { names: reading.names.clone(), ..MergeState::default() };
            for row in rows {
                state.row_store.restore(row, true, &state.names);
            }
            Ok(state)
        })?;
        state.row_store.reprice(&*pricer, &mut state.names);
        Memory::from_gathered(WriteBuffer { state, ..WriteBuffer::default() }, pricer).report(query)
    }

    /// Backs up the ledger, then reprices every call with its price book.
    ///
    /// # Errors
    /// When the ledger cannot be written or copied.
    pub fn reprice(&mut self, now: Instant) -> Result<Repriced, LedgerError> {
        self.flush()?;
        self.write(|_, _, _, _| Ok(()))?;
        let why = format!("before-reprice-{}", now.format("%Y%m%dT%H%M%SZ"));
        let backup = self.backing.back_up(&why).map_err(|error| self.backing.error(error))?;
        let changed = self.write(|store, working_set, pricer, step| {
            let mut changed = Repriced::default();
            let mut solved: Vec<(CompactRow, CompactRow)> = Vec::new();
            for table in [Table::Shown, Table::Unmerged] {
                let mut row_pricer = RowPricer::new(pricer);
                pages(store, working_set, table, |working_set, rows| {
                    step("reprice rows");
                    let WorkingSet { state: MergeState { names, .. }, ids, .. } = working_set;
                    let mut pairs = Vec::new();
                    for row in rows {
                        let mut new = row.clone();
                        row_pricer.settle(&mut new, names);
                        if new != row {
                            pairs.push((row, new));
                        }
                    }
                    let mut delta = Delta::default();
                    if table == Table::Unmerged {
                        delta.unmerged = pairs.into_iter().map(|(row, new)| (row.key, Some(new))).collect();
                        store.apply(names, ids, &delta, step)?;
                        return Ok(true);
                    }
                    delta.rows = pairs.iter().map(|(row, new)| (row.key, Some(row), Some(new))).collect();
                    store.apply(names, ids, &delta, step)?;
                    for (row, new) in &pairs {
                        changed.count(row, new, names);
                    }
                    solved.extend(pairs.into_iter().filter(|(row, new)| row.tokens != new.tokens));
                    Ok(true)
                })?;
            }
            working_set.follow_solved(store, &solved)?;
            working_set.settle(store, pricer)?;
            let MergeState { names, row_store, .. } = &working_set.state;
            for (key, before) in row_store.changes_since(0) {
                if let (Some(before), Some(after)) = (before, row_store.get(key)) {
                    changed.count(&before, after, names);
                }
            }
            working_set.write_changes(store, step)?;
            Ok(changed)
        })?;
        Ok(Repriced { backup, ..changed })
    }
}

impl Repriced {
    fn count(&mut self, old: &CompactRow, new: &CompactRow, names: &Interner) {
        if old.cost == new.cost {
            return;
        }
        let (before, after) = (old.cost(names), new.cost(names));
        let dollars = |cost: &Cost| cost.usd().unwrap_or_default();
        let (was, is) = (dollars(&before), dollars(&after));
        self.calls += 1;
        self.before += was;
        self.after += is;
        let entry = self.by_price.entry((price(&before), price(&after))).or_default();
        entry.calls += 1;
        entry.before += was;
        entry.after += is;
    }
}

fn price(cost: &Cost) -> Option<Label> {
    match cost {
        Cost::Priced { price, .. } => Some(price.clone()),
        Cost::Quoted(_) => Some(Label::new("quoted")),
        Cost::Unpriced => None,
    }
}
