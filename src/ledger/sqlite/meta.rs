//! The table of single values.

use rusqlite::{Connection, OptionalExtension, Result};

use crate::domain::Instant;

/// A number stored in `meta`.
pub(super) fn meta(conn: &Connection, name: &str) -> Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}

/// The time before which calls were pruned.
pub(super) fn horizon(conn: &Connection) -> Result<Option<Instant>> {
    Ok(match (meta(conn, "horizon")?, meta(conn, "horizon_ns")?) {
        (Some(second), Some(ns)) => Instant::from_timestamp(second, u32::try_from(ns).unwrap_or(0)),
        (_, _) => None,
    })
}
