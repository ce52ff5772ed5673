//! Compares everything that is derived from rows with the rows.

use rusqlite::{Connection, Result};
use rustc_hash::FxHashMap;

use super::maintenance::batches;
use super::rollup::{self, QUARTERS};
use super::rollup_delta::moment;
use super::schema::{self, KNOWN};
use super::store::WorkingSet;
use super::verify_bills::BillCheck;
use crate::domain::{Instant, quarter_of};
use crate::ledger::Sums;

/// Result of a full check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Number of rows read.
    pub calls: u64,
    /// Problems, one sentence each; empty if there are none.
    pub problems: Vec<String>,
}

/// Compares all sums with the rows, if the schema is known.
pub(super) fn compare(conn: &Connection, working_set: &mut WorkingSet, findings: &mut Findings) -> Result<()> {
    let found = schema::version(conn)?;
    if found != KNOWN {
        findings.problems.push(format!("schema {found} cannot be checked by a program that knows schema {KNOWN}"));
        return Ok(());
    }
    compare_sums(conn, working_set, findings)?;
    let mut check = BillCheck::begin(conn, working_set)?;
    if check.is_empty() {
        return Ok(());
    }
    batches(conn, working_set, "calls", i64::MAX, |working_set, batch| {
        batch.iter().try_for_each(|row| check.take(conn, working_set, row))
    })?;
    findings.problems.extend(check.problem(conn)?.map(str::to_owned));
    Ok(())
}

/// Sums every row and compares the result with the stored sums.
pub(super) fn compare_sums(conn: &Connection, working_set: &mut WorkingSet, findings: &mut Findings) -> Result<()> {
    let mut by_session: FxHashMap<(i64, i64), Sums> = FxHashMap::default();
    let mut by_kind: FxHashMap<(i64, i64), Sums> = FxHashMap::default();
    let mut by_day: FxHashMap<(i64, i64), Sums> = FxHashMap::default();
    let mut of_kind: FxHashMap<(i64, i64), Sums> = FxHashMap::default();
    let mut bounds: FxHashMap<i64, (Instant, Instant)> = FxHashMap::default();
    batches(conn, working_set, "calls", i64::MAX, |working_set, batch| {
        for row in batch {
            let session = working_set.ids.session(conn, &mut working_set.core.names, row.set)?;
            let kind = working_set.ids.kind_of(&mut working_set.core.names, row.set);
            let kind = working_set.ids.kind(conn, &mut working_set.core.names, kind)?;
            let (quarter, sums) = (quarter_of(row.at), row.sums());
            by_session.entry((quarter, session)).or_default().add(&sums);
            by_kind.entry((quarter, kind)).or_default().add(&sums);
            by_day.entry((quarter, 0)).or_default().add(&sums);
            of_kind.entry((0, kind)).or_default().add(&sums);
            let (first, last) = bounds.entry(session).or_insert((row.at, row.at));
            (*first, *last) = ((*first).min(row.at), (*last).max(row.at));
            findings.calls += 1;
        }
        Ok(())
    })?;
    for (table, select, of_rows) in [
        ("rollup", "SELECT day, of, sums FROM rollup", by_session),
        ("rollup_kinds", "SELECT day, of, sums FROM rollup_kinds", by_kind),
        ("rollup_days", "SELECT day, 0, sums FROM rollup_days", by_day),
        ("kinds", "SELECT 0, id, sums FROM kinds WHERE sums IS NOT NULL", of_kind),
    ] {
        let mut kept: FxHashMap<(i64, i64), Sums> = FxHashMap::default();
        let mut select = conn.prepare(select)?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let (day, of): (i64, i64) = (row.get(0)?, row.get(1)?);
            for entry in rollup::entries(row.get_ref(2)?.as_blob()?) {
                let (quarter, sums) = entry?;
                kept.insert((day * QUARTERS + i64::from(quarter), of), sums);
            }
        }
        if kept != of_rows {
            findings.problems.push(format!("the sums in {table} are not those of the calls"));
        }
    }
    let mut select = conn.prepare("SELECT id, first, first_ns, last, last_ns FROM sessions WHERE first IS NOT NULL")?;
    let kept: Result<FxHashMap<i64, (Instant, Instant)>> = select
        .query_map([], |row| {
            let times = moment(row.get(1)?, row.get(2)?).zip(moment(row.get(3)?, row.get(4)?));
            Ok((row.get(0)?, times.unwrap_or_default()))
        })?
        .collect();
    if kept? != bounds {
        findings.problems.push("the first and last calls of sessions are not those of the calls".to_owned());
    }
    let keys: u64 = conn
        .query_row("SELECT count(*) FROM (SELECT DISTINCT hash, rest FROM calls)", [], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)?;
    if keys != findings.calls {
        findings.problems.push(format!("{} calls are booked more than once", findings.calls - keys));
    }
    Ok(())
}
