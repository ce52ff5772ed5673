//! Consistency check on opening, cheap enough for a status line. Detects corruption and writes by other programs.
//!
//! The four levels of sums must agree with each other. In a small ledger, all sums are compared with the rows. In a
//! large one, only the newest days are compared, as many as the budget allows, because those are queried most.
//! `ledger verify` compares everything.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Connection, Result};

use super::rollup;
use super::store::WorkingSet;
use crate::ledger::Sums;
use crate::ledger::maintenance::{Findings, compare_sums};
use crate::ledger::store::Stored;

/// Ledgers with at most this many calls are fully compared with their rows.
const FEW_CALLS: i64 = 300;

/// Checks at most `budget` sums. The inner error describes the inconsistency.
pub(super) fn quick_check(conn: &Connection, budget: usize) -> Stored<std::result::Result<(), String>> {
    let _snapshot = conn.unchecked_transaction()?;
    let mut many = conn.prepare_cached("SELECT 1 FROM calls LIMIT 1 OFFSET ?")?;
    if !many.exists([FEW_CALLS])? {
        let mut findings = Findings::default();
        compare_sums(conn, &mut WorkingSet::default(), &mut findings)?;
        return Ok(findings.problems.pop().map_or(Ok(()), Err));
    }
    Ok(if budget <= 1 { newest_agrees(conn)? } else { levels_agree(conn, budget)? })
}

/// Compares the levels with each other, newest day first, until the budget is used up.
fn levels_agree(conn: &Connection, budget: usize) -> Result<std::result::Result<(), String>> {
    let mut statements = Vec::new();
    for table in ["rollup_days", "rollup_kinds", "rollup"] {
        statements.push(conn.prepare_cached(&format!("SELECT day, sums FROM {table} ORDER BY day DESC"))?);
    }
    let mut widths = Vec::new();
    for statement in &mut statements {
        widths.push(Width::new(statement.query([])?)?);
    }
    let (mut all, mut left) = (Sums::default(), budget);
    while let Some(number) = widths.iter().filter_map(|width| width.next).max() {
        let mut days: [Day; 3] = Default::default();
        for (width, day) in widths.iter_mut().zip(&mut days) {
            left = left.saturating_sub(width.day(number, day)?);
        }
        if days.iter().any(|day| *day != days[0]) {
            return Ok(Err(format!("the sums of day {number} do not agree with each other")));
        }
        all.add(&days[0].sums);
        if left == 0 {
            return Ok(Ok(()));
        }
    }
    // Once all days have been compared, the all-time sums must agree too, and must exist if there are calls.
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

/// Compares the newest day on the two levels used for limits. Fast enough for a hook.
fn newest_agrees(conn: &Connection) -> Result<std::result::Result<(), String>> {
    let mut newest = conn.prepare_cached("SELECT day, sums FROM rollup_days ORDER BY day DESC LIMIT 1")?;
    let mut found = newest.query([])?;
    let Some(row) = found.next()? else { return Ok(Err("there are calls, and no sums of them".to_owned())) };
    let mut of_days = Day::default();
    of_days.add(row.get_ref(1)?.as_blob()?)?;
    let of_kinds = day_of(conn, "SELECT sums FROM rollup_kinds WHERE day >= ?", row.get(0)?)?;
    let agree = of_days == of_kinds;
    Ok(if agree { Ok(()) } else { Err("the sums of the newest day do not agree with each other".to_owned()) })
}

/// Sums of one level, newest day first.
struct Width<'s> {
    rows: rusqlite::Rows<'s>,
    /// Day of the next row.
    next: Option<i64>,
}

impl<'s> Width<'s> {
    fn new(rows: rusqlite::Rows<'s>) -> Result<Self> {
        let mut width = Self { rows, next: None };
        width.advance()?;
        Ok(width)
    }

    /// Adds up this day if it is the next one. Returns the number of sums.
    fn day(&mut self, day: i64, sums: &mut Day) -> Result<usize> {
        let mut entries = 0;
        while self.next == Some(day)
            && let Some(row) = self.rows.get()
        {
            entries += sums.add(row.get_ref(1)?.as_blob()?)?;
            self.advance()?;
        }
        Ok(entries)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = self.rows.next()?.map(|row| row.get(0)).transpose()?;
        Ok(())
    }
}

/// Sums of one day. Consistent levels give equal sums.
#[derive(Default, PartialEq, Eq)]
struct Day {
    sums: Sums,
    /// Calls weighted by quarter hour, which detects calls in the wrong quarter.
    weighted: u64,
}

impl Day {
    /// Adds the packed sums of one row. Returns how many there are.
    fn add(&mut self, packed: &[u8]) -> Result<usize> {
        let mut entries = 0;
        for entry in rollup::entries(packed) {
            let (quarter, sums) = entry?;
            self.weighted = self.weighted.wrapping_add(sums.calls.wrapping_mul(u64::from(quarter) + 1));
            self.sums.add(&sums);
            entries += 1;
        }
        Ok(entries)
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
