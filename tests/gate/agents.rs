//! Agents that ask before spending: a script with exit codes, and Claude Code with its hooks.

use super::{Home, Value, call, json, run};
use std::fmt::Write as _;
use std::io::Write as _;

#[test]
fn e12_a_scripted_agent_is_stopped_with_at_most_one_call_of_overshoot() {
    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 1_000 }\n");
    let (mut calls, mut spent) = (0, 0);
    while run(&home, &["gate", "--session", "s1"], "").code == 0 {
        let made = call("alice", "dollar", 300);
        assert_eq!(run(&home, &["record"], &made).code, 0);
        (calls, spent) = (calls + 1, spent + 300);
        assert!(calls < 10, "nobody stops it");
    }
    assert_eq!((calls, spent), (4, 1_200));
    assert_eq!(run(&home, &["gate", "--session", "another"], "").code, 0);
}

/// An answer as logged by Claude Code: once while streaming, once complete.
fn answer(number: u64, output: u64) -> String {
    let mut lines = String::new();
    for (part, output) in [("a", 1), ("b", output)] {
        let at = chrono::Utc::now().to_rfc3339();
        writeln!(
            lines,
            "{{\"type\":\"assistant\",\"timestamp\":\"{at}\",\"sessionId\":\"c1\",\"uuid\":\"u{number}{part}\",\"cwd\":\"/w\",\
             \"requestId\":\"req_{number}\",\"message\":{{\"id\":\"msg_{number}\",\"model\":\"claude-opus-5\",\
             \"type\":\"message\",\"role\":\"assistant\",\"usage\":{{\"input_tokens\":0,\"output_tokens\":{output}}}}}}}"
        )
        .unwrap();
    }
    lines
}

#[test]
fn a_transcript_is_read_by_its_whole_path_only() {
    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 1_000 }\n");
    let whole = home.write("elsewhere/c1.jsonl", &answer(1, 2_000));
    let stops = |path: &str| {
        let input = serde_json::json!({
            "session_id": "c1", "transcript_path": path, "cwd": "/w", "hook_event_name": "UserPromptSubmit",
        });
        !run(&home, &["gate", "--hook", "claude"], &input.to_string()).out.is_empty()
    };
    // A hook's working directory differs from the one its path is relative to.
    assert!(!stops("elsewhere/c1.jsonl"));
    assert!(stops(whole.to_str().unwrap()));
}

#[test]
fn e12_claude_code_is_stopped_by_its_own_hooks_within_one_call() {
    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 1_000 }\n");
    let log = ".claude/projects/-w/c1.jsonl";
    let path = home.file(log);
    let hook = |moment: &str| {
        let input =
            serde_json::json!({ "session_id": "c1", "transcript_path": path, "cwd": "/w", "hook_event_name": moment });
        let told = run(&home, &["gate", "--hook", "claude"], &input.to_string());
        assert_eq!(told.code, 0, "{}", told.err);
        if told.out.is_empty() { Value::Null } else { json(&told.out) }
    };
    assert_eq!(hook("UserPromptSubmit"), Value::Null);
    let mut spent = 0;
    for number in 0.. {
        // The model answers and wants a tool; the tool runs; the model would be called again.
        home.append(log).write_all(answer(number, 300).as_bytes()).unwrap();
        spent += 300;
        let stopped = [hook("PreToolUse"), hook("PostToolBatch")].iter().any(|said| said["continue"] == false);
        assert_eq!(stopped, spent >= 1_000, "after {spent}");
        if stopped {
            break;
        }
    }
    assert_eq!(spent, 1_200);
    assert_eq!(hook("Stop"), Value::Null);
    let next = hook("UserPromptSubmit");
    assert_eq!(next["decision"], "block");
    assert!(
        next["reason"].as_str().unwrap().starts_with("Session w limit reached: 1,200 of 1,000 tokens used"),
        "{next}"
    );
}

#[test]
fn i11_a_repository_cannot_raise_a_limit() {
    let home = Home::new();
    home.config("[limits]\ntotal = \"10 tokens\"\n");
    home.write(super::USAGE_LOG, &call("alice", "dollar", 10));
    home.write("repo/config.toml", "[limits]\ntotal = \"1M tokens\"\n");
    home.write("repo/tokmeter.toml", "[limits]\ntotal = \"1M tokens\"\n");
    home.write("repo/.tokmeter/config.toml", "[limits]\ntotal = \"1M tokens\"\n");
    let mut gate = home.tokmeter();
    gate.current_dir(home.path().join("repo")).env("TOKMETER_CONFIG", "config.toml").arg("gate");
    assert_eq!(gate.output().unwrap().status.code(), Some(2));
}
