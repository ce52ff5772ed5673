//! The tables of an open database as a [`Store`].

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Error, ErrorCode, OptionalExtension, params, params_from_iter};
use rustc_hash::FxHashSet;

use super::id_map::Ids;
use super::insert::Inserter;
use super::meta::{self, meta};
use super::read::Tables;
use super::rollup_delta::Tally;
use super::row_mapping;
use super::schema::{COLUMNS, INDEX_ALIAS, OF_KEY};
use super::{bill, facts, files, status};
use crate::domain::{Bill, CallKey, Dimension, Filter, Instant};
use crate::ledger::by_key::Keys;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::grouping::{FirstStretches, Stretch};
use crate::ledger::inherited::Whole;
use crate::ledger::interner::Interner;
use crate::ledger::spending::Part;
use crate::ledger::store::{Access, Delta, Place, Quarters, Step, Store, Stored, Table};
use crate::ledger::{Checkpoint, Fact, FactKind, Order, Query, StoreError};

/// Number of rows per page in [`Store::rows`].
const PAGE: usize = 10_000;

/// Rows in use, with their database ids.
pub(super) type WorkingSet = crate::ledger::working_set::WorkingSet<Ids>;

impl From<&Error> for StoreError {
    fn from(error: &Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            // The header claims a future version of SQLite's format.
            Some(_) if error.to_string().contains("unsupported file format") => Self::Damaged(error.to_string()),
            Some(_) => Self::Other(error.to_string()),
            None if matches!(error, Error::ToSqlConversionFailure(_)) => Self::Other(error.to_string()),
            // The tables are strict, so a value of the wrong type means damage.
            None => Self::Damaged(error.to_string()),
        }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

fn table_name(table: Table) -> &'static str {
    match table {
        Table::Shown => "calls",
        Table::Unmerged => "apart",
    }
}

impl Store for Connection {
    type Ids = Ids;

    fn begin(&self, access: Access) -> Stored<()> {
        let begin = match access {
            Access::Read => "BEGIN",
            // A draft of a new ledger already holds a transaction.
            Access::Write if !self.is_autocommit() => return Ok(()),
            Access::Write => "BEGIN IMMEDIATE",
        };
        self.prepare_cached(begin)?.execute([])?;
        Ok(())
    }

    fn commit(&self) -> Stored<()> {
        self.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn roll_back(&self) {
        if !self.is_autocommit() {
            // If even this fails, nothing more can be done. The file is unchanged either way.
            self.execute_batch("ROLLBACK").unwrap_or_default();
        }
    }

    fn version(&self) -> Stored<i64> {
        Ok(self.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    fn horizon(&self) -> Stored<Option<Instant>> {
        Ok(meta::horizon(self)?)
    }

    fn set_horizon(&self, at: Instant) -> Stored<()> {
        for (name, value) in [("horizon", at.timestamp()), ("horizon_ns", at.timestamp_subsec_nanos().into())] {
            self.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", params![name, value])?;
        }
        Ok(())
    }

    fn machine(&self) -> Stored<String> {
        Ok(self.query_row("SELECT value FROM meta WHERE name = 'machine'", [], |row| row.get(0))?)
    }

    fn rows(&self, names: &mut Interner, ids: &mut Ids, table: Table, place: &mut Place) -> Stored<Vec<CompactRow>> {
        let table = table_name(table);
        let select = format!("SELECT {COLUMNS} FROM {table} WHERE id > ? ORDER BY id LIMIT {PAGE}");
        let mut select = self.prepare_cached(&select)?;
        let found = select.query_map([place.unwrap_or(i64::MIN)], |row| {
            *place = Some(row.get(0)?);
            row_mapping::read(row, self, ids, names)
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    fn row(&self, names: &mut Interner, ids: &mut Ids, table: Table, key: CallKey) -> Stored<Option<CompactRow>> {
        let table = table_name(table);
        let mut select = self.prepare_cached(&format!("SELECT {COLUMNS} FROM {table} WHERE {OF_KEY}"))?;
        let row = select.query_row(row_mapping::of_key(key), |row| row_mapping::read(row, self, ids, names));
        Ok(row.optional()?)
    }

    fn rows_of(&self, names: &mut Interner, ids: &mut Ids, table: Table, keys: &[CallKey]) -> Stored<Vec<CompactRow>> {
        let table = table_name(table);
        if !self.prepare_cached(&format!("SELECT 1 FROM {table} LIMIT 1"))?.exists([])? {
            return Ok(Vec::new());
        }
        let select = format!("SELECT {COLUMNS} FROM {table} WHERE hash IN ({})", marks());
        let (mut select, mut rows) = (self.prepare_cached(&select)?, Vec::new());
        for some in together(keys) {
            let mut found = select.query(params_from_iter(some.map(|key| row_mapping::of_key(key)[0])))?;
            while let Some(row) = found.next()? {
                rows.push(row_mapping::read(row, self, ids, names)?);
            }
        }
        // Few keys share half of their bits.
        let wanted: Keys = keys.iter().copied().collect();
        rows.retain(|row| wanted.contains(&row.key));
        Ok(rows)
    }

    fn has_aliases(&self) -> Stored<bool> {
        Ok(meta(self, "telemetry")?.is_some())
    }

    fn index_aliases(&self) -> Stored<()> {
        self.execute_batch(INDEX_ALIAS)?;
        self.execute("INSERT INTO meta VALUES('telemetry', 1)", [])?;
        Ok(())
    }

    fn keys_by_alias(&self, _names: &Interner, alias: CallKey) -> Stored<Vec<CallKey>> {
        let find = "SELECT hash, rest FROM calls WHERE alias = ?1 UNION SELECT hash, rest FROM apart WHERE alias = ?1";
        let mut find = self.prepare_cached(find)?;
        let keys = find.query_map([alias.bytes()], |row| Ok(row_mapping::key([row.get(0)?, row.get(1)?])))?;
        Ok(keys.collect::<rusqlite::Result<_>>()?)
    }

    fn keys_by_aliases(&self, _names: &Interner, aliases: &[CallKey]) -> Stored<Vec<CallKey>> {
        let mut keys = Vec::new();
        for table in ["calls", "apart"] {
            // If there is nothing but telemetry, no row has an alias other than its key.
            if !self.prepare_cached(&format!("SELECT 1 FROM {table} WHERE alias IS NOT NULL LIMIT 1"))?.exists([])? {
                continue;
            }
            let find = format!("SELECT hash, rest FROM {table} WHERE alias IN ({})", marks());
            let mut find = self.prepare_cached(&find)?;
            for some in together(aliases) {
                let mut found = find.query(params_from_iter(some.map(CallKey::bytes)))?;
                while let Some(row) = found.next()? {
                    keys.push(row_mapping::key([row.get(0)?, row.get(1)?]));
                }
            }
        }
        Ok(keys)
    }

    fn scan_aliases(
        &self,
        _names: &mut Interner,
        _ids: &mut Ids,
        wanted: &FxHashSet<CallKey>,
    ) -> Stored<Vec<(CallKey, CallKey)>> {
        let mut select = self.prepare("SELECT alias, hash, rest FROM calls WHERE alias IS NOT NULL")?;
        let (mut rows, mut found) = (select.query([])?, Vec::new());
        while let Some(row) = rows.next()? {
            let alias = CallKey::from_bytes(row.get(0)?);
            if wanted.contains(&alias) {
                found.push((alias, row_mapping::key([row.get(1)?, row.get(2)?])));
            }
        }
        Ok(found)
    }

    fn keys_by_lineage(&self, names: &Interner, ids: &mut Ids, session: u32) -> Stored<Vec<CallKey>> {
        let Some(id) = ids.stored_label(self, names, session)? else { return Ok(Vec::new()) };
        let mut find = self.prepare_cached(
            "SELECT hash, rest FROM calls WHERE lineage = ?1 UNION SELECT hash, rest FROM apart WHERE lineage = ?1",
        )?;
        let keys = find.query_map([id], |row| Ok(row_mapping::key([row.get(0)?, row.get(1)?])))?;
        Ok(keys.collect::<rusqlite::Result<_>>()?)
    }

    fn keys_by_session(&self, names: &Interner, ids: &mut Ids, session: u32) -> Stored<Vec<CallKey>> {
        Ok(bill::keys_of_session(self, names, ids, session)?)
    }

    fn descents(&self, names: &mut Interner, ids: &mut Ids) -> Stored<Vec<(u32, u32)>> {
        let mut select = self.prepare_cached("SELECT child, parent FROM lineage")?;
        let found: Vec<(i64, i64)> =
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        let mut known = |id| ids.known_label(self, names, id);
        Ok(found
            .into_iter()
            .map(|(child, parent)| Ok((known(child)?, known(parent)?)))
            .collect::<rusqlite::Result<_>>()?)
    }

    fn has_bills(&self) -> Stored<bool> {
        Ok(self.prepare_cached("SELECT 1 FROM bills LIMIT 1")?.exists([])?)
    }

    fn each_bill(&self, names: &mut Interner, ids: &mut Ids, each: &mut dyn FnMut(u32, &Bill)) -> Stored<()> {
        for (session, bill) in bill::all(self)? {
            each(ids.known_label(self, names, session)?, &bill);
        }
        Ok(())
    }

    fn bills(&self, names: &mut Interner, ids: &mut Ids, session: u32) -> Stored<Vec<Bill>> {
        Ok(bill::of_session(self, names, ids, session)?)
    }

    fn sessions_by_counter(&self, names: &mut Interner, ids: &mut Ids, counter: i64) -> Stored<Vec<u32>> {
        let mut select = self.prepare_cached("SELECT DISTINCT session FROM bills WHERE counter = ?")?;
        let found: Vec<i64> = select.query_map([counter], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let known = found.into_iter().map(|session| ids.known_label(self, names, session));
        Ok(known.collect::<rusqlite::Result<_>>()?)
    }

    fn bills_by_total(
        &self,
        names: &mut Interner,
        ids: &mut Ids,
        total: Whole,
        most: usize,
    ) -> Stored<Vec<(u32, Bill)>> {
        Ok(bill::with_total(self, names, ids, total, most)?)
    }

    fn sessions_by_inherited(&self, names: &mut Interner, ids: &mut Ids, total: Whole) -> Stored<Vec<u32>> {
        Ok(bill::sessions_by_inherited(self, names, ids, total)?)
    }

    fn spent(&self, names: &mut Interner, ids: &mut Ids, session: u32) -> Stored<Vec<(u32, Part)>> {
        Ok(bill::spent(self, names, ids, session)?)
    }

    fn apply(&self, names: &mut Interner, ids: &mut Ids, delta: &Delta<'_>, step: Step<'_>) -> Stored<()> {
        step("write rows");
        let mut tally = Tally::default();
        let mut delete = self.prepare_cached(&format!("DELETE FROM calls WHERE {OF_KEY}"))?;
        let mut new: Vec<&CompactRow> = Vec::new();
        for (key, before, after) in &delta.rows {
            if let Some(before) = before {
                delete.execute(row_mapping::of_key(*key))?;
                tally.take(before);
            }
            if let Some(after) = after {
                tally.add(after);
                new.push(after);
            }
        }
        new.sort_unstable_by_key(|row| row_mapping::order(row));
        let mut inserter = Inserter::new(self, "calls")?;
        for row in new {
            inserter.insert(row, ids, names)?;
        }
        step("write rows apart");
        for (key, row) in &delta.unmerged {
            self.prepare_cached(&format!("DELETE FROM apart WHERE {OF_KEY}"))?.execute(row_mapping::of_key(*key))?;
            if let Some(row) = row {
                Inserter::new(self, "apart")?.insert(row, ids, names)?;
            }
        }
        tally.write(self, ids, names, step)?;
        step("write bills");
        bill::write(self, names, ids, &delta.bills, &delta.spent)?;
        Ok(write_descents(self, names, ids, delta.descents.iter().copied())?)
    }

    fn write_files(&self, files: &mut dyn Iterator<Item = &Checkpoint>) -> Stored<()> {
        Ok(files::write_files(self, files)?)
    }

    fn files(&self) -> Stored<Vec<Checkpoint>> {
        Ok(files::read_files(self)?)
    }

    fn file(&self, path: &Path) -> Stored<Option<Checkpoint>> {
        Ok(files::read_file(self, path)?)
    }

    fn write_statuses(&self, statuses: &BTreeMap<String, String>) -> Stored<()> {
        Ok(status::write(self, statuses)?)
    }

    fn statuses(&self) -> Stored<BTreeMap<String, String>> {
        Ok(status::read(self)?)
    }

    fn fact(&self, space: FactKind, key: &str) -> Stored<Option<Fact>> {
        Ok(facts::read(self, space, key)?)
    }

    fn put_fact(&self, space: FactKind, key: &str, fact: Option<&Fact>) -> Stored<()> {
        match fact {
            Some(fact) => facts::put(self, space, key, fact)?,
            None => facts::remove(self, space, key)?,
        }
        Ok(())
    }

    fn facts(&self, space: FactKind, prefix: &str) -> Stored<Vec<(String, Fact)>> {
        Ok(facts::with_prefix(self, space, prefix)?)
    }

    fn each_row(
        &self,
        names: &mut Interner,
        ids: &mut Ids,
        filter: &Filter,
        order: Option<Order>,
        each: &mut dyn FnMut(CompactRow, &Interner) -> bool,
    ) -> Stored<()> {
        Ok(Tables { conn: self, ids, names }.each_row(filter, order == Some(Order::Descending), each)?)
    }

    fn quarters<'a>(
        &'a self,
        names: &mut Interner,
        ids: &mut Ids,
        filter: &Filter,
        by: &[Dimension],
        timeless: bool,
    ) -> Stored<Quarters<'a, Ids>> {
        let source = Tables { conn: self, ids, names }.prepare(filter, by, timeless)?;
        Ok(Box::new(move |ids, each| Ok(source.each(self, ids, each)?)))
    }

    fn stretches(&self, names: &mut Interner, ids: &mut Ids, filter: &Filter) -> Stored<Vec<Stretch>> {
        let mut tables = Tables { conn: self, ids, names };
        let runs = tables.runs(filter)?;
        Ok(tables.stretches(filter, runs)?)
    }

    fn first_stretches(&self, names: &mut Interner, ids: &mut Ids, query: &Query) -> Stored<Option<FirstStretches>> {
        let mut tables = Tables { conn: self, ids, names };
        let Some((runs, are_all)) = tables.first_runs(query)? else { return Ok(None) };
        let all_rows = if are_all { None } else { Some(tables.count_rows(query)?) };
        Ok(Some(FirstStretches { stretches: tables.stretches(&query.filter, runs)?, all_rows }))
    }
}

/// Number of keys per lookup.
const TOGETHER: usize = 64;

fn marks() -> String {
    vec!["?"; TOGETHER].join(", ")
}

/// The keys in chunks of equal size. The last chunk repeats a key to fill up.
fn together(keys: &[CallKey]) -> impl Iterator<Item = [CallKey; TOGETHER]> {
    keys.chunks(TOGETHER).filter_map(|some| {
        let last = *some.last()?;
        Some(std::array::from_fn(|at| some.get(at).copied().unwrap_or(last)))
    })
}

/// Adds descents, given as interned ids of child and parent.
pub(super) fn write_descents(
    conn: &Connection,
    names: &Interner,
    ids: &mut Ids,
    descents: impl Iterator<Item = (u32, u32)>,
) -> rusqlite::Result<()> {
    for (child, parent) in descents {
        let (child, parent) = (ids.label(conn, names, child)?, ids.label(conn, names, parent)?);
        conn.prepare_cached("INSERT OR IGNORE INTO lineage VALUES(?, ?)")?.execute([child, parent])?;
    }
    Ok(())
}
