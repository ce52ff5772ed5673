//! Codex's sessions, in memory and in the ledger, in whatever order their files are found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::home::Home;

fn samples(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// A session's calls, tokens, those of sub-agents, and calls logged only in part.
type Row = (u64, u64, u64);

/// The sessions by the last digits of their names.
fn sessions(home: &Home, args: &[&str]) -> BTreeMap<String, Row> {
    let said = home.fine(&[&["report", "session", "--json"], args].concat()).json();
    let name = |row: &Value| row["session"].as_str().unwrap().trim_start_matches(|digit| digit != 'd').to_owned();
    let short = |name: String| name.rsplit('0').next().unwrap_or_default().to_owned();
    let number = |row: &Value, field: &str| row[field].as_u64().unwrap();
    let row = |row: &Value| (number(row, "calls"), number(row, "total_tokens"), number(row, "lower_bound_calls"));
    said["rows"].as_array().unwrap().iter().map(|found| (short(name(found)), row(found))).collect()
}

/// The sessions of these files: in memory, and in ledgers that read one file after the other, in both orders.
fn every_way(files: &[PathBuf]) -> BTreeMap<String, Row> {
    let put = |home: &Home, file: &Path| {
        let text = fs::read_to_string(file).unwrap();
        home.write(&format!(".codex/sessions/2026/11/20/{}", file.file_name().unwrap().to_str().unwrap()), &text);
    };
    let home = Home::new();
    for file in files {
        put(&home, file);
    }
    let expected = sessions(&home, &["--no-ledger"]);
    assert_eq!(sessions(&home, &[]), expected, "a ledger that is filled at once");
    let reversed: Vec<&PathBuf> = files.iter().rev().collect();
    for order in [files.iter().collect(), reversed] {
        let home = Home::new();
        for file in &order {
            put(&home, file);
            home.fine(&["report", "total"]);
        }
        assert_eq!(sessions(&home, &[]), expected, "{order:?}");
        assert!(home.fine(&["ledger", "verify"]).out.contains("The ledger is whole"), "{order:?}");
    }
    expected
}

fn row(name: &str, row: Row) -> (String, Row) {
    (name.to_owned(), row)
}

#[test]
fn j29_a_sub_agents_calls_belong_to_the_session_at_its_root() {
    let found = every_way(&samples("codex/session"));
    assert_eq!(found, [row("71", (5, 16_160, 1))].into(), "the aborted one is at least nothing");
    let home = Home::new();
    for file in samples("codex/session") {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        home.write(&format!(".codex/sessions/{name}"), &fs::read_to_string(file).unwrap());
    }
    let agents = home.fine(&["report", "total", "--by", "agent", "--json"]).json();
    let agents: Vec<_> = agents["rows"].as_array().unwrap().iter().map(|row| row["agent"].as_str()).collect();
    assert_eq!(agents, [Some("Ada"), Some("explorer"), None]);
}

#[test]
fn j29_a_fork_keeps_what_it_made_and_its_parent_what_it_made() {
    let found = every_way(&samples("codex/fork-without-history"));
    assert_eq!(found, [row("81", (2, 9_070, 0)), row("82", (2, 1_919, 0))].into());
    let found = every_way(&samples("codex/fork-replay"));
    let calls: Vec<u64> = found.values().map(|row| row.0).collect();
    assert_eq!((calls, found.len()), (vec![3, 1, 1], 3), "a replay is its parent's");
}

#[test]
fn a_session_that_was_compacted_elsewhere_is_at_least_what_its_log_holds() {
    let found = every_way(&samples("codex/compacted-elsewhere"));
    let marks: Vec<(&str, u64)> = found.iter().map(|(name, row)| (name.as_str(), row.2)).collect();
    assert_eq!(marks, [("51", 1), ("52", 0), ("53", 1)]);
    let home = Home::new();
    let folder = samples("codex/compacted-elsewhere")[0].parent().unwrap().display().to_string();
    let text = home.fine(&["report", "session", &folder]).out;
    let marked = text.lines().filter(|line| line.contains('≥') && line.contains("0195c0de")).count();
    assert_eq!(marked, 2, "{text}");
}

#[test]
fn a_resumed_thread_that_was_printed_run_by_run_comes_to_its_last_total() {
    let runs = samples("codex-exec/resumed");
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let home = Home::new();
        for at in order {
            let file = runs[at].display().to_string();
            home.fine(&["report", "total", "--book", &file]);
        }
        let total = home.fine(&["report", "total", "--json"]).json()["total"].clone();
        assert_eq!(
            (total["total_tokens"].as_u64(), total["guessed_calls"].as_u64()),
            (Some(7_361), Some(1)),
            "{order:?}"
        );
    }
}

#[test]
fn a_thread_that_was_printed_and_logged_counts_once() {
    let thread = "0195c0de-0000-7000-8000-000000000041";
    let printed = |input: u64, output: u64| {
        format!(
            "{{\"type\":\"thread.started\",\"thread_id\":\"{thread}\"}}\n{{\"type\":\"turn.completed\",\"usage\":{{\"input_tokens\":{input},\"cached_input_tokens\":0,\"output_tokens\":{output}}}}}\n"
        )
    };
    let rollout = fs::read_to_string(&samples("codex/records")[0]).unwrap();
    let (cut, _) = rollout.match_indices('\n').nth(5).unwrap();
    for order in ["printed first", "logged first"] {
        let home = Home::new();
        let log = |text: &str| home.write(&format!(".codex/sessions/rollout-2026-11-20T09-00-00-{thread}.jsonl"), text);
        if order == "logged first" {
            log(&rollout[..=cut]);
            home.fine(&["report", "total"]);
        }
        for (name, text) in [("one.jsonl", printed(1_000, 10)), ("two.jsonl", printed(90_000, 655))] {
            let file = home.write(name, &text).display().to_string();
            home.fine(&["report", "total", "--book", &file]);
        }
        log(&rollout);
        let total = |args: &[&str]| {
            let total = home.fine(&[&["report", "total", "--json"], args].concat()).json()["total"].clone();
            (total["calls"].as_u64().unwrap(), total["total_tokens"].as_u64().unwrap())
        };
        assert_eq!(total(&[]), (5, 15_155), "{order}");
        let all = home.path(".").display().to_string();
        assert_eq!(total(&[&all]), (5, 15_155), "{order}, in memory");
        assert!(home.fine(&["ledger", "verify"]).out.contains("The ledger is whole"), "{order}");
    }
}

#[test]
fn a_recorded_answer_that_a_proxy_logged_too_counts_once() {
    let home = Home::new();
    let record = r#"{"timestamp":"2026-11-20T09:00:02.000Z","type":"token_usage_record","payload":{"thread_id":"t-1","session_id":"t-1","response_id":"resp_00112233445566778899","usage":{"input_tokens":900,"cached_input_tokens":400,"output_tokens":30,"total_tokens":930}}}"#;
    let proxy = r#"{"id":"resp_00112233445566778899","object":"response","created_at":1795165202,"model":"gpt-5.6","usage":{"input_tokens":900,"input_tokens_details":{"cached_tokens":400},"output_tokens":30,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":930}}"#;
    let one = home.write("rollout-t-1.jsonl", &format!("{record}\n")).display().to_string();
    let two = home.write("proxy.jsonl", &format!("{proxy}\n")).display().to_string();
    for order in [[&*one, &*two], [&*two, &*one]] {
        let total = home.fine(&[&["report", "total", "--json"], &order[..]].concat()).json()["total"].clone();
        assert_eq!((total["calls"].as_u64(), total["total_tokens"].as_u64()), (Some(1), Some(930)), "{order:?}");
    }
}

#[test]
fn answers_that_were_booked_by_their_totals_count_once_when_their_records_are_read() {
    let rollout = fs::read_to_string(&samples("codex/records")[0]).unwrap();
    // A unique id, and ids that are not unique.
    for rollout in [rollout.replace("resp_0a1b2c3d4e5f", "r"), rollout] {
        let is_total = |line: &&str| !line.contains("\"token_usage_record\",\"payload");
        let totals_alone: String = rollout.split_inclusive('\n').filter(is_total).collect();
        assert!(totals_alone.len() < rollout.len());
        for folder in ["sessions", "archived_sessions"] {
            let home = Home::new();
            let thread = "0195c0de-0000-7000-8000-000000000041";
            let name = |folder: &str| format!(".codex/{folder}/rollout-2026-11-20T09-00-00-{thread}.jsonl");
            home.write(&name("sessions"), &totals_alone);
            assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 4);
            home.write(&name(folder), &rollout);
            let total = home.fine(&["report", "total", "--json"]).json()["total"].clone();
            let number = |field: &str| total[field].as_u64().unwrap();
            assert_eq!((number("calls"), number("total_tokens"), number("lower_bound_calls")), (5, 15_155, 0));
            assert!(home.fine(&["ledger", "verify"]).out.contains("The ledger is whole"));
        }
    }
}
