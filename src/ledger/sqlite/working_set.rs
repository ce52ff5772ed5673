//! Where rows lie while a transaction works on them: fetched when first touched, written back when done.

use rusqlite::{Connection, OptionalExtension, Result};
use rustc_hash::{FxHashMap, FxHashSet};

use super::bill;
use super::id_map::Ids;
use super::insert::Inserter;
use super::rollup_delta::Tally;
use super::row_mapping;
use super::schema::{COLUMNS, INDEX_ALIAS, OF_KEY};
use crate::domain::{CallKey, Instant, Record};
use crate::ledger::bills::Bills;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{Interner, NONE};
use crate::ledger::lineage::Move;
use crate::ledger::merge_state::MergeState;
use crate::ledger::row_store::Before;
use crate::ledger::spending::session_of;
use crate::ledger::{Batch, Change};
use crate::pricing::Pricer;

/// Called before each step of which all or none must happen.
pub(super) type Step<'a> = &'a dyn Fn(&'static str);

/// The rows at work, and what the database calls their names.
#[derive(Default)]
pub(super) struct WorkingSet {
    pub(super) core: MergeState,
    pub(super) ids: Ids,
    fetched: FxHashSet<CallKey>,
    gathered: FxHashSet<CallKey>,
    /// The version of the data that `core.families` was read at.
    families_at: Option<i64>,
    descents: Vec<(u32, u32)>,
    telemetry: bool,
    /// Calls before this were pruned, and stay so.
    horizon: Option<Instant>,
    /// Nothing may be written: the rows are only looked at.
    reads_only: bool,
    /// The rows that carry each of the aliases that were looked for where there is no index; see [`WorkingSet::find_carriers`].
    carriers: FxHashMap<CallKey, Vec<CallKey>>,
    /// True once any session has a bill.
    pub(super) has_bills: bool,
    /// Sessions whose bills are here, if they have any.
    pub(super) accounts: FxHashSet<u32>,
    /// Counters whose sessions' bills are here.
    pub(super) counters: FxHashSet<i64>,
}

impl WorkingSet {
    /// A working set on which rows are joined as ever, and from which nothing is written.
    pub(super) fn of_a_reader() -> Self {
        Self { reads_only: true, ..Self::default() }
    }

    /// True once telemetry was booked, or is at work here.
    pub(super) fn has_telemetry(&self) -> bool {
        self.telemetry
    }

    /// Looks in all rows who carries these aliases, where no telemetry was booked yet, and aliases have no index.
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

    /// Makes the working set ready for a transaction that has just begun.
    pub(super) fn open(&mut self, conn: &Connection) -> Result<()> {
        self.clear();
        self.telemetry = meta(conn, "telemetry")?.is_some();
        if self.telemetry {
            self.core.row_store.look_for_telemetry();
        }
        self.horizon = match (meta(conn, "horizon")?, meta(conn, "horizon_ns")?) {
            (Some(second), Some(ns)) => Instant::from_timestamp(second, u32::try_from(ns).unwrap_or(0)),
            (_, _) => None,
        };
        self.core.horizon = self.horizon;
        self.has_bills = conn.prepare_cached("SELECT 1 FROM bills LIMIT 1")?.exists([])?;
        self.core.row_store.keep_journal();
        Ok(())
    }

    /// Forgets the rows at work.
    pub(super) fn clear(&mut self) {
        self.core.row_store.clear();
        self.core.bills = Bills::default();
        self.accounts.clear();
        self.counters.clear();
        self.fetched.clear();
        self.gathered.clear();
        self.descents.clear();
    }

    /// Forgets everything that a transaction which failed may have made up.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Lets calls from before the horizon in again.
    pub(super) fn ignore_horizon(&mut self) {
        self.horizon = None;
        self.core.horizon = None;
    }

    /// Takes in records and says what they changed.
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
            };
            self.settle(conn, pricer)?;
            self.core.tell(mark, key, told);
        }
        Ok(())
    }

    /// Moves rows to the roots of their families, computes what bills have beyond the calls, and prices what is new or
    /// grew.
    pub(super) fn settle(&mut self, conn: &Connection, pricer: &dyn Pricer) -> Result<()> {
        for moved in self.core.families.moves() {
            self.fetch_family(conn, &moved)?;
            self.core.follow(&moved);
        }
        self.core.settle(pricer);
        Ok(())
    }

    /// Takes in what was gathered elsewhere, row by row as it was told.
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

    /// Takes in one row under the key it is kept under; true when it told something new.
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

    /// Takes in a descent. Rows follow it with the next [`WorkingSet::settle`].
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

    /// Takes a call that an older version booked to the key it is known by now.
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

    /// Fetches every row that a move concerns: those that move, and those they may meet.
    fn fetch_family(&mut self, conn: &Connection, moved: &Move) -> Result<()> {
        let (Some(from), Some(to)) =
            (self.core.names.label(moved.from).cloned(), self.core.names.label(moved.to).cloned())
        else {
            return Ok(());
        };
        let mut find = conn.prepare_cached(
            "SELECT hash, rest FROM calls WHERE lineage = ?1 UNION SELECT hash, rest FROM apart WHERE lineage = ?1",
        )?;
        // Some of them are on the working set only: new, or moved there by an earlier record.
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

    /// Fetches the row of a key, if the books have one.
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

    /// Puts a fetched row in, with the bill of its session: whatever changes the row may change what the bill has beyond it.
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

    /// Fetches every row that shares an alias with this key, as it stands and as it is told.
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
                // Most were looked for together; this one came with a row that was fetched since.
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

    /// Learns the descents that others booked since the last look.
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
        // Whoever booked a descent moved the rows with it.
        self.core.families.moves();
        self.families_at = Some(version);
        Ok(())
    }

    /// Writes what changed on the working set.
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

/// A number kept about the books themselves.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}
