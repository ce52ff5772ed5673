//! The interface below the merge rules: the operations that a store of rows must provide. Rows are passed as
//! [`CompactRow`]s, whose names are ids of an [`Interner`]. [`Store::Ids`] live as long as that interner.

mod transaction;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustc_hash::FxHashSet;

pub use self::transaction::{Access, Delta, Place, Quarters, Step, Stored, Table};
use super::compact_row::CompactRow;
use super::grouping::{self, FirstStretches, Stretch};
use super::inherited::{self, Whole};
use super::interner::Interner;
use super::key_value::{Fact, FactKind};
use super::row_store::AliasRows;
use super::session_bills;
use super::spending::Part;
use super::{Checkpoint, Order, Query};
use crate::domain::{Bill, CallKey, Dimension, Filter, Instant, one_by_one};

/// Rows by key, alias and lineage, with the data derived from them and stored next to them.
///
/// A store neither merges nor prices: it returns exactly the rows that [`Store::apply`] was given. All methods but
/// those of version, checkpoints, statuses and facts are called within a transaction.
pub trait Store {
    /// The store's ids for interned names; `()` for a store that keeps the names themselves.
    type Ids: Default;

    /// Begins a transaction. A read has one consistent view; a write is the only writer.
    ///
    /// # Errors
    /// When another process has locked the store, or it cannot be read or written.
    fn begin(&self, access: Access) -> Stored<()>;

    /// Makes the changes of a transaction durable, all or nothing.
    ///
    /// # Errors
    /// When none of the changes was made.
    fn commit(&self) -> Stored<()>;

    /// Discards the changes of a transaction.
    fn roll_back(&self);

    /// A number that changes whenever another process writes.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn version(&self) -> Stored<i64>;

    /// The time before which calls were pruned.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn horizon(&self) -> Stored<Option<Instant>>;

    /// Stores the time before which calls were pruned.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    fn set_horizon(&self, at: Instant) -> Stored<()>;

    /// Id of this machine in exports.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn machine(&self) -> Stored<String>;

    /// The next rows of a table from a position, which is advanced. Rows come in order of their second, or all at once;
    /// none means the end. Rows that were returned may be changed before the next call.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn rows(
        &self,
        names: &mut Interner,
        ids: &mut Self::Ids,
        table: Table,
        place: &mut Place,
    ) -> Stored<Vec<CompactRow>>;

    /// The row with this key.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn row(&self, names: &mut Interner, ids: &mut Self::Ids, table: Table, key: CallKey) -> Stored<Option<CompactRow>>;

    /// The rows with these keys, where they exist.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn rows_of(
        &self,
        names: &mut Interner,
        ids: &mut Self::Ids,
        table: Table,
        keys: &[CallKey],
    ) -> Stored<Vec<CompactRow>> {
        let rows = keys.iter().map(|key| self.row(names, ids, table, *key)).filter_map(Result::transpose);
        rows.collect()
    }

    /// True once [`Store::index_aliases`] was called. Only then are there unmerged rows.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn has_aliases(&self) -> Stored<bool>;

    /// Prepares for [`Store::keys_by_alias`]. Most ledgers never need it.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn index_aliases(&self) -> Stored<()>;

    /// Keys of the rows with this alias, from both tables. May leave out a row whose alias is its own key.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys_by_alias(&self, names: &Interner, alias: CallKey) -> Stored<Vec<CallKey>>;

    /// Keys of the rows with any of these aliases, by the rules of [`Store::keys_by_alias`].
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys_by_aliases(&self, names: &Interner, aliases: &[CallKey]) -> Stored<Vec<CallKey>> {
        let keys: Vec<Vec<CallKey>> =
            aliases.iter().map(|alias| self.keys_by_alias(names, *alias)).collect::<Stored<_>>()?;
        Ok(keys.into_iter().flatten().collect())
    }

    /// Alias and key of each shown row with one of these aliases, found without the index.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn scan_aliases(
        &self,
        names: &mut Interner,
        ids: &mut Self::Ids,
        wanted: &FxHashSet<CallKey>,
    ) -> Stored<Vec<(CallKey, CallKey)>> {
        let mut found = Vec::new();
        let mut place = Place::default();
        loop {
            let rows = self.rows(names, ids, Table::Shown, &mut place)?;
            if rows.is_empty() {
                return Ok(found);
            }
            let aliased = rows.iter().filter_map(|row| Some((row.alias?, row.key)));
            found.extend(aliased.filter(|(alias, _)| wanted.contains(alias)));
        }
    }

    /// Keys of the rows whose keys are unique only within the family of this session, from both tables.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys_by_lineage(&self, names: &Interner, ids: &mut Self::Ids, session: u32) -> Stored<Vec<CallKey>>;

    /// Keys of a session's shown rows.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn keys_by_session(&self, names: &Interner, ids: &mut Self::Ids, session: u32) -> Stored<Vec<CallKey>>;

    /// Every descent, as the ids of child and parent.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn descents(&self, names: &mut Interner, ids: &mut Self::Ids) -> Stored<Vec<(u32, u32)>>;

    /// Visits every bill, with the id of its session.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn each_bill(&self, names: &mut Interner, ids: &mut Self::Ids, each: &mut dyn FnMut(u32, &Bill)) -> Stored<()>;

    /// True when any session has a bill.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn has_bills(&self) -> Stored<bool>;

    /// A session's bills.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn bills(&self, names: &mut Interner, ids: &mut Self::Ids, session: u32) -> Stored<Vec<Bill>> {
        Ok(self.find_bills(names, ids, &|of, _| of == session)?.into_iter().map(|(_, bill)| bill).collect())
    }

    /// Sessions with a bill for this counter.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn sessions_by_counter(&self, names: &mut Interner, ids: &mut Self::Ids, counter: i64) -> Stored<Vec<u32>> {
        let found = self.find_bills(names, ids, &|_, bill| session_bills::started(bill) == Some(counter))?;
        Ok(sessions(&found))
    }

    /// At most `most` bills with this [`total`](super::total), with the ids of their sessions.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn bills_by_total(
        &self,
        names: &mut Interner,
        ids: &mut Self::Ids,
        total: Whole,
        most: usize,
    ) -> Stored<Vec<(u32, Bill)>> {
        let mut found = self.find_bills(names, ids, &|_, bill| inherited::total(bill) == Some(total))?;
        found.truncate(most);
        Ok(found)
    }

    /// Sessions with a bill of a run that inherited this total, see [`before`](super::before).
    ///
    /// # Errors
    /// When the store cannot be read.
    fn sessions_by_inherited(&self, names: &mut Interner, ids: &mut Self::Ids, total: Whole) -> Stored<Vec<u32>> {
        let found = self.find_bills(names, ids, &|_, bill| inherited::before(bill) == Some(total))?;
        Ok(sessions(&found))
    }

    /// The bills of one kind, with the ids of their sessions.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn find_bills(
        &self,
        names: &mut Interner,
        ids: &mut Self::Ids,
        is_one: &dyn Fn(u32, &Bill) -> bool,
    ) -> Stored<Vec<(u32, Bill)>> {
        let mut found = Vec::new();
        self.each_bill(names, ids, &mut |session, bill| {
            if is_one(session, bill) {
                found.push((session, bill.clone()));
            }
        })?;
        Ok(found)
    }

    /// A session's sums by model, as last written through [`Delta::spent`].
    ///
    /// # Errors
    /// When the store cannot be read.
    fn spent(&self, names: &mut Interner, ids: &mut Self::Ids, session: u32) -> Stored<Vec<(u32, Part)>>;

    /// Writes a transaction's changes and every sum derived from rows. `step` is called before each part.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    fn apply(&self, names: &mut Interner, ids: &mut Self::Ids, delta: &Delta<'_>, step: Step<'_>) -> Stored<()>;

    /// Writes checkpoints, each replacing an older one for the same path.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    fn write_files(&self, files: &mut dyn Iterator<Item = &Checkpoint>) -> Stored<()>;

    /// Every checkpoint, by path.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn files(&self) -> Stored<Vec<Checkpoint>>;

    /// The checkpoint of a file.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn file(&self, path: &Path) -> Stored<Option<Checkpoint>> {
        Ok(self.files()?.into_iter().find(|file| file.path == path))
    }

    /// Writes status reports by name unless the stored one is newer. Old reports about sessions may be dropped.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    fn write_statuses(&self, statuses: &BTreeMap<String, String>) -> Stored<()>;

    /// Every status report, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn statuses(&self) -> Stored<BTreeMap<String, String>>;

    /// The value of a fact.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn fact(&self, space: FactKind, key: &str) -> Stored<Option<Fact>>;

    /// Writes or removes a fact.
    ///
    /// # Errors
    /// When the transaction must be rolled back.
    fn put_fact(&self, space: FactKind, key: &str, fact: Option<&Fact>) -> Stored<()>;

    /// Every fact whose key has this prefix, sorted by key.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn facts(&self, space: FactKind, prefix: &str) -> Stored<Vec<(String, Fact)>>;

    /// Visits each shown row that passes a filter, until `each` returns false. The order is by second or, if that does
    /// not matter, the fastest one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn each_row(
        &self,
        names: &mut Interner,
        ids: &mut Self::Ids,
        filter: &Filter,
        order: Option<Order>,
        each: &mut dyn FnMut(CompactRow, &Interner) -> bool,
    ) -> Stored<()>;

    /// The row in which a key is shown: its own, or the one it was merged into.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn shown_row(&self, names: &mut Interner, ids: &mut Self::Ids, key: CallKey) -> Stored<Option<CompactRow>> {
        if let Some(row) = self.row(names, ids, Table::Shown, key)? {
            return Ok(Some(row));
        }
        let hidden = if self.has_aliases()? { self.row(names, ids, Table::Unmerged, key)? } else { None };
        let hidden = hidden.filter(CompactRow::is_grouped).and_then(|row| row.alias);
        let Some(alias) = hidden else { return Ok(None) };
        let mut rows = Vec::new();
        for key in self.keys_by_alias(names, alias)?.into_iter().chain([alias]) {
            let unmerged = self.row(names, ids, Table::Unmerged, key)?;
            rows.extend(if unmerged.is_some() { unmerged } else { self.row(names, ids, Table::Shown, key)? });
        }
        let host = AliasRows::host_among(alias, rows, key);
        host.map_or(Ok(None), |host| self.row(names, ids, Table::Shown, host))
    }

    /// Sums by quarter hour of the calls within a filter's times, on any level that separates the filter's dimensions
    /// and those of `by`. A level without time will do if `timeless` is set and the filter has no times. The caller
    /// applies the filter's names. Every name must be interned before the sums are handed on.
    ///
    /// The default adds up rows. A store that keeps sums answers from them.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn quarters<'a>(
        &'a self,
        names: &mut Interner,
        ids: &mut Self::Ids,
        filter: &Filter,
        _by: &[Dimension],
        _timeless: bool,
    ) -> Stored<Quarters<'a, Self::Ids>> {
        let mut quarters = Vec::new();
        self.each_row(names, ids, filter, None, &mut |row, _| {
            quarters.push(grouping::quarter(&row));
            true
        })?;
        Ok(Box::new(move |_, each| {
            quarters.into_iter().for_each(each);
            Ok(())
        }))
    }

    /// The sums of each session, sub-agent and kind of call that pass a filter, with the times of the first and last
    /// call.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn stretches(&self, names: &mut Interner, ids: &mut Self::Ids, filter: &Filter) -> Stored<Vec<Stretch>> {
        let mut stretches = Vec::new();
        self.each_row(names, ids, filter, None, &mut |row, _| {
            stretches.push(grouping::stretch(&row));
            true
        })?;
        Ok(grouping::united(stretches))
    }

    /// Like [`Store::stretches`], but only for sessions that can appear within the query's limit. `None` if the store
    /// cannot tell which those are.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn first_stretches(
        &self,
        _names: &mut Interner,
        _ids: &mut Self::Ids,
        _query: &Query,
    ) -> Stored<Option<FirstStretches>> {
        Ok(None)
    }
}

/// The sessions of these bills, each once.
fn sessions(bills: &[(u32, Bill)]) -> Vec<u32> {
    one_by_one::<BTreeSet<_>, _>(bills.iter().map(|(session, _)| *session)).into_iter().collect()
}
