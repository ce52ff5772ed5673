//! Reports on providers' quotas and on sessions, stored as entries of `meta`.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result, params};

use crate::domain::{OF_SESSIONS, OF_TURNS, STATUS};

/// How long a session's report is kept, counted back from the latest report, in milliseconds.
const KEPT: i64 = 7 * 86_400_000;

/// Reports on sessions, of which only the latest are kept.
const PRUNED: [&str; 2] = [OF_SESSIONS, OF_TURNS];

/// Writes reports that are newer than the stored ones.
pub(super) fn write(conn: &Connection, all: &BTreeMap<String, String>) -> Result<()> {
    let insert = "INSERT INTO meta VALUES(?1, ?2)
      ON CONFLICT(name) DO UPDATE SET value = excluded.value WHERE value < excluded.value";
    let mut newest = None;
    for (name, value) in all {
        conn.prepare_cached(insert)?.execute([name, value])?;
        if PRUNED.iter().any(|prefix| name.starts_with(prefix)) {
            newest = newest.max(value.split('\t').next().and_then(|seen| seen.parse::<i64>().ok()));
        }
    }
    if let Some(newest) = newest {
        let old = "DELETE FROM meta WHERE name >= ?1 AND name < ?1 || char(0x10ffff) AND value < ?2";
        let oldest = format!("{:015}", newest.saturating_sub(KEPT).max(0));
        for prefix in PRUNED {
            conn.prepare_cached(old)?.execute(params![prefix, oldest])?;
        }
    }
    Ok(())
}

/// All reports, by name.
pub(super) fn read(conn: &Connection) -> Result<BTreeMap<String, String>> {
    let mut select =
        conn.prepare_cached("SELECT name, value FROM meta WHERE name >= ?1 AND name < ?1 || char(0x10ffff)")?;
    let rows = select.query_map([STATUS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_on_sessions_are_kept_for_a_week_and_those_on_quotas_for_ever() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE meta(name TEXT PRIMARY KEY, value)").unwrap();
        let report = |name: &str, day: i64| (name.to_owned(), format!("{:015}\tx", day * 86_400_000));
        let (session, turn, quota) =
            ("status:session\tcodex\ts1", "status:turn\tcodex\ts1", "status:quota\tcodex\t\t1");
        let all = BTreeMap::from([report(session, 10), report(turn, 10), report(quota, 10)]);
        write(&conn, &all).unwrap();
        write(&conn, &BTreeMap::from([report("status:turn\tcodex\ts2", 17)])).unwrap();
        assert_eq!(read(&conn).unwrap().len(), 4);
        write(&conn, &BTreeMap::from([report("status:turn\tcodex\ts3", 18)])).unwrap();
        let names: Vec<String> = read(&conn).unwrap().into_keys().collect();
        assert_eq!(names, [quota, "status:turn\tcodex\ts2", "status:turn\tcodex\ts3"]);
    }
}
