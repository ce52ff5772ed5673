//! Decides which rows are shown: plain ones, joins with telemetry of the same alias, or none.

use super::RowStore;
use super::alias_rows::AliasRows;
use crate::domain::CallKey;
use crate::ledger::compact_row::{CompactRow, RowCost};
use crate::ledger::interner::{Interner, NONE};
use crate::ledger::spending::session_of;

impl RowStore {
    /// Recomputes which of the rows with one alias are shown, and merges them.
    pub(super) fn regroup(&mut self, alias: CallKey, names: &mut Interner) {
        if self.telemetry.is_none() {
            return;
        }
        if alias.is_of_attempts() {
            return self.regroup_attempts(alias, names);
        }
        let twins = self.twins(alias);
        let host = twins.host_of_unnamed();
        // A row that sums up a thread adds nothing to one of its calls.
        let unnamed = twins.unnamed.as_ref().filter(|unnamed| !unnamed.sums_up(names));
        let places = twins.named.len().max(twins.others.len());
        for place in 0..places {
            let (named, other) = (twins.named.get(place), twins.others.get(place));
            let Some(row) = other.or(named) else { continue };
            let joined = other.and(named).into_iter().chain(unnamed.filter(|_| host == Some(row.key)));
            self.show_joined(row, joined, names);
            if let (Some(_), Some(named)) = (other, named) {
                self.keep_unmerged(named.clone());
                self.hide(named.key, names);
            }
        }
        if let Some(unnamed) = twins.unnamed {
            if host.is_some() {
                self.keep_unmerged(unnamed);
                self.hide(alias, names);
            } else if !unnamed.is_refused() && self.drop_unmerged(alias) {
                self.show(unnamed, names);
            }
        }
    }

    /// Shows a plain row joined with these, or as it is if there are none.
    fn show_joined<'r>(
        &mut self,
        plain: &CompactRow,
        joined: impl Iterator<Item = &'r CompactRow>,
        names: &mut Interner,
    ) {
        let shown = joined
            .fold(None, |shown: Option<CompactRow>, row| Some(shown.as_ref().unwrap_or(plain).show_with(row, names)));
        match shown {
            Some(shown) => {
                self.keep_unmerged(plain.clone());
                if shown.is_refused() {
                    self.hide(plain.key, names);
                } else {
                    self.show(shown, names);
                }
            }
            None => {
                if !plain.is_refused() && self.drop_unmerged(plain.key) {
                    self.show(plain.clone(), names);
                }
            }
        }
    }

    /// The plain rows with this alias.
    pub(super) fn twins(&self, alias: CallKey) -> AliasRows {
        let carriers = self.telemetry.as_ref().and_then(|telemetry| telemetry.carriers.get(&alias));
        let keys = std::iter::once(alias).chain(carriers.into_iter().flatten().copied());
        AliasRows::new(alias, keys.filter_map(|key| self.plain(key).cloned()))
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

    /// Keeps a row as it was read: its session's bill matters to what is shown.
    fn keep_unmerged(&mut self, plain: CompactRow) {
        let plain = plain.unsettled();
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

    fn drop_unmerged(&mut self, key: CallKey) -> bool {
        let Some(telemetry) = &mut self.telemetry else { return false };
        let dropped = telemetry.unmerged.remove(&key).is_some();
        if dropped {
            telemetry.changed.insert(key);
        }
        dropped
    }

    /// Marks a call of a session with unlisted calls as exact if the session has a bill. Without any sums here, no session
    /// of these rows has one.
    fn settled(&self, row: CompactRow, names: &Interner) -> CompactRow {
        match &self.spending {
            Some(spending) => spending.settled(row, names),
            None => row.unsettled(),
        }
    }

    pub(super) fn show(&mut self, row: CompactRow, names: &Interner) {
        let row = self.settled(row, names);
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
    pub(super) fn replace(&mut self, row: CompactRow, names: &Interner) {
        let row = self.settled(row, names);
        let Some(known) = self.shown.get_mut(row.key) else { return };
        if let Some(spending) = &mut self.spending {
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
