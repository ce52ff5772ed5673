//! Stores rows by key and merges sightings, by key and by alias.
//!
//! A *plain* row is the join of all sightings of one key. Telemetry knows an answer only by its request, so a telemetry
//! row's alias is its own key. If another row carries that alias (of several, the one with the least key), the two are
//! one call: that row shows the join of both, and the telemetry's own row is hidden. Where the alias may belong to
//! several answers, telemetry's keys are made from it ([`CallKey::named`]), and `alias_rows.rs` says which rows are one
//! call. A row that sums up a whole thread is also hidden if a call of the thread carries its alias, and adds nothing
//! to that call. All rows with the alias of a client's attempts are one call: the one with the least key shows their
//! join, and the others are hidden. A refused call and anything it is joined with are kept but never shown, except for
//! the other attempts at it. So the shown rows are a function of the plain rows, and the plain rows do not depend on
//! the order or repetition of sightings.

mod alias_rows;
mod shown;
mod table;
mod telemetry;
mod watch;

use rustc_hash::{FxHashMap, FxHashSet};

pub(super) use self::alias_rows::AliasRows;
pub(super) use self::table::RowTable;
use self::telemetry::Telemetry;
use super::by_key::Keys;
use super::compact_row::{CompactRow, RowCost};
use super::interner::{Interner, NONE};
use super::row_pricer::RowPricer;
use super::spending::Spending;
use crate::domain::CallKey;
use crate::pricing::Pricer;

#[derive(Debug, Default)]
pub(super) struct RowStore {
    shown: RowTable,
    /// Keys by the session under whose family they are stored. May include rows that have moved.
    by_session: FxHashMap<u32, Vec<CallKey>>,
    /// Set once rows are grouped by alias.
    telemetry: Option<Telemetry>,
    /// Previous versions of changed shown rows; `None` while no journal is kept.
    journal: Option<Vec<Before>>,
    /// Keys of rows to be priced.
    open: Vec<CallKey>,
    /// Set once any session has a bill.
    spending: Option<Box<Spending>>,
}

/// A shown row's key with its version before a change.
pub(super) type Before = (CallKey, Option<Box<CompactRow>>);

impl RowStore {
    /// Starts the journal for [`RowStore::take_journal`] and [`RowStore::changes_since`].
    pub(super) fn keep_journal(&mut self) {
        self.journal.get_or_insert_default();
    }

    /// Current position in the journal.
    pub(super) fn mark(&self) -> usize {
        self.journal.as_ref().map_or(0, Vec::len)
    }

    /// Changes since a mark: each key once, with the row as it was at the mark.
    pub(super) fn changes_since(&self, mark: usize) -> Vec<Before> {
        let mut seen = FxHashSet::default();
        let journal = self.journal.as_deref().unwrap_or_default();
        journal[mark.min(journal.len())..].iter().filter(|(key, _)| seen.insert(*key)).cloned().collect()
    }

    /// Takes the journal, with each key once, and stops keeping it.
    pub(super) fn take_journal(&mut self) -> Vec<Before> {
        let mut journal = self.journal.take().unwrap_or_default();
        let mut seen = Keys::default();
        seen.reserve(journal.len());
        journal.retain(|(key, _)| seen.insert(*key));
        journal
    }

    /// The row shown under a key.
    pub(super) fn get(&self, key: CallKey) -> Option<&CompactRow> {
        self.shown.get(key)
    }

    /// The row in which a key is shown: its own, or the one it was merged into.
    pub(super) fn shown_for(&self, key: CallKey) -> Option<&CompactRow> {
        self.get(key).or_else(|| {
            let alias = self.plain(key)?.alias?;
            if alias.is_of_attempts() {
                let telemetry = self.telemetry.as_ref()?;
                let carriers = telemetry.carriers.get(&alias).map_or(&[][..], Vec::as_slice);
                return carriers.iter().chain([&alias]).find_map(|host| self.get(*host));
            }
            self.twins(alias).host_of(key).and_then(|host| self.get(host))
        })
    }

    pub(super) fn rows(&self) -> &[CompactRow] {
        self.shown.rows()
    }

    /// Every plain row, excluding computed ones.
    pub(super) fn plain_rows(&self) -> impl Iterator<Item = &CompactRow> {
        let unmerged = self.telemetry.as_ref().map(|telemetry| &telemetry.unmerged);
        let shown = self
            .shown
            .rows()
            .iter()
            .filter(move |row| unmerged.is_none_or(|unmerged| !unmerged.contains_key(&row.key)));
        let computed = self.spending.as_deref();
        let shown = shown.filter(move |row| computed.is_none_or(|computed| !computed.is_computed(row.key)));
        shown.chain(unmerged.into_iter().flat_map(FxHashMap::values))
    }

    /// True once telemetry is tracked.
    pub(super) fn has_telemetry(&self) -> bool {
        self.telemetry.is_some()
    }

    /// Starts tracking telemetry.
    pub(super) fn look_for_telemetry(&mut self) {
        if self.telemetry.is_none() {
            let mut telemetry = Telemetry::default();
            for row in self.shown.rows() {
                telemetry.carry(row.alias, row.key);
            }
            self.telemetry = Some(telemetry);
        }
    }

    /// Inserts a row from a store, shown or hidden.
    pub(super) fn restore(&mut self, compact: CompactRow, shown: bool, names: &Interner) {
        let compact = CompactRow { booked: true, ..compact };
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.carry(compact.alias, compact.key);
        }
        self.index_session(&compact);
        if shown {
            self.insert(compact, names);
        } else if let Some(telemetry) = &mut self.telemetry {
            telemetry.unmerged.insert(compact.key, compact);
        }
    }

    /// Takes the hidden rows that changed since the last call; `None` marks a removed one.
    pub(super) fn take_unmerged(&mut self) -> Vec<(CallKey, Option<CompactRow>)> {
        let Some(telemetry) = &mut self.telemetry else { return Vec::new() };
        let changed = std::mem::take(&mut telemetry.changed);
        changed.into_iter().map(|key| (key, telemetry.unmerged.get(&key).cloned())).collect()
    }

    /// Every hidden row.
    pub(super) fn unmerged(&self) -> impl Iterator<Item = &CompactRow> {
        self.telemetry.iter().flat_map(|telemetry| telemetry.unmerged.values())
    }

    /// Merges one sighting; true if it changed anything.
    pub(super) fn feed(&mut self, sighting: CompactRow, names: &mut Interner) -> bool {
        if self.telemetry.is_none() && !sighting.is_grouped() {
            return match self.shown.get(sighting.key) {
                Some(known) => {
                    let Some(joined) = known.join(&sighting, names) else { return false };
                    if joined.lineage != known.lineage {
                        self.index_session(&joined);
                    }
                    self.replace(joined, names);
                    true
                }
                None => {
                    self.index_session(&sighting);
                    self.show(sighting, names);
                    true
                }
            };
        }
        self.look_for_telemetry();
        let key = sighting.key;
        let old = self.plain(key).cloned();
        let plain = match &old {
            Some(old) => match old.join(&sighting, names) {
                Some(joined) => joined,
                None => return false,
            },
            None => sighting,
        };
        self.index_session(&plain);
        let old_alias = old.and_then(|old| old.alias);
        let alias = plain.alias;
        if let Some(telemetry) = &mut self.telemetry {
            telemetry.drop_carrier(old_alias, key);
            telemetry.carry(alias, key);
        }
        self.put_plain(plain, names);
        for alias in [old_alias, alias, Some(key)].into_iter().flatten().collect::<FxHashSet<_>>() {
            self.regroup(alias, names);
        }
        true
    }

    /// Keys of the rows of these sessions. May include rows that have moved.
    pub(super) fn keys_of(&self, sessions: &[u32]) -> Vec<CallKey> {
        sessions.iter().filter_map(|session| self.by_session.get(session)).flatten().copied().collect()
    }

    /// Moves rows from one root to another, joining rows with equal keys.
    pub(super) fn rekey(&mut self, sessions: &[u32], from: &str, to: &str, names: &mut Interner) {
        let listed: Vec<CallKey> =
            sessions.iter().flat_map(|session| self.by_session.remove(session).unwrap_or_default()).collect();
        let sessions: FxHashSet<u32> = sessions.iter().copied().collect();
        let mut taken = Vec::new();
        for key in listed {
            if self.plain(key).is_some_and(|plain| plain.lineage != NONE && sessions.contains(&plain.lineage)) {
                taken.extend(self.take_plain(key, names));
            }
        }
        for plain in taken {
            let key = plain.key.under(from).under(to);
            // An alias that equals the key keeps its value, because telemetry's keys never move.
            self.feed(CompactRow { key, ..plain }, names);
        }
    }

    /// Moves one row to another key, joining it with a row already there.
    pub(super) fn rekey_one(&mut self, from: CallKey, to: CallKey, lineage: u32, names: &mut Interner) {
        if let Some(plain) = self.take_plain(from, names) {
            self.feed(CompactRow { key: to, lineage, ..plain }, names);
        }
    }

    /// Prices new and changed rows.
    pub(super) fn settle(&mut self, pricer: &dyn Pricer, names: &mut Interner) {
        let mut row_pricer = RowPricer::new(pricer);
        for key in std::mem::take(&mut self.open) {
            if let Some(row) = self.shown.get_mut(key)
                && row.cost == RowCost::Pending
            {
                let before = row.tokens;
                row_pricer.settle(row, names);
                if let Some(spending) = self.spending.as_mut().filter(|_| before != row.tokens) {
                    spending.take(&CompactRow { tokens: before, ..row.clone() }, names);
                    spending.add(row, names);
                }
            }
            if let Some(row) = self.telemetry.as_mut().and_then(|telemetry| telemetry.unmerged.get_mut(&key))
                && row.cost == RowCost::Pending
            {
                row_pricer.settle(row, names);
            }
        }
    }

    /// Prices every row with the given price book.
    pub(super) fn reprice(&mut self, pricer: &dyn Pricer, names: &mut Interner) {
        let mut row_pricer = RowPricer::new(pricer);
        for row in self.shown.rows_mut() {
            row_pricer.settle(row, names);
        }
    }

    /// The rows for a store that keeps them unchanged: the shown ones and the unmerged ones.
    pub(super) fn into_tables(self) -> (RowTable, RowTable) {
        let mut unmerged = RowTable::default();
        let rows = self.telemetry.into_iter().flat_map(|telemetry| telemetry.unmerged.into_values());
        rows.for_each(|row| unmerged.insert(row));
        (self.shown, unmerged)
    }

    /// Removes all rows.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// True when no row has this key or this alias.
    pub(super) fn is_free(&self, key: CallKey) -> bool {
        self.plain(key).is_none() && self.telemetry.as_ref().is_none_or(|telemetry| !telemetry.has_carriers(key))
    }

    /// Adds a telemetry row whose key is free, see [`RowStore::is_free`].
    pub(super) fn add_free(&mut self, row: CompactRow, names: &Interner) {
        self.show(row, names);
    }

    /// Aliases of the rows with these keys.
    pub(super) fn aliases_of(&self, keys: &[CallKey]) -> Vec<CallKey> {
        keys.iter().filter_map(|key| self.plain(*key)?.alias).collect()
    }

    /// The join of all sightings of a key.
    pub(super) fn plain(&self, key: CallKey) -> Option<&CompactRow> {
        self.telemetry.as_ref().and_then(|telemetry| telemetry.unmerged.get(&key)).or_else(|| self.get(key))
    }
}
