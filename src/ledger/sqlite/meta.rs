//! The table of single numbers.

use rusqlite::{Connection, OptionalExtension, Result};

/// A number in `meta`.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}
