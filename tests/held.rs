//! The screen while the ledger cannot be written: it counts, evaluates and warns as usual, shows that, and books
//! everything later.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

mod common;

use common::pty::Pty;
use common::{Home, append, native, now};
use rusqlite::Connection;

const USAGE: &str = ".local/share/tokmeter/usage.jsonl";
const LEDGER: &str = ".local/share/tokmeter/ledger.db";
const MARK: &str = "▲ not booked";

/// How many calls are booked.
fn booked(home: &Home) -> i64 {
    let db = Connection::open(home.file(LEDGER)).unwrap();
    db.query_row("SELECT count(*) FROM calls", [], |row| row.get(0)).unwrap()
}

#[test]
fn j2_the_screen_counts_and_judges_what_cannot_be_booked_and_books_it_when_it_can() {
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 1_000 }\n");
    home.write(USAGE, &native("one", &now(), "claude-opus-5", 80, 0));
    let mut pty = Pty::start(&home, &[], 120, 36);
    pty.wait_for("Tokens: 80");
    pty.wait("the first call to be booked", |_| home.file(LEDGER).exists() && booked(&home) == 1);
    assert!(!pty.screen().contains(MARK), "{}", pty.screen());
    let lock = Connection::open(home.file(LEDGER)).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut log = home.append(USAGE);
    append(&mut log, &native("two", &now(), "claude-opus-5", 870, 0));
    pty.wait_for("95% of daily limit used");
    pty.wait_for(MARK);
    append(&mut log, &native("three", &now(), "claude-opus-5", 100, 0));
    pty.wait_for("Daily limit reached");
    pty.wait_for("Tokens: 1,050");
    drop(lock);
    pty.wait("the mark to go", |screen| !screen.contains(MARK));
    pty.wait_for("Tokens: 1,050");
    assert_eq!(booked(&home), 3);
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn j2_a_call_sent_while_nothing_can_be_booked_is_kept_counted_and_booked_once() {
    use std::io::{BufRead, BufReader, Write};

    let home = Home::new();
    home.write(USAGE, &native("one", &now(), "claude-opus-5", 80, 0));
    let mut pty = Pty::start(&home, &["--socket=run/t.sock"], 120, 36);
    pty.wait_for("Tokens: 80");
    pty.wait("the first call to be booked", |_| home.file(LEDGER).exists() && booked(&home) == 1);
    let lock = Connection::open(home.file(LEDGER)).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let socket = home.file("run/t.sock");
    let said = |id: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.write_all(native(id, &now(), "claude-opus-5", 20, 0).as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    };
    for id in ["sent", "more", "sent"] {
        assert!(said(id).contains("\"ok\":true"), "{id}");
    }
    pty.wait_for("Tokens: 120");
    pty.wait_for(MARK);
    let spool = std::fs::read_to_string(home.file(".local/share/tokmeter/spool.jsonl")).unwrap();
    assert!(spool.contains("\"id\"") || spool.contains("\"key\""), "{spool}");
    drop(lock);
    pty.wait("the mark to go", |screen| !screen.contains(MARK));
    pty.wait_for("Tokens: 120");
    assert_eq!(booked(&home), 3);
    pty.send("q");
    assert_eq!(pty.ended(), 0);
    home.tokmeter().arg("report").assert().success();
    assert_eq!(booked(&home), 3, "what the spool holds is known");
}

#[test]
fn j2_a_screen_that_found_no_place_for_its_ledger_makes_one_as_soon_as_there_is() {
    let home = Home::new();
    let log = home.write("logs/usage.jsonl", &native("one", &now(), "claude-opus-5", 80, 0));
    home.config(&format!("logs = [\"{}\"]\n", log.display()));
    // A file in place of the folder.
    let place = home.write(".local/share/tokmeter", "");
    let mut pty = Pty::start(&home, &[], 120, 36);
    pty.wait_for("Tokens: 80");
    pty.wait_for(MARK);
    append(&mut home.append("logs/usage.jsonl"), &native("two", &now(), "claude-opus-5", 20, 0));
    pty.wait_for("Tokens: 100");
    std::fs::remove_file(&place).unwrap();
    pty.wait("the mark to go", |screen| !screen.contains(MARK));
    assert_eq!(booked(&home), 2);
    append(&mut home.append("logs/usage.jsonl"), &native("three", &now(), "claude-opus-5", 5, 0));
    pty.wait_for("Tokens: 105");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
    assert_eq!(booked(&home), 3);
}

#[test]
fn j3_a_screen_that_finds_its_ledger_damaged_mends_it_at_its_start() {
    let home = Home::new();
    home.write(USAGE, &native("one", &now(), "claude-opus-5", 80, 0));
    home.tokmeter().arg("report").assert().success();
    let db = Connection::open(home.file(LEDGER)).unwrap();
    db.execute_batch("UPDATE rollup_days SET sums = (SELECT sums FROM kinds LIMIT 1)").unwrap();
    drop(db);
    let mut pty = Pty::start(&home, &[], 120, 36);
    pty.wait_for("Tokens: 80");
    pty.wait("the call to be booked again", |_| booked(&home) == 1);
    pty.send("q");
    assert_eq!(pty.ended(), 0);
    home.tokmeter().args(["ledger", "verify"]).assert().success();
}
