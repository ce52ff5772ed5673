//! The table of facts: alerts, warnings, overrides, held amounts, restored sessions.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::domain::{Instant, sort_by};
use crate::ledger::{DELIVERED, Fact, FactKind};

/// Creates the table.
pub(super) const FACTS: &str = "CREATE TABLE facts(
  space TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(space, key)
) STRICT, WITHOUT ROWID;
";

/// Migrates the table `alerts`, in which everything was part of the name: `override:` and `revoked:` followed by
/// session, reason and turn, `hook:` followed by session and alert, or just an alert.
pub(super) fn take_alerts(conn: &Connection) -> Result<()> {
    let mut overrides: Vec<(String, u32, i64, String)> = Vec::new();
    let mut select = conn.prepare("SELECT id, fired FROM alerts")?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        let (id, fired): (String, i64) = (row.get(0)?, row.get(1)?);
        let kind = id.split_once(':').filter(|(kind, _)| ["override", "revoked", "hook"].contains(kind));
        match kind {
            None => put(conn, FactKind::Alert, &id, &fact_of(fired, DELIVERED))?,
            Some(("hook", name)) => put(conn, FactKind::Warning, name, &fact_of(fired, ""))?,
            Some((kind, name)) => {
                let mut parts = name.split('\t').map(str::to_owned);
                let (session, reason) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let turn = parts.next().and_then(|turn| turn.parse().ok()).unwrap_or(0);
                let value = if kind == "override" { format!("lifted\t{reason}") } else { "revoked".to_owned() };
                overrides.push((session, turn, fired, value));
            }
        }
    }
    // Early versions stored no turn.
    sort_by(&mut overrides, Ord::cmp);
    for of_session in overrides.chunk_by(|one, other| one.0 == other.0) {
        for (turn, (session, _, fired, value)) in of_session.iter().enumerate() {
            put(conn, FactKind::Override, &format!("{session}\t{turn:06}"), &fact_of(*fired, value))?;
        }
    }
    drop(found);
    drop(select);
    conn.execute_batch("DROP TABLE alerts")
}

fn fact_of(fired: i64, value: &str) -> Fact {
    Fact { at: Instant::from_timestamp(fired, 0).unwrap_or_default(), value: value.to_owned() }
}

/// The value of a key.
pub(super) fn read(conn: &Connection, space: FactKind, key: &str) -> Result<Option<Fact>> {
    let mut select = conn.prepare_cached("SELECT at, value FROM facts WHERE space = ? AND key = ?")?;
    select.query_row([space.name(), key], |row| fact(row, 0)).optional()
}

/// Writes the value of a key.
pub(super) fn put(conn: &Connection, space: FactKind, key: &str, fact: &Fact) -> Result<()> {
    let put = "INSERT OR REPLACE INTO facts VALUES(?, ?, ?, ?)";
    conn.prepare_cached(put)?.execute(params![space.name(), key, fact.at.timestamp(), fact.value]).map(drop)
}

/// Removes a key.
pub(super) fn remove(conn: &Connection, space: FactKind, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM facts WHERE space = ? AND key = ?")?.execute([space.name(), key]).map(drop)
}

/// Every value whose key has this prefix, sorted by key.
pub(super) fn with_prefix(conn: &Connection, space: FactKind, prefix: &str) -> Result<Vec<(String, Fact)>> {
    // Keys with the same prefix are adjacent in key order. A condition for the end would make the statement slower to
    // compile, at every start.
    let mut select =
        conn.prepare_cached("SELECT key, at, value FROM facts WHERE space = ? AND key >= ? ORDER BY key")?;
    let (mut found, mut facts) = (select.query([space.name(), prefix])?, Vec::new());
    while let Some(row) = found.next()? {
        let key = row.get_ref(0)?.as_str()?;
        if !key.starts_with(prefix) {
            break;
        }
        facts.push((key.to_owned(), fact(row, 1)?));
    }
    Ok(facts)
}

/// Copies every readable fact of a damaged ledger. Stops at the first error, because later data is unreliable.
pub(super) fn salvage(old: &Connection, conn: &Connection) -> Result<()> {
    for space in FactKind::ALL {
        for (key, fact) in readable(old, space) {
            if read(conn, space, &key)?.is_none() {
                put(conn, space, &key, &fact)?;
            }
        }
    }
    Ok(())
}

fn readable(old: &Connection, space: FactKind) -> Vec<(String, Fact)> {
    let Ok(mut select) = old.prepare("SELECT key, at, value FROM facts WHERE space = ?") else { return Vec::new() };
    let Ok(found) = select.query_map([space.name()], |row| Ok((row.get(0)?, fact(row, 1)?))) else {
        return Vec::new();
    };
    found.map_while(Result::ok).collect()
}

fn fact(row: &Row<'_>, first: usize) -> Result<Fact> {
    Ok(fact_of(row.get(first)?, row.get_ref(first + 1)?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_of_schema_4_become_facts_of_their_kind() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE alerts(id TEXT PRIMARY KEY, fired INTEGER NOT NULL) STRICT, WITHOUT ROWID")
            .unwrap();
        for (id, fired) in [
            ("day 80 2026-11-22", 1),
            ("hook:s\tday 80 2026-11-22", 2),
            // Overrides without turns, then overrides with turns of one second.
            ("override:s\trelease", 3),
            ("override:s\tagain\t2", 5),
            ("revoked:s\t\t1", 5),
            ("override:s b\tz", 4),
        ] {
            conn.execute("INSERT INTO alerts VALUES(?, ?)", params![id, fired]).unwrap();
        }
        conn.execute_batch(FACTS).unwrap();
        take_alerts(&conn).unwrap();
        let of = |space| -> Vec<(String, i64, String)> {
            let facts = with_prefix(&conn, space, "").unwrap();
            facts.into_iter().map(|(key, fact)| (key, fact.at.timestamp(), fact.value)).collect()
        };
        let fact = |key: &str, at, value: &str| (key.to_owned(), at, value.to_owned());
        assert_eq!(of(FactKind::Alert), [fact("day 80 2026-11-22", 1, DELIVERED)]);
        assert_eq!(of(FactKind::Warning), [fact("s\tday 80 2026-11-22", 2, "")]);
        let lifted = [
            fact("s\t000000", 3, "lifted\trelease"),
            fact("s\t000001", 5, "revoked"),
            fact("s\t000002", 5, "lifted\tagain"),
            fact("s b\t000000", 4, "lifted\tz"),
        ];
        assert_eq!(of(FactKind::Override), lifted);
        assert!(conn.prepare("SELECT 1 FROM alerts").is_err());
    }
}
