//! A look at the sums when the books are opened: cheap enough for a status line, and it finds what a flipped bit or a
//! foreign hand made of them.
//!
//! The four widths of sums must agree with each other. Of few calls, everything is compared with the rows. Of many,
//! the newest days are compared, as many as a budget allows: those are what is asked for. `ledger verify` compares all.

use rusqlite::{Connection, Params, Result};

use super::desk::Desk;
use super::rollup;
use super::verify::{Findings, compare_sums};
use crate::ledger::Sums;

/// Books with no more calls than this are compared with their rows.
const FEW_CALLS: i64 = 300;

/// Looks at no more than so many sums; the error says what is wrong.
pub(super) fn glance(conn: &Connection, budget: usize) -> Result<std::result::Result<(), String>> {
    let _snapshot = conn.unchecked_transaction()?;
    let mut many = conn.prepare_cached("SELECT 1 FROM calls LIMIT 1 OFFSET ?")?;
    if !many.exists([FEW_CALLS])? {
        let mut findings = Findings::default();
        compare_sums(conn, &mut Desk::default(), &mut findings)?;
        return Ok(findings.problems.pop().map_or(Ok(()), Err));
    }
    let (mut all, mut left) = (Sums::default(), budget);
    let mut day = newest(conn, i64::MAX)?;
    while let Some(number) = day {
        let of_days = add_up(conn, "SELECT sums FROM rollup_days WHERE day = ?", [number])?;
        let of_kinds = add_up(conn, "SELECT sums FROM rollup_kinds WHERE day = ?", [number])?;
        let of_sessions = add_up(conn, "SELECT sums FROM rollup WHERE day = ?", [number])?;
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
    // All days were compared: then those of all time must agree with them too, and there are calls.
    if all.calls == 0 {
        return Ok(Err("there are calls, and no sums of them".to_owned()));
    }
    let ever = add_up(conn, "SELECT sums FROM kinds WHERE sums IS NOT NULL", [])?.0;
    Ok(if ever == all { Ok(()) } else { Err("the sums in kinds are not those of the days".to_owned()) })
}

/// The newest day before this one that any width has sums of.
fn newest(conn: &Connection, before: i64) -> Result<Option<i64>> {
    let select =
        "SELECT (SELECT max(day) FROM rollup_days WHERE day < ?1), (SELECT max(day) FROM rollup_kinds WHERE day < ?1),
        (SELECT max(day) FROM rollup WHERE day < ?1)";
    conn.prepare_cached(select)?.query_row([before], |row| {
        let newest: [Option<i64>; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        Ok(newest.into_iter().max().flatten())
    })
}

/// Packed sums added up, and how many entries there are of them.
fn add_up(conn: &Connection, select: &str, place: impl Params) -> Result<(Sums, usize)> {
    let (mut sums, mut count) = (Sums::default(), 0);
    let mut select = conn.prepare_cached(select)?;
    let mut found = select.query(place)?;
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
