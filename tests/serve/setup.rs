//! `setup … --telemetry`: the settings that point an agent at the server, and their undo.

use serde_json::Value;

use crate::common::Home;

fn setup(home: &Home, args: &[&str]) -> (Option<i32>, String) {
    let out = home.tokmeter().arg("setup").args(args).output().unwrap();
    (out.status.code(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

fn text(home: &Home, name: &str) -> String {
    std::fs::read_to_string(home.path().join(name)).unwrap()
}

#[test]
fn every_agents_settings_are_shown_written_and_restored_to_the_letter() {
    for (agent, file, before) in [
        ("claude", ".claude/settings.json", "{\"model\":\"opus\",  \"env\":{\"A\":\"b\"}}\n"),
        ("gemini", ".gemini/settings.json", "{ \"ui\": {\"theme\": \"x\"} }"),
        ("codex", ".codex/config.toml", "model = \"gpt-5.6-codex\" # mine\n\n[tui]\nnotifications = true\n"),
    ] {
        let home = Home::new();
        home.write(file, before);
        let (code, said) = setup(&home, &[agent, "--telemetry"]);
        assert_eq!(code, Some(64), "nothing is written without a terminal: {said}");
        assert!(said.contains("http://127.0.0.1:4318"), "{said}");
        assert_eq!(text(&home, file), before);
        assert_eq!(setup(&home, &[agent, "--telemetry", "--yes"]).0, Some(0));
        assert!(text(&home, file).contains("http://127.0.0.1:4318"));
        assert!(setup(&home, &[agent, "--telemetry", "--yes"]).1.contains("nothing to do"));
        assert_eq!(setup(&home, &[agent, "--telemetry", "--undo", "--yes"]).0, Some(0));
        assert_eq!(text(&home, file), before, "{agent}");
    }
}

#[test]
fn setup_says_what_stops_an_agent_because_telemetry_does_not() {
    let home = Home::new();
    let (budget, proxy) = ("`tokmeter run --budget 5usd -- codex`", "`tokmeter proxy`");
    let (code, said) = setup(&home, &["codex"]);
    assert!(code == Some(64) && said.contains("counted without any setup"), "{said}");
    let (done, written) = setup(&home, &["codex", "--telemetry", "--yes"]);
    assert!(done == Some(0) && written.contains("Written."), "{written}");
    for said in [said, written] {
        assert!(said.contains("No limit stops Codex") && said.contains(budget) && said.contains(proxy), "{said}");
    }
    assert!(setup(&home, &["claude", "--telemetry", "--yes"]).1.contains("the hooks of `tokmeter setup claude` do"));
    assert!(!setup(&home, &["codex", "--telemetry", "--undo", "--yes"]).1.contains("No limit"));
}

#[test]
fn settings_that_were_not_there_are_made_and_removed_again() {
    for (agent, file) in [("claude", ".claude/settings.json"), ("codex", ".codex/config.toml")] {
        let home = Home::new();
        assert_eq!(setup(&home, &[agent, "--yes", "--telemetry", "http://meter.example:4318/"]).0, Some(0));
        assert!(text(&home, file).contains("http://meter.example:4318"));
        assert_eq!(setup(&home, &[agent, "--yes", "--undo", "--telemetry", "http://meter.example:4318"]).0, Some(0));
        assert!(!home.path().join(file).exists(), "{agent}");
    }
}

#[test]
fn the_address_is_the_configs_and_telemetry_that_goes_elsewhere_is_left_alone() {
    let home = Home::new();
    home.config("[server]\nlisten = \"0.0.0.0:9999\"\ntoken_file = \"/run/token\"\n");
    assert_eq!(setup(&home, &["claude", "--telemetry", "--yes"]).0, Some(0));
    let settings: Value = serde_json::from_str(&text(&home, ".claude/settings.json")).unwrap();
    assert_eq!(settings["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://127.0.0.1:9999");
    let (code, said) = setup(&home, &["claude", "--yes", "--telemetry", "http://other.example"]);
    assert!(code == Some(65) && said.contains("http://127.0.0.1:9999"), "{code:?} {said}");
    assert_eq!(setup(&home, &["codex", "--telemetry", "ftp://x"]).0, Some(64));
}

#[test]
fn what_an_undo_leaves_is_named_with_the_command_that_removes_it() {
    for (url, command) in [
        (None, "`tokmeter setup claude --telemetry --undo`"),
        (Some("http://meter.example:1"), "`tokmeter setup claude --telemetry http://meter.example:1 --undo`"),
    ] {
        let home = Home::new();
        let words: Vec<&str> = ["claude", "--yes", "--telemetry"].into_iter().chain(url).collect();
        let (_, said) = setup(&home, &words);
        assert!(said.contains(&format!("{command} reverts it")), "{said}");
        let (code, said) = setup(&home, &["claude", "--undo", "--yes"]);
        assert!(code == Some(0) && said.contains("nothing to do") && !said.contains("none of our entries"), "{said}");
        assert!(said.contains(&format!("Its telemetry stays; {command} removes it")), "{said}");
        assert!(setup(&home, &["claude", "--yes"]).1.contains("`tokmeter setup claude --undo` reverts it"));
        assert!(setup(&home, &["claude", "--undo", "--yes"]).1.contains(command), "the hooks are removed");
        let words: Vec<&str> = words.into_iter().chain(["--undo"]).collect();
        assert_eq!(setup(&home, &words).0, Some(0));
        assert!(!text(&home, ".claude/settings.json").contains("OTEL"));
    }
}
