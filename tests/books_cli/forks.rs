//! Forked sessions and rewritten transcripts: the maker of each call is right in any reading order.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::home::{Home, rows};

/// A trap of `samples/claude-code`: its transcripts, and the calls that each session made.
struct Fork {
    name: String,
    transcripts: Vec<(String, String)>,
    made: BTreeMap<String, u64>,
}

fn forks() -> Vec<Fork> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/claude-code");
    let expected: Value = serde_json::from_str(&fs::read_to_string(samples.join("expected.json")).unwrap()).unwrap();
    let sessions: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_value(expected["sessions"].clone()).unwrap();
    let fork = |(name, made)| {
        let mut files: Vec<PathBuf> =
            fs::read_dir(samples.join(&name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let text = |file: &PathBuf| {
            let stem = file.file_name().unwrap().to_str().unwrap();
            (format!(".claude/projects/-home-kim-shop/{stem}"), fs::read_to_string(file).unwrap())
        };
        Fork { transcripts: files.iter().map(text).collect(), name, made }
    };
    sessions.into_iter().map(fork).collect()
}

fn calls_by_session(report: &Value) -> BTreeMap<String, u64> {
    let named = |row: &Value| (row["session"].as_str().unwrap().to_owned(), row["calls"].as_u64().unwrap());
    rows(report, "rows").iter().map(named).collect()
}

/// Checks that every face assigns each session its own calls and no others.
fn check(home: &Home, fork: &Fork, how: &str) {
    let total = |words: &[&str]| home.fine(words).json()["total"]["total_tokens"].clone();
    for extra in [&[][..], &["--no-ledger"]] {
        let ask = |words: &[&str]| home.fine(&[words, extra].concat()).json();
        let report = ask(&["report", "session", "--json"]);
        assert_eq!(calls_by_session(&report), fork.made, "{}, {how}, {extra:?}", fork.name);
        for row in rows(&report, "rows") {
            let session = row["session"].as_str().unwrap();
            for name in [session, &session[..8]] {
                let summary = ask(&["summary", name, "--json"]);
                let same = ["session", "calls", "total_tokens", "cost_usd", "started", "ended"];
                for field in same {
                    assert_eq!(summary[field], row[field], "{}, {how}, {extra:?}: {field} of {name}", fork.name);
                }
            }
            let gate = home.fine(&["gate", "--session", session, "--json"]).json();
            assert_eq!(gate["limits"][0]["used"]["tokens"], row["total_tokens"], "{}, {how}: the limit", fork.name);
        }
    }
    assert_eq!(total(&["report", "total", "--json"]), total(&["report", "total", "--json", "--no-ledger"]));
    home.fine(&["ledger", "verify"]);
}

fn home() -> Home {
    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 1_000_000 }\n");
    home
}

#[test]
fn j29_every_session_that_made_a_call_has_its_row_whatever_is_read_first() {
    for fork in forks() {
        for turn in 0..2 * fork.transcripts.len() {
            let mut transcripts = fork.transcripts.clone();
            transcripts.rotate_left(turn % fork.transcripts.len());
            if turn >= fork.transcripts.len() {
                transcripts.reverse();
            }
            if fork.name == "fork-begun-later" && !transcripts[0].0.contains("parent") {
                // Only the start times of the logs distinguish the two: see the next test.
                continue;
            }
            let one_by_one = home();
            for (name, text) in &transcripts {
                one_by_one.write(name, text);
                one_by_one.fine(&["report", "session"]);
            }
            check(&one_by_one, &fork, "one by one");
        }
        let at_once = home();
        for (name, text) in &fork.transcripts {
            at_once.write(name, text);
        }
        check(&at_once, &fork, "at once");
    }
}

#[test]
fn j29_a_booked_session_keeps_its_calls_when_a_copy_appears_that_nothing_marks() {
    let fork = forks().into_iter().find(|fork| fork.name == "fork-begun-later").unwrap();
    let home = home();
    let [(fork_name, fork_text), (parent_name, parent_text)] = &fork.transcripts[..] else { panic!("two files") };
    home.write(parent_name, parent_text);
    let before = home.fine(&["summary", "5e550070", "--json"]).json();
    home.write(fork_name, fork_text);
    assert_eq!(home.fine(&["summary", "5e550070", "--json"]).json(), before);
    check(&home, &fork, "the parent first");
}

#[test]
fn j29_transcripts_that_grow_line_by_line_come_to_the_same() {
    for fork in forks().into_iter().filter(|fork| fork.name != "fork-begun-later") {
        let home = home();
        let longest = fork.transcripts.iter().map(|(_, text)| text.lines().count()).max().unwrap();
        for count in 1..=longest {
            for (name, text) in &fork.transcripts {
                let lines: Vec<&str> = text.split_inclusive('\n').take(count).collect();
                home.write(name, &lines.concat());
            }
            // Each run goes on where the last one ended.
            home.fine(&["report", "session"]);
        }
        check(&home, &fork, "line by line");
    }
}

#[test]
fn j30_what_a_rewritten_transcript_lost_stays_in_the_books() {
    let fork = forks().into_iter().find(|fork| fork.name == "fork-unmarked").unwrap();
    let (name, text) = fork.transcripts.iter().find(|(name, _)| name.contains("parent")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let report = |home: &Home| home.fine(&["report", "session", "--by", "model", "--json"]).out;
    let summary = r#"{"type":"summary","summary":"The basket was added.","leafUuid":"x"}"#;
    // Truncated at the end, the beginning, the middle, to nothing, and rewritten after a summary.
    let shorter = [
        lines[..4].concat(),
        lines[5..].concat(),
        [&lines[..2], &lines[7..]].concat().concat(),
        String::new(),
        format!("{summary}\n{}", lines[6..].concat()),
    ];
    for rewritten in shorter {
        let home = home();
        home.write(name, text);
        let before = report(&home);
        assert_eq!(calls_by_session(&serde_json::from_str(&before).unwrap()).values().sum::<u64>(), 3);
        home.write(name, &rewritten);
        assert_eq!(report(&home), before, "{rewritten}");
        // The fork appears: its copies take nothing from a session whose own lines are gone.
        for (name, text) in fork.transcripts.iter().filter(|(name, _)| name.contains("fork.jsonl")) {
            home.write(name, text);
        }
        let after = home.fine(&["report", "session", "--json"]).json();
        assert_eq!(calls_by_session(&after), fork.made, "{rewritten}");
        home.fine(&["ledger", "verify"]);
    }
}
