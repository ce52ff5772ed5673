//! Tables of bills, and of the sums of calls that they are compared with.

use rusqlite::{Connection, Result, params};

use super::bill_index::{self, parsed};
use super::id_map::Ids;
use super::rollup::{self, QUARTERS};
use super::rollup_delta::moment;
use super::row_codec::damaged;
use super::row_mapping;
use crate::domain::{Bill, CallKey, Instant, quarter_of};
use crate::ledger::bill_json::Written;
use crate::ledger::inherited::Whole;
use crate::ledger::interner::Interner;
use crate::ledger::session_bills::started;
use crate::ledger::spending::Part;

/// Number of counts in the stored sums of a session. A cost may follow.
const COUNTS: usize = 7;

/// A session's bills.
pub(super) fn of_session(conn: &Connection, names: &Interner, ids: &mut Ids, session: u32) -> Result<Vec<Bill>> {
    let Some(id) = ids.stored_label(conn, names, session)? else { return Ok(Vec::new()) };
    let mut select = conn.prepare_cached("SELECT body FROM bills WHERE session = ?")?;
    let bodies = select.query_map([id], |row| row.get::<_, String>(0))?;
    bodies.map(|body| parsed(&body?)).collect()
}

/// The stored sums of a session by model: those of its calls if it has a bill, otherwise those of its pruned calls.
pub(super) fn spent(conn: &Connection, names: &mut Interner, ids: &mut Ids, session: u32) -> Result<Vec<(u32, Part)>> {
    let Some(id) = ids.stored_label(conn, names, session)? else { return Ok(Vec::new()) };
    let mut select = conn.prepare_cached("SELECT model, sums FROM spent WHERE session = ?")?;
    let found: Vec<(i64, String)> =
        select.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let mut part = |(model, fields): (i64, String)| Ok((ids.known_label(conn, names, model)?, sums_of(&fields)?));
    found.into_iter().map(&mut part).collect()
}

/// Keys of a session's rows, found through its sums.
pub(super) fn keys_of_session(
    conn: &Connection,
    names: &Interner,
    ids: &mut Ids,
    session: u32,
) -> Result<Vec<CallKey>> {
    let mut keys = Vec::new();
    let Some(label) = ids.stored_label(conn, names, session)? else { return Ok(keys) };
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
                for key in find.query_map(span, |row| Ok(row_mapping::key([row.get(0)?, row.get(1)?])))? {
                    keys.push(key?);
                }
            }
        }
    }
    Ok(keys)
}

/// At most `most` bills with this total, with the ids of their sessions.
pub(super) fn with_total(
    conn: &Connection,
    names: &mut Interner,
    ids: &mut Ids,
    total: Whole,
    most: usize,
) -> Result<Vec<(u32, Bill)>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut select = conn.prepare_cached("SELECT session, body FROM bills WHERE total = ? LIMIT ?")?;
    let found: Vec<(i64, String)> = select
        .query_map((bill_index::number(total), most), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    found.into_iter().map(|(session, body)| Ok((ids.known_label(conn, names, session)?, parsed(&body)?))).collect()
}

/// Sessions with a bill of a run that inherited this total.
pub(super) fn sessions_by_inherited(
    conn: &Connection,
    names: &mut Interner,
    ids: &mut Ids,
    total: Whole,
) -> Result<Vec<u32>> {
    let mut select = conn.prepare_cached("SELECT DISTINCT session FROM bills WHERE rest = ?")?;
    let found: Vec<i64> = select.query_map([bill_index::number(total)], |row| row.get(0))?.collect::<Result<_>>()?;
    found.into_iter().map(|session| ids.known_label(conn, names, session)).collect()
}

/// Every bill, with the database id of its session.
pub(super) fn all(conn: &Connection) -> Result<Vec<(i64, Bill)>> {
    let mut select = conn.prepare("SELECT session, body FROM bills ORDER BY session, id")?;
    let found = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    found.map(|found| found.and_then(|(session, body)| Ok((session, parsed(&body)?)))).collect()
}

/// Writes bills, and sums by interned session and model.
pub(super) fn write(
    conn: &Connection,
    names: &Interner,
    ids: &mut Ids,
    bills: &[(u32, Bill)],
    spent: &[(u32, u32, Part)],
) -> Result<()> {
    if !bills.is_empty() {
        bill_index::create(conn)?;
    }
    let put = "INSERT OR REPLACE INTO bills(session, id, counter, body, total, rest) VALUES(?, ?, ?, ?, ?, ?)";
    for (session, bill) in bills {
        let Some(written) = Written::from_bill(bill) else { continue };
        let body = serde_json::to_string(&written).map_err(|_| damaged("a bill"))?;
        let session = ids.label(conn, names, *session)?;
        let [total, rest] = bill_index::columns(bill);
        conn.prepare_cached(put)?.execute(params![session, bill.id.bytes(), started(bill), body, total, rest])?;
    }
    for (session, model, part) in spent {
        let (session, model) = (ids.label(conn, names, *session)?, ids.label(conn, names, *model)?);
        put_sums(conn, session, model, part)?;
    }
    Ok(())
}

fn put_sums(conn: &Connection, session: i64, model: i64, part: &Part) -> Result<()> {
    // Without a cost, in the form of the versions that store none.
    let fields = part.fields();
    let written = if part.quoted().is_none() { &fields[..COUNTS] } else { &fields[..] };
    let sums = serde_json::to_string(written).map_err(|_| damaged("the sums of a session"))?;
    let put = "INSERT OR REPLACE INTO spent(session, model, sums) VALUES(?, ?, ?)";
    conn.prepare_cached(put)?.execute(params![session, model, sums]).map(drop)
}

fn sums_of(fields: &str) -> Result<Part> {
    let damaged = || damaged("the sums of a session");
    let written: Vec<u64> = serde_json::from_str(fields).map_err(|_| damaged())?;
    let mut fields = [0; COUNTS + 1];
    if !(COUNTS..=COUNTS + 1).contains(&written.len()) {
        return Err(damaged());
    }
    fields[..written.len()].copy_from_slice(&written);
    Ok(Part::from_fields(fields))
}
