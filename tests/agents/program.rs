//! The program finds these agents by itself, and is exact when it is killed.

use std::collections::BTreeMap;
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::Value;

use super::common::Home;
use super::sample;

const CHAT: &str = ".gemini/tmp/shop/chats/session-2026-11-10T09-00-5e550100.jsonl";
const DOCUMENT: &str = ".gemini/tmp/shop/chats/session-2026-01-10T09-00-0a1b2c3d.json";
const OPENCODE: &str = ".local/share/opencode/opencode.db";
const GOOSE: &str = ".local/share/goose/sessions/sessions.db";

pub(crate) fn database(home: &Home, name: &str, sql: &str) {
    let connection = Connection::open(home.file(name)).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    connection.execute_batch(sql).unwrap();
}

fn filled() -> Home {
    let home = Home::new();
    home.write(CHAT, &sample("gemini-cli/chat.jsonl"));
    home.write(DOCUMENT, &sample("gemini-cli/session-2026-01-10T09-00-0a1b2c3d.json"));
    database(&home, OPENCODE, &sample("opencode/opencode.sql"));
    database(&home, GOOSE, &sample("goose/sessions.sql"));
    home
}

/// Calls and tokens of each agent.
fn agents(home: &Home, args: &[&str]) -> BTreeMap<String, (u64, u64)> {
    let report = ["report", "total", "--by", "source", "--json"];
    let out = home.tokmeter().args([&report, args].concat()).output().unwrap();
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    let number = |row: &Value, field: &str| row[field].as_u64().unwrap();
    let rows = said["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let counts = (number(row, "calls"), number(row, "total_tokens"));
        (row["source"].as_str().unwrap().to_owned(), counts)
    })
    .collect()
}

fn expected() -> BTreeMap<String, (u64, u64)> {
    let gemini = 567 + 11_502 + 147 + 1488 + 9325 + 199 + 900 + 2100 + 110;
    let opencode = 180 + 16_243 + 59_916 + 445;
    let goose = 340 + 1500 + 4000 + 500 + 300 + 900;
    [("gemini-cli", 4, gemini), ("opencode", 3, opencode), ("goose", 4, goose)]
        .map(|(name, calls, tokens)| (name.to_owned(), (calls, tokens)))
        .into()
}

#[test]
fn each_agent_is_found_by_itself_with_and_without_books() {
    let home = filled();
    assert_eq!(agents(&home, &["--no-ledger"]), expected());
    assert_eq!(agents(&home, &[]), expected());
    assert_eq!(agents(&home, &[]), expected(), "a second run reads nothing twice");
    assert_eq!(agents(&home, &["."]), expected(), "a folder that is named holds them too");
    let doctor = home.tokmeter().arg("doctor").output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    for place in [
        ".gemini/tmp: 2 files",
        "share/opencode: 1 file",
        "goose/sessions: 1 file",
        " gemini-cli,",
        " opencode,",
        " goose",
    ] {
        assert!(said.contains(place), "{place} in:\n{said}");
    }
}

#[test]
fn d1_a_run_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let home = filled();
    for pieces in 0..6_usize {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tokmeter"));
        command.env_clear().envs(home.vars()).current_dir(home.path()).args(["report", "total"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Later and later, by a measure that has nothing to do with the clock.
        while home.path().join(".local/share/tokmeter").read_dir().map_or(0, Iterator::count) < pieces {
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(agents(&home, &[]), expected());
    assert!(home.tokmeter().args(["ledger", "verify"]).output().unwrap().status.success());
}
