//! Agents that log a running total: what it grows by belongs to the time at which it grew.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::common::Home;

const SESSION: &str = "d0d00001-0000-4000-8000-000000000009";

/// Writes a document as at this time.
fn write(home: &Home, path: &str, content: &Value, at: &str) {
    let path = home.write(path, &content.to_string());
    let at = chrono::DateTime::parse_from_rfc3339(at).unwrap();
    set_time(&path, SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.timestamp()).unwrap()));
}

fn set_time(path: &Path, at: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

fn droid(home: &Home, input: u64, at: &str) {
    let usage = json!({"inputTokens": input, "outputTokens": 1, "cacheCreationTokens": 0, "cacheReadTokens": 0});
    let lock = json!("2026-11-20T09:00:00.000Z");
    let settings = json!({"model": "claude-opus-4-6", "providerLockTimestamp": lock, "tokenUsage": usage});
    write(home, &format!(".factory/sessions/-shop/{SESSION}.settings.json"), &settings, at);
}

fn fx(home: &Home, input: u64, at: &str) {
    let models = json!([{"model": "zai/glm-5.2", "input_tokens": input, "output_tokens": 1}]);
    let document = json!({"session_id": "1795165200000-1-abc", "snapshot": {"models": models}});
    write(home, ".fx/sessions/1795165200000-1-abc/usage-v2.json", &document, at);
}

/// The days with their input tokens.
fn days(home: &Home, more: &[&str]) -> Vec<(String, u64)> {
    let report = [&["report", "day", "--json", "--since", "2026-11-01"], more].concat();
    let out = home.tokmeter().args(report).output().unwrap();
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let day = |row: &Value| (row["day"].as_str().unwrap().to_owned(), row["input_tokens"].as_u64().unwrap());
    report["rows"].as_array().unwrap().iter().map(day).collect()
}

#[test]
fn a_total_that_grows_counts_on_the_day_on_which_it_grew() {
    for write in [droid, fx] {
        let home = Home::new();
        let is = |day: &str, input| (format!("2026-11-{day}"), input);
        write(&home, 1_000, "2026-11-20T10:00:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000)]);
        write(&home, 1_500, "2026-11-20T23:59:00Z");
        write(&home, 1_600, "2026-11-21T00:01:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000), is("21", 600)]);
        write(&home, 4_000, "2026-11-23T09:30:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000), is("21", 600), is("23", 2_400)]);
        // The file is copied, and its total is the same.
        write(&home, 4_000, "2026-11-24T09:30:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000), is("21", 600), is("23", 2_400)]);
        // A reader that sees only the last total knows only when the session started.
        assert_eq!(days(&home, &["--no-ledger"]), [is("20", 4_000)]);
    }
}
