//! Inserts rows into the tables.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Error, Result, Statement, ToSql};
use rustc_hash::FxHashSet;

use super::id_map::Ids;
use super::row_codec::{Body, RareFields, damaged};
use super::row_mapping::{ENDS_TURN, OWN_ALIAS, charge, of_key, slots};
use crate::domain::{CallKey, Usd};
use crate::ledger::compact_row::{CompactRow, RowCost};
use crate::ledger::interner::{Interner, NONE};

/// Columns that most rows set.
const USUAL: &str = "id, hash, rest, session, price, lineage, body, alias";
/// Column that few rows set.
const RARE: &str = "rare";

/// Rows per statement in bulk inserts, which share the overhead of a statement.
const TOGETHER: usize = 8;

/// Inserts rows into `calls` or `apart`.
pub(super) struct Inserter<'a> {
    conn: &'a Connection,
    table: &'a str,
    usual: CachedStatement<'a>,
    whole: CachedStatement<'a>,
    taken: CachedStatement<'a>,
    text: Vec<u8>,
}

impl<'a> Inserter<'a> {
    pub(super) fn new(conn: &'a Connection, table: &'a str) -> Result<Self> {
        let usual = insert(conn, table, USUAL, 1)?;
        let whole = insert(conn, table, &format!("{USUAL}, {RARE}"), 1)?;
        let taken = conn.prepare_cached(&format!("SELECT 1 FROM {table} WHERE id = ?"))?;
        Ok(Self { conn, table, usual, whole, taken, text: Vec::new() })
    }

    /// Inserts many rows into a table whose ids are all in `taken`, and adds the new ids to it.
    pub(super) fn fill(
        &mut self,
        rows: &[&CompactRow],
        taken: &mut FxHashSet<i64>,
        ids: &mut Ids,
        names: &mut Interner,
    ) -> Result<()> {
        let mut several = insert(self.conn, self.table, USUAL, TOGETHER)?;
        let (mut rest, mut waiting) = (Vec::new(), Vec::with_capacity(TOGETHER));
        for row in rows {
            let id = slots(row).find(|id| taken.insert(*id)).ok_or_else(crowded)?;
            if is_usual(row) {
                waiting.push((id, *row));
            } else {
                rest.push((id, *row));
            }
            if waiting.len() == TOGETHER {
                let mut first = 1;
                for (id, row) in waiting.drain(..) {
                    first = bind_usual(&mut several, first, id, row, (self.conn, ids, names), &mut self.text)?;
                }
                if several.raw_execute()? != TOGETHER {
                    return Err(damaged("one call is booked twice"));
                }
            }
        }
        rest.append(&mut waiting);
        rest.into_iter().try_for_each(|(id, row)| self.insert_at([id], row, ids, names))
    }

    pub(super) fn insert(&mut self, row: &CompactRow, ids: &mut Ids, names: &mut Interner) -> Result<()> {
        self.insert_at(slots(row), row, ids, names)
    }

    /// Inserts a row under the first of these ids that is free.
    fn insert_at(
        &mut self,
        places: impl IntoIterator<Item = i64>,
        row: &CompactRow,
        ids: &mut Ids,
        names: &mut Interner,
    ) -> Result<()> {
        let statement = if is_usual(row) { &mut self.usual } else { &mut self.whole };
        let next = bind_usual(statement, 1, 0, row, (self.conn, ids, names), &mut self.text)?;
        if !is_usual(row) {
            bind_rare(statement, next, row, (self.conn, ids, names), &mut self.text)?;
        }
        for id in places {
            statement.raw_bind_parameter(1, id)?;
            if statement.raw_execute()? == 1 {
                return Ok(());
            }
            if !self.taken.exists([id])? {
                return Err(damaged("one call is booked twice"));
            }
        }
        Err(crowded())
    }
}

/// A statement that inserts this many rows, skipping those whose id is taken.
fn insert<'a>(conn: &'a Connection, table: &str, columns: &str, rows: usize) -> Result<CachedStatement<'a>> {
    let marks = format!("({})", vec!["?"; columns.split(',').count()].join(", "));
    let marks = vec![marks; rows].join(", ");
    conn.prepare_cached(&format!("INSERT OR IGNORE INTO {table}({columns}) VALUES{marks}"))
}

fn crowded() -> Error {
    damaged("more than a million calls in one second")
}

fn is_usual(row: &CompactRow) -> bool {
    row.rare.is_none() && (row.web_searches, row.machine, row.folder) == (0, NONE, NONE)
}

/// Needed to look up the id of a label.
type Numbers<'a> = (&'a Connection, &'a mut Ids, &'a mut Interner);

/// Binds the columns that every row has, starting at parameter `first`. Returns the next parameter. `text` is a scratch
/// buffer.
fn bind_usual(
    statement: &mut Statement<'_>,
    first: usize,
    id: i64,
    row: &CompactRow,
    (conn, ids, names): Numbers<'_>,
    text: &mut Vec<u8>,
) -> Result<usize> {
    let (usd, saved, price) = match row.cost {
        RowCost::Pending | RowCost::Unpriced => (None, None, None),
        RowCost::Quoted(usd) => (Some(usd.pico()), None, None),
        RowCost::Priced { usd, saved, price, .. } => {
            (Some(usd.pico()), Some(saved.pico()), Some(ids.price(conn, names, price)?))
        }
    };
    let body = Body {
        ns: row.at.timestamp_subsec_nanos(),
        tokens: row.tokens,
        usd,
        saved,
        charge: charge(row.tier, row.fidelity, row.claim, matches!(row.cost, RowCost::Priced { is_guessed: true, .. }))
            | if row.alias == Some(row.key) { OWN_ALIAS } else { 0 }
            | if row.ends_turn { ENDS_TURN } else { 0 },
        path: ids.label(conn, names, row.path)?,
        offset: row.offset,
    };
    text.clear();
    body.write(text);
    let [hash, rest] = of_key(row.key);
    statement.raw_bind_parameter(first, id)?;
    statement.raw_bind_parameter(first + 1, hash)?;
    statement.raw_bind_parameter(first + 2, rest)?;
    statement.raw_bind_parameter(first + 3, ids.session(conn, names, row.set)?)?;
    statement.raw_bind_parameter(first + 4, price)?;
    statement.raw_bind_parameter(first + 5, ids.optional(conn, names, row.lineage)?)?;
    statement.raw_bind_parameter(first + 6, Json(text))?;
    let alias = row.alias.filter(|alias| *alias != row.key);
    statement.raw_bind_parameter(first + 7, alias.map(CallKey::bytes))?;
    Ok(first + 8)
}

/// Binds the columns that few rows set.
fn bind_rare(
    statement: &mut Statement<'_>,
    at: usize,
    row: &CompactRow,
    (conn, ids, names): Numbers<'_>,
    text: &mut Vec<u8>,
) -> Result<()> {
    let rare = row.rare.as_deref();
    let tail = RareFields {
        web_searches: row.web_searches,
        quoted: rare.and_then(|rare| rare.quoted).map(Usd::pico),
        latency: rare.and_then(|rare| rare.latency).map(|latency| latency.as_nanos().cast_signed()),
        machine: ids.label(conn, names, row.machine)?,
        parts: row.parts(),
        folder: ids.label(conn, names, row.folder)?,
    };
    text.clear();
    tail.write(text);
    statement.raw_bind_parameter(at, Json(text))
}

/// JSON text as a parameter.
struct Json<'a>(&'a [u8]);

impl ToSql for Json<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}
