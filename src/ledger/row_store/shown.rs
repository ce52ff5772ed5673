//! Which rows are shown: plain ones, joined with telemetry of their alias, or none.

use super::RowStore;
use crate::domain::CallKey;
use crate::ledger::compact_row::{CompactRow, RowCost};
use crate::ledger::interner::{Interner, NONE, count, index};
use crate::ledger::spending::session_of;

impl RowStore {
    /// Recomputes which rows with one alias are shown, and merges them.
    pub(super) fn regroup(&mut self, alias: CallKey, names: &mut Interner) {
        let Some(telemetry) = &self.telemetry else { return };
        let told = self.plain(alias).filter(|plain| plain.alias == Some(alias)).cloned();
        let carriers = telemetry.carriers.get(&alias).cloned().unwrap_or_default();
        let host = told.as_ref().and_then(|_| carriers.iter().min().copied());
        let sums_up = told.as_ref().is_some_and(|told| told.sums_up(names));
        for carrier in carriers {
            let Some(plain) = self.plain(carrier).cloned() else { continue };
            match &told {
                Some(told) if host == Some(carrier) && !sums_up => {
                    self.set_apart(plain.clone());
                    let shown = plain.show_with(told, names);
                    if shown.is_refused() {
                        self.hide(carrier, names);
                    } else {
                        self.show(shown, names);
                    }
                }
                Some(_) | None => {
                    if !plain.is_refused() && self.drop_apart(carrier) {
                        self.show(plain, names);
                    }
                }
            }
        }
        if let Some(told) = told {
            if host.is_some() {
                self.set_apart(told);
                self.hide(alias, names);
            } else if !told.is_refused() && self.drop_apart(alias) {
                self.show(told, names);
            }
        }
    }

    pub(super) fn put_plain(&mut self, plain: CompactRow, names: &Interner) {
        let apart = self.telemetry.as_ref().is_some_and(|telemetry| telemetry.apart.contains_key(&plain.key));
        if plain.is_refused() {
            self.hide(plain.key, names);
            self.set_apart(plain);
        } else if apart {
            self.set_apart(plain);
        } else {
            self.show(plain, names);
        }
    }

    pub(super) fn take_plain(&mut self, key: CallKey, names: &mut Interner) -> Option<CompactRow> {
        let plain = self.plain(key).cloned()?;
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.drop_carrier(plain.alias, key);
        }
        self.drop_apart(key);
        self.hide(key, names);
        if let Some(alias) = plain.alias.filter(|_| self.telemetry.is_some()) {
            self.regroup(alias, names);
        }
        Some(plain)
    }

    pub(super) fn set_apart(&mut self, plain: CompactRow) {
        if let Some(telemetry) = &mut self.telemetry
            && telemetry.apart.get(&plain.key) != Some(&plain)
        {
            if plain.cost == RowCost::Pending {
                self.open.push(plain.key);
            }
            telemetry.changed.insert(plain.key);
            telemetry.apart.insert(plain.key, plain);
        }
    }

    pub(super) fn drop_apart(&mut self, key: CallKey) -> bool {
        let Some(telemetry) = &mut self.telemetry else { return false };
        let dropped = telemetry.apart.remove(&key).is_some();
        if dropped {
            telemetry.changed.insert(key);
        }
        dropped
    }

    pub(super) fn show(&mut self, row: CompactRow, names: &Interner) {
        let row = match &self.spending {
            Some(spending) => spending.settled(row, names),
            None => row,
        };
        match self.places.get(&row.key) {
            Some(place) => {
                let place = index(*place);
                // Unchanged except for the cost: the booked cost is kept.
                if !self.rows[place].says_the_same(&row) {
                    self.replace(place, row, names);
                }
            }
            None => {
                if let Some(journal) = &mut self.journal {
                    journal.push((row.key, None));
                }
                if row.cost == RowCost::Pending {
                    self.open.push(row.key);
                }
                if let Some(spending) = &mut self.spending {
                    spending.add(&row, names);
                }
                self.insert(row, names);
            }
        }
    }

    pub(super) fn replace(&mut self, place: usize, mut row: CompactRow, names: &Interner) {
        if let Some(spending) = &mut self.spending {
            row = spending.settled(row, names);
            spending.take(&self.rows[place], names);
            spending.add(&row, names);
            if session_of(&row, names) != session_of(&self.rows[place], names) {
                spending.index(&row, names);
            }
        }
        let was_open = self.rows[place].cost == RowCost::Pending;
        if row.cost == RowCost::Pending && !was_open {
            self.open.push(row.key);
        }
        let before = std::mem::replace(&mut self.rows[place], row);
        if let Some(journal) = &mut self.journal {
            journal.push((before.key, Some(Box::new(before))));
        }
    }

    pub(super) fn insert(&mut self, row: CompactRow, names: &Interner) {
        if let Some(spending) = &mut self.spending {
            spending.index(&row, names);
        }
        self.places.insert(row.key, count(self.rows.len()));
        self.rows.push(row);
    }

    pub(super) fn hide(&mut self, key: CallKey, names: &Interner) {
        let Some(place) = self.places.remove(&key) else { return };
        let row = self.rows.swap_remove(index(place));
        if let Some(spending) = &mut self.spending {
            spending.take(&row, names);
        }
        if let Some(moved) = self.rows.get(index(place)) {
            self.places.insert(moved.key, place);
        }
        if let Some(journal) = &mut self.journal {
            journal.push((key, Some(Box::new(row))));
        }
    }

    pub(super) fn index_session(&mut self, row: &CompactRow) {
        if row.lineage != NONE {
            let keys = self.by_session.entry(row.lineage).or_default();
            if keys.last() != Some(&row.key) {
                keys.push(row.key);
            }
        }
    }
}
