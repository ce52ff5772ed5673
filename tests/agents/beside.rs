//! Databases behind links, and databases whose writers pause for a moment or not at all.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokmeter::testing::ingest::{Options, Roots, Tails};

use super::full_speed::{ANSWER, TABLES, models};
use super::home;
use super::writer::Writer;

const PLACE: &str = ".local/share/devin/cli/sessions.db";

/// Many answers in one statement.
fn answers(range: std::ops::Range<usize>) -> String {
    let values = ANSWER.split_once("VALUES ('s', '").unwrap();
    let message = values.1.split_once("', 1795683600)").unwrap().0.replace("{n}", "' || value || '");
    format!(
        "WITH RECURSIVE numbers(value) AS (SELECT {} UNION ALL SELECT value + 1 FROM numbers WHERE value < {}) \
         {}SELECT 's', '{message}', 1795683600 FROM numbers",
        range.start,
        range.end - 1,
        values.0
    )
}

fn one(name: &str) -> String {
    ANSWER.replace("{n}", name)
}

fn tails(roots: &Roots, patience: Duration) -> Tails {
    Tails::new(roots, Options { patience, ..Options::default() })
}

fn poll(tails: &mut Tails) -> BTreeSet<String> {
    let (now, mut seen) = (Instant::now(), BTreeSet::new());
    tails.rescan(now);
    tails.poll_once(now, &mut |batch| seen.extend(models(&batch)));
    seen
}

/// A database in another folder, with a link in the place where it is looked for.
fn linked(path: &Path, journal: &str) -> (Writer, PathBuf) {
    let (real, link) = (path.join("elsewhere/real.db"), path.join(PLACE));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    let writer = Writer::start_with(&real, journal);
    std::os::unix::fs::symlink(&real, link).unwrap();
    (writer, real)
}

#[test]
fn k2_the_log_of_a_database_behind_a_link_is_read() {
    let (_keep, path, roots) = home();
    let (mut writer, _) = linked(&path, "WAL");
    writer.run(TABLES);
    writer.run(&one("first"));
    let mut tails = tails(&roots, Duration::ZERO);
    assert_eq!(poll(&mut tails), ["m-first".to_owned()].into());
    writer.run(&one("second"));
    assert!(poll(&mut tails).contains("m-second"));
    writer.close();
}

#[test]
fn k3_a_transaction_that_was_never_committed_behind_a_link_counts_nothing() {
    let (_keep, path, roots) = home();
    let (mut writer, real) = linked(&path, "DELETE");
    writer.run(TABLES);
    writer.run(&answers(0..100));
    // More than the cache holds: the file has pages of a transaction that only the journal takes back.
    let many = answers(1_000..5_000);
    writer.run(&format!("PRAGMA cache_size = 5; BEGIN IMMEDIATE; UPDATE message_nodes SET created_at = 1; {many}"));
    writer.kill();
    assert!(real.with_extension("db-journal").exists());
    let mut tails = tails(&roots, Duration::ZERO);
    assert_eq!(poll(&mut tails), BTreeSet::new(), "before its writer recovers it");
    let mut writer = Writer::start_with(&real, "DELETE");
    writer.run(&one("after"));
    writer.close();
    // The wait after a failed reading ends with a change of the file.
    let seen = poll(&mut tails);
    assert_eq!((seen.len(), seen.contains("m-after"), seen.contains("m-1000")), (101, true, false));
}

#[test]
fn k2_a_reading_beside_a_writer_that_has_its_log_alone_comes_to_an_end() {
    let (_keep, path, roots) = home();
    let database = path.join(PLACE);
    let mut writer = Writer::start(&database);
    writer.run("PRAGMA journal_mode = DELETE");
    writer.run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
    writer.run(TABLES);
    writer.run(&answers(0..10_000));
    assert!(!database.with_extension("db-shm").exists());
    let mut tails = tails(&roots, Duration::from_millis(200));
    let has_ended = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            poll(&mut tails);
            has_ended.store(true, Ordering::SeqCst);
        });
        let (begun, mut written) = (Instant::now(), 0);
        while !has_ended.load(Ordering::SeqCst) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is still read");
            writer.run(&one(&format!("late-{written}")));
            written += 1;
        }
        reading.join().unwrap();
        written
    });
    writer.close();
    let seen = poll(&mut tails);
    assert!(written == 0 || seen.contains(&format!("m-late-{}", written - 1)));
}

#[test]
fn k2_a_writer_that_pauses_for_moments_is_not_refused_however_often_it_comes() {
    let (_keep, path, roots) = home();
    let mut writer = Writer::start_with(&path.join(PLACE), "DELETE");
    writer.run(TABLES);
    writer.run(&answers(0..10_000));
    let mut tails = tails(&roots, Duration::from_secs(600));
    let seen = std::thread::scope(|scope| {
        let reading = scope.spawn(|| poll(&mut tails));
        // A reading takes longer than each of these pauses. A lock would be an error of the writer.
        for number in 0..60 {
            std::thread::sleep(Duration::from_millis(30));
            writer.run(&one(&format!("late-{number}")));
        }
        writer.close();
        reading.join().unwrap()
    });
    assert_eq!(seen.len(), 10_060);
}
