//! Rows loaded for a transaction: loaded on first use, merged, and written back at the end.

mod ahead;
mod bills;

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bills::Bills;
use super::compact_row::CompactRow;
use super::inherited::Whole;
use super::interner::{Interner, NONE};
use super::lineage::Move;
use super::merge_state::{Billed, MergeState};
use super::row_store::Before;
use super::spending::session_of;
use super::store::{Delta, Step, Store, Stored, Table};
use super::{Change, FactKind};
use crate::domain::{CallKey, Instant, Record};
use crate::pricing::Pricer;

/// Rows in use, and the store's ids for their names.
#[derive(Default)]
pub(super) struct WorkingSet<Ids> {
    pub(super) state: MergeState,
    pub(super) ids: Ids,
    fetched: FxHashSet<CallKey>,
    gathered: FxHashSet<CallKey>,
    /// Version of the store when `state.families` was read.
    families_at: Option<i64>,
    descents: Vec<(u32, u32)>,
    telemetry: bool,
    /// Calls before this were pruned and are rejected.
    horizon: Option<Instant>,
    /// True if the rows are only read and never written back.
    reads_only: bool,
    /// Rows that carry the aliases that were searched for without an index; see [`WorkingSet::find_carriers`].
    carriers: FxHashMap<CallKey, Vec<CallKey>>,
    /// True once any session has a bill.
    has_bills: bool,
    /// Sessions whose bills have been loaded.
    accounts: FxHashSet<u32>,
    /// Counters for which the bills of all sessions have been loaded.
    counters: FxHashSet<i64>,
    /// Totals whose bills have been loaded, and totals whose heirs have been loaded.
    parents: FxHashSet<Whole>,
    heirs: FxHashSet<Whole>,
}

impl<Ids: Default> WorkingSet<Ids> {
    /// A working set that merges rows but writes none. It uses the ledger's interned ids.
    pub(super) fn of_a_reader(names: Interner) -> Self {
        Self { reads_only: true, state: MergeState { names, ..MergeState::default() }, ..Self::default() }
    }

    /// True once telemetry has been stored or is being merged.
    pub(super) fn has_telemetry(&self) -> bool {
        self.telemetry
    }

    /// Scans all rows for these aliases, if no telemetry has been stored yet and there is no index.
    pub(super) fn find_carriers(
        &mut self,
        store: &impl Store<Ids = Ids>,
        mut wanted: FxHashSet<CallKey>,
    ) -> Stored<()> {
        wanted.retain(|alias| !self.carriers.contains_key(alias));
        if wanted.is_empty() || store.has_aliases()? {
            return Ok(());
        }
        self.carriers.extend(wanted.iter().map(|alias| (*alias, Vec::new())));
        for (alias, key) in store.scan_aliases(&mut self.state.names, &mut self.ids, &wanted)? {
            self.carriers.entry(alias).or_default().push(key);
        }
        Ok(())
    }

    /// Prepares the working set for a transaction that has just started.
    pub(super) fn open(&mut self, store: &impl Store<Ids = Ids>) -> Stored<()> {
        self.clear();
        self.telemetry = store.has_aliases()?;
        if self.telemetry {
            self.state.row_store.look_for_telemetry();
        }
        self.horizon = store.horizon()?;
        self.state.horizon = self.horizon;
        self.has_bills = store.has_bills()?;
        self.state.row_store.keep_journal();
        Ok(())
    }

    /// Drops the loaded rows.
    pub(super) fn clear(&mut self) {
        self.state.row_store.clear();
        self.state.bills = Bills::default();
        self.accounts.clear();
        self.counters.clear();
        self.parents.clear();
        self.heirs.clear();
        self.fetched.clear();
        self.gathered.clear();
        self.descents.clear();
    }

    /// Drops everything that a failed transaction may have added. Names keep their ids.
    pub(super) fn forget(&mut self) {
        let names = std::mem::take(&mut self.state.names);
        *self = Self { state: MergeState { names, ..MergeState::default() }, ..Self::default() };
    }

    /// Accepts calls from before the prune horizon.
    pub(super) fn ignore_horizon(&mut self) {
        self.horizon = None;
    }

    /// Merges records and appends their changes.
    pub(super) fn post(
        &mut self,
        store: &impl Store<Ids = Ids>,
        records: &[Record],
        pricer: &dyn Pricer,
        changes: &mut Vec<Change>,
    ) -> Stored<()> {
        self.fetch_ahead(store, records)?;
        let mut new_keys: Vec<CallKey> = Vec::new();
        for record in records {
            if let Some(key) = self.add_new(store, record)? {
                new_keys.push(key);
                continue;
            }
            // The end of a hold changes no row, so new calls before and after it stay together.
            if let Record::Settled(hold) = record {
                // Otherwise it stays in the batch, see `Books::facts`.
                if !self.reads_only {
                    store.put_fact(FactKind::Hold, &hold.to_string(), None)?;
                }
                continue;
            }
            self.report_new(&mut new_keys, pricer, changes);
            let mark = self.state.row_store.mark();
            let key = match record {
                Record::Call(call) => {
                    self.read_families(store, call.lineage.is_some())?;
                    let compact = self.state.compact_row(call);
                    let key = compact.key;
                    self.take(store, compact)?;
                    Some(key)
                }
                Record::Descends { .. } => {
                    self.descend(store, record)?;
                    None
                }
                Record::Bill(bill) => {
                    self.bill(store, bill)?;
                    None
                }
                Record::Rekeyed { .. } => {
                    self.rekey(store, record)?;
                    None
                }
                // It stays in the batch, see `Books::statuses`.
                Record::Status(_) if self.reads_only => None,
                Record::Settled(_) => None,
                Record::Status(statement) => {
                    store.write_statuses(&BTreeMap::from([statement.entry()]))?;
                    None
                }
            };
            self.settle(store, pricer)?;
            self.state.report_changes(mark, key, changes);
        }
        self.report_new(&mut new_keys, pricer, changes);
        Ok(())
    }

    /// Moves rows to the roots of their families, recomputes rows derived from bills, and prices new and changed rows.
    pub(super) fn settle(&mut self, store: &impl Store<Ids = Ids>, pricer: &dyn Pricer) -> Stored<()> {
        for moved in self.state.families.moves() {
            self.fetch_family(store, &moved)?;
            for session in &moved.sessions {
                self.account(store, *session)?;
            }
            self.state.follow(&moved);
        }
        self.state.settle(pricer);
        Ok(())
    }

    /// Merges the plain rows of a merge state.
    pub(super) fn take_all(&mut self, store: &impl Store<Ids = Ids>, gathered: &MergeState) -> Stored<()> {
        let label = |number| gathered.names.label(number).cloned();
        for (child, parent) in gathered.families.descents() {
            if let (Some(child), Some(parent)) = (label(child), label(parent)) {
                self.descend(store, &Record::Descends { child, parent })?;
            }
        }
        for record in gathered.bills.records() {
            if let Record::Bill(bill) = record {
                self.bill(store, &bill)?;
            }
        }
        let mut rows: Vec<&CompactRow> = gathered.row_store.plain_rows().collect();
        rows.sort_unstable_by_key(|row| row.key);
        for row in rows {
            let mut call = row.call(&gathered.names);
            if call.lineage.is_some() {
                call.key = gathered.rooted(call.key, row.lineage);
            }
            self.read_families(store, call.lineage.is_some())?;
            let compact = self.state.compact_row(&call);
            self.take(store, compact)?;
        }
        Ok(())
    }

    /// Merges one row under its stored key; true if it changed anything.
    pub(super) fn take(&mut self, store: &impl Store<Ids = Ids>, sighting: CompactRow) -> Stored<bool> {
        if self.horizon.is_some_and(|horizon| sighting.at < horizon) {
            return Ok(false);
        }
        if sighting.is_grouped() {
            self.expect_telemetry(store)?;
        }
        self.fetch(store, sighting.key)?;
        self.gather(store, sighting.key, sighting.alias)?;
        self.account(store, session_of(&sighting, &self.state.names))?;
        Ok(self.state.row_store.feed(sighting, &mut self.state.names))
    }

    /// Adds a descent. Rows move with the next [`WorkingSet::settle`].
    pub(super) fn descend(&mut self, store: &impl Store<Ids = Ids>, record: &Record) -> Stored<()> {
        let Record::Descends { child, parent } = record else { return Ok(()) };
        self.read_families(store, true)?;
        let numbers = (self.state.names.number(Some(child)), self.state.names.number(Some(parent)));
        if self.state.families.knows(numbers.0, numbers.1) {
            return Ok(());
        }
        self.descents.push(numbers);
        self.account(store, numbers.0)?;
        self.state.learn(child, parent);
        Ok(())
    }

    /// Moves a call that an older version stored to its current key.
    pub(super) fn rekey(&mut self, store: &impl Store<Ids = Ids>, record: &Record) -> Stored<()> {
        let Record::Rekeyed { from, lineage, to, in_family } = record else { return Ok(()) };
        self.read_families(store, true)?;
        let session = self.state.names.number(Some(lineage));
        let from = self.state.rooted(*from, session);
        let (to, session) = if *in_family { (self.state.rooted(*to, session), session) } else { (*to, NONE) };
        self.fetch(store, from)?;
        if self.state.row_store.plain(from).is_none() {
            return Ok(());
        }
        for key in [from, to] {
            self.fetch(store, key)?;
            self.gather(store, key, None)?;
        }
        self.state.row_store.rekey_one(from, to, session, &mut self.state.names);
        Ok(())
    }

    /// Loads every row that a move affects: those that move, and those already at the new keys.
    fn fetch_family(&mut self, store: &impl Store<Ids = Ids>, moved: &Move) -> Stored<()> {
        let (Some(from), Some(to)) =
            (self.state.names.label(moved.from).cloned(), self.state.names.label(moved.to).cloned())
        else {
            return Ok(());
        };
        // Some exist only here, because they are new or an earlier record moved them.
        let mut keys = self.state.row_store.keys_of(&moved.sessions);
        for session in &moved.sessions {
            keys.extend(store.keys_by_lineage(&self.state.names, &mut self.ids, *session)?);
        }
        for key in keys {
            for key in [key, key.under(&from).under(&to)] {
                self.fetch(store, key)?;
                self.gather(store, key, None)?;
            }
        }
        Ok(())
    }

    /// Loads the row with this key, if stored.
    pub(super) fn fetch(&mut self, store: &impl Store<Ids = Ids>, key: CallKey) -> Stored<()> {
        if !self.fetched.insert(key) {
            return Ok(());
        }
        if let Some(row) = store.row(&mut self.state.names, &mut self.ids, Table::Shown, key)? {
            self.restore(store, row, true)?;
        }
        if self.telemetry
            && let Some(row) = store.row(&mut self.state.names, &mut self.ids, Table::Unmerged, key)?
        {
            self.restore(store, row, false)?;
        }
        Ok(())
    }

    /// Inserts a loaded row, and loads its session's bills, which depend on it.
    fn restore(&mut self, store: &impl Store<Ids = Ids>, row: CompactRow, shown: bool) -> Stored<()> {
        let session = session_of(&row, &self.state.names);
        self.state.row_store.restore(row, shown, &self.state.names);
        self.account(store, session)
    }

    /// Loads every row that shares this key's alias, either stored or given.
    fn gather(&mut self, store: &impl Store<Ids = Ids>, key: CallKey, given: Option<CallKey>) -> Stored<()> {
        if !self.telemetry {
            return Ok(());
        }
        let stored = self.state.row_store.plain(key).and_then(|row| row.alias);
        for alias in [stored, given].into_iter().flatten() {
            if !self.gathered.insert(alias) {
                continue;
            }
            self.fetch(store, alias)?;
            if self.reads_only && !store.has_aliases()? {
                // Most were searched for together; this one belongs to a row that was loaded since.
                self.find_carriers(store, FxHashSet::from_iter([alias]))?;
                for key in self.carriers.get(&alias).cloned().unwrap_or_default() {
                    self.fetch(store, key)?;
                }
                continue;
            }
            for key in store.keys_by_alias(&self.state.names, alias)? {
                self.fetch(store, key)?;
            }
        }
        Ok(())
    }

    /// Indexes aliases from the first telemetry on. Refusals and attempts are stored in the same way as telemetry.
    fn expect_telemetry(&mut self, store: &impl Store<Ids = Ids>) -> Stored<()> {
        if !self.telemetry {
            if !self.reads_only {
                store.index_aliases()?;
            }
            self.telemetry = true;
            self.state.row_store.look_for_telemetry();
        }
        Ok(())
    }

    /// Reads descents that other processes have stored since the last read.
    pub(super) fn read_families(&mut self, store: &impl Store<Ids = Ids>, wanted: bool) -> Stored<()> {
        if !wanted {
            return Ok(());
        }
        let version = store.version()?;
        if self.families_at == Some(version) {
            return Ok(());
        }
        for (child, parent) in store.descents(&mut self.state.names, &mut self.ids)? {
            self.state.families.learn(child, parent, &self.state.names);
        }
        // The process that stored a descent has moved the rows, too.
        self.state.families.moves();
        self.families_at = Some(version);
        Ok(())
    }

    /// Writes the changed rows.
    pub(super) fn write_changes(&mut self, store: &impl Store<Ids = Ids>, step: Step<'_>) -> Stored<()> {
        let mut changes: Vec<Before> = self.state.row_store.take_journal();
        changes.sort_unstable_by_key(|(key, _)| *key);
        let unmerged = self.state.row_store.take_unmerged();
        let Billed { bills, spent } = self.state.take_billed();
        let MergeState { names, row_store, .. } = &mut self.state;
        let rows = changes.iter().map(|(key, before)| (*key, before.as_deref(), row_store.get(*key)));
        let rows = rows.filter(|(_, before, after)| before != after).collect();
        let descents = std::mem::take(&mut self.descents);
        store.apply(names, &mut self.ids, &Delta { rows, unmerged, bills, spent, descents }, step)
    }
}
