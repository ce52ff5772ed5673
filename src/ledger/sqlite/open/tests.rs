//! Migrations that are killed or fail.

use std::fs;
use std::sync::Mutex;

use rusqlite::Connection;

use super::super::fixture::Free;
use super::*;
use crate::domain::Instant;
use crate::ledger::{Batch, Checkpoint, Ledger};

const STEPS: &[Migration] = &[
    Migration { to: KNOWN + 1, sql: "ALTER TABLE files ADD COLUMN note TEXT", fill: |_| Ok(()) },
    Migration {
        to: KNOWN + 2,
        sql: "CREATE TABLE extra(x INTEGER) STRICT",
        fill: |conn| conn.execute("INSERT INTO extra VALUES(1)", []).map(drop),
    },
];

fn file(offset: u64) -> Checkpoint {
    Checkpoint {
        path: "/log".into(),
        device: 1,
        inode: 1,
        offset,
        size: 1,
        modified_ns: 1,
        head_hash: 1,
        head_len: 1,
        tail_hash: 1,
        reader: String::new(),
        lines: 1,
        bad_lines: 0,
    }
}

fn schema_of(path: &Path) -> (i64, bool, bool) {
    let conn = Connection::open(path).unwrap();
    let has = |sql: &str| conn.prepare(sql).is_ok();
    (schema::version(&conn).unwrap(), has("SELECT note FROM files"), has("SELECT x FROM extra"))
}

#[test]
fn d10_a_migration_that_is_killed_leaves_the_old_schema_or_the_new_and_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let now = Instant::default();
    let mut old = open(&path, Options::new(now), Arc::new(Free)).unwrap().books;
    old.post(&Batch { records: Vec::new(), files: vec![file(7)] }).unwrap();
    drop(old);
    // A copy of the files at each step is exactly the state that a killed process would leave behind.
    let copies = Arc::new(Mutex::new(Vec::new()));
    let (from, taken) = (folder.path().to_owned(), Arc::clone(&copies));
    let step = move |name: &'static str| {
        let mut taken = taken.lock().unwrap();
        let to = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
        }
        taken.push((name, to));
    };
    let options = Options { step: Some(Arc::new(step)), ..Options::new(now) };
    let opened = open_with(&path, options, Arc::new(Free), STEPS, KNOWN + 2).unwrap();
    let backup = folder.path().join(format!("ledger.db.schema-{KNOWN}"));
    assert_eq!(opened.notes, [Note::Migrated { from: KNOWN, backup: backup.clone() }]);
    drop(opened);
    assert_eq!((schema_of(&path), schema_of(&backup)), ((KNOWN + 2, true, true), (KNOWN, false, false)));
    let copies = std::mem::take(&mut *copies.lock().unwrap());
    let names: Vec<&str> = copies.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["opened file", "backed up", "migrate", "migrate", "commit migration"]);
    for (name, copy) in copies {
        let path = copy.path().join("ledger.db");
        assert_eq!(schema_of(&path), (KNOWN, false, false), "killed at {name}");
        let opened = open_with(&path, Options::new(now), Arc::new(Free), STEPS, KNOWN + 2).unwrap();
        assert_eq!(opened.books.files().unwrap(), [file(7)]);
        assert_eq!(schema_of(&path), (KNOWN + 2, true, true), "gone on after {name}");
    }
}

#[test]
fn j8_a_migration_that_fails_at_every_run_leaves_one_copy() {
    const FAILING: &[Migration] =
        &[Migration { to: KNOWN + 1, sql: "ALTER TABLE files ADD COLUMN path TEXT", fill: |_| Ok(()) }];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let now = Instant::default();
    let mut old = open(&path, Options::new(now), Arc::new(Free)).unwrap().books;
    old.post(&Batch { records: Vec::new(), files: vec![file(7)] }).unwrap();
    drop(old);
    let copies = || {
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("ledger.db.")).count()
    };
    for run in 0..5 {
        let error = open_with(&path, Options::new(now), Arc::new(Free), FAILING, KNOWN + 1).unwrap_err();
        assert!(error.to_string().contains("duplicate column"), "{error}");
        assert_eq!(copies(), 1, "after run {run}");
        // A write in between makes the copy out of date.
        let mut books = open(&path, Options::new(now), Arc::new(Free)).unwrap().books;
        assert_eq!(books.files().unwrap(), [file(7 + run)]);
        books.post(&Batch { records: Vec::new(), files: vec![file(8 + run)] }).unwrap();
    }
    let backup = folder.path().join(format!("ledger.db.schema-{KNOWN}"));
    assert_eq!(schema_of(&backup), (KNOWN, false, false));
}
