//! Every agent's samples, in the places where the agent keeps such logs: found there, each call once.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::common::Home;
use super::program::database;

/// An agent's samples and the place of each below the home folder.
type Places = (&'static str, &'static [(&'static str, &'static str)]);

const HOMES: [Places; 12] = [
    (
        "copilot",
        &[
            ("events.jsonl", ".copilot/session-state/0c0b1107-0000-4000-8000-000000000001/events.jsonl"),
            ("older", ".copilot/session-state/0c0b1107-0000-4000-8000-000000000003"),
            ("killed", ".copilot/session-state/0c0b1107-0000-4000-8000-000000000004"),
            ("chosen", ".copilot/session-state/0c0b1107-0000-4000-8000-000000000005"),
            ("telemetry.jsonl", ".copilot/otel/telemetry.jsonl"),
            ("session-store.sql", ".copilot/session-store.db"),
            ("data.sql", ".copilot/data.db"),
        ],
    ),
    (
        "pi",
        &[
            ("tree.jsonl", ".pi/agent/sessions/--home-kim-shop--/tree.jsonl"),
            ("aborted.jsonl", ".pi/agent/sessions/--home-kim-shop--/aborted.jsonl"),
            ("fork", ".pi/agent/sessions/--home-kim-shop--"),
            ("version-1.jsonl", ".pi/agent/sessions/--home-kim-shop--/version-1.jsonl"),
        ],
    ),
    (
        "openclaw",
        &[
            ("openclaw-agent.sqlite.sql", ".openclaw/agents/main/agent/openclaw-agent.sqlite"),
            ("sessions", ".openclaw/agents/main/sessions"),
            ("codex-home", ".openclaw/agents/main/agent/codex-home/sessions/2026/11/20"),
        ],
    ),
    (
        "kimi-code",
        &[
            ("session", ".kimi-code/sessions/wd_shop/session_a"),
            ("fork", ".kimi-code/sessions/wd_shop/session_b"),
            ("older", ".kimi/sessions/0cc175b9/older"),
        ],
    ),
    (
        "cline",
        &[
            ("1795683600000_ab12c", ".cline/data/sessions/1795683600000_ab12c"),
            ("1795683700000_ef56g", ".cline/data/sessions/1795683700000_ef56g"),
            ("1795683800000_ij78k", ".cline/data/sessions/1795683800000_ij78k"),
            ("1795683900000_kl90m", ".cline/data/sessions/1795683900000_kl90m"),
            ("task", ".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks/1795683600001"),
            ("providers", ".config/Cursor/User/globalStorage/saoudrizwan.claude-dev/tasks/1795683600003"),
            ("removed", ".vscode-server/data/User/globalStorage/saoudrizwan.claude-dev/tasks/1795683600002"),
            ("older", ".vscode-server/data/User/globalStorage/saoudrizwan.claude-dev/tasks/1795684000000"),
        ],
    ),
    ("kilo", &[("kilo.sql", ".local/share/kilo/kilo.db")]),
    ("mimo", &[("mimocode.sql", ".local/share/mimocode/mimocode.db")]),
    ("droid", &[("", ".factory/sessions/-home-kim-shop")]),
    (
        "vibe",
        &[
            ("resumed", ".vibe/logs/session/unified"),
            ("one-run", ".vibe/logs/session/unified"),
            ("older", ".vibe/logs/session"),
        ],
    ),
    ("aider", &[("analytics.jsonl", ".aider/analytics.jsonl")]),
    ("llm", &[("logs.sql", ".config/io.datasette.llm/logs.db")]),
    ("amp", &[("", ".local/share/amp/threads")]),
];

fn samples(agent: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(agent)
}

/// Puts a sample where it belongs; a folder with everything below it.
fn put(home: &Home, from: &Path, to: &str) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            put(home, &entry.path(), &format!("{to}/{}", entry.file_name().to_string_lossy()));
        }
    } else if from.extension().is_some_and(|ending| ending == "sql") {
        fs::create_dir_all(home.file(to).parent().unwrap()).unwrap();
        database(home, to, &fs::read_to_string(from).unwrap());
    } else {
        home.write(to, &fs::read_to_string(from).unwrap());
    }
}

fn report(home: &Home, args: &[&str]) -> Value {
    let words = [&["report", "total", "--json"], args].concat();
    serde_json::from_slice(&home.tokmeter().args(words).output().unwrap().stdout).unwrap()
}

#[test]
fn what_stands_in_an_agents_own_places_comes_to_what_its_samples_do() {
    for (agent, places) in HOMES {
        let home = Home::new();
        for (sample, place) in places {
            put(&home, &samples(agent).join(sample), place);
        }
        let expected: Value =
            serde_json::from_str(&fs::read_to_string(samples(agent).join("expected.json")).unwrap()).unwrap();
        let llm_is_half = agent == "llm";
        let models = if llm_is_half { &expected["traps"]["logs.sql"] } else { &expected["models"] };
        for args in [&["--no-ledger"][..], &[], &[]] {
            let found = report(&home, args);
            for field in [
                "calls",
                "input_tokens",
                "cache_read_tokens",
                "cache_write_5m_tokens",
                "cache_write_1h_tokens",
                "output_tokens",
            ] {
                let sum: u64 = models.as_array().unwrap().iter().map(|model| model[field].as_u64().unwrap()).sum();
                assert_eq!(found["total"][field].as_u64(), Some(sum), "{field} of {agent}, {args:?}");
            }
        }
    }
}

/// The names in one column of a report.
fn names(home: &Home, by: &str) -> Vec<Option<String>> {
    let found = report(home, &["--by", by]);
    let rows = found["rows"].as_array().unwrap().iter();
    let mut names: Vec<_> = rows.map(|row| row[by].as_str().map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
fn what_a_log_does_not_say_stands_in_the_file_beside_it() {
    let home_of = |agent: &str, sample: &str, place: &str| {
        let home = Home::new();
        put(&home, &samples(agent).join(sample), place);
        home
    };
    let shop = vec![Some("/home/kim/shop".to_owned())];
    let session = "1795683600000_ab12c";
    let cline = home_of("cline", session, &format!(".cline/data/sessions/{session}"));
    assert_eq!(names(&cline, "project"), shop);
    let droid = home_of("droid", "", ".factory/sessions/-home-kim-shop");
    assert_eq!(names(&droid, "project"), [None, shop[0].clone()], "one session has no transcript");
    let vibe = home_of("vibe", "resumed", ".vibe/logs/session/unified");
    assert_eq!((names(&vibe, "project"), names(&vibe, "model")), (shop.clone(), vec![Some("devstral-3".to_owned())]));
    let kimi = Home::new();
    let state = r#"{"id":"session_a","version":2,"cwd":"/home/kim/shop","createdAt":1795683590000,"agents":{}}"#;
    kimi.write(".kimi-code/sessions/wd_shop/session_a/state.json", state);
    put(&kimi, &samples("kimi-code/session"), ".kimi-code/sessions/wd_shop/session_a");
    // A fork that was begun after the first of its records.
    let state = state.replace("session_a", "session_b").replace("1795683590000", "1795683605000");
    kimi.write(".kimi-code/sessions/wd_shop/session_b/state.json", &state);
    put(&kimi, &samples("kimi-code/fork"), ".kimi-code/sessions/wd_shop/session_b");
    assert_eq!(names(&kimi, "project"), shop);
    let sessions = report(&kimi, &["--by", "session"]);
    let rows = sessions["rows"].as_array().unwrap().iter();
    let calls: Vec<_> = rows.map(|row| (row["session"].as_str().unwrap(), row["calls"].as_u64().unwrap())).collect();
    assert!(calls.contains(&("session_a", 4)) && calls.contains(&("session_b", 1)), "{calls:?}");
}
