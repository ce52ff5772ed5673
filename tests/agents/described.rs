//! Logs whose agents write the file that describes them later: the sums, the model.

use serde_json::Value;

use super::common::Home;
use super::followed::Followed;
use super::{home, sample, write};

const SESSION: &str = "1795683900000_kl90m";
/// A session's own document before it has sums.
const BEGUN: &str =
    r#"{"version":1,"session_id":"1795683900000_kl90m","model":"gpt-5.5","cwd":"/home/kim/shop","metadata":{}}"#;

fn cline(name: &str) -> String {
    sample(&format!("cline/{SESSION}/{name}"))
}

/// The messages of a session and of its sub-agents.
fn messages() -> [String; 3] {
    [SESSION, "agent1", "agent2"].map(|name| format!("{name}.messages.json"))
}

#[test]
fn k6_the_sums_of_a_session_count_when_they_are_written_after_its_messages() {
    let (_keep, path, roots) = home();
    let session = path.join(".cline/data/sessions").join(SESSION);
    let own = session.join(format!("{SESSION}.json"));
    let mut followed = Followed::of(&roots);
    for name in messages() {
        write(&session.join(&name), &cline(&name));
    }
    followed.poll();
    followed.assert_sums(800, 0, 10);
    write(&own, BEGUN);
    followed.poll();
    followed.assert_sums(800, 0, 10);
    write(&own, &cline(&format!("{SESSION}.json")));
    followed.poll();
    followed.assert_sums(1_200, 600, 60);
}

/// All tokens in a report.
fn total(home: &Home, more: &[&str]) -> u64 {
    let out = home.tokmeter().args([&["report", "total", "--json"], more].concat()).output().unwrap();
    let total = serde_json::from_slice::<Value>(&out.stdout).unwrap()["total"].clone();
    ["input_tokens", "cache_read_tokens", "output_tokens"].iter().map(|name| total[name].as_u64().unwrap()).sum()
}

/// What the ledger knows of each log.
fn checkpoints(home: &Home) -> Vec<String> {
    let ledger = rusqlite::Connection::open(home.file(".local/share/tokmeter/ledger.db")).unwrap();
    let mut rows = ledger.prepare("SELECT path || ' ' || reader FROM files ORDER BY path").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn k6_a_description_that_changed_between_two_starts_is_noticed_and_noted() {
    let home = Home::new();
    let folder = format!(".cline/data/sessions/{SESSION}");
    let own = format!("{folder}/{SESSION}.json");
    home.write(&own, BEGUN);
    for name in messages() {
        home.write(&format!("{folder}/{name}"), &cline(&name));
    }
    assert_eq!(total(&home, &[]), 810);
    home.write(&own, &cline(&format!("{SESSION}.json")));
    assert_eq!((total(&home, &[]), total(&home, &["--no-ledger"])), (1_860, 1_860));
    let noted = checkpoints(&home);
    assert_eq!(total(&home, &[]), 1_860);
    assert_eq!(checkpoints(&home), noted, "nothing is read again");
    // A change that says nothing new is noted as well, so that the next start need not look again.
    let later = cline(&format!("{SESSION}.json")).replacen('{', "{ ", 1);
    home.write(&own, &later);
    assert_eq!(total(&home, &[]), 1_860);
    assert!(checkpoints(&home) != noted);
    // A ledger of an earlier version knows nothing of such files.
    let ledger = rusqlite::Connection::open(home.file(".local/share/tokmeter/ledger.db")).unwrap();
    ledger.execute_batch("UPDATE files SET reader = substr(reader, instr(reader, char(10)) + 1)").unwrap();
    drop(ledger);
    home.write(&own, &later.replace("\"usage\"", "\"usage\" "));
    assert_eq!(total(&home, &[]), 1_860);
}

#[test]
fn k6_the_lines_of_a_log_are_read_again_when_its_model_becomes_known() {
    let home = Home::new();
    let session = ".vibe/logs/session/unified/s-1";
    let answer = r#"{"payload":{"input":{"command":{"action_id":"act-1","result":{"usage":{"cached_input_tokens":0,"input_tokens":1000,"output_tokens":10}},"type":"completion_succeeded"},"determinism":{"time_unix_ms":1795683601000}}},"recovery_journal_record_version":1,"type":"core_input"}"#;
    home.write(&format!("{session}/journal/0000000000000001.jsonl"), &format!("{answer}\n"));
    let models = |more: &[&str]| {
        let out =
            home.tokmeter().args([&["report", "total", "--json", "--by", "model"], more].concat()).output().unwrap();
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let rows = report["rows"].as_array().unwrap().iter();
        rows.map(|row| (row["model"].as_str().map(str::to_owned), row["input_tokens"].as_u64())).collect::<Vec<_>>()
    };
    assert_eq!(models(&[]).iter().map(|(_, input)| *input).collect::<Vec<_>>(), [Some(1_000)]);
    home.write(
        &format!("{session}/meta.json"),
        r#"{"session_id":"s-1","environment":{"working_directory":"/home/kim/shop"},"config":{"model_name":"devstral-3"}}"#,
    );
    assert_eq!(models(&[]), [(Some("devstral-3".to_owned()), Some(1_000))]);
    assert_eq!(models(&[]), models(&["--no-ledger"]));
}
