//! A writer at full speed is not disturbed by a reader.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokmeter::testing::domain::Record;
use tokmeter::testing::ingest::{Event, Options, ReadBatch, Tails, follow};

use super::home;
use super::writer::Writer;

/// Transactions of one race.
const TIMES: usize = 10_000;
/// As the Devin CLI makes its tables.
pub(super) const TABLES: &str = "CREATE TABLE sessions (id TEXT PRIMARY KEY, working_directory TEXT NOT NULL, model TEXT NOT NULL); \
                      CREATE TABLE message_nodes (row_id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, \
                      chat_message TEXT NOT NULL, created_at INTEGER NOT NULL)";
pub(super) const ANSWER: &str = "INSERT INTO message_nodes (session_id, chat_message, created_at) VALUES ('s', '{\"role\":\"assistant\",\
                      \"metadata\":{\"request_id\":\"r{n}\",\"generation_model\":\"m-{n}\",\"metrics\":{\"input_tokens\":10,\
                      \"output_tokens\":3}}}', 1795683600)";

/// Runs a race; returns the database after it took the log in, and the median time of a transaction.
fn race(writer: &mut Writer, database: &Path) -> (Vec<u8>, Duration) {
    let took = writer.race(TIMES, ANSWER);
    writer.run("PRAGMA wal_checkpoint(TRUNCATE)");
    (fs::read(database).unwrap(), took[took.len() / 2])
}

#[test]
fn k2_k3_a_writer_at_full_speed_is_neither_changed_nor_slowed_and_every_row_is_seen() {
    let place = ".local/share/devin/cli/sessions.db";
    let (_alone, path, _) = home();
    let database = path.join(place);
    let mut writer = Writer::start(&database);
    writer.run(TABLES);
    let (alone, alone_median) = race(&mut writer, &database);
    writer.close();

    let (_beside, path, roots) = home();
    let database = path.join(place);
    let mut writer = Writer::start(&database);
    writer.run(TABLES);
    let (sender, mut events) = tokio::sync::mpsc::channel(16);
    let emit = move |event| sender.blocking_send(event).is_ok();
    let follower = follow(Tails::new(&roots, Options::default()), 1, emit).unwrap();
    // Every call is seen while the writer goes on, with nothing but its log growing in between.
    let seen = std::thread::spawn(move || {
        let (mut seen, mut batches) = (BTreeSet::new(), 0);
        while seen.len() < TIMES {
            let Event::ReadBatches(all) = events.blocking_recv().unwrap() else { continue };
            for batch in all {
                assert!(batch.bad.is_empty(), "{:?}", batch.bad);
                batches += usize::from(!batch.records.is_empty());
                seen.extend(models(&batch));
            }
        }
        drop(events);
        batches
    });
    let took = writer.race(TIMES, ANSWER);
    let batches = seen.join().unwrap();
    follower.join();
    writer.run("PRAGMA wal_checkpoint(TRUNCATE)");
    let followed = fs::read(&database).unwrap();
    writer.close();

    assert!(batches > 1, "it was read while it was written");
    let at = alone.iter().zip(&followed).position(|(one, other)| one != other);
    assert!(alone.len() == followed.len() && at.is_none(), "the file differs from byte {at:?} on");
    let median = took[took.len() / 2];
    assert!(median <= 10 * alone_median + Duration::from_millis(2), "{median:?}, alone {alone_median:?}");
}

/// Models of the calls in a batch.
pub(super) fn models(batch: &ReadBatch) -> Vec<String> {
    let model = |record: &Record| match record {
        Record::Call(call) => call.model.as_deref().map(str::to_owned),
        Record::Bill(_) | Record::Descends { .. } | Record::Rekeyed { .. } | Record::Status(_) | Record::Settled(_) => {
            None
        }
    };
    batch.records.iter().filter_map(model).collect()
}

/// Rows of a database whose reading takes a while.
const MANY: usize = 10_000;

/// Makes the rows, reads them twice while the writer runs these statements, which wait for nobody, and once more; the
/// models seen.
fn read_beside(journal: &str, statements: &[String]) -> BTreeSet<String> {
    let (_keep, path, roots) = home();
    let database = path.join(".local/share/devin/cli/sessions.db");
    let mut writer = Writer::start_with(&database, journal);
    writer.run(TABLES);
    let values = ANSWER.split_once("VALUES ('s', '").unwrap();
    let (message, _) = values.1.split_once("', 1795683600)").unwrap();
    let message = message.replace("{n}", "' || value || '");
    let last = MANY - 1;
    writer.run(&format!(
        "WITH RECURSIVE numbers(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM numbers WHERE value < {last}) \
         {}SELECT 's', '{message}', 1795683600 FROM numbers",
        values.0
    ));
    let (mut tails, mut seen) = (Tails::new(&roots, Options::default()), BTreeSet::new());
    let poll = |tails: &mut Tails, seen: &mut BTreeSet<String>| {
        let now = std::time::Instant::now();
        tails.rescan(now);
        tails.poll_once(now, &mut |batch| {
            assert!(batch.bad.is_empty(), "{:?}", batch.bad);
            seen.extend(models(&batch));
        });
    };
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            poll(&mut tails, &mut seen);
            poll(&mut tails, &mut seen);
        });
        for statement in statements {
            // The first reading is under way; were it over, nothing else would be expected.
            std::thread::sleep(Duration::from_millis(60));
            writer.run(statement);
        }
        reading.join().unwrap();
    });
    poll(&mut tails, &mut seen);
    writer.close();
    seen
}

#[test]
fn k2_a_writer_with_a_rollback_journal_that_waits_for_nobody_is_not_refused_while_it_is_read() {
    let late: Vec<String> = (0..2).map(|number| ANSWER.replace("{n}", &format!("late-{number}"))).collect();
    let seen = read_beside("DELETE", &late);
    let found = seen.iter().filter(|model| model.starts_with("m-late-")).count();
    assert_eq!((seen.len(), found), (MANY + late.len(), late.len()));
}

#[test]
fn k3_a_reading_without_locks_sees_one_state_of_the_database() {
    let renamed = "UPDATE message_nodes SET chat_message = replace(chat_message, '\"m-', '\"renamed-')";
    for journal in ["DELETE", "TRUNCATE", "PERSIST", "MEMORY"] {
        let seen = read_beside(journal, &[renamed.to_owned(), "VACUUM".to_owned()]);
        let of_before = seen.iter().filter(|model| model.starts_with("m-")).count();
        // Numbers of rows stay, so that those that were read before the change are not read again.
        assert_eq!((seen.len(), of_before % MANY), (MANY, 0), "{journal}");
    }
}

#[test]
fn k2_whoever_takes_the_calls_does_not_keep_the_log_of_the_writer_from_beginning_anew() {
    let (_keep, path, roots) = home();
    let database = path.join(".local/share/devin/cli/sessions.db");
    let mut writer = Writer::start(&database);
    writer.run(TABLES);
    // More than one batch.
    writer.race(3_000, ANSWER);
    let mut tails = Tails::new(&roots, Options::default());
    let now = std::time::Instant::now();
    tails.rescan(now);
    let mut batches = 0;
    tails.poll_once(now, &mut |_| {
        batches += 1;
        writer.run(&ANSWER.replace("{n}", "later"));
        writer.run("PRAGMA wal_checkpoint(TRUNCATE)");
        let log = fs::metadata(database.with_extension("db-wal")).unwrap().len();
        assert_eq!(log, 0, "a transaction is open while batch {batches} is handed on");
    });
    assert!(batches > 2, "{batches}");
    writer.close();
}
