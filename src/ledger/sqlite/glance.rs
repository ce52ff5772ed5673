//! A look at the sums when the books are opened: cheap enough for a status line, and it finds what a flipped bit or a
//! foreign hand made of them.
//!
//! The four widths of sums must agree with each other. Of few calls, everything is compared with the rows. Of many,
//! the newest days are compared, as many as a budget allows: those are what is asked for. `ledger verify` compares all.

use rusqlite::{Connection, OptionalExtension, Result};

use super::desk::Desk;
use super::rollup;
use super::verify::{Findings, compare_sums};
use crate::ledger::Sums;

/// Books with no more calls than this are compared with their rows.
const FEW_CALLS: u64 = 300;
/// Kinds of calls whose sums are added up; with more, that of all time is not compared.
const MOST_KINDS: usize = 1_000;

/// Looks at no more than so many sums; the error says what is wrong.
pub(super) fn glance(conn: &Connection, budget: usize) -> Result<std::result::Result<(), String>> {
    let _snapshot = conn.unchecked_transaction()?;
    let mut ever = Some((Sums::default(), 0));
    let mut select = conn.prepare_cached("SELECT sums FROM kinds WHERE sums IS NOT NULL")?;
    let mut found = select.query([])?;
    while let (Some(row), Some((sums, kinds))) = (found.next()?, &mut ever) {
        *kinds += add(sums, row.get_ref(0)?.as_blob()?)?;
        if *kinds > MOST_KINDS {
            ever = None;
        }
    }
    let ever = ever.map(|(sums, _)| sums);
    if ever.is_some_and(|ever| ever.calls <= FEW_CALLS) {
        let some: Option<i64> = conn
            .query_row("SELECT id FROM calls LIMIT 1 OFFSET ?", [FEW_CALLS.cast_signed()], |row| row.get(0))
            .optional()?;
        if some.is_some() {
            return Ok(Err("the sums in kinds are not those of the calls".to_owned()));
        }
        let mut findings = Findings::default();
        compare_sums(conn, &mut Desk::default(), &mut findings)?;
        return Ok(findings.problems.pop().map_or(Ok(()), Err));
    }
    let (mut all, mut left) = (Sums::default(), budget);
    let mut day = newest(conn, i64::MAX)?;
    while let Some(number) = day {
        let of_days = of_day(conn, "SELECT sums FROM rollup_days WHERE day = ?", number)?;
        let of_kinds = of_day(conn, "SELECT sums FROM rollup_kinds WHERE day = ?", number)?;
        let of_sessions = of_day(conn, "SELECT sums FROM rollup WHERE day = ?", number)?;
        if of_days.0 != of_kinds.0 || of_days.0 != of_sessions.0 {
            return Ok(Err(format!("the sums of day {number} do not agree with each other")));
        }
        all.add(&of_days.0);
        left = left.saturating_sub(of_days.1 + of_kinds.1 + of_sessions.1);
        if left == 0 {
            return Ok(Ok(()));
        }
        day = newest(conn, number)?;
    }
    let agree = ever.is_none_or(|ever| ever == all);
    Ok(if agree { Ok(()) } else { Err("the sums in kinds are not those of the days".to_owned()) })
}

/// The newest day before this one that any width has sums of.
fn newest(conn: &Connection, before: i64) -> Result<Option<i64>> {
    let mut newest = None;
    for select in [
        "SELECT max(day) FROM rollup_days WHERE day < ?",
        "SELECT max(day) FROM rollup_kinds WHERE day < ?",
        "SELECT max(day) FROM rollup WHERE day < ?",
    ] {
        newest = newest.max(conn.prepare_cached(select)?.query_row([before], |row| row.get::<_, Option<i64>>(0))?);
    }
    Ok(newest)
}

/// The sums of one day, and how many entries they were added up from.
fn of_day(conn: &Connection, select: &str, day: i64) -> Result<(Sums, usize)> {
    let (mut sums, mut count) = (Sums::default(), 0);
    let mut select = conn.prepare_cached(select)?;
    let mut found = select.query([day])?;
    while let Some(row) = found.next()? {
        count += add(&mut sums, row.get_ref(0)?.as_blob()?)?;
    }
    Ok((sums, count))
}

fn add(sums: &mut Sums, packed: &[u8]) -> Result<usize> {
    let mut count = 0;
    for entry in rollup::entries(packed) {
        sums.add(&entry?.1);
        count += 1;
    }
    Ok(count)
}
