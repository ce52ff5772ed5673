//! FAULTS D: failures caused by the disk, other processes and time, and the required behaviour.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tokmeter::testing::domain::{
    Attribution, Bill, Billed, Counter, Dimension, Filter, Label, Matcher, Record, Tokens,
};
use tokmeter::testing::ledger::{
    Batch, FactKind, Grain, KeyValue, Ledger, LedgerError, Memory, Note, Options, Order, Query, Row, Sqlite, open,
};
use tokmeter::testing::pricing::Pricer;

use super::common::{Prices, at, call, calls, descends, file, key, prices, query, rows, total};
use super::durable::{TO_SCHEMA_4, books, opened};

/// The statement of session `s` at this second.
fn bill(seconds: i64, output: u64) -> Record {
    let tokens = Tokens { input: 150, output, ..Tokens::ZERO };
    let opus = Billed { is_split: true, ..Billed::new("opus", tokens) };
    let from = Attribution { session: Some(Label::new("s")), ..Attribution::new(at(seconds), Label::new("test")) };
    let counter = Counter::Session { started: Some(7), since: None };
    Record::Bill(Bill { id: key(&format!("bill {seconds}")), from, counter, models: vec![opus] })
}

/// The batches of a life: new calls, growth, a fork that finds its root, telemetry, statements of the whole session, a
/// cold start.
pub fn life() -> Vec<(bool, Vec<Record>)> {
    let lineage = |session: &str, seconds| {
        let mut call = call("10,20", seconds, 7);
        call.lineage = Some(Label::new(session));
        Record::Call(call)
    };
    let request = key("request");
    let mut answer = call("answer", 1000, 5);
    answer.alias = Some(request);
    let mut telemetry = call("-", 1001, 9);
    (telemetry.key, telemetry.alias) = (request, Some(request));
    let many = (0..30).map(|number| Record::Call(call(&format!("many {number}"), number * 800, 2)));
    vec![
        (true, many.collect()),
        (true, vec![lineage("fork", 40)]),
        (false, vec![Record::Call(call("many 3", 2400, 90)), Record::Call(answer), bill(2500, 200)]),
        (false, vec![lineage("root", 30), Record::Call(telemetry)]),
        (false, vec![descends("fork", "root")]),
        (true, vec![Record::Call(call("many 4", 100, 2)), Record::Call(call("last", 90_000, 1)), bill(90_001, 300)]),
    ]
}

pub fn told(part: usize, records: &[Record]) -> Batch {
    Batch { records: records.to_vec(), files: vec![file("/log", u64::try_from(part).unwrap() + 1)] }
}

/// Posts the rest of a life, from the file's checkpoint on.
fn live_on(disk: &mut Sqlite) {
    let done = disk.files().unwrap().first().map_or(0, |file| usize::try_from(file.offset).unwrap());
    for (part, (quietly, records)) in life().iter().enumerate().skip(done) {
        if *quietly {
            disk.absorb(&told(part, records)).unwrap();
            disk.flush().unwrap();
        } else {
            disk.post(&told(part, records)).unwrap();
        }
    }
}

pub fn in_memory(parts: usize) -> Vec<Row> {
    in_memory_at(prices(), parts)
}

fn in_memory_at(prices: Arc<dyn Pricer>, parts: usize) -> Vec<Row> {
    let mut memory = Memory::new(prices);
    for (part, (_, records)) in life().iter().enumerate().take(parts) {
        memory.absorb(&told(part, records)).unwrap();
    }
    memory.flush().unwrap();
    rows(&memory)
}

pub fn sound(disk: &Sqlite) {
    assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
}

/// Runs this test program as a child process that only does `task`.
pub fn child(task: &str, path: &Path, stop: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "faults::a_process_of_its_own", "--nocapture"]);
    command.env("TOKMETER_TASK", task).env("TOKMETER_PATH", path).env("TOKMETER_STOP", stop.to_string());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command
}

pub fn run(task: &str, path: &Path, stop: usize) -> ExitStatus {
    child(task, path, stop).status().unwrap()
}

/// Not a test itself: run by other tests in a child process.
#[test]
#[allow(clippy::disallowed_methods, reason = "its task comes through the environment")]
fn a_process_of_its_own() {
    let (Ok(task), Ok(path), Ok(stop)) =
        (std::env::var("TOKMETER_TASK"), std::env::var("TOKMETER_PATH"), std::env::var("TOKMETER_STOP"))
    else {
        return;
    };
    let (path, stop) = (PathBuf::from(path), stop.parse::<usize>().unwrap());
    let passed = AtomicUsize::new(0);
    // Aborting at a step is what kill -9 does there: nothing is cleaned up.
    let step = move |_: &'static str| {
        if passed.fetch_add(1, Ordering::SeqCst) == stop {
            std::process::abort();
        }
    };
    let options = Options { step: Some(Arc::new(step)), ..Options::new(at(0)) };
    let open = || open(&path, options.clone(), prices());
    match task.as_str() {
        "live" => live_on(&mut open().unwrap().books),
        "cold" | "cold crowd" => {
            let draft = Options { as_draft: true, together: 4, ..options.clone() };
            let mut disk = tokmeter::testing::ledger::open(&path, draft, prices()).unwrap().books;
            if task == "cold crowd" {
                // Half of the calls are shared, half belong to this process.
                let own = |number| if number % 2 == 0 { String::new() } else { format!("{stop} ") };
                disk.absorb(&calls((0..50).map(|number| call(&format!("{}{number}", own(number)), number * 300, 2))))
                    .unwrap();
            } else {
                for (part, (_, records)) in life().iter().enumerate() {
                    disk.absorb(&told(part, records)).unwrap();
                }
            }
            disk.flush().unwrap();
        }
        "prune" => {
            let mut disk = open().unwrap().books;
            disk.prune(at(10_000)).unwrap();
            disk.compact().unwrap();
        }
        "reprice" => {
            let twice = tokmeter::testing::ledger::open(&path, options, Arc::new(Prices { factor: 2 })).unwrap();
            let mut disk = twice.books;
            disk.reprice(at(1)).unwrap();
        }
        "crowd" => {
            let mut disk = open().unwrap().books;
            for number in 0..50 {
                // Half of the calls are shared, half belong to this process.
                let own = if number % 2 == 0 { String::new() } else { format!("{stop} ") };
                disk.post(&calls([call(&format!("{own}{number}"), number * 300, 2)])).unwrap();
            }
        }
        "open for all" => {
            rustix::process::umask(rustix::fs::Mode::empty());
            let mut opened = open().unwrap();
            live_on(&mut opened.books);
            std::process::abort();
        }
        "read only" => {
            let opened = open().unwrap();
            assert!(matches!(&opened.notes[..], [Note::ReadOnly { path: named }] if *named == path));
            assert_eq!(total(&opened.books).calls, 1);
            let mut disk = opened.books;
            assert!(matches!(disk.post(&calls([call("b", 1, 1)])), Err(LedgerError::ReadOnly { .. })));
        }
        "no rights" => {
            let error = open().unwrap_err();
            assert!(matches!(&error, LedgerError::ReadOnly { path: named } if *named == path), "{error}");
        }
        task => panic!("no task {task}"),
    }
}

#[test]
fn d1_killed_at_any_step_everything_is_booked_exactly_once() {
    for stop in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let status = run("live", &path, stop);
        let mut disk = books(&folder);
        let done = disk.files().unwrap().first().map_or(0, |file| usize::try_from(file.offset).unwrap());
        assert_eq!(rows(&disk), in_memory(done), "killed at step {stop}");
        sound(&disk);
        live_on(&mut disk);
        let whole = rows(&disk);
        assert_eq!(whole, in_memory(life().len()), "killed at step {stop}, then gone on");
        let is_computed = |row: &&Row| row.call.from.feature.as_deref() == Some("background");
        assert_eq!(whole.iter().filter(is_computed).count(), 1, "what the bill has beyond the calls is booked");
        // The bill and the sums it is compared with are complete too: a late call reduces the remainder.
        let late = Record::Call(call("late", 60_000, 11));
        disk.post(&Batch { records: vec![late.clone()], files: Vec::new() }).unwrap();
        let mut memory = Memory::new(prices());
        life().into_iter().flat_map(|(_, records)| records).chain([late]).for_each(|record| {
            memory.post(&Batch { records: vec![record], files: Vec::new() }).unwrap();
        });
        assert_eq!(rows(&disk), rows(&memory), "killed at step {stop}, then a late call");
        sound(&disk);
        if status.success() {
            assert!(stop > 40, "only {stop} steps were tried");
            break;
        }
    }
}

#[test]
fn d2_a_busy_ledger_is_waited_for_as_long_as_was_said_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    drop(books(&folder));
    let path = folder.path().join("ledger.db");
    let hurried = Options { busy: Duration::from_millis(40), ..Options::new(at(0)) };
    let mut disk = open(&path, hurried, prices()).unwrap().books;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let batch = calls([call("a", 1, 1)]);
    assert!(matches!(disk.post(&batch), Err(LedgerError::Busy { .. })));
    disk.absorb(&batch).unwrap();
    assert!(matches!(disk.flush(), Err(LedgerError::Busy { .. })));
    assert_eq!(total(&disk).calls, 1, "it can still be read, and what waits is counted");
    assert_eq!(total(&opened(&path).books).calls, 0);
    other.execute_batch("COMMIT").unwrap();
    disk.flush().unwrap();
    disk.post(&batch).unwrap();
    assert_eq!(total(&disk).calls, 1);
    assert_eq!(
        (Options::new(at(0)).busy, Options::hurried(at(0)).busy),
        (Duration::from_secs(5), Duration::from_millis(250))
    );
}

#[test]
fn d3_on_a_full_disk_nothing_is_half_booked_and_trying_again_books_it_once() {
    let folder = tempfile::tempdir().unwrap();
    drop(books(&folder));
    let path = folder.path().join("ledger.db");
    let room = Options { max_pages: Some(60), ..Options::new(at(0)) };
    let mut disk = open(&path, room, prices()).unwrap().books;
    disk.post(&calls([call("a", 1, 1)])).unwrap();
    let much = calls((0..4000).map(|number| call(&format!("{number}"), number, 1)));
    for _ in 0..2 {
        let error = disk.post(&much).unwrap_err();
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
        assert!(error.to_string().ends_with("was not saved: the disk is full"), "{error}");
        assert_eq!(total(&disk).calls, 1);
    }
    disk.absorb(&much).unwrap();
    assert!(matches!(disk.flush(), Err(LedgerError::Full { .. })));
    drop(disk);
    // There is room again; absorbed calls are read again from the checkpoints.
    let mut disk = books(&folder);
    disk.post(&much).unwrap();
    disk.post(&much).unwrap();
    assert_eq!(total(&disk).calls, 4001);
    sound(&disk);
}

#[test]
fn d3_a_cold_start_that_met_a_full_disk_is_kept_and_booked_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    drop(books(&folder));
    let path = folder.path().join("ledger.db");
    let mut disk = open(&path, Options { max_pages: Some(60), ..Options::new(at(0)) }, prices()).unwrap().books;
    disk.absorb(&calls((0..4000).map(|number| call(&format!("{number}"), number, 1)))).unwrap();
    assert!(matches!(disk.flush(), Err(LedgerError::Full { .. })));
    let conn = Connection::open(&path).unwrap();
    assert_eq!(conn.query_row("SELECT count(*) FROM calls", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert!(matches!(disk.flush(), Err(LedgerError::Full { .. })), "still full");
    let mut roomy = Sqlite::open_again(disk, at(1)).unwrap().books;
    // The limit on pages belongs to the options; here deleted rows make room.
    assert!(matches!(roomy.flush(), Err(LedgerError::Full { .. })), "it kept what was absorbed");
}

#[test]
fn d4_without_the_right_to_write_the_books_are_read_and_say_so() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data");
    let path = inner.join("ledger.db");
    let mut disk = opened(&path).books;
    disk.post(&calls([call("a", 1, 1)])).unwrap();
    drop(disk);
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    // Opened read-only, nothing is written, even as root.
    let mut reader = open(&path, Options { read_only: true, ..Options::new(at(0)) }, prices()).unwrap().books;
    assert!(reader.is_read_only());
    assert_eq!(total(&reader).calls, 1);
    let error = reader.post(&calls([call("b", 1, 1)])).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("--data-dir"), "{error}");
    drop(reader);
    // As a user without rights: only root can become one.
    mode(folder.path(), 0o755);
    for (folder_mode, file_mode, task) in [(0o555, 0o644, "read only"), (0o555, 0o600, "no rights")] {
        mode(&path, file_mode);
        mode(&inner, folder_mode);
        let mut command = child(task, &path, usize::MAX);
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
            // Without permission to run the program, this cannot be tested here.
            if Command::new(std::env::current_exe().unwrap()).arg("--list").uid(65_534).output().is_err() {
                continue;
            }
        } else if task == "no rights" {
            mode(&path, 0o000);
        } else {
            mode(&path, 0o444);
        }
        assert!(command.status().unwrap().success(), "{task}");
    }
    mode(&inner, 0o755);
}

fn spoil(path: &Path, how: &str) {
    match how {
        "text" => fs::write(path, "these are not the books you are looking for\n".repeat(300)).unwrap(),
        "half" => {
            let length = fs::metadata(path).unwrap().len();
            fs::File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
        }
        "head" => {
            let mut file = fs::File::options().write(true).open(path).unwrap();
            file.seek(SeekFrom::Start(40)).unwrap();
            file.write_all(&[0xff; 60]).unwrap();
        }
        _ => {
            let mut file = fs::File::options().read(true).write(true).open(path).unwrap();
            let length = file.metadata().unwrap().len();
            let mut bytes = vec![0; usize::try_from(length - 8192).unwrap()];
            file.seek(SeekFrom::Start(8192)).unwrap();
            file.read_exact(&mut bytes).unwrap();
            bytes.iter_mut().step_by(61).for_each(|byte| *byte ^= 0x55);
            file.seek(SeekFrom::Start(8192)).unwrap();
            file.write_all(&bytes).unwrap();
        }
    }
}

pub fn lived(folder: &tempfile::TempDir) -> PathBuf {
    live_on(&mut books(folder));
    folder.path().join("ledger.db")
}

#[test]
fn d5_what_is_no_ledger_is_put_aside_unchanged_and_a_new_one_is_filled() {
    for how in ["text", "half", "head"] {
        let folder = tempfile::tempdir().unwrap();
        let path = lived(&folder);
        spoil(&path, how);
        let bytes = fs::read(&path).unwrap();
        let mut opened = opened(&path);
        let [Note::SetAside { to, what }] = &opened.notes[..] else { panic!("{how}: {:?}", opened.notes) };
        assert_eq!(*to, folder.path().join("ledger.db.corrupt-19700101T000000Z"));
        assert_eq!(fs::read(to).unwrap(), bytes, "{how}: what was there is kept");
        assert!(!what.is_empty());
        assert_eq!(opened.books.files().unwrap(), [], "{how}: every log is to be read again");
        live_on(&mut opened.books);
        assert_eq!(rows(&opened.books), in_memory(life().len()));
    }
}

#[test]
fn d5_two_damaged_ledgers_in_one_second_are_both_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    for _ in 0..2 {
        fs::write(&path, "x".repeat(2000)).unwrap();
        assert_eq!(opened(&path).notes.len(), 1);
    }
    assert!(folder.path().join("ledger.db.corrupt-19700101T000000Z-2").exists());
}

#[test]
fn d5_a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs(x)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = open(&path, Options::new(at(0)), prices()).unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn d6_damage_that_opening_does_not_show_is_found_and_mended_when_it_is_met() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    spoil(&path, "pages");
    let opened = opened(&path);
    let mut disk = if opened.notes.is_empty() {
        let disk = opened.books;
        assert_ne!(disk.verify().unwrap().problems, Vec::<String>::new());
        let again = disk.open_again(at(5)).unwrap();
        assert!(matches!(&again.notes[..], [Note::SetAside { .. }]), "{:?}", again.notes);
        again.books
    } else {
        opened.books
    };
    assert_eq!(disk.files().unwrap(), []);
    live_on(&mut disk);
    assert_eq!(rows(&disk), in_memory(life().len()));
    sound(&disk);
}

#[test]
fn d6_sums_that_are_not_those_of_the_rows_are_found() {
    for spoil in [
        "UPDATE calls SET body = json_set(body, '$[5]', body ->> 5 + 1) WHERE id = (SELECT min(id) FROM calls)",
        "DELETE FROM rollup WHERE day = 0",
        "DELETE FROM rollup_kinds WHERE day = 0",
        "UPDATE sessions SET last = last + 1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = lived(&folder);
        Connection::open(&path).unwrap().execute_batch(spoil).unwrap();
        let problems = books(&folder).verify().unwrap().problems;
        assert!(!problems.is_empty(), "{spoil}");
    }
}

#[test]
fn d7_a_ledger_removed_or_replaced_while_open_is_noticed_and_filled_again() {
    for replace in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = lived(&folder);
        let mut disk = books(&folder);
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", path.display()));
        }
        if replace {
            drop(opened(&path));
        }
        let batch = calls([call("new", 5, 5)]);
        assert!(!disk.is_in_place());
        assert!(matches!(disk.post(&batch), Err(LedgerError::Replaced { .. })));
        let mut disk = disk.open_again(at(1)).unwrap().books;
        assert_eq!(disk.files().unwrap(), [], "every log is to be read again");
        live_on(&mut disk);
        disk.post(&batch).unwrap();
        assert_eq!(total(&disk).calls, u64::try_from(in_memory(life().len()).len()).unwrap() + 1);
    }
}

#[test]
fn d7_a_ledger_that_was_replaced_leaves_the_log_of_its_successor_alone() {
    for is_closed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = lived(&folder);
        let disk = books(&folder);
        for ending in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{ending}", path.display()));
        }
        let mut other = opened(&path).books;
        other.post(&calls([call("one", 1, 1)])).unwrap();
        if is_closed {
            drop(disk);
        } else {
            drop(disk.open_again(at(1)).unwrap());
        }
        other.post(&calls([call("two", 2, 1)])).unwrap();
        assert_eq!((total(&opened(&path).books).calls, total(&other).calls), (2, 2));
    }
}

#[test]
fn d7_a_ledger_that_was_moved_away_takes_all_its_calls_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    let mut disk = books(&folder);
    disk.post(&calls([call("late", 1, 1)])).unwrap();
    let before = total(&disk).calls;
    let moved = folder.path().join("moved.db");
    fs::rename(&path, &moved).unwrap();
    let disk = disk.open_again(at(1)).unwrap().books;
    assert_eq!((total(&disk).calls, total(&opened(&moved).books).calls), (0, before));
    sound(&disk);
}

#[test]
fn d8_without_its_log_the_ledger_is_older_but_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    // Everything is still in the log when the process is killed.
    assert!(!run("open for all", &path, usize::MAX).success());
    assert!(fs::metadata(format!("{}-wal", path.display())).unwrap().len() > 0);
    let (other, log) = (folder.path().join("other.db"), |path: &Path| format!("{}-wal", path.display()));
    fs::copy(&path, &other).unwrap();
    fs::copy(log(&path), log(&other)).unwrap();
    let left_behind = opened(&other).books;
    assert_eq!(rows(&left_behind), in_memory(life().len()), "a log that was left behind is used");
    fs::remove_file(log(&path)).unwrap();
    let mut disk = opened(&path).books;
    let done = disk.files().unwrap().first().map_or(0, |file| usize::try_from(file.offset).unwrap());
    assert_eq!(rows(&disk), in_memory(done), "rows and offsets are of one moment");
    live_on(&mut disk);
    assert_eq!(rows(&disk), in_memory(life().len()));
    sound(&disk);
}

#[test]
fn d9_books_of_a_newer_version_are_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 999").unwrap();
    let opened = opened(&path);
    assert_eq!(opened.notes, [Note::Newer { found: 999 }]);
    assert!(opened.notes[0].to_string().contains("newer version of tokmeter (schema 999, this one knows 9)"));
    let mut disk = opened.books;
    assert_eq!(rows(&disk), in_memory(life().len()));
    assert!(matches!(disk.post(&calls([call("b", 1, 1)])), Err(LedgerError::Newer { found: 999, .. })));
    assert!(matches!(disk.claim(FactKind::Alert, "day", at(0)), Err(LedgerError::Newer { .. })));
}

#[test]
fn d9_books_that_a_newer_version_took_over_while_they_were_open_are_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    let mut disk = books(&folder);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 999").unwrap();
    assert!(matches!(disk.post(&calls([call("b", 1, 1)])), Err(LedgerError::Newer { found: 999, .. })));
    assert!(disk.is_read_only());
    assert_eq!(rows(&disk), in_memory(life().len()));
}

/// The tables, indexes and views of a database.
pub fn names_in(path: &Path) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let mut select = conn.prepare("SELECT type || ' ' || name FROM sqlite_schema ORDER BY 1").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Converts today's ledger to schema 1: one column per field, fewer sums.
const AS_IT_WAS: &str = "
    CREATE TABLE old(id INTEGER PRIMARY KEY, key BLOB NOT NULL, hash INTEGER NOT NULL, session INTEGER NOT NULL,
      ns INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write_5m INTEGER NOT NULL,
      cache_write_1h INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL, usd ANY, saved ANY,
      price INTEGER, charge INTEGER NOT NULL, web_searches INTEGER NOT NULL DEFAULT 0, quoted ANY, latency ANY,
      alias BLOB, lineage INTEGER, path INTEGER, offset INTEGER NOT NULL, machine INTEGER) STRICT;
    INSERT INTO old SELECT id, unhex(format('%016x%016x', hash, rest)), hash, session, body ->> 0, body ->> 1,
      body ->> 2, body ->> 3, body ->> 4, body ->> 5, body ->> 6, body ->> 7, body ->> 8, price, body ->> 9,
      coalesce(rare ->> 0, 0), rare ->> 1, rare ->> 2, alias, lineage, nullif(body ->> 10, 0), body ->> 11,
      nullif(rare ->> 3, 0) FROM TABLE_NAME;
    DROP TABLE TABLE_NAME;
    ALTER TABLE old RENAME TO TABLE_NAME;
    CREATE INDEX TABLE_NAME_hash ON TABLE_NAME(hash);";

fn as_it_was() -> String {
    let tables: String = ["calls", "apart"].map(|name| AS_IT_WAS.replace("TABLE_NAME", name)).concat();
    format!(
        "{TO_SCHEMA_4} DROP VIEW readable; {tables}
         CREATE INDEX calls_lineage ON calls(lineage) WHERE lineage IS NOT NULL;
         CREATE VIEW readable AS SELECT hex(key), input FROM calls;
         DROP TABLE bills; DROP TABLE spent; DROP INDEX sessions_first; DROP TABLE rollup_days; ALTER TABLE kinds DROP COLUMN sums;
         PRAGMA user_version = 1;"
    )
}

#[test]
fn d10_books_of_schema_1_become_books_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&as_it_was()).unwrap();
    // Numbers beyond an integer were stored as sixteen bytes.
    let wide = "UPDATE calls SET quoted = X'00000000000000010000000000000000' WHERE id = (SELECT min(id) FROM calls)";
    assert_eq!(old.execute(wide, []).unwrap(), 1);
    drop(old);
    let opened = opened(&path);
    let backup = folder.path().join("ledger.db.schema-1");
    assert_eq!(opened.notes, [Note::Migrated { from: 1, backup: backup.clone() }]);
    let mut disk = opened.books;
    sound(&disk);
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(names_in(&path), names_in(&lived(&fresh)), "no table and no index is missing");
    let mut wanted = in_memory(life().len());
    let first = wanted.iter_mut().min_by_key(|row| (row.call.at().timestamp(), row.call.key)).unwrap();
    first.call.quoted = Some(tokmeter::testing::domain::Usd::from_pico(1 << 64));
    assert_eq!(rows(&disk), wanted);
    let calls_of = |disk: &Sqlite, by: &[Dimension]| {
        disk.report(&query(Grain::Day, by)).unwrap().rows.iter().map(|row| row.sums.calls).sum::<u64>()
    };
    assert_eq!(calls_of(&disk, &[]), calls_of(&disk, &[Dimension::Session]));
    disk.post(&calls([call("later", 99, 1)])).unwrap();
    sound(&disk);
    let kept = Connection::open(&backup).unwrap();
    assert_eq!(kept.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn d10_what_the_tables_of_an_older_schema_took_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut disk = books(&folder);
    disk.post(&calls((0..3000).map(|number| call(&format!("{number}"), number, 1)))).unwrap();
    drop(disk);
    Connection::open(&path).unwrap().execute_batch(&as_it_was()).unwrap();
    drop(opened(&path));
    let free = Connection::open(&path).unwrap().query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    assert_eq!(free.unwrap(), 0);
}

#[test]
fn d10_the_view_of_schema_7_becomes_a_query_that_costs_nothing_on_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    let old = "CREATE VIEW readable AS SELECT hash FROM calls; DELETE FROM meta WHERE name = 'readable';
               PRAGMA user_version = 7;";
    Connection::open(&path).unwrap().execute_batch(old).unwrap();
    let opened = opened(&path);
    assert_eq!(opened.notes, [Note::Migrated { from: 7, backup: folder.path().join("ledger.db.schema-7") }]);
    sound(&opened.books);
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(names_in(&path), names_in(&lived(&fresh)), "the view is gone");
    let query = |path: &Path| -> String {
        let select = "SELECT value FROM meta WHERE name = 'readable'";
        Connection::open(path).unwrap().query_row(select, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(query(&path), query(&lived(&fresh)));
}

#[test]
fn rows_can_be_read_in_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    let shell = Connection::open(&path).unwrap();
    let readable = "SELECT value FROM meta WHERE name = 'readable'";
    let readable: String = shell.query_row(readable, [], |row| row.get(0)).unwrap();
    let select = format!("SELECT key, at, model, session, input, output, about_usd FROM ({readable}) ORDER BY at, key");
    let mut select = shell.prepare(&select).unwrap();
    let mut found = select.query([]).unwrap();
    let mut wanted = in_memory(life().len());
    wanted.sort_by_key(|row| (row.call.at().timestamp(), row.call.key));
    for row in wanted {
        let shown = found.next().unwrap().unwrap();
        let text = |at: usize| shown.get::<_, Option<String>>(at).unwrap();
        assert_eq!(text(0), Some(row.call.key.to_string()));
        assert_eq!(text(1), Some(row.call.at().format("%Y-%m-%d %H:%M:%S").to_string()));
        assert_eq!(text(2).as_deref(), row.call.model.as_deref());
        assert_eq!(text(3).as_deref(), row.call.from.session.as_deref());
        let count = |at: usize| shown.get::<_, i64>(at).unwrap().cast_unsigned();
        assert_eq!((count(4), count(5)), (row.call.tokens.input, row.call.tokens.output));
        assert_eq!(shown.get::<_, Option<f64>>(6).unwrap().is_some(), row.cost.usd().is_some());
    }
    assert!(found.next().unwrap().is_none());
}

#[test]
fn d11_on_a_network_file_system_there_is_no_write_ahead_log_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    let options = Options { is_network: |_| true, ..Options::new(at(0)) };
    let mut opened = open(&path, options, prices()).unwrap();
    assert_eq!(opened.notes, [Note::Network { mode: "delete".into() }]);
    opened.books.post(&calls([call("new", 5, 5)])).unwrap();
    assert!(!folder.path().join("ledger.db-wal").exists());
    let mode: String =
        Connection::open(&path).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
    assert_eq!(total(&opened.books).calls, u64::try_from(in_memory(life().len()).len()).unwrap() + 1);
}

#[test]
fn d12_eight_processes_at_once_lose_and_double_nothing() {
    // The first moments of a new ledger are the delicate ones.
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let piped = std::process::Stdio::piped;
        let children: Vec<_> =
            (1000..1008).map(|number| child("crowd", &path, number).stderr(piped()).spawn().unwrap()).collect();
        for child in children {
            let ended = child.wait_with_output().unwrap();
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        }
        let disk = books(&folder);
        assert_eq!(total(&disk).calls, 25 + 8 * 25);
        sound(&disk);
    }
}

#[test]
fn d13_calls_from_the_future_stand_on_their_own_day_and_are_counted_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = books(&folder);
    let ten_years = 10 * 365 * 86_400;
    disk.post(&calls([call("now", 100, 1), call("later", ten_years, 1)])).unwrap();
    let days = disk.report(&query(Grain::Day, &[])).unwrap().rows;
    assert_eq!(
        days.iter().map(|row| format!("{:?}", row.period)).collect::<Vec<_>>(),
        ["Day(1970-01-01)", "Day(1979-12-30)"]
    );
    let info = disk.info(at(200)).unwrap();
    assert_eq!((info.future_calls, info.sums.calls, info.span), (1, 2, Some((at(100), at(ten_years)))));
}

#[test]
fn d14_reports_of_days_and_limits_never_read_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = lived(&folder);
    let whole: Vec<_> = [&[][..], &[Dimension::Model], &[Dimension::Session], &[Dimension::Agent]]
        .iter()
        .flat_map(|by| [Grain::Day, Grain::Month, Grain::Total, Grain::Session].map(|grain| query(grain, by)))
        .collect();
    let disk = books(&folder);
    let before: Vec<_> = whole.iter().map(|question| disk.report(question).unwrap()).collect();
    drop(disk);
    // With ten million calls such a query costs no more than with none.
    Connection::open(&path).unwrap().execute_batch("DELETE FROM calls").unwrap();
    let disk = books(&folder);
    let after: Vec<_> = whole.iter().map(|question| disk.report(question).unwrap()).collect();
    assert_eq!(before, after);
    let today = Filter { since: Some(at(0)), until: Some(at(86_400)), ..Filter::default() };
    assert!(disk.sums(&today).unwrap().calls > 30);
}

#[test]
fn d14_the_latest_sessions_are_shown_and_all_are_counted_without_reading_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut disk = books(&folder);
    let mut told = Vec::new();
    for number in 0..20 {
        for (part, model, agent, branch) in
            [(0, "opus", None, "main"), (1, "haiku", Some("one"), "main"), (2, "opus", Some("two"), "fix/AB-1")]
        {
            let mut call = call(&format!("{number} {part}"), number * 1_000 + part, 5);
            call.model = Some(Label::new(model));
            call.from.session = Some(Label::new(&format!("session {number:02}")));
            (call.from.agent, call.from.branch) = (agent.map(Label::new), Some(Label::new(branch)));
            told.push(call);
        }
    }
    disk.post(&calls(told)).unwrap();
    drop(disk);
    // A reader of the other sessions finds no name.
    let spoilt = Connection::open(&path).unwrap();
    spoilt.execute_batch("DELETE FROM labels WHERE name LIKE 'session %' AND name < 'session 17'").unwrap();
    let only = |dimension, value: &str| Filter { only: vec![(dimension, Matcher::new(value))], ..Filter::default() };
    for (by, filter, all) in [
        (&[][..], Filter::default(), 20),
        (&[Dimension::Model], Filter::default(), 40),
        (&[Dimension::Session, Dimension::Model], Filter::default(), 40),
        (&[Dimension::Agent], Filter::default(), 60),
        (&[Dimension::Branch, Dimension::Source], Filter::default(), 40),
        (&[Dimension::Agent], only(Dimension::Model, "opus"), 40),
        (&[], only(Dimension::Model, "sonnet"), 0),
    ] {
        let whole = Query { filter, order: Order::Descending, ..query(Grain::Session, by) };
        let limited = Query { limit: Some(2), ..whole.clone() };
        let report = books(&folder).report(&limited).unwrap();
        assert_eq!(
            (report.all_rows, report.rows.len()),
            ((all > 2).then_some(all), if all > 2 { 2 } else { 0 }),
            "{by:?}"
        );
        assert!(books(&folder).report(&whole).is_err() || all == 0, "{by:?}: the whole was read without names");
    }
}

#[test]
fn d15_pruning_or_compacting_that_is_killed_leaves_the_books_before_or_after() {
    let kept = |rows: Vec<Row>| -> Vec<Row> { rows.into_iter().filter(|row| row.call.at() >= at(10_000)).collect() };
    let (before, after) = (in_memory(life().len()), kept(in_memory(life().len())));
    assert_ne!(before, after);
    for stop in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = lived(&folder);
        let status = run("prune", &path, stop);
        let disk = books(&folder);
        let now = rows(&disk);
        assert!(now == before || now == after, "killed at step {stop}");
        sound(&disk);
        if status.success() {
            assert!(stop > 8 && now == after);
            break;
        }
    }
}

#[test]
fn d16_pricing_anew_that_is_killed_leaves_the_costs_before_or_after_and_a_copy() {
    let (before, after) = (in_memory(life().len()), in_memory_at(Arc::new(Prices { factor: 2 }), life().len()));
    let (mut old, mut new) = (0, 0);
    for stop in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = lived(&folder);
        let status = run("reprice", &path, stop);
        let disk = books(&folder);
        let now = rows(&disk);
        assert!(now == before || now == after, "killed at step {stop}");
        sound(&disk);
        if now == before {
            old += 1;
        } else {
            new += 1;
            let copy = folder.path().join("ledger.db.before-reprice-19700101T000001Z");
            assert_eq!(rows(&opened(&copy).books), before, "killed at step {stop}");
        }
        if status.success() {
            break;
        }
    }
    // Killed once it was committed, too, so the last two of them have the new costs.
    assert!(old > 8 && new == 2, "{old} before, {new} after");
}

#[test]
fn i6_everything_the_ledger_writes_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/data/ledger.db");
    assert!(!run("open for all", &path, usize::MAX).success(), "it stops without cleaning up");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.path().join("deep")), mode(&folder.path().join("deep/data"))), (0o700, 0o700));
    let names: Vec<PathBuf> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(names.len() >= 3, "the ledger, its log and its index: {names:?}");
    for name in names {
        assert_eq!(mode(&name), 0o600, "{}", name.display());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let backup = opened(&path).books.reprice(at(0)).unwrap().backup.unwrap();
    assert_eq!((mode(&path), mode(&backup)), (0o600, 0o600), "made private again");
}
