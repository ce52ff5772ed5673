//! Decides which rows are shown: plain ones, joins with telemetry of the same alias, or none.

use super::RowStore;
use crate::domain::CallKey;
use crate::ledger::compact_row::{CompactRow, RowCost};
use crate::ledger::interner::{Interner, NONE};
use crate::ledger::spending::session_of;

impl RowStore {
    /// Recomputes which of the rows with one alias are shown, and merges them.
    pub(super) fn regroup(&mut self, alias: CallKey, names: &mut Interner) {
        let Some(telemetry) = &self.telemetry else { return };
        if alias.is_of_attempts() {
            return self.regroup_attempts(alias, names);
        }
        let telemetry_row = self.plain(alias).filter(|plain| plain.alias == Some(alias)).cloned();
        let carriers = telemetry.carriers.get(&alias).cloned().unwrap_or_default();
        let host = telemetry_row.as_ref().and_then(|_| carriers.iter().min().copied());
        let sums_up = telemetry_row.as_ref().is_some_and(|telemetry_row| telemetry_row.sums_up(names));
        for carrier in carriers {
            let Some(plain) = self.plain(carrier).cloned() else { continue };
            match &telemetry_row {
                Some(telemetry_row) if host == Some(carrier) && !sums_up => {
                    self.keep_unmerged(plain.clone());
                    let shown = plain.show_with(telemetry_row, names);
                    if shown.is_refused() {
                        self.hide(carrier, names);
                    } else {
                        self.show(shown, names);
                    }
                }
                Some(_) | None => {
                    if !plain.is_refused() && self.drop_unmerged(carrier) {
                        self.show(plain, names);
                    }
                }
            }
        }
        if let Some(telemetry_row) = telemetry_row {
            if host.is_some() {
                self.keep_unmerged(telemetry_row);
                self.hide(alias, names);
            } else if !telemetry_row.is_refused() && self.drop_unmerged(alias) {
                self.show(telemetry_row, names);
            }
        }
    }

    /// Shows the rows with this alias as one: the join of all, in the row with the least key.
    fn regroup_attempts(&mut self, alias: CallKey, names: &mut Interner) {
        let Some(telemetry) = &self.telemetry else { return };
        let mut keys = telemetry.carriers.get(&alias).cloned().unwrap_or_default();
        keys.sort_unstable();
        // Attempts without an id of their own have the alias as their key.
        keys.push(alias);
        // Refused ones are hidden anyway, and do not make the others free.
        let is_one = |row: &&CompactRow| row.alias == Some(alias) && !row.is_refused();
        let mut attempts = keys.iter().filter_map(|key| self.plain(*key)).filter(is_one).cloned();
        let Some(first) = attempts.next() else { return };
        let others: Vec<CompactRow> = attempts.collect();
        let host = first.key;
        if others.is_empty() {
            if self.drop_unmerged(host) {
                self.show(first, names);
            }
            return;
        }
        let shown = others.iter().fold(first.clone(), |shown, other| shown.show_with(other, names));
        self.keep_unmerged(first);
        self.show(shown, names);
        for other in others {
            self.hide(other.key, names);
            self.keep_unmerged(other);
        }
    }

    pub(super) fn put_plain(&mut self, plain: CompactRow, names: &Interner) {
        let unmerged = self.telemetry.as_ref().is_some_and(|telemetry| telemetry.unmerged.contains_key(&plain.key));
        if plain.is_refused() {
            self.hide(plain.key, names);
            self.keep_unmerged(plain);
        } else if unmerged {
            self.keep_unmerged(plain);
        } else {
            self.show(plain, names);
        }
    }

    pub(super) fn take_plain(&mut self, key: CallKey, names: &mut Interner) -> Option<CompactRow> {
        let plain = self.plain(key).cloned()?;
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.drop_carrier(plain.alias, key);
        }
        self.drop_unmerged(key);
        self.hide(key, names);
        if let Some(alias) = plain.alias.filter(|_| self.telemetry.is_some()) {
            self.regroup(alias, names);
        }
        Some(plain)
    }

    pub(super) fn keep_unmerged(&mut self, plain: CompactRow) {
        if let Some(telemetry) = &mut self.telemetry
            && telemetry.unmerged.get(&plain.key) != Some(&plain)
        {
            if plain.cost == RowCost::Pending {
                self.open.push(plain.key);
            }
            telemetry.changed.insert(plain.key);
            telemetry.unmerged.insert(plain.key, plain);
        }
    }

    pub(super) fn drop_unmerged(&mut self, key: CallKey) -> bool {
        let Some(telemetry) = &mut self.telemetry else { return false };
        let dropped = telemetry.unmerged.remove(&key).is_some();
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
        match self.shown.get(row.key) {
            // Only the cost could differ: keep the booked one.
            Some(known) if known.says_the_same(&row) => {}
            Some(_) => self.replace(row, names),
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

    /// Shows a row in place of the current one with its key.
    pub(super) fn replace(&mut self, mut row: CompactRow, names: &Interner) {
        let Some(known) = self.shown.get_mut(row.key) else { return };
        if let Some(spending) = &mut self.spending {
            row = spending.settled(row, names);
            spending.take(known, names);
            spending.add(&row, names);
            if session_of(&row, names) != session_of(known, names) {
                spending.index(&row, names);
            }
        }
        if row.cost == RowCost::Pending && known.cost != RowCost::Pending {
            self.open.push(row.key);
        }
        let before = std::mem::replace(known, row);
        if let Some(journal) = &mut self.journal {
            journal.push((before.key, Some(Box::new(before))));
        }
    }

    pub(super) fn insert(&mut self, row: CompactRow, names: &Interner) {
        if let Some(spending) = &mut self.spending {
            spending.index(&row, names);
        }
        self.shown.insert(row);
    }

    pub(super) fn hide(&mut self, key: CallKey, names: &Interner) {
        let Some(row) = self.shown.remove(key) else { return };
        if let Some(spending) = &mut self.spending {
            spending.take(&row, names);
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
