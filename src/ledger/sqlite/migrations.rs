//! Migrations from older schemas.

use rusqlite::{Connection, Result, TransactionBehavior};

use super::facts::{self, FACTS};
use super::schema::{DROP_VIEW, WITH_BRANCHES, keep_readable, version};
use super::{bill_index, migrate_gemini, migrate_wide_rows, rollup_delta};

/// One migration, from the previous schema.
pub(super) struct Migration {
    pub(super) to: i64,
    pub(super) sql: &'static str,
    /// Code to run after the SQL.
    pub(super) fill: fn(&Connection) -> Result<()>,
}

/// All migrations, oldest first. Schema 1 is the oldest schema.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        to: 2,
        sql: "ALTER TABLE kinds ADD COLUMN sums BLOB;
CREATE TABLE rollup_days(day INTEGER PRIMARY KEY, sums BLOB NOT NULL) STRICT;
CREATE INDEX sessions_first ON sessions(first);",
        fill: rollup_delta::sum_up,
    },
    Migration { to: 3, sql: migrate_wide_rows::MAKE_ROOM, fill: migrate_wide_rows::narrow },
    // Read transcripts again: earlier versions ignored the copy marks in forks, and session bills.
    Migration { to: 4, sql: UNCHECKED, fill: |conn| conn.execute_batch(BILLS_WITHOUT_TOTALS) },
    Migration { to: 5, sql: TOTALS, fill: bill_index::fill },
    Migration { to: 6, sql: FACTS, fill: facts::take_alerts },
    Migration { to: 7, sql: WITH_BRANCHES, fill: |_| Ok(()) },
    Migration { to: 8, sql: DROP_VIEW, fill: keep_readable },
    // Telemetry rows are not in the index by alias, so earlier versions would mistake them for rows of other logs.
    Migration { to: 9, sql: "", fill: migrate_gemini::rekey },
];

/// Marks the calls of transcripts as [`crate::domain::Claim::Unchecked`], which is 4 << 16 in a
/// [charge](super::row_mapping::charge), and removes the checkpoints of transcripts.
const UNCHECKED: &str = "CREATE TEMP TABLE transcripts AS SELECT s.id FROM sessions s JOIN kinds k ON k.id = s.kind
  JOIN labels l ON l.id = k.source WHERE l.name = 'claude-code';
UPDATE calls SET body = json_set(body, '$[9]', (body ->> 9) | 262144)
  WHERE session IN transcripts AND (body ->> 9) >> 16 = 0;
UPDATE apart SET body = json_set(body, '$[9]', (body ->> 9) | 262144)
  WHERE session IN transcripts AND (body ->> 9) >> 16 = 0;
DROP TABLE transcripts;
DELETE FROM files WHERE reader LIKE '%\"claude-code\"%';";

/// Session bills in schema 4.
const BILLS_WITHOUT_TOTALS: &str = "CREATE TABLE bills(
  session INTEGER NOT NULL, id BLOB NOT NULL, counter INTEGER, body TEXT NOT NULL, PRIMARY KEY(session, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE spent(
  session INTEGER NOT NULL, model INTEGER NOT NULL, sums TEXT NOT NULL, PRIMARY KEY(session, model)
) STRICT, WITHOUT ROWID;
";
/// Columns added since then.
const TOTALS: &str = "ALTER TABLE bills ADD COLUMN total INTEGER; ALTER TABLE bills ADD COLUMN rest INTEGER;";

/// Runs the missing migrations in one transaction, calling `step` before each.
pub(super) fn migrate(conn: &mut Connection, steps: &[Migration], step: &dyn Fn(&'static str)) -> Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in steps {
        if version(&transaction)? < migration.to {
            step("migrate");
            transaction.execute_batch(migration.sql)?;
            (migration.fill)(&transaction)?;
            transaction.pragma_update(None, "user_version", migration.to)?;
        }
    }
    step("commit migration");
    transaction.commit()
}
