//! OpenCode's database while the program writes it.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tokmeter::testing::domain::Record;
use tokmeter::testing::ingest::{Condition, Event, Options, Tails, follow};

use super::tail_common::Meter;
use super::writer::Writer;
use super::{bytes, home, write};

const TABLES: &str = "CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, time_created INTEGER NOT NULL); \
                      CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, time_created INTEGER NOT NULL, \
                      time_updated INTEGER NOT NULL, data TEXT NOT NULL); INSERT INTO session VALUES ('s', NULL, 1)";
/// When the first answer was made.
const BASE: u64 = 1_795_719_250_000;

fn data(id: u64, output: u64, is_completed: bool) -> String {
    let (created, total) = (BASE + id * 60_000, 150 + output);
    let completed = if is_completed { format!(",\"completed\":{}", created + 900) } else { String::new() };
    let counts = if is_completed { output } else { 0 };
    format!(
        r#"{{"role":"assistant","modelID":"m-{id}","providerID":"p","cost":0.01,"time":{{"created":{created}{completed}}},"tokens":{{"input":100,"output":{counts},"reasoning":0,"total":{total},"cache":{{"read":50,"write":0}}}}}}"#
    )
}

/// An answer as the older files hold it.
fn file(id: u64) -> String {
    data(id, 10 * id, true).replacen('{', r#"{"sessionID":"s","#, 1)
}

fn insert(id: u64, is_completed: bool) -> String {
    let at = BASE + id * 60_000;
    format!("INSERT INTO message VALUES ('msg_{id}', 's', {at}, {at}, '{}')", data(id, 10 * id, is_completed))
}

fn complete(id: u64) -> String {
    let at = BASE + id * 60_000 + 1_000;
    format!("UPDATE message SET time_updated = {at}, data = '{}' WHERE id = 'msg_{id}'", data(id, 10 * id, true))
}

fn index_apart(folder: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut all = bytes(folder);
    // Readers' locks and the writer's own are recorded here.
    all.retain(|path, _| !path.to_string_lossy().ends_with("-shm"));
    all
}

#[test]
fn k3_rows_are_read_beside_a_running_writer_as_they_are_written_and_changed() {
    let (_keep, path, roots) = home();
    let folder = path.join(".local/share/opencode");
    let mut writer = Writer::start(&folder.join("opencode.db"));
    writer.run(TABLES);
    writer.run(&insert(1, true));
    let mut meter = Meter::on(roots);
    assert_eq!(meter.rescan().ids(), ["1"]);
    writer.run(&insert(2, false));
    assert_eq!(meter.poll().ids(), ["1"], "the answer is under way");
    writer.run(&insert(3, true));
    writer.run(&complete(2));
    assert_eq!(meter.poll().ids(), ["1", "2", "3"]);
    meter.restart().rescan();
    let before = meter.books.sightings.clone();
    assert_eq!(
        [before["1"], before["3"]],
        [2, 2],
        "the newest row once more: the last reading may have come too early"
    );
    meter.restart().rescan();
    assert_eq!(meter.books.sightings, before, "a restart reads nothing again that has not changed since");
    writer.run(&insert(4, true));
    assert_eq!(meter.poll().ids(), ["1", "2", "3", "4"]);
    assert_eq!(meter.books.sightings["1"], before["1"], "only what may have changed is read again");
    // The last rows are taken back, and their numbers are given to others.
    writer.run("DELETE FROM message WHERE id IN ('msg_3', 'msg_4')");
    writer.run(&insert(5, true));
    assert_eq!(meter.poll().ids(), ["1", "2", "3", "4", "5"], "what was deleted was used");
    writer.run("PRAGMA wal_checkpoint(TRUNCATE)");
    writer.run(&insert(6, true));
    assert_eq!(meter.poll().ids().len(), 6);
    assert_eq!(meter.books.tallies.bad, 0);
    writer.close();
}

#[test]
fn k3_the_live_reader_follows_the_log_of_a_database() {
    let (_keep, path, roots) = home();
    let mut writer = Writer::start(&path.join(".local/share/opencode/opencode.db"));
    writer.run(TABLES);
    writer.run(&insert(1, true));
    let (sender, mut events) = tokio::sync::mpsc::channel(16);
    let emit = move |event| sender.blocking_send(event).is_ok();
    let follower = follow(Tails::new(&roots, Options::default()), 1, emit).unwrap();
    let mut wait_for = |model: &str| loop {
        let Event::ReadBatches(batches) = events.blocking_recv().unwrap() else { continue };
        let is_it = |record: &Record| matches!(record, Record::Call(call) if call.model.as_deref() == Some(model));
        if batches.iter().flat_map(|batch| &batch.records).any(is_it) {
            return;
        }
    };
    wait_for("m-1");
    for id in 2..5 {
        writer.run(&insert(id, false));
        writer.run(&complete(id));
        wait_for(&format!("m-{id}"));
    }
    drop(events);
    follower.join();
    writer.close();
}

#[test]
fn k2_nothing_in_the_folder_is_made_changed_or_locked() {
    let (_keep, path, roots) = home();
    let folder = path.join(".local/share/opencode");
    let database = folder.join("opencode.db");
    let mut writer = Writer::start(&database);
    writer.run(TABLES);
    writer.run(&insert(1, true));
    let mut meter = Meter::on(roots);
    let before = index_apart(&folder);
    assert_eq!(meter.rescan().ids(), ["1"]);
    assert_eq!(index_apart(&folder), before, "with a running writer");
    // It waits for nobody, so it would fail if a lock were left.
    writer.run(&insert(2, true));
    writer.run("PRAGMA wal_checkpoint(TRUNCATE)");
    writer.run(&insert(3, true));
    writer.kill();
    let before = bytes(&folder);
    assert_eq!(before.len(), 3, "a killed writer leaves its log");
    assert_eq!(meter.poll().ids(), ["1", "2", "3"]);
    assert_eq!(bytes(&folder), before, "after a kill");
    fs::remove_file(folder.join("opencode.db-shm")).unwrap();
    let before = bytes(&folder);
    assert_eq!(meter.restart().rescan().ids(), ["1", "2", "3"]);
    let mut anew = Meter::on(tokmeter::testing::ingest::Roots::only([database.clone()]));
    assert_eq!(anew.rescan().ids(), ["1", "2", "3"], "a log without its index");
    assert_eq!(bytes(&folder), before, "after reading a log without its index");
    Writer::start(&database).close();
    let connection = Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    connection.close().unwrap();
    let before = bytes(&folder);
    assert_eq!(before.len(), 1, "closed in good order");
    let mut anew = Meter::on(tokmeter::testing::ingest::Roots::only([database]));
    assert_eq!(anew.rescan().ids(), ["1", "2", "3"]);
    assert_eq!(bytes(&folder), before, "when nobody writes");
}

#[test]
fn k5_a_database_that_is_not_known_is_named_and_counts_nothing() {
    let (_keep, path, roots) = home();
    let folder = path.join(".local/share/opencode");
    fs::create_dir_all(&folder).unwrap();
    let database = folder.join("opencode-next.db");
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE messages_v9 (body BLOB)").unwrap();
    write(&folder.join("opencode-text.db"), "no database, and longer than the head of one");
    write(&folder.join("opencode-empty.db"), "");
    let mut meter = Meter::on(roots);
    meter.rescan();
    let unsupported = |what| vec![Condition::Unsupported(what)];
    assert_eq!(meter.says(&database), unsupported("a database of a version that is not known"));
    assert_eq!(meter.says(&folder.join("opencode-text.db")), unsupported("no SQLite database"));
    assert!(meter.says(&folder.join("opencode-empty.db")).is_empty());
    assert!(meter.books.calls.is_empty());
}

#[test]
fn k3_a_database_that_is_replaced_is_read_from_its_beginning_and_folders_beside_it_are_not_walked() {
    let (_keep, path, roots) = home();
    let folder = path.join(".local/share/opencode");
    let mut writer = Writer::start(&folder.join("opencode.db"));
    writer.run(TABLES);
    for id in 1..4 {
        writer.run(&insert(id, true));
    }
    writer.close();
    write(&folder.join("snapshot/opencode.db"), "not ours");
    write(&folder.join("storage/part/msg_1/msg_9.json"), &file(9));
    write(&folder.join("storage/message/s/msg_8.json"), &file(8));
    write(&folder.join("storage/message/s/msg_1.json"), &file(1));
    let mut meter = Meter::on(roots);
    assert_eq!(meter.rescan().ids(), ["1", "2", "3", "8"]);
    assert_eq!(meter.health().files, 3);
    let other = folder.join("other.sqlite");
    let mut writer = Writer::start(&other);
    writer.run(TABLES);
    writer.run(&insert(5, true));
    writer.close();
    fs::rename(&other, folder.join("opencode.db")).unwrap();
    assert_eq!(meter.poll().ids(), ["1", "2", "3", "5", "8"]);
}
