//! `tokmeter agents` and `doctor` name every agent, found or not.

use serde_json::Value;

use super::common::Home;
use super::sample;

fn listed(home: &Home) -> Vec<Value> {
    let out = home.tokmeter().args(["agents", "--json"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(said["schema"], 1);
    said["agents"].as_array().unwrap().clone()
}

fn of<'a>(listed: &'a [Value], agent: &str) -> &'a Value {
    listed.iter().find(|row| row["agent"] == agent).unwrap_or_else(|| panic!("{agent} is not listed"))
}

#[test]
fn every_agent_is_listed_with_where_it_is_looked_for_and_how_exact_it_is() {
    let home = Home::new();
    home.write(".gemini/tmp/shop/chats/session-2026-11-10T09-00-5e550100.jsonl", &sample("gemini-cli/chat.jsonl"));
    std::fs::create_dir_all(home.path().join(".iflow")).unwrap();
    let listed = listed(&home);
    let gemini = of(&listed, "gemini-cli");
    assert_eq!((&gemini["found"], &gemini["readable"], &gemini["fidelity"]), (&true.into(), &true.into(), &"E".into()));
    assert_eq!((&gemini["files"], &gemini["calls"]), (&1.into(), &2.into()), "{gemini}");
    assert_eq!(gemini["last"], "2026-11-10T09:00:09Z");
    assert_eq!(gemini["places"][0]["state"], "found");
    let goose = of(&listed, "goose");
    assert_eq!((&goose["found"], &goose["fidelity"], &goose["last"]), (&false.into(), &"EΣ$".into(), &Value::Null));
    assert!(goose["places"][0]["path"].as_str().unwrap().ends_with("goose/sessions"), "{goose}");
    let iflow = of(&listed, "iflow");
    assert_eq!((&iflow["found"], &iflow["readable"], &iflow["calls"]), (&true.into(), &false.into(), &0.into()));
    for row in &listed {
        assert!(!row["places"].as_array().unwrap().is_empty(), "{row}");
        let has_label = !row["fidelity"].as_str().unwrap().is_empty();
        assert!(has_label == row["readable"].as_bool().unwrap(), "{row}");
    }
    assert!(listed.len() > 12, "{}", listed.len());
}

#[test]
fn the_table_and_the_doctor_say_the_same() {
    let home = Home::new();
    home.write(".gemini/tmp/shop/chats/session-2026-11-10T09-00-5e550100.jsonl", &sample("gemini-cli/chat.jsonl"));
    let text = |command: &str| {
        let out = home.tokmeter().arg(command).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let table = text("agents");
    let row = |agent: &str| table.lines().find(|line| line.starts_with(agent)).unwrap_or_else(|| panic!("{table}"));
    assert!(row("gemini-cli").contains("yes") && row("gemini-cli").contains("~/.gemini/tmp"), "{table}");
    assert!(row("goose").contains("no") && row("windsurf").contains("no"), "{table}");
    let doctor = text("doctor");
    let agents: Vec<&str> = doctor.lines().filter(|line| line.contains(" not found: ")).collect();
    assert_eq!(agents.len(), 1, "{doctor}");
    assert!(agents[0].contains("goose") && !agents[0].contains("gemini-cli"), "{doctor}");
    assert!(!doctor.contains(".codex/sessions"), "{doctor}");
}

/// The rows of a report: the value of a dimension and the tokens; and the sum of all tokens.
fn by(home: &Home, args: &[&str]) -> (Vec<(Value, u64)>, u64) {
    let dimension = args[2];
    let out = home.tokmeter().args(args).args(["--json"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    let tokens = |row: &Value| row["total_tokens"].as_u64().unwrap();
    let rows = said["rows"].as_array().unwrap().iter().map(|row| (row[dimension].clone(), tokens(row))).collect();
    (rows, tokens(&said["total"]))
}

#[test]
fn reports_are_split_by_fidelity_and_by_repository() {
    let home = Home::new();
    home.write(".gemini/tmp/shop/chats/session-2026-11-10T09-00-5e550100.jsonl", &sample("gemini-cli/chat.jsonl"));
    let call = |id: &str, project: &str| {
        let project = home.path().join(project);
        let call = serde_json::json!({"id": id, "at": "2026-11-20T10:00:00Z", "model": "m", "input_tokens": 7,
            "output_tokens": 3, "session": id, "project": project});
        format!("{call}\n")
    };
    std::fs::create_dir_all(home.path().join("shop/.git")).unwrap();
    std::fs::create_dir_all(home.path().join("shop/backend")).unwrap();
    let lines = call("a", "shop") + &call("b", "shop/backend") + &call("c", "gone/folder");
    home.write(".local/share/tokmeter/usage.jsonl", &lines);
    let connection = home.file(".local/share/opencode/opencode.db");
    rusqlite::Connection::open(connection).unwrap().execute_batch(&sample("opencode/opencode.sql")).unwrap();
    for ledger in [&["--no-ledger"][..], &[]] {
        for period in ["total", "session"] {
            let (rows, total) = by(&home, &[&["report", "--by", "fidelity", period], ledger].concat());
            let of = |mark: &str| rows.iter().filter(|(value, _)| value == mark).map(|(_, tokens)| tokens).sum::<u64>();
            assert!(of("E") > 30 && of("E$") > 0 && of("E") + of("E$") == total, "{rows:?} of {total}");
            assert!(period == "session" || rows.len() == 2, "{rows:?}");
        }
        let (rows, total) = by(&home, &[&["report", "--by", "repo", "total", "--source", "native"], ledger].concat());
        let path = |name: &str| Value::from(home.path().join(name).to_str().unwrap());
        assert_eq!((rows, total), (vec![(path("gone/folder"), 10), (path("shop"), 20)], 30));
    }
}

#[test]
fn what_is_not_exact_says_what_is_missing_and_the_doctor_says_it_of_what_is_found() {
    let home = Home::new();
    home.write(".gemini/tmp/shop/chats/session-2026-11-10T09-00-5e550100.jsonl", &sample("gemini-cli/chat.jsonl"));
    let listed = listed(&home);
    for row in listed.iter().filter(|row| row["readable"] == true) {
        let (label, gaps) = (row["fidelity"].as_str().unwrap(), row["gaps"].as_str().unwrap());
        assert!(!label.contains(['Σ', '~']) || !gaps.is_empty(), "a total or an estimate hides something: {row}");
    }
    for (agent, label) in [("aider", "~"), ("pi", "E$"), ("droid", "Σ"), ("codewhale", "Σ$~"), ("qwen-code", "E")] {
        assert_eq!(of(&listed, agent)["fidelity"], label, "{agent}");
    }
    let doctor = String::from_utf8(home.tokmeter().arg("doctor").output().unwrap().stdout).unwrap();
    assert!(doctor.contains("gemini-cli (E): the router's calls"), "{doctor}");
    assert!(!doctor.contains("goose (EΣ$)"), "{doctor}");
}
