//! Columns and indexes that find stored bills by their total, and by the amount that a run inherited from another
//! session.

use rusqlite::{Connection, Result};

use super::row_codec::damaged;
use crate::domain::Bill;
use crate::ledger::bill_json::Written;
use crate::ledger::inherited::{Whole, before, total};

/// Indexes of bills, created with the first bill, because most ledgers have none.
const INDEX_BILLS: &str = "CREATE INDEX IF NOT EXISTS bills_counter ON bills(counter) WHERE counter IS NOT NULL;
CREATE INDEX IF NOT EXISTS bills_total ON bills(total) WHERE total IS NOT NULL;
CREATE INDEX IF NOT EXISTS bills_rest ON bills(rest) WHERE rest IS NOT NULL;";

/// A bill's values for the columns `total` and `rest`. Equal counts give equal values.
pub(super) fn columns(bill: &Bill) -> [Option<i64>; 2] {
    [total(bill), before(bill)].map(|whole| whole.map(number))
}

/// Hashes a total to a number.
pub(super) fn number(whole: Whole) -> i64 {
    xxhash_rust::xxh3::xxh3_64(&whole.map(u64::to_le_bytes).concat()).cast_signed()
}

/// Creates the indexes of bills, unless there are bills already.
pub(super) fn create(conn: &Connection) -> Result<()> {
    if conn.prepare_cached("SELECT 1 FROM bills LIMIT 1")?.exists([])? {
        Ok(())
    } else {
        conn.execute_batch(INDEX_BILLS)
    }
}

/// Fills these columns for bills stored by an older schema. Bills that cannot be read are left for the ledger check to
/// report.
pub(super) fn fill(conn: &Connection) -> Result<()> {
    conn.execute_batch(INDEX_BILLS)?;
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

/// Parses the bill in this column.
pub(super) fn parsed(body: &str) -> Result<Bill> {
    let written: Written = serde_json::from_str(body).map_err(|_| damaged("a bill"))?;
    written.bill().map_err(|_| damaged("a bill"))
}
