//! Tables and migrations.

use rusqlite::{Connection, Result, TransactionBehavior};

use super::facts::FACTS;

pub(super) const KNOWN: i64 = 9;
/// SQLite application id of a ledger.
const APPLICATION: i64 = 0x746f_6b6d;

/// Session bills (see bill.rs), and sums of the calls of those sessions, including pruned ones. `total` and `rest` are
/// hashes of a bill's total and of the amount that a run inherited from another session (see `bill_index.rs`).
const BILLS: &str = "CREATE TABLE bills(
  session INTEGER NOT NULL, id BLOB NOT NULL, counter INTEGER, body TEXT NOT NULL, total INTEGER, rest INTEGER,
  PRIMARY KEY(session, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE spent(
  session INTEGER NOT NULL, model INTEGER NOT NULL, sums TEXT NOT NULL, PRIMARY KEY(session, model)
) STRICT, WITHOUT ROWID;
";

/// Columns of a row; the same in `calls` and `apart`.
pub(super) const COLUMNS: &str = "id, hash, rest, session, price, lineage, body, alias, rare";

/// Condition that selects the row with a key, see [`super::row_mapping::of_key`].
pub(super) const OF_KEY: &str = "hash = ?1 AND rest = ?2";

/// Columns of both row tables. `id` is the call's second times 2²⁰ plus some bits of its key, so rows are stored in
/// order of time and a time span is a range of ids. `hash` and `rest` are the halves of the key. `alias` is null if it
/// equals the key, which a bit in the body then says. Fields that are never searched by have no column, see
/// `row_codec.rs`.
macro_rules! rows {
    ($table:literal) => {
        concat!(
            "CREATE TABLE ",
            $table,
            "(
  id      INTEGER PRIMARY KEY,
  hash    INTEGER NOT NULL,
  rest    INTEGER NOT NULL,
  session INTEGER NOT NULL,
  price   INTEGER,
  lineage INTEGER,
  body    TEXT    NOT NULL,
  alias   BLOB,
  rare    TEXT
) STRICT;
"
        )
    };
}

/// The name of [`READABLE`] in `meta`.
const READABLE_NAME: &str = "readable";

/// A query for people with a SQLite shell that shows every call in readable form. It is stored as text because a view
/// would be parsed whenever the ledger is opened, which takes a sixteenth of the time of `statusline`.
const READABLE: &str = "SELECT
  format('%016x%016x', c.hash, c.rest) AS key, datetime(c.id >> 20, 'unixepoch') AS at,
  (SELECT name FROM labels WHERE id = k.model) AS model,
  (SELECT name FROM labels WHERE id = s.session) AS session, (SELECT name FROM labels WHERE id = s.agent) AS agent,
  (SELECT name FROM labels WHERE id = s.branch) AS branch,
  (SELECT name FROM labels WHERE id = k.project) AS project, (SELECT name FROM labels WHERE id = k.user) AS user,
  c.body ->> 1 AS input, c.body ->> 2 AS cache_read, c.body ->> 3 AS cache_write_5m, c.body ->> 4 AS cache_write_1h,
  c.body ->> 5 AS output, c.body ->> 6 AS reasoning, (c.body ->> 7) / 1e12 AS about_usd,
  (SELECT name FROM prices WHERE id = c.price) AS price
  FROM calls c JOIN sessions s ON s.id = c.session JOIN kinds k ON k.id = s.kind";

/// Drops the view that schemas before 8 had in place of [`READABLE`].
pub(super) const DROP_VIEW: &str = "DROP VIEW IF EXISTS readable;";

/// Stores [`READABLE`].
pub(super) fn keep_readable(conn: &Connection) -> Result<()> {
    conn.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", [READABLE_NAME, READABLE]).map(drop)
}

/// The row tables.
pub(super) const ROWS: &str = concat!(
    rows!("calls"),
    rows!("apart"),
    "CREATE INDEX apart_hash ON apart(hash);
CREATE INDEX calls_lineage ON calls(lineage) WHERE lineage IS NOT NULL;
"
);

/// Everything in a new ledger except [`ROWS`], [`INDEX`] and [`INDEX_BOUNDS`].
pub(super) const CREATE: &str = "CREATE TABLE meta(name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE labels(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- Ids of prices, referred to by calls.price.
CREATE TABLE prices(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- Every combination of values that calls of any session share, and the sums of all of them (null when there are
-- none). 0 is no value.
CREATE TABLE kinds(
  id INTEGER PRIMARY KEY, model INTEGER NOT NULL, source INTEGER NOT NULL, user INTEGER NOT NULL,
  project INTEGER NOT NULL, team INTEGER NOT NULL, feature INTEGER NOT NULL, org INTEGER NOT NULL, sums BLOB,
  UNIQUE(model, source, user, project, team, feature, org)
) STRICT;
-- Every session, by its sub-agents, branches and kinds of calls, with its first and its last call (null when all were
-- pruned).
CREATE TABLE sessions(
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, session INTEGER NOT NULL, agent INTEGER NOT NULL,
  branch INTEGER NOT NULL, first INTEGER, first_ns INTEGER, last INTEGER, last_ns INTEGER,
  UNIQUE(session, agent, kind, branch)
) STRICT;
-- Sums by UTC day: quarter hours within it, packed (see rollup.rs). By session, by kind alone, and of all calls.
CREATE TABLE rollup(
  day INTEGER NOT NULL, of INTEGER NOT NULL, sums BLOB NOT NULL, PRIMARY KEY(day, of)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollup_kinds(
  day INTEGER NOT NULL, of INTEGER NOT NULL, sums BLOB NOT NULL, PRIMARY KEY(day, of)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollup_days(day INTEGER PRIMARY KEY, sums BLOB NOT NULL) STRICT;
CREATE TABLE lineage(child INTEGER NOT NULL, parent INTEGER NOT NULL, PRIMARY KEY(child, parent)) STRICT, WITHOUT ROWID;
CREATE TABLE files(
  path BLOB PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, offset INTEGER NOT NULL,
  size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, head_hash INTEGER NOT NULL, head_len INTEGER NOT NULL,
  tail_hash INTEGER NOT NULL, reader TEXT NOT NULL, lines INTEGER NOT NULL, bad_lines INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Adds branches to the sessions of schema 6. A new table is needed because unique columns cannot be changed.
pub(super) const WITH_BRANCHES: &str = "CREATE TABLE sessions_by_branch(
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, session INTEGER NOT NULL, agent INTEGER NOT NULL,
  branch INTEGER NOT NULL, first INTEGER, first_ns INTEGER, last INTEGER, last_ns INTEGER,
  UNIQUE(session, agent, kind, branch)
) STRICT;
INSERT INTO sessions_by_branch
  SELECT id, kind, session, agent, 0, first, first_ns, last, last_ns FROM sessions;
DROP VIEW IF EXISTS readable;
DROP TABLE sessions;
ALTER TABLE sessions_by_branch RENAME TO sessions;
CREATE INDEX sessions_first ON sessions(first);
CREATE INDEX sessions_last ON sessions(last);
";

/// Index by key. Separate, because bulk inserts build it afterwards.
pub(super) const INDEX: &str = "CREATE INDEX calls_hash ON calls(hash)";
/// Drops it.
pub(super) const DROP_INDEX: &str = "DROP INDEX calls_hash";

/// Indexes of sessions by first and last call.
pub(super) const INDEX_BOUNDS: &str = "CREATE INDEX sessions_first ON sessions(first);
CREATE INDEX sessions_last ON sessions(last);";
/// Drops them.
pub(super) const DROP_BOUNDS: &str = "DROP INDEX sessions_first; DROP INDEX sessions_last;";

/// Index by alias, created when telemetry is first read.
pub(super) const INDEX_ALIAS: &str = "CREATE INDEX IF NOT EXISTS calls_alias ON calls(alias) WHERE alias IS NOT NULL;
CREATE INDEX IF NOT EXISTS apart_alias ON apart(alias) WHERE alias IS NOT NULL;
CREATE INDEX IF NOT EXISTS apart_lineage ON apart(lineage) WHERE lineage IS NOT NULL;";

/// Schema version of an open database; 0 if it is empty.
pub(super) fn version(conn: &Connection) -> Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// True when the database has another program's tables.
pub(super) fn is_foreign(conn: &Connection) -> Result<bool> {
    // In this order: another process may create the ledger in between, with its tables and its id in one transaction.
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let id: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(tables > 0 && id != APPLICATION)
}

/// Creates the tables of a new ledger, unless another process just did.
pub(super) fn create(conn: &mut Connection) -> Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&transaction)? == 0 {
        transaction.execute_batch(CREATE)?;
        transaction.execute_batch(ROWS)?;
        transaction.execute_batch(BILLS)?;
        transaction.execute_batch(FACTS)?;
        transaction.execute_batch(INDEX)?;
        transaction.execute_batch(INDEX_BOUNDS)?;
        transaction.execute("INSERT INTO meta VALUES('machine', lower(hex(randomblob(8))))", [])?;
        keep_readable(&transaction)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", KNOWN)?;
    }
    transaction.commit()
}
