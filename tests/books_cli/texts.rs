//! Sizes of the answers in the logs of every agent whose logs have texts: each sample in any way of reading, and the
//! same keys and counts as its calls have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokmeter::testing::backfill::{AnswerSize, agents, sizes};
use tokmeter::testing::domain::Record;
use tokmeter::testing::ingest::{Options, Roots, Tails};

/// Model, stated output, characters, and whether parts are hidden.
type Row = (Option<&'static str>, u64, u64, bool);

const GPT: Option<&str> = Some("gpt-5.5");
const SONNET: Option<&str> = Some("claude-sonnet-4.5");

/// Agents, their samples, and what these hold, in the order of output and characters.
const SAMPLES: &[(&str, &str, &[Row])] = &[
    // One answer on three lines.
    ("claude-code", "streamed.jsonl", &[(Some("claude-opus-5"), 427, 83, false)]),
    (
        "pi",
        "aborted.jsonl",
        // `bash` and `{"a": 1}` are a tool's; counted reasoning is not in the text.
        &[(Some("gpt-5.5"), 0, 80 + 4 + 8, false), (Some("gpt-5.5"), 90, 40, true), (Some("gpt-5.5"), 100, 400, false)],
    ),
    // A prompt is not an answer; `default` names no model.
    (
        "cursor",
        "state.vscdb.sql",
        &[
            (None, 0, 2, false),
            (Some("claude-4.5-sonnet"), 5, 3, false),
            (None, 20, 4, false),
            (Some("claude-4.5-sonnet"), 310, 2, false),
        ],
    ),
    (
        "kiro",
        "data.sqlite3.sql",
        // `fs_read` and `{"path": "/a"}` are a tool's.
        &[(SONNET, 0, 20, true), (None, 0, 30, false), (SONNET, 0, 10 + 7 + 14, false), (SONNET, 0, 40, false)],
    ),
    (
        "kiro",
        "7c1d0c0e-0000-4000-8000-000000000001.jsonl",
        // `hello äö`, `read` and `{"path": "/a"}`.
        &[(SONNET, 0, 25, false), (SONNET, 0, 8 + 4 + 14, false)],
    ),
    // A thought, `On it.`, `readFile` and `{"path":"/a"}`; a hidden thought and `On it.`.
    ("kiro", "sess_0001/messages.jsonl", &[(SONNET, 0, 6, true), (SONNET, 0, 10 + 6 + 8 + 13, false)]),
    // An answer to the editor's own instructions is one, too.
    ("kiro", "exec-1.chat", &[(SONNET, 0, 33 + 50, false)]),
    ("kiro", "0123456789abcdef0123456789abcdef", &[(None, 0, 30 + 6, false)]),
    (
        "opencode",
        "aborted/opencode.sql",
        // `bash` and `{"c":1}`, `read` and `{"path":"/a"}` are tools'; counted reasoning is not all in the text.
        &[(GPT, 0, 7 + 20 + 4 + 7, false), (GPT, 0, 60 + 4 + 13, false), (GPT, 25, 100, false), (GPT, 50, 50, true)],
    ),
    (
        "copilot-vscode",
        "chatSessions/7b1d0c0e-0000-4000-8000-000000000003.jsonl",
        // The displayed text of a tool is incomplete; `read_file` and `{"path": "/a"}` are in the rounds.
        &[(GPT, 0, 8, true), (GPT, 0, 15 + 11, false), (GPT, 20, 6 + 9 + 14 + 12 + 40, false)],
    ),
    (
        "copilot-vscode",
        "chatSessions/7b1d0c0e-0000-4000-8000-000000000002.json",
        &[(GPT, 0, 0, true), (GPT, 20, 0, true), (GPT, 50, 0, true)],
    ),
    ("amazon-q", "data.sqlite3.sql", &[(SONNET, 0, 50, false)]),
];

/// The log as its agent has it: a database made of the statements, or the sample in its folder.
fn log(agent: &str, sample: &str, folder: &Path) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(agent).join(sample);
    let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".sql")) else { return path };
    let database = folder.join(if name.contains('.') { name.to_owned() } else { format!("{name}.db") });
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch(&fs::read_to_string(path).unwrap()).unwrap();
    database
}

fn rows(found: &[AnswerSize]) -> Vec<(Option<&str>, u64, u64, bool)> {
    let rows = found.iter().map(|one| (one.model.as_deref(), one.output, one.characters, one.hides_parts));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by_key(|row| (row.1, row.2));
    rows
}

#[test]
fn every_sample_has_the_sizes_that_are_expected_of_it_read_once_and_twice() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (agent, sample, expected)) in SAMPLES.iter().enumerate() {
        let folder = folder.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        let log = log(agent, sample, &folder);
        let once = sizes(agent, &[&log]).unwrap();
        assert_eq!(rows(&once), *expected, "{agent}/{sample}");
        assert_eq!(sizes(agent, &[&log, &log]).unwrap(), once, "{agent}/{sample} twice");
    }
    for agent in agents() {
        let is_alike = ["oh-my-pi", "senpi", "gjc", "kimchi", "prime", "kilo", "mimo"].contains(&agent);
        assert!(is_alike || SAMPLES.iter().any(|(other, ..)| *other == agent), "{agent} has no sample");
    }
}

#[test]
fn an_answer_with_counts_has_the_key_and_the_output_of_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    let without = ["kiro", "amazon-q"];
    let counted = SAMPLES.iter().filter(|(agent, ..)| !without.contains(agent));
    for (number, (agent, sample, _)) in counted.enumerate() {
        let folder = folder.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        let log = log(agent, sample, &folder);
        let (mut calls, now) = (BTreeMap::new(), std::time::Instant::now());
        let mut tails = Tails::new(&Roots::of_agent(agent, [log.clone()]), Options::default());
        tails.rescan(now);
        tails.poll_once(now, &mut |batch| {
            for record in batch.records {
                let Record::Call(call) = record else { continue };
                let output = calls.entry(call.key).or_insert(0);
                *output = call.tokens.output.max(*output);
            }
        });
        for answer in sizes(agent, &[&log]).unwrap().iter().filter(|answer| answer.output > 0) {
            assert_eq!(calls.get(&answer.key), Some(&answer.output), "{agent}: {answer:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 1 + 2 + 2 + 3 + 1 + 2);
}

#[test]
fn no_torn_or_foreign_bytes_give_an_answer_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let has_lines = |sample: &str| Path::new(sample).extension().is_some_and(|ending| ending == "jsonl");
    let all: Vec<_> = SAMPLES.iter().filter(|(_, sample, _)| has_lines(sample)).collect();
    for (agent, sample, expected) in &all {
        let whole = fs::read(log(agent, sample, folder.path())).unwrap();
        let torn = folder.path().join("torn.jsonl");
        for cut in (0..whole.len()).step_by(37) {
            fs::write(&torn, &whole[..cut]).unwrap();
            let found = sizes(agent, &[&torn]).unwrap();
            assert!(found.len() <= expected.len(), "{agent}/{sample} cut at {cut}");
        }
        for (other, foreign, _) in all.iter().filter(|(other, ..)| other != agent) {
            let found = sizes(agent, &[&log(other, foreign, folder.path())]).unwrap();
            assert!(found.is_empty(), "{agent} reads {other}: {found:?}");
        }
    }
    assert_eq!(all.len(), 5);
    assert!(sizes("kiro", &[&folder.path().join("missing.jsonl")]).is_err());
}
