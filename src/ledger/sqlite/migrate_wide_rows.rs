//! Migrates schemas before 3, which had one column per field.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, Result, Row, params};

use super::row_codec::{Body, RareFields};
use super::row_mapping::of_key;
use super::schema::{COLUMNS, INDEX, INDEX_ALIAS, ROWS};
use crate::domain::{CallKey, Parts, Tokens};

/// Renames the old tables and drops anything that would clash with the new names.
pub(super) const MAKE_ROOM: &str = "DROP VIEW readable;
DROP INDEX calls_hash;
DROP INDEX apart_hash;
DROP INDEX calls_lineage;
DROP INDEX IF EXISTS calls_alias;
DROP INDEX IF EXISTS apart_alias;
DROP INDEX IF EXISTS apart_lineage;
ALTER TABLE calls RENAME TO wide_calls;
ALTER TABLE apart RENAME TO wide_apart;";

/// Copies every row of the old tables into the new ones.
pub(super) fn narrow(conn: &Connection) -> Result<()> {
    conn.execute_batch(ROWS)?;
    for table in ["calls", "apart"] {
        let mut insert = conn.prepare(&format!("INSERT INTO {table}({COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"))?;
        let mut select = conn.prepare(&format!(
            "SELECT id, key, session, price, lineage, alias, ns, input, cache_read, cache_write_5m, cache_write_1h,
             output, reasoning, usd, saved, charge, path, offset, web_searches, quoted, latency, machine
             FROM wide_{table} ORDER BY id"
        ))?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let [hash, rest] = of_key(CallKey::from_bytes(row.get(1)?));
            let (session, price, lineage): (i64, Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?, row.get(4)?);
            let (body, rare) = texts(row)?;
            let (id, alias): (i64, Option<[u8; 16]>) = (row.get(0)?, row.get(5)?);
            insert.execute(params![id, hash, rest, session, price, lineage, body, alias, rare])?;
        }
    }
    conn.execute_batch("DROP TABLE wide_calls; DROP TABLE wide_apart;")?;
    conn.execute_batch(INDEX)?;
    if super::meta::meta(conn, "telemetry")?.is_some() {
        conn.execute_batch(INDEX_ALIAS)?;
    }
    Ok(())
}

/// The values for the row's `body` and `rare` columns.
fn texts(row: &Row<'_>) -> Result<(String, Option<String>)> {
    let mut fields = [0; 6];
    for (at, field) in fields.iter_mut().enumerate() {
        *field = row.get::<_, i64>(7 + at)?.cast_unsigned();
    }
    let wide = |at: usize| row.get::<_, Option<Wide>>(at).map(|number| number.map(|Wide(number)| number));
    let body = Body {
        ns: row.get(6)?,
        tokens: Tokens::from_fields(fields),
        usd: wide(13)?,
        saved: wide(14)?,
        charge: row.get(15)?,
        path: row.get::<_, Option<i64>>(16)?.unwrap_or(0),
        offset: row.get::<_, i64>(17)?.cast_unsigned(),
    };
    let tail = RareFields {
        web_searches: row.get(18)?,
        quoted: wide(19)?,
        latency: wide(20)?,
        machine: row.get::<_, Option<i64>>(21)?.unwrap_or(0),
        parts: Parts::NONE,
        folder: 0,
    };
    let text = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut text = Vec::new();
        write(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    let rare = (tail != RareFields::default()).then(|| text(&|out| tail.write(out)));
    Ok((text(&|out| body.write(out)), rare))
}

/// A number stored as an integer if it fits, or else as sixteen big-endian bytes.
struct Wide(i128);

impl FromSql for Wide {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => Ok(Self(number.into())),
            ValueRef::Blob(bytes) => {
                bytes.try_into().map(|bytes| Self(i128::from_be_bytes(bytes))).map_err(|_| FromSqlError::InvalidType)
            }
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) => Err(FromSqlError::InvalidType),
        }
    }
}
