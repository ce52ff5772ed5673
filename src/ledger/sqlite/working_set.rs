//! Rows loaded for a transaction: fetched on first use, written back at the end.

use rusqlite::{Connection, OptionalExtension, Result};
use rustc_hash::{FxHashMap, FxHashSet};

use super::bill;
use super::id_map::Ids;
use super::insert::Inserter;
use super::rollup_delta::Tally;
use super::row_mapping;
use super::schema::{COLUMNS, INDEX_ALIAS, OF_KEY};
use super::status;
use crate::domain::{CallKey, Instant, Record};
use crate::ledger::bills::Bills;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::inherited::Whole;
use crate::ledger::interner::{Interner, NONE};
use crate::ledger::lineage::Move;
use crate::ledger::merge_state::MergeState;
use crate::ledger::row_store::Before;
use crate::ledger::spending::session_of;
use crate::ledger::{Batch, Change};
use crate::pricing::Pricer;

/// Called before each step of an atomic sequence.
pub(super) type Step<'a> = &'a dyn Fn(&'static str);

/// Rows in use, with the database ids of their names.
#[derive(Default)]
pub(super) struct WorkingSet {
    pub(super) core: MergeState,
    pub(super) ids: Ids,
    fetched: FxHashSet<CallKey>,
    gathered: FxHashSet<CallKey>,
    /// Data version at which `core.families` was read.
    families_at: Option<i64>,
    descents: Vec<(u32, u32)>,
    telemetry: bool,
    /// Calls before this were pruned and are rejected.
    horizon: Option<Instant>,
    /// The rows are only read, never written back.
    reads_only: bool,
    /// Rows that carry the aliases searched for without an index; see [`WorkingSet::find_carriers`].
    carriers: FxHashMap<CallKey, Vec<CallKey>>,
    /// True once any session has a bill.
    pub(super) has_bills: bool,
    /// Sessions whose bills are loaded.
    pub(super) accounts: FxHashSet<u32>,
    /// Counters whose sessions' bills are loaded.
    pub(super) counters: FxHashSet<i64>,
    /// Totals whose statements are loaded, and those whose heirs are.
    pub(super) parents: FxHashSet<Whole>,
    pub(super) heirs: FxHashSet<Whole>,
}

impl WorkingSet {
    /// A working set that merges rows but writes none.
    pub(super) fn of_a_reader() -> Self {
        Self { reads_only: true, ..Self::default() }
    }

    /// True once telemetry was stored or is being merged.
    pub(super) fn has_telemetry(&self) -> bool {
        self.telemetry
    }

    /// Scans all rows for these aliases, if no telemetry was stored yet and there is no index.
    pub(super) fn find_carriers(&mut self, conn: &Connection, mut wanted: FxHashSet<CallKey>) -> Result<()> {
        wanted.retain(|alias| !self.carriers.contains_key(alias));
        if wanted.is_empty() || meta(conn, "telemetry")?.is_some() {
            return Ok(());
        }
        self.carriers.extend(wanted.iter().map(|alias| (*alias, Vec::new())));
        let mut select = conn.prepare("SELECT alias, hash, rest FROM calls WHERE alias IS NOT NULL")?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let alias = CallKey::from_bytes(row.get(0)?);
            if wanted.contains(&alias)
                && let Some(carriers) = self.carriers.get_mut(&alias)
            {
                carriers.push(row_mapping::key([row.get(1)?, row.get(2)?]));
            }
        }
        Ok(())
    }

    /// Prepares the working set for a transaction that has just begun.
    pub(super) fn open(&mut self, conn: &Connection) -> Result<()> {
        self.clear();
        self.telemetry = meta(conn, "telemetry")?.is_some();
        if self.telemetry {
            self.core.row_store.look_for_telemetry();
        }
        self.horizon = Self::stored_horizon(conn)?;
        self.core.horizon = self.horizon;
        self.has_bills = conn.prepare_cached("SELECT 1 FROM bills LIMIT 1")?.exists([])?;
        self.core.row_store.keep_journal();
        Ok(())
    }

    /// The time before which calls were pruned.
    pub(super) fn stored_horizon(conn: &Connection) -> Result<Option<Instant>> {
        Ok(match (meta(conn, "horizon")?, meta(conn, "horizon_ns")?) {
            (Some(second), Some(ns)) => Instant::from_timestamp(second, u32::try_from(ns).unwrap_or(0)),
            (_, _) => None,
        })
    }

    /// Drops the loaded rows.
    pub(super) fn clear(&mut self) {
        self.core.row_store.clear();
        self.core.bills = Bills::default();
        self.accounts.clear();
        self.counters.clear();
        self.parents.clear();
        self.heirs.clear();
        self.fetched.clear();
        self.gathered.clear();
        self.descents.clear();
    }

    /// Drops everything that a failed transaction may have added.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Accepts calls from before the horizon.
    pub(super) fn ignore_horizon(&mut self) {
        self.horizon = None;
        self.core.horizon = None;
    }

    /// Merges records and appends their changes.
    pub(super) fn post(
        &mut self,
        conn: &Connection,
        batch: &Batch,
        pricer: &dyn Pricer,
        told: &mut Vec<Change>,
    ) -> Result<()> {
        for record in &batch.records {
            let mark = self.core.row_store.mark();
            let key = match record {
                Record::Call(call) => {
                    self.read_families(conn, call.lineage.is_some())?;
                    let compact = self.core.slim(call);
                    let key = compact.key;
                    self.take(conn, compact)?;
                    Some(key)
                }
                Record::Descends { .. } => {
                    self.descend(conn, record)?;
                    None
                }
                Record::Bill(bill) => {
                    self.bill(conn, bill)?;
                    None
                }
                Record::Rekeyed { .. } => {
                    self.rekey(conn, record)?;
                    None
                }
                // Held statements stay with the batch, see `Sqlite::statuses`.
                Record::Status(_) if self.reads_only => None,
                Record::Status(statement) => {
                    let (name, value) = statement.entry();
                    status::write(conn, std::iter::once((&name, &value)))?;
                    None
                }
            };
            self.settle(conn, pricer)?;
            self.core.tell(mark, key, told);
        }
        Ok(())
    }

    /// Moves rows to the roots of their families, recomputes rows from bills, and prices new and changed rows.
    pub(super) fn settle(&mut self, conn: &Connection, pricer: &dyn Pricer) -> Result<()> {
        for moved in self.core.families.moves() {
            self.fetch_family(conn, &moved)?;
            self.core.follow(&moved);
        }
        self.core.settle(pricer);
        Ok(())
    }

    /// Merges the plain rows of a merge state.
    pub(super) fn take_all(&mut self, conn: &Connection, gathered: &MergeState) -> Result<()> {
        let label = |number| gathered.names.label(number).cloned();
        for (child, parent) in gathered.families.descents() {
            if let (Some(child), Some(parent)) = (label(child), label(parent)) {
                self.descend(conn, &Record::Descends { child, parent })?;
            }
        }
        for record in bill::gathered(gathered) {
            if let Record::Bill(bill) = record {
                self.bill(conn, &bill)?;
            }
        }
        let mut rows: Vec<&CompactRow> = gathered.row_store.plain_rows().collect();
        rows.sort_unstable_by_key(|row| row.key);
        for row in rows {
            let mut call = row.call(&gathered.names);
            if call.lineage.is_some() {
                call.key = gathered.rooted(call.key, row.lineage);
            }
            self.read_families(conn, call.lineage.is_some())?;
            let compact = self.core.slim(&call);
            self.take(conn, compact)?;
        }
        Ok(())
    }

    /// Merges one row under its stored key; true when it changed anything.
    pub(super) fn take(&mut self, conn: &Connection, told: CompactRow) -> Result<bool> {
        if self.horizon.is_some_and(|horizon| told.at < horizon) {
            return Ok(false);
        }
        if told.alias == Some(told.key) || told.is_refused() {
            self.expect_telemetry(conn)?;
        }
        self.fetch(conn, told.key)?;
        self.gather(conn, told.key, told.alias)?;
        self.account(conn, session_of(&told, &self.core.names))?;
        Ok(self.core.row_store.feed(told, &mut self.core.names))
    }

    /// Adds a descent. Rows move with the next [`WorkingSet::settle`].
    pub(super) fn descend(&mut self, conn: &Connection, record: &Record) -> Result<()> {
        let Record::Descends { child, parent } = record else { return Ok(()) };
        self.read_families(conn, true)?;
        let numbers = (self.core.names.number(Some(child)), self.core.names.number(Some(parent)));
        if self.core.families.knows(numbers.0, numbers.1) {
            return Ok(());
        }
        self.descents.push(numbers);
        self.core.learn(child, parent);
        Ok(())
    }

    /// Moves a call that an older version stored to its current key.
    pub(super) fn rekey(&mut self, conn: &Connection, record: &Record) -> Result<()> {
        let Record::Rekeyed { from, lineage, to, in_family } = record else { return Ok(()) };
        self.read_families(conn, true)?;
        let session = self.core.names.number(Some(lineage));
        let from = self.core.rooted(*from, session);
        let (to, session) = if *in_family { (self.core.rooted(*to, session), session) } else { (*to, NONE) };
        self.fetch(conn, from)?;
        if self.core.row_store.plain(from).is_none() {
            return Ok(());
        }
        for key in [from, to] {
            self.fetch(conn, key)?;
            self.gather(conn, key, None)?;
        }
        self.core.row_store.rekey_one(from, to, session, &mut self.core.names);
        Ok(())
    }

    /// Loads every row that a move concerns: those that move, and those at their new keys.
    fn fetch_family(&mut self, conn: &Connection, moved: &Move) -> Result<()> {
        let (Some(from), Some(to)) =
            (self.core.names.label(moved.from).cloned(), self.core.names.label(moved.to).cloned())
        else {
            return Ok(());
        };
        let mut find = conn.prepare_cached(
            "SELECT hash, rest FROM calls WHERE lineage = ?1 UNION SELECT hash, rest FROM apart WHERE lineage = ?1",
        )?;
        // Some exist only here: new, or moved by an earlier record.
        let mut keys = self.core.row_store.keys_of(&moved.sessions);
        for session in &moved.sessions {
            let Some(id) = self.ids.stored_label(conn, &self.core.names, *session)? else { continue };
            let booked: Vec<[i64; 2]> =
                find.query_map([id], |row| Ok([row.get(0)?, row.get(1)?]))?.collect::<Result<_>>()?;
            keys.extend(booked.into_iter().map(row_mapping::key));
        }
        for key in keys {
            for key in [key, key.under(&from).under(&to)] {
                self.fetch(conn, key)?;
                self.gather(conn, key, None)?;
            }
        }
        Ok(())
    }

    /// Loads the row of a key, if stored.
    pub(super) fn fetch(&mut self, conn: &Connection, key: CallKey) -> Result<()> {
        if !self.fetched.insert(key) {
            return Ok(());
        }
        if let Some(row) = self.select(conn, "calls", key)? {
            self.restore(conn, row, true)?;
        }
        if self.telemetry
            && let Some(row) = self.select(conn, "apart", key)?
        {
            self.restore(conn, row, false)?;
        }
        Ok(())
    }

    /// Inserts a loaded row and loads the bill of its session, which changes with the row.
    fn restore(&mut self, conn: &Connection, row: CompactRow, shown: bool) -> Result<()> {
        let session = session_of(&row, &self.core.names);
        self.core.row_store.restore(row, shown, &self.core.names);
        self.account(conn, session)
    }

    fn select(&mut self, conn: &Connection, table: &str, key: CallKey) -> Result<Option<CompactRow>> {
        let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM {table} WHERE {OF_KEY}"))?;
        select
            .query_row(row_mapping::of_key(key), |row| {
                row_mapping::read(row, conn, &mut self.ids, &mut self.core.names)
            })
            .optional()
    }

    /// Loads every row that shares this key's alias, stored or given.
    fn gather(&mut self, conn: &Connection, key: CallKey, told: Option<CallKey>) -> Result<()> {
        if !self.telemetry {
            return Ok(());
        }
        let stands = self.core.row_store.plain(key).and_then(|row| row.alias);
        for alias in [stands, told].into_iter().flatten() {
            if !self.gathered.insert(alias) {
                continue;
            }
            self.fetch(conn, alias)?;
            if self.reads_only && meta(conn, "telemetry")?.is_none() {
                // Most were searched for together; this one came with a row loaded since.
                self.find_carriers(conn, FxHashSet::from_iter([alias]))?;
                for key in self.carriers.get(&alias).cloned().unwrap_or_default() {
                    self.fetch(conn, key)?;
                }
                continue;
            }
            let find =
                "SELECT hash, rest FROM calls WHERE alias = ?1 UNION SELECT hash, rest FROM apart WHERE alias = ?1";
            let mut find = conn.prepare_cached(find)?;
            let keys: Vec<[i64; 2]> =
                find.query_map([alias.bytes()], |row| Ok([row.get(0)?, row.get(1)?]))?.collect::<Result<_>>()?;
            for key in keys {
                self.fetch(conn, row_mapping::key(key))?;
            }
        }
        Ok(())
    }

    /// From the first telemetry on, aliases are indexed; a refusal is kept apart as telemetry is.
    fn expect_telemetry(&mut self, conn: &Connection) -> Result<()> {
        if !self.telemetry {
            if !self.reads_only {
                conn.execute_batch(INDEX_ALIAS)?;
                conn.execute("INSERT INTO meta VALUES('telemetry', 1)", [])?;
            }
            self.telemetry = true;
            self.core.row_store.look_for_telemetry();
        }
        Ok(())
    }

    /// Reads descents that other processes stored since the last read.
    pub(super) fn read_families(&mut self, conn: &Connection, wanted: bool) -> Result<()> {
        if !wanted {
            return Ok(());
        }
        let version: i64 = conn.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if self.families_at == Some(version) {
            return Ok(());
        }
        let mut select = conn.prepare_cached("SELECT child, parent FROM lineage")?;
        let descents: Vec<(i64, i64)> =
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
        let names = &mut self.core.names;
        for (child, parent) in descents {
            let (child, parent) =
                (self.ids.known_label(conn, names, child)?, self.ids.known_label(conn, names, parent)?);
            self.core.families.learn(child, parent, names);
        }
        // The process that stored a descent moved the rows, too.
        self.core.families.moves();
        self.families_at = Some(version);
        Ok(())
    }

    /// Writes the changed rows.
    pub(super) fn write_changes(&mut self, conn: &Connection, step: Step<'_>) -> Result<()> {
        let MergeState { names, row_store, .. } = &mut self.core;
        step("write rows");
        let mut tally = Tally::default();
        let mut changes: Vec<Before> = row_store.take_journal();
        changes.sort_unstable_by_key(|(key, _)| *key);
        let mut delete = conn.prepare_cached(&format!("DELETE FROM calls WHERE {OF_KEY}"))?;
        let mut born: Vec<&CompactRow> = Vec::new();
        for (key, before) in &changes {
            let after = row_store.get(*key);
            if before.as_deref() == after {
                continue;
            }
            if let Some(before) = before {
                delete.execute(row_mapping::of_key(*key))?;
                tally.take(before);
            }
            if let Some(after) = after {
                tally.add(after);
                born.push(after);
            }
        }
        born.sort_unstable_by_key(|row| row_mapping::order(row));
        let mut inserter = Inserter::new(conn, "calls")?;
        for row in born {
            inserter.insert(row, &mut self.ids, names)?;
        }
        step("write rows apart");
        for (key, row) in row_store.take_apart() {
            conn.prepare_cached(&format!("DELETE FROM apart WHERE {OF_KEY}"))?.execute(row_mapping::of_key(key))?;
            if let Some(row) = row {
                Inserter::new(conn, "apart")?.insert(&row, &mut self.ids, names)?;
            }
        }
        tally.write(conn, &mut self.ids, names, step)?;
        step("write bills");
        bill::write(conn, &mut self.core, &mut self.ids)?;
        self.write_descents(conn)
    }

    fn write_descents(&mut self, conn: &Connection) -> Result<()> {
        for (child, parent) in std::mem::take(&mut self.descents) {
            write_descent(conn, &mut self.ids, &self.core.names, child, parent)?;
        }
        Ok(())
    }
}

pub(super) fn write_descent(conn: &Connection, ids: &mut Ids, names: &Interner, child: u32, parent: u32) -> Result<()> {
    let (child, parent) = (ids.label(conn, names, child)?, ids.label(conn, names, parent)?);
    conn.prepare_cached("INSERT OR IGNORE INTO lineage VALUES(?, ?)")?.execute([child, parent]).map(drop)
}

/// A number in `meta`.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}
