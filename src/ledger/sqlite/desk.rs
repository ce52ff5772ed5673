//! Where rows lie while a transaction works on them: fetched when first touched, written back when done.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Result, params};
use rustc_hash::{FxHashMap, FxHashSet};

use super::rollup::{self, Delta, QUARTERS};
use super::rows::{self, Ids, Inserter};
use super::schema::{COLUMNS, DROP_INDEX, INDEX, INDEX_ALIAS, OF_KEY};
use crate::domain::{CallKey, Instant, Record, quarter_of};
use crate::ledger::core::Core;
use crate::ledger::family::Move;
use crate::ledger::heap::Before;
use crate::ledger::names::Names;
use crate::ledger::slim::Slim;
use crate::ledger::{FileState, Posted, Posting};
use crate::pricing::Pricer;

/// Rows from which on it is quicker to index them afterwards.
const MANY: usize = 2_000;

/// Called before each step of which all or none must happen.
pub(super) type Step<'a> = &'a dyn Fn(&'static str);

/// The rows at work, and what the database calls their names.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) core: Core,
    pub(super) ids: Ids,
    fetched: FxHashSet<CallKey>,
    gathered: FxHashSet<CallKey>,
    /// The version of the data that `core.families` was read at.
    families_at: Option<i64>,
    descents: Vec<(u32, u32)>,
    telemetry: bool,
    /// Calls before this were pruned, and stay so.
    horizon: Option<Instant>,
}

impl Desk {
    /// Makes the desk ready for a transaction that has just begun.
    pub(super) fn open(&mut self, conn: &Connection) -> Result<()> {
        self.clear();
        self.telemetry = meta(conn, "telemetry")?.is_some();
        if self.telemetry {
            self.core.heap.look_for_telemetry();
        }
        self.horizon = match (meta(conn, "horizon")?, meta(conn, "horizon_ns")?) {
            (Some(second), Some(ns)) => Instant::from_timestamp(second, u32::try_from(ns).unwrap_or(0)),
            (_, _) => None,
        };
        self.core.heap.keep_journal();
        Ok(())
    }

    /// Forgets the rows at work.
    pub(super) fn clear(&mut self) {
        self.core.heap.clear();
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
    }

    /// Takes in records and says what they changed.
    pub(super) fn post(
        &mut self,
        conn: &Connection,
        posting: &Posting,
        pricer: &dyn Pricer,
        told: &mut Vec<Posted>,
    ) -> Result<()> {
        for record in &posting.records {
            let mark = self.core.heap.mark();
            let key = match record {
                Record::Call(call) => {
                    self.read_families(conn, call.lineage.is_some())?;
                    let slim = self.core.slim(call);
                    let key = slim.key;
                    self.take(conn, slim)?;
                    Some(key)
                }
                Record::Descends { .. } => {
                    self.descend(conn, record)?;
                    None
                }
            };
            self.core.heap.settle(pricer, &mut self.core.names);
            self.core.tell(mark, key, told);
        }
        Ok(())
    }

    /// Prices what is new or grew.
    pub(super) fn settle(&mut self, pricer: &dyn Pricer) {
        self.core.heap.settle(pricer, &mut self.core.names);
    }

    /// Takes in what was gathered elsewhere, row by row as it was told.
    pub(super) fn take_all(&mut self, conn: &Connection, gathered: &Core) -> Result<()> {
        let label = |number| gathered.names.label(number).cloned();
        for (child, parent) in gathered.families.descents() {
            if let (Some(child), Some(parent)) = (label(child), label(parent)) {
                self.descend(conn, &Record::Descends { child, parent })?;
            }
        }
        let mut rows: Vec<&Slim> = gathered.heap.plain_rows().collect();
        rows.sort_unstable_by_key(|row| row.key);
        for row in rows {
            let mut call = row.call(&gathered.names);
            if call.lineage.is_some() {
                call.key = gathered.rooted(call.key, row.lineage);
            }
            self.read_families(conn, call.lineage.is_some())?;
            let slim = self.core.slim(&call);
            self.take(conn, slim)?;
        }
        Ok(())
    }

    /// Takes in one row under the key it is kept under; true when it told something new.
    pub(super) fn take(&mut self, conn: &Connection, told: Slim) -> Result<bool> {
        if self.horizon.is_some_and(|horizon| told.at < horizon) {
            return Ok(false);
        }
        if told.alias == Some(told.key) {
            self.expect_telemetry(conn)?;
        }
        self.fetch(conn, told.key)?;
        self.gather(conn, told.key, told.alias)?;
        Ok(self.core.heap.feed(told, &mut self.core.names))
    }

    /// Takes in a descent.
    pub(super) fn descend(&mut self, conn: &Connection, record: &Record) -> Result<()> {
        let Record::Descends { child, parent } = record else { return Ok(()) };
        self.read_families(conn, true)?;
        let numbers = (self.core.names.number(Some(child)), self.core.names.number(Some(parent)));
        if self.core.families.knows(numbers.0, numbers.1) {
            return Ok(());
        }
        self.descents.push(numbers);
        for moved in self.core.learn(child, parent) {
            self.fetch_family(conn, &moved)?;
            self.core.follow(&moved);
        }
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
            "SELECT key FROM calls WHERE lineage = ?1 UNION SELECT key FROM apart WHERE lineage = ?1",
        )?;
        for session in &moved.sessions {
            let id = self.ids.label(conn, &self.core.names, *session)?;
            let keys: Vec<[u8; 16]> = find.query_map([id], |row| row.get(0))?.collect::<Result<_>>()?;
            for key in keys.into_iter().map(CallKey::from_bytes) {
                for key in [key, key.under(&from).under(&to)] {
                    self.fetch(conn, key)?;
                    self.gather(conn, key, None)?;
                }
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
            self.core.heap.restore(row, true);
        }
        if self.telemetry
            && let Some(row) = self.select(conn, "apart", key)?
        {
            self.core.heap.restore(row, false);
        }
        Ok(())
    }

    fn select(&mut self, conn: &Connection, table: &str, key: CallKey) -> Result<Option<Slim>> {
        let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM {table} WHERE {OF_KEY}"))?;
        select.query_row(rows::of_key(key), |row| rows::read(row, conn, &mut self.ids, &mut self.core.names)).optional()
    }

    /// Fetches every row that shares an alias with this key, as it stands and as it is told.
    fn gather(&mut self, conn: &Connection, key: CallKey, told: Option<CallKey>) -> Result<()> {
        if !self.telemetry {
            return Ok(());
        }
        let stands = self.core.heap.plain(key).and_then(|row| row.alias);
        for alias in [stands, told].into_iter().flatten() {
            if !self.gathered.insert(alias) {
                continue;
            }
            self.fetch(conn, alias)?;
            let find = "SELECT key FROM calls WHERE alias = ?1 UNION SELECT key FROM apart WHERE alias = ?1";
            let keys: Vec<[u8; 16]> =
                conn.prepare_cached(find)?.query_map([alias.bytes()], |row| row.get(0))?.collect::<Result<_>>()?;
            for key in keys {
                self.fetch(conn, CallKey::from_bytes(key))?;
            }
        }
        Ok(())
    }

    /// From the first telemetry on, aliases are indexed.
    fn expect_telemetry(&mut self, conn: &Connection) -> Result<()> {
        if !self.telemetry {
            conn.execute_batch(INDEX_ALIAS)?;
            conn.execute("INSERT INTO meta VALUES('telemetry', 1)", [])?;
            self.telemetry = true;
            self.core.heap.look_for_telemetry();
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
            self.core.families.descends(child, parent, names);
        }
        self.families_at = Some(version);
        Ok(())
    }

    /// Writes what changed on the desk.
    pub(super) fn write_changes(&mut self, conn: &Connection, step: Step<'_>) -> Result<()> {
        let Core { names, heap, .. } = &mut self.core;
        step("write rows");
        let mut tally = Tally::default();
        let mut changes: Vec<Before> = heap.take_journal();
        changes.sort_unstable_by_key(|(key, _)| *key);
        let mut delete = conn.prepare_cached(&format!("DELETE FROM calls WHERE {OF_KEY}"))?;
        let mut born: Vec<&Slim> = Vec::new();
        for (key, before) in &changes {
            let after = heap.get(*key);
            if before.as_ref() == after {
                continue;
            }
            if let Some(before) = before {
                delete.execute(rows::of_key(*key))?;
                tally.take(before);
            }
            if let Some(after) = after {
                tally.add(after);
                born.push(after);
            }
        }
        born.sort_unstable_by_key(|row| rows::order(row));
        let mut inserter = Inserter::new(conn, "calls")?;
        for row in born {
            inserter.insert(row, &mut self.ids, names)?;
        }
        step("write rows apart");
        for (key, row) in heap.take_apart() {
            conn.prepare_cached(&format!("DELETE FROM apart WHERE {OF_KEY}"))?.execute(rows::of_key(key))?;
            if let Some(row) = row {
                Inserter::new(conn, "apart")?.insert(&row, &mut self.ids, names)?;
            }
        }
        tally.write(conn, &mut self.ids, names, step)?;
        self.write_descents(conn)
    }

    fn write_descents(&mut self, conn: &Connection) -> Result<()> {
        for (child, parent) in std::mem::take(&mut self.descents) {
            write_descent(conn, &mut self.ids, &self.core.names, child, parent)?;
        }
        Ok(())
    }
}

/// Writes rows gathered elsewhere into books that hold none yet.
pub(super) fn write_all(conn: &Connection, gathered: &mut Core, step: Step<'_>) -> Result<()> {
    let mut ids = Ids::default();
    let Core { names, heap, families } = gathered;
    let mut rows: Vec<&Slim> = heap.rows().iter().collect();
    rows.sort_unstable_by_key(|row| rows::order(row));
    let many = rows.len() > MANY;
    if many {
        conn.execute_batch(DROP_INDEX)?;
    }
    step("write rows");
    let mut tally = Tally::default();
    let mut inserter = Inserter::new(conn, "calls")?;
    for row in rows {
        inserter.insert(row, &mut ids, names)?;
        tally.add(row);
    }
    drop(inserter);
    step("index rows");
    if many {
        conn.execute_batch(INDEX)?;
    }
    step("write rows apart");
    if heap.has_telemetry() {
        conn.execute_batch(INDEX_ALIAS)?;
        conn.execute("INSERT OR REPLACE INTO meta VALUES('telemetry', 1)", [])?;
    }
    let mut inserter = Inserter::new(conn, "apart")?;
    for row in heap.apart() {
        inserter.insert(row, &mut ids, names)?;
    }
    tally.write(conn, &mut ids, names, step)?;
    for (child, parent) in families.descents() {
        write_descent(conn, &mut ids, names, child, parent)?;
    }
    Ok(())
}

fn write_descent(conn: &Connection, ids: &mut Ids, names: &Names, child: u32, parent: u32) -> Result<()> {
    let (child, parent) = (ids.label(conn, names, child)?, ids.label(conn, names, parent)?);
    conn.prepare_cached("INSERT OR IGNORE INTO lineage VALUES(?, ?)")?.execute([child, parent]).map(drop)
}

/// Books how far files have been read.
pub(super) fn write_files(conn: &Connection, files: &[FileState]) -> Result<()> {
    let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for file in files {
        insert.execute(params![
            path_bytes(&file.path),
            file.device.cast_signed(),
            file.inode.cast_signed(),
            file.offset.cast_signed(),
            file.size.cast_signed(),
            file.modified_ns,
            file.head_hash.cast_signed(),
            file.head_len,
            file.tail_hash.cast_signed(),
            file.reader,
            file.lines.cast_signed(),
            file.bad_lines.cast_signed(),
        ])?;
    }
    Ok(())
}

/// How far files have been read.
pub(super) fn read_files(conn: &Connection) -> Result<Vec<FileState>> {
    let mut select = conn.prepare_cached("SELECT * FROM files ORDER BY path")?;
    let files = select.query_map([], file_state)?;
    files.collect()
}

/// How far one file has been read.
pub(super) fn read_file(conn: &Connection, path: &std::path::Path) -> Result<Option<FileState>> {
    let mut select = conn.prepare_cached("SELECT * FROM files WHERE path = ?")?;
    select.query_row([path_bytes(path)], file_state).optional()
}

fn file_state(row: &rusqlite::Row<'_>) -> Result<FileState> {
    let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(FileState {
        path: bytes_path(row.get(0)?),
        device: number(1)?,
        inode: number(2)?,
        offset: number(3)?,
        size: number(4)?,
        modified_ns: row.get(5)?,
        head_hash: number(6)?,
        head_len: row.get(7)?,
        tail_hash: number(8)?,
        reader: row.get(9)?,
        lines: number(10)?,
        bad_lines: number(11)?,
    })
}

#[cfg(unix)]
fn path_bytes(path: &std::path::Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

#[cfg(unix)]
fn bytes_path(bytes: Vec<u8>) -> std::path::PathBuf {
    <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_bytes(path: &std::path::Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
fn bytes_path(bytes: Vec<u8>) -> std::path::PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// A number kept about the books themselves.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}

/// What a transaction does to sums and to the bounds of sessions.
#[derive(Default)]
pub(super) struct Tally {
    deltas: FxHashMap<(i64, u32), Delta>,
    bounds: FxHashMap<u32, Bounds>,
}

#[derive(Default)]
struct Bounds {
    gained: Option<(Instant, Instant)>,
    lost: Option<(Instant, Instant)>,
}

fn widen(bounds: &mut Option<(Instant, Instant)>, at: Instant) {
    *bounds = Some(bounds.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
}

impl Tally {
    /// A row was added.
    pub(super) fn add(&mut self, row: &Slim) {
        self.deltas.entry((quarter_of(row.at), row.set)).or_default().add.add(&row.sums());
        widen(&mut self.bounds.entry(row.set).or_default().gained, row.at);
    }

    /// A row was taken out.
    pub(super) fn take(&mut self, row: &Slim) {
        self.deltas.entry((quarter_of(row.at), row.set)).or_default().sub.add(&row.sums());
        widen(&mut self.bounds.entry(row.set).or_default().lost, row.at);
    }

    /// Brings the sums and bounds in the database up to date.
    pub(super) fn write(&self, conn: &Connection, ids: &mut Ids, names: &mut Names, step: Step<'_>) -> Result<()> {
        let mut by_session: BTreeMap<(i64, i64), Vec<(u8, Delta)>> = BTreeMap::new();
        let mut by_kind: BTreeMap<(i64, i64), BTreeMap<u8, Delta>> = BTreeMap::new();
        for ((quarter, set), delta) in &self.deltas {
            let (day, within) = (quarter.div_euclid(QUARTERS), quarter.rem_euclid(QUARTERS));
            let within = u8::try_from(within).unwrap_or(0);
            by_session.entry((day, ids.session(conn, names, *set)?)).or_default().push((within, *delta));
            let kind = ids.kind_of(names, *set);
            let kind = ids.kind(conn, names, kind)?;
            by_kind.entry((day, kind)).or_default().entry(within).or_default().and(delta);
        }
        step("write rollup");
        for (place, deltas) in by_session {
            write_day(conn, "rollup", place, &deltas)?;
        }
        step("write rollup of kinds");
        for (place, deltas) in by_kind {
            let deltas: Vec<(u8, Delta)> = deltas.into_iter().collect();
            write_day(conn, "rollup_kinds", place, &deltas)?;
        }
        step("write sessions");
        for (set, bounds) in &self.bounds {
            let id = ids.session(conn, names, *set)?;
            write_bounds(conn, id, bounds)?;
        }
        Ok(())
    }
}

fn write_day(conn: &Connection, table: &str, (day, of): (i64, i64), deltas: &[(u8, Delta)]) -> Result<()> {
    let mut select = conn.prepare_cached(&format!("SELECT sums FROM {table} WHERE day = ? AND of = ?"))?;
    let packed: Option<Vec<u8>> = select.query_row([day, of], |row| row.get(0)).optional()?;
    match rollup::apply(packed.as_deref().unwrap_or_default(), deltas)? {
        Some(packed) => {
            let insert = format!("INSERT OR REPLACE INTO {table}(day, of, sums) VALUES(?, ?, ?)");
            conn.prepare_cached(&insert)?.execute(params![day, of, packed])?;
        }
        None if packed.is_some() => {
            conn.prepare_cached(&format!("DELETE FROM {table} WHERE day = ? AND of = ?"))?.execute([day, of])?;
        }
        None => {}
    }
    Ok(())
}

/// A moment as two columns.
pub(super) fn moment(second: Option<i64>, ns: Option<u32>) -> Option<Instant> {
    Instant::from_timestamp(second?, ns?)
}

fn write_bounds(conn: &Connection, id: i64, bounds: &Bounds) -> Result<()> {
    let mut select = conn.prepare_cached("SELECT first, first_ns, last, last_ns FROM sessions WHERE id = ?")?;
    let known =
        select.query_row([id], |row| Ok(moment(row.get(0)?, row.get(1)?).zip(moment(row.get(2)?, row.get(3)?))))?;
    let mut now = known;
    for at in bounds.gained.iter().flat_map(|(first, last)| [*first, *last]) {
        widen(&mut now, at);
    }
    // What was lost matters only where it stood at an end.
    if let (Some((first, last)), Some((lost_first, lost_last))) = (now, bounds.lost)
        && (lost_first <= first || lost_last >= last)
    {
        let low = known.map_or(first, |(first, _)| first).min(first);
        let high = known.map_or(last, |(_, last)| last).max(last);
        now = first_and_last(conn, id, low, high)?;
    }
    if now == known {
        return Ok(());
    }
    let (first, last) = (now.map(|(first, _)| first), now.map(|(_, last)| last));
    conn.prepare_cached("UPDATE sessions SET first = ?, first_ns = ?, last = ?, last_ns = ? WHERE id = ?")?.execute(
        params![
            first.map(|at| at.timestamp()),
            first.map(|at| at.timestamp_subsec_nanos()),
            last.map(|at| at.timestamp()),
            last.map(|at| at.timestamp_subsec_nanos()),
            id
        ],
    )?;
    Ok(())
}

/// The first and the last call of a session between two moments, found through its sums.
pub(super) fn first_and_last(
    conn: &Connection,
    session: i64,
    low: Instant,
    high: Instant,
) -> Result<Option<(Instant, Instant)>> {
    let days = quarter_of(low).div_euclid(QUARTERS)..=quarter_of(high).div_euclid(QUARTERS);
    let mut select = conn.prepare_cached("SELECT sums FROM rollup WHERE day = ? AND of = ?")?;
    let mut quarters = Vec::new();
    for day in days {
        let packed: Option<Vec<u8>> = select.query_row([day, session], |row| row.get(0)).optional()?;
        for entry in rollup::entries(packed.as_deref().unwrap_or_default()) {
            let (quarter, sums) = entry?;
            if sums.calls > 0 {
                quarters.push(day * QUARTERS + i64::from(quarter));
            }
        }
    }
    let mut bounds = None;
    for quarter in quarters.first().into_iter().chain(quarters.last()) {
        let mut find =
            conn.prepare_cached("SELECT id >> 20, ns FROM calls WHERE id >= ? AND id < ? AND session = ?")?;
        let ids = (rows::first_id(quarter * 900), rows::first_id((quarter + 1) * 900), session);
        let times = find.query_map(ids, |row| Ok(moment(row.get(0)?, row.get(1)?)))?;
        for at in times {
            if let Some(at) = at? {
                widen(&mut bounds, at);
            }
        }
    }
    Ok(bounds)
}
