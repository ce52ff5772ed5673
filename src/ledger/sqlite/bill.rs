//! Bills in tables, and the sums of calls that they are compared with.

use rusqlite::{Connection, Result, params};
use rustc_hash::{FxHashMap, FxHashSet};

use super::bill_index;
use super::bill_json::{Written, parsed};
use super::id_map::Ids;
use super::rollup::{self, QUARTERS};
use super::rollup_delta::moment;
use super::row_mapping::{self, damaged};
use super::working_set::WorkingSet;
use crate::domain::{Bill, CallKey, Dimension, Instant, Record, quarter_of};
use crate::ledger::account::{NEAREST, started};
use crate::ledger::bills::row_keys;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::inherited::{before, total};
use crate::ledger::interner::{Interner, NONE, place};
use crate::ledger::merge_state::MergeState;
use crate::ledger::spending::{self, Part};

impl WorkingSet {
    /// Merges a bill.
    pub(super) fn bill(&mut self, conn: &Connection, bill: &Bill) -> Result<()> {
        let Some(session) = &bill.from.session else { return Ok(()) };
        self.has_bills = true;
        let session = self.core.names.number(Some(session));
        self.account(conn, session)?;
        if let Some(started) = started(bill) {
            self.family(conn, started)?;
        }
        self.fetch_parents(conn, bill)?;
        let known = self.core.bills.known(session, bill.id).cloned();
        for bill in known.iter().chain([bill]) {
            self.fetch_heirs(conn, bill)?;
        }
        let is_first = !self.core.bills.has(session);
        if is_first {
            self.fetch_session(conn, session)?;
        }
        self.core.learn_bill(bill);
        if is_first {
            let pruned = self.spent(conn, session)?;
            let sums = self.core.row_store.look_for_spending(&self.core.names);
            sums.add_pruned(session, pruned.into_iter());
        }
        Ok(())
    }

    /// The stored sums of a session: of its calls, if it has a bill, else of those that were pruned.
    fn spent(&mut self, conn: &Connection, session: u32) -> Result<FxHashMap<u32, Part>> {
        let mut sums = FxHashMap::default();
        let Some(id) = self.ids.stored_label(conn, &self.core.names, session)? else { return Ok(sums) };
        let mut select = conn.prepare_cached("SELECT model, sums FROM spent WHERE session = ?")?;
        let found: Vec<(i64, String)> =
            select.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
        for (model, fields) in found {
            sums.insert(self.ids.known_label(conn, &mut self.core.names, model)?, sums_of(&fields)?);
        }
        Ok(sums)
    }

    /// Loads a session's bill and those of sessions that share its counter.
    pub(super) fn account(&mut self, conn: &Connection, session: u32) -> Result<()> {
        if !self.has_bills || session == NONE || !self.accounts.insert(session) {
            return Ok(());
        }
        let Some(id) = self.ids.stored_label(conn, &self.core.names, session)? else { return Ok(()) };
        let mut select = conn.prepare_cached("SELECT body FROM bills WHERE session = ?")?;
        let bodies: Vec<String> = select.query_map([id], |row| row.get(0))?.collect::<Result<_>>()?;
        if bodies.is_empty() {
            return Ok(());
        }
        for body in bodies {
            let bill = parsed(&body)?;
            self.fetch_parents(conn, &bill)?;
            self.core.bills.restore(session, bill);
        }
        let keys: Vec<CallKey> = self.core.bills.booked(session).collect();
        self.core.row_store.look_for_spending(&self.core.names).compute(keys.iter().copied());
        for key in keys {
            self.fetch(conn, key)?;
        }
        let sums = self.spent(conn, session)?;
        self.core.row_store.watch(session, Some(sums), &self.core.names);
        for counter in self.core.bills.counters_of(session) {
            self.family(conn, counter)?;
        }
        Ok(())
    }

    /// Updates the sums of sessions for rows whose cache writes were split again, given as (before, after).
    pub(super) fn follow_solved(&mut self, conn: &Connection, solved: &[(CompactRow, CompactRow)]) -> Result<()> {
        for (before, after) in solved {
            self.account(conn, spending::session_of(after, &self.core.names))?;
            let sums = self.core.row_store.look_for_spending(&self.core.names);
            sums.take(before, &self.core.names);
            sums.add(after, &self.core.names);
        }
        Ok(())
    }

    /// Loads the bills of the sessions that share a counter.
    fn family(&mut self, conn: &Connection, counter: i64) -> Result<()> {
        if !self.counters.insert(counter) {
            return Ok(());
        }
        let mut select = conn.prepare_cached("SELECT DISTINCT session FROM bills WHERE counter = ?")?;
        let sessions: Vec<i64> = select.query_map([counter], |row| row.get(0))?.collect::<Result<_>>()?;
        for session in sessions {
            let session = self.ids.known_label(conn, &mut self.core.names, session)?;
            self.account(conn, session)?;
        }
        Ok(())
    }

    /// Loads the statements that a bill may have inherited from.
    pub(super) fn fetch_parents(&mut self, conn: &Connection, bill: &Bill) -> Result<()> {
        let Some(whole) = before(bill).filter(|whole| self.parents.insert(*whole)) else { return Ok(()) };
        // One more than are looked at.
        let most = i64::try_from(NEAREST + 1).unwrap_or(i64::MAX);
        let mut select = conn.prepare_cached("SELECT session, body FROM bills WHERE total = ? LIMIT ?")?;
        let found: Vec<(i64, String)> = select
            .query_map((bill_index::number(whole), most), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_>>()?;
        for (session, body) in found {
            let session = self.ids.known_label(conn, &mut self.core.names, session)?;
            self.core.bills.note(session, &parsed(&body)?);
        }
        Ok(())
    }

    /// Loads the sessions that may have inherited from a bill.
    pub(super) fn fetch_heirs(&mut self, conn: &Connection, bill: &Bill) -> Result<()> {
        let Some(whole) = total(bill).filter(|whole| self.heirs.insert(*whole)) else { return Ok(()) };
        let mut select = conn.prepare_cached("SELECT DISTINCT session FROM bills WHERE rest = ?")?;
        let sessions: Vec<i64> =
            select.query_map([bill_index::number(whole)], |row| row.get(0))?.collect::<Result<_>>()?;
        for session in sessions {
            let session = self.ids.known_label(conn, &mut self.core.names, session)?;
            self.account(conn, session)?;
        }
        Ok(())
    }

    /// Loads every row of a session, located through its sums.
    fn fetch_session(&mut self, conn: &Connection, session: u32) -> Result<()> {
        let Some(label) = self.ids.stored_label(conn, &self.core.names, session)? else { return Ok(()) };
        let mut select = conn.prepare_cached(
            "SELECT id, first, first_ns, last, last_ns FROM sessions WHERE session = ? AND first IS NOT NULL",
        )?;
        let runs: Vec<(i64, Option<Instant>, Option<Instant>)> = select
            .query_map([label], |row| {
                Ok((row.get(0)?, moment(row.get(1)?, row.get(2)?), moment(row.get(3)?, row.get(4)?)))
            })?
            .collect::<Result<_>>()?;
        let mut sums = conn.prepare_cached("SELECT day, sums FROM rollup WHERE day >= ? AND day <= ? AND of = ?")?;
        let mut find = conn.prepare_cached("SELECT hash, rest FROM calls WHERE id >= ? AND id < ? AND session = ?")?;
        for (id, first, last) in runs {
            let (Some(first), Some(last)) = (first, last) else { continue };
            let day = |at: Instant| quarter_of(at).div_euclid(QUARTERS);
            let mut found = sums.query([day(first), day(last), id])?;
            while let Some(row) = found.next()? {
                let day: i64 = row.get(0)?;
                for entry in rollup::entries(row.get_ref(1)?.as_blob()?) {
                    let quarter = day * QUARTERS + i64::from(entry?.0);
                    let span = [row_mapping::first_id(quarter * 900), row_mapping::first_id((quarter + 1) * 900), id];
                    let keys: Vec<[i64; 2]> =
                        find.query_map(span, |row| Ok([row.get(0)?, row.get(1)?]))?.collect::<Result<_>>()?;
                    for key in keys {
                        self.fetch(conn, row_mapping::key(key))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Every stored bill, with its session's number in the database.
    pub(super) fn all_bills(conn: &Connection) -> Result<Vec<(i64, Bill)>> {
        let mut select = conn.prepare("SELECT session, body FROM bills ORDER BY session, id")?;
        let found = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        found.map(|found| found.and_then(|(session, body)| Ok((session, parsed(&body)?)))).collect()
    }

    /// Keys of rows that may be computed from bills.
    pub(super) fn computed(conn: &Connection) -> Result<FxHashSet<CallKey>> {
        Ok(Self::all_bills(conn)?.iter().flat_map(|(_, bill)| row_keys(bill)).collect())
    }
}

/// Writes new bills and changed sums.
pub(super) fn write(conn: &Connection, core: &mut MergeState, ids: &mut Ids) -> Result<()> {
    let fresh = core.bills.take_fresh();
    write_these(conn, core, ids, fresh)
}

/// Writes all bills and sums into a new ledger. An earlier attempt may have failed after it took the new ones.
pub(super) fn write_all(conn: &Connection, core: &mut MergeState, ids: &mut Ids) -> Result<()> {
    let all = core.bills.take_all();
    core.row_store.all_unsaved();
    write_these(conn, core, ids, all)
}

fn write_these(conn: &Connection, core: &mut MergeState, ids: &mut Ids, bills: Vec<(u32, Bill)>) -> Result<()> {
    if core.bills.is_empty() {
        return Ok(());
    }
    if !bills.is_empty() {
        bill_index::create(conn)?;
    }
    let names = &core.names;
    let put = "INSERT OR REPLACE INTO bills(session, id, counter, body, total, rest) VALUES(?, ?, ?, ?, ?, ?)";
    for (session, bill) in bills {
        let Some(written) = Written::from_bill(&bill) else { continue };
        let body = serde_json::to_string(&written).map_err(|_| damaged("a bill"))?;
        let session = ids.label(conn, names, session)?;
        let [total, rest] = bill_index::columns(&bill);
        conn.prepare_cached(put)?.execute(params![session, bill.id.bytes(), started(&bill), body, total, rest])?;
    }
    let unsaved = core.row_store.take_unsaved();
    let Some(spending) = core.row_store.spending() else { return Ok(()) };
    for session in unsaved {
        let id = ids.label(conn, names, session)?;
        for (model, part) in spending.parts_of(session) {
            put_sums(conn, id, ids.label(conn, names, model)?, part)?;
        }
    }
    Ok(())
}

fn put_sums(conn: &Connection, session: i64, model: i64, part: &Part) -> Result<()> {
    let sums = serde_json::to_string(&part.fields()).map_err(|_| damaged("the sums of a session"))?;
    let put = "INSERT OR REPLACE INTO spent(session, model, sums) VALUES(?, ?, ?)";
    conn.prepare_cached(put)?.execute(params![session, model, sums]).map(drop)
}

/// Sums of pruned rows by session and model number.
#[derive(Default)]
pub(super) struct Pruned(FxHashMap<(u32, u32, bool), Part>);

impl Pruned {
    /// Takes in a row; computed ones stand for what a bill has beyond the calls.
    pub(super) fn take(&mut self, row: &CompactRow, is_computed: bool, names: &Interner) {
        let set = names.set(row.set);
        let session = set[place(Dimension::Session)];
        if session != NONE {
            let of = (session, set[place(Dimension::Model)], is_computed);
            self.0.entry(of).or_default().add(&spending::part(row));
        }
    }

    /// Adds to the stored sums what they lack: of a session with a bill the computed rows, which must not be computed
    /// again; of any other all rows, since a bill that is learnt later covers them, too.
    pub(super) fn write(self, conn: &Connection, ids: &mut Ids, names: &Interner) -> Result<()> {
        for ((session, model, is_computed), part) in self.0 {
            let (session, model) = (ids.label(conn, names, session)?, ids.label(conn, names, model)?);
            let has_bill = conn.prepare_cached("SELECT 1 FROM bills WHERE session = ? LIMIT 1")?.exists([session])?;
            if has_bill && !is_computed {
                continue;
            }
            let mut select = conn.prepare_cached("SELECT sums FROM spent WHERE session = ? AND model = ?")?;
            let found: Vec<String> = select.query_map([session, model], |row| row.get(0))?.collect::<Result<_>>()?;
            let mut sums = found.first().map(|fields| sums_of(fields)).transpose()?.unwrap_or_default();
            sums.add(&part);
            put_sums(conn, session, model, &sums)?;
        }
        Ok(())
    }
}

/// The stored sums by the numbers that sessions and models have in the database.
pub(super) fn all_spent(conn: &Connection) -> Result<FxHashMap<(i64, i64), Part>> {
    let mut select = conn.prepare("SELECT session, model, sums FROM spent")?;
    let mut found = select.query([])?;
    let mut sums = FxHashMap::default();
    while let Some(row) = found.next()? {
        sums.insert((row.get(0)?, row.get(1)?), sums_of(row.get_ref(2)?.as_str()?)?);
    }
    Ok(sums)
}

fn sums_of(fields: &str) -> Result<Part> {
    serde_json::from_str(fields).map(Part::from_fields).map_err(|_| damaged("the sums of a session"))
}

/// Bills in a merge state, as records.
pub(super) fn gathered(core: &MergeState) -> Vec<Record> {
    core.bills.records().collect()
}
