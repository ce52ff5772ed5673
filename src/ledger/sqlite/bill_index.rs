//! Finds stored bills by their totals, and by what their runs took over from other sessions' totals.

use rusqlite::{Connection, Result};

use super::bill::parsed;
use super::working_set::WorkingSet;
use crate::domain::Bill;
use crate::ledger::account::NEAREST;
use crate::ledger::inherited::{Whole, before, total};

/// A bill's values of the columns `total` and `rest`: equal for equal counts.
pub(super) fn columns(bill: &Bill) -> [Option<i64>; 2] {
    [total(bill), before(bill)].map(|whole| whole.map(number))
}

fn number(whole: Whole) -> i64 {
    xxhash_rust::xxh3::xxh3_64(&whole.map(u64::to_le_bytes).concat()).cast_signed()
}

/// Fills the columns of bills that an older schema stored. Bills that cannot be read are left to the check of the ledger.
pub(super) fn fill(conn: &Connection) -> Result<()> {
    let mut select = conn.prepare("SELECT session, id, body FROM bills")?;
    let found = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let all: Vec<(i64, Vec<u8>, String)> = found.collect::<Result<_>>()?;
    let mut update = conn.prepare("UPDATE bills SET total = ?3, rest = ?4 WHERE session = ?1 AND id = ?2")?;
    for (session, id, body) in all {
        if let Ok(bill) = parsed(&body) {
            let [total, rest] = columns(&bill);
            update.execute((session, id, total, rest))?;
        }
    }
    Ok(())
}

impl WorkingSet {
    /// Loads the statements that a bill may have inherited from.
    pub(super) fn fetch_parents(&mut self, conn: &Connection, bill: &Bill) -> Result<()> {
        let Some(whole) = before(bill).filter(|whole| self.parents.insert(*whole)) else { return Ok(()) };
        // One more than are looked at.
        let most = i64::try_from(NEAREST + 1).unwrap_or(i64::MAX);
        let mut select = conn.prepare_cached("SELECT session, body FROM bills WHERE total = ? LIMIT ?")?;
        let found: Vec<(i64, String)> =
            select.query_map((number(whole), most), |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
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
        let sessions: Vec<i64> = select.query_map([number(whole)], |row| row.get(0))?.collect::<Result<_>>()?;
        for session in sessions {
            let session = self.ids.known_label(conn, &mut self.core.names, session)?;
            self.account(conn, session)?;
        }
        Ok(())
    }
}
