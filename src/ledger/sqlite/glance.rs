//! A look at the sums when the books are opened: cheap enough for a status line, and it finds what a flipped bit or a
//! foreign hand made of them.
//!
//! The four widths of sums must agree with each other. Of few calls, everything is compared with the rows. Of many,
//! the newest days are compared, as many as a budget allows: those are what is asked for. `ledger verify` compares all.

use rusqlite::{Connection, Result};

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
    if budget <= 1 {
        return newest_agrees(conn);
    }
    let (mut all, mut left) = (Sums::default(), budget);
    let mut day = newest(conn, i64::MAX)?;
    while let Some(number) = day {
        let of_days = day_of(conn, "SELECT sums FROM rollup_days WHERE day = ?", number)?;
        let of_kinds = day_of(conn, "SELECT sums FROM rollup_kinds WHERE day = ?", number)?;
        let of_sessions = day_of(conn, "SELECT sums FROM rollup WHERE day = ?", number)?;
        if of_days.quarters != of_kinds.quarters || of_days.quarters != of_sessions.quarters {
            return Ok(Err(format!("the sums of day {number} do not agree with each other")));
        }
        of_days.quarters.iter().for_each(|sums| all.add(sums));
        left = left.saturating_sub(of_days.entries + of_kinds.entries + of_sessions.entries);
        if left == 0 {
            return Ok(Ok(()));
        }
        day = newest(conn, number)?;
    }
    // All days were compared: then those of all time must agree with them too, and there are calls.
    if all.calls == 0 {
        return Ok(Err("there are calls, and no sums of them".to_owned()));
    }
    let mut ever = Sums::default();
    let mut select = conn.prepare_cached("SELECT sums FROM kinds WHERE sums IS NOT NULL")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        for entry in rollup::entries(row.get_ref(0)?.as_blob()?) {
            ever.add(&entry?.1);
        }
    }
    Ok(if ever == all { Ok(()) } else { Err("the sums in kinds are not those of the days".to_owned()) })
}

/// Compares the newest day in the two widths that limits are judged by: what an agent's question can wait for.
fn newest_agrees(conn: &Connection) -> Result<std::result::Result<(), String>> {
    let mut newest = conn.prepare_cached("SELECT day, sums FROM rollup_days ORDER BY day DESC LIMIT 1")?;
    let mut found = newest.query([])?;
    let Some(row) = found.next()? else { return Ok(Err("there are calls, and no sums of them".to_owned())) };
    let mut of_days = Day::default();
    of_days.add(row.get_ref(1)?.as_blob()?)?;
    let of_kinds = day_of(conn, "SELECT sums FROM rollup_kinds WHERE day >= ?", row.get(0)?)?;
    let agree = of_days.quarters == of_kinds.quarters;
    Ok(if agree { Ok(()) } else { Err("the sums of the newest day do not agree with each other".to_owned()) })
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

/// The sums of one day, by quarter hour.
#[derive(Default)]
struct Day {
    /// As many as there are up to the last one with any.
    quarters: Vec<Sums>,
    /// How many entries they were added up from.
    entries: usize,
}

impl Day {
    fn add(&mut self, packed: &[u8]) -> Result<()> {
        for entry in rollup::entries(packed) {
            let (quarter, sums) = entry?;
            let quarter = usize::from(quarter);
            if self.quarters.len() <= quarter {
                self.quarters.resize(quarter + 1, Sums::default());
            }
            self.quarters[quarter].add(&sums);
            self.entries += 1;
        }
        Ok(())
    }
}

fn day_of(conn: &Connection, select: &str, day: i64) -> Result<Day> {
    let mut sums = Day::default();
    let mut select = conn.prepare_cached(select)?;
    let mut found = select.query([day])?;
    while let Some(row) = found.next()? {
        sums.add(row.get_ref(0)?.as_blob()?)?;
    }
    Ok(sums)
}
