//! The exact answer to every event, and thousands of inputs that must not block the agent.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::Env;
use crate::domain::Instant;

fn now() -> Instant {
    "2026-11-22T13:02:00Z".parse().unwrap()
}

/// Answers inputs in a home of its own with this config.
struct Machine {
    home: tempfile::TempDir,
}

impl Machine {
    fn new(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        Self { home }
    }

    fn world(&self) -> Env {
        let home = self.home.path().to_owned();
        Env { home: Some(home), login: "alice".to_owned(), cwd: "/w".into(), ..Env::empty(now()) }
    }

    /// Standard output and standard error for an input.
    fn answer(&self, input: &[u8], data: Option<&Path>) -> (String, String) {
        let config = self.home.path().join("config.toml");
        let mut words = vec!["tokmeter", "gate", "--hook", "claude", "--config", config.to_str().unwrap()];
        words.extend(data.iter().flat_map(|data| ["--data-dir", data.to_str().unwrap()]));
        let words: Vec<std::ffi::OsString> = words.into_iter().map(Into::into).collect();
        let cli = crate::cli::parse(&words).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (mut context, loaded) = Context::open(&cli, self.world(), &mut out, &mut err).unwrap();
        let answer = reply(&mut context, &loaded, input).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (answer.map(|answer| answer.to_string()).unwrap_or_default(), text(err))
    }

    /// The answer to an event of session `s`, whose transcript holds one call with these output tokens.
    fn moment(&self, name: &str, output: u64) -> (Value, String) {
        let transcript = self.home.path().join("s.jsonl");
        let call = json!({
            "type": "assistant", "timestamp": "2026-11-22T12:00:00Z", "sessionId": "s", "uuid": "u", "cwd": "/w",
            "requestId": "req_1", "version": "2.1.0", "message": { "id": "msg_1", "model": "claude-opus-5", "role": "assistant",
            "type": "message", "usage": { "input_tokens": 0, "output_tokens": output } }
        });
        std::fs::write(&transcript, format!("{call}\n")).unwrap();
        let input = json!({
            "session_id": "s", "transcript_path": transcript, "cwd": "/w", "hook_event_name": name, "prompt": "go",
        });
        let data = self.home.path().join("data");
        let (answer, err) = self.answer(input.to_string().as_bytes(), Some(&data));
        (if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }, err)
    }
}

const DAILY: &str = "limits.day = { tokens = 10_000 }\n";
const OVER: &str = "Daily limit reached: 10,000 of 10,000 used, resets 00:00";
const WAY_OUT: &str = "\nTo continue this session anyway: tokmeter limits override s --reason WHY";

#[test]
fn each_moment_is_refused_in_its_own_words_when_a_limit_is_over() {
    let machine = Machine::new(DAILY);
    let for_person = format!("{OVER}{WAY_OUT}");
    let expected = [
        ("UserPromptSubmit", json!({ "decision": "block", "reason": for_person })),
        (
            "PreToolUse",
            json!({ "continue": false, "stopReason": for_person, "hookSpecificOutput": {
                "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": OVER } }),
        ),
        ("PostToolBatch", json!({ "continue": false, "stopReason": for_person, "decision": "block", "reason": OVER })),
        ("SessionStart", json!({ "systemMessage": format!("tokmeter: {OVER}") })),
        ("Stop", Value::Null),
        ("SubagentStop", Value::Null),
        ("SessionEnd", Value::Null),
        ("PreCompact", Value::Null),
        ("Notification", Value::Null),
    ];
    for (moment, answer) in expected {
        assert_eq!(machine.moment(moment, 10_000).0, answer, "{moment}");
    }
}

#[test]
fn a_limit_stops_at_exactly_its_amount_and_warns_from_exactly_its_warning_on() {
    let near = |percent, used| json!({ "systemMessage": format!("tokmeter: {percent}% of daily limit used: {used} of 10,000, resets 00:00") });
    let cases = [(7_999, Value::Null), (8_000, near(80, "8,000")), (9_999, near(99, "9,999"))];
    for (used, answer) in cases {
        let machine = Machine::new(DAILY);
        assert_eq!(machine.moment("UserPromptSubmit", used).0, answer, "{used}");
        // The warning is not repeated with every prompt; a new session gets it again.
        assert_eq!(machine.moment("UserPromptSubmit", used).0, Value::Null, "{used} again");
        assert_eq!(machine.moment("SessionStart", used).0, answer, "{used} at start");
        assert_eq!(machine.moment("PreToolUse", used).0, Value::Null, "{used} at a tool");
        assert_eq!(machine.moment("PostToolBatch", used).0, Value::Null, "{used} after tools");
    }
}

#[test]
fn limits_of_the_session_the_project_and_the_model_in_use_are_known() {
    for scope in ["session", "projects.\"/w\".day", "models.\"claude-opus-*\".week", "users.alice.5h", "org.month"] {
        let machine = Machine::new(&format!("limits.{scope} = \"500 tokens\"\n"));
        assert_eq!(machine.moment("PostToolBatch", 499).0, Value::Null, "{scope}");
        assert_eq!(machine.moment("PostToolBatch", 500).0["continue"], false, "{scope}");
    }
    for scope in ["projects.\"/other\".day", "models.\"gpt-*\".day", "users.bob.day"] {
        let machine = Machine::new(&format!("limits.{scope} = \"500 tokens\"\n"));
        assert_eq!(machine.moment("PostToolBatch", 500).0, Value::Null, "{scope}");
    }
}

#[test]
fn a_session_that_ends_is_summed_up_for_the_person() {
    let (answer, err) = Machine::new("").moment("SessionEnd", 4_230);
    assert_eq!(answer, Value::Null);
    assert!(err.contains("Session Complete") && err.contains("Tokens: 4,230"), "{err}");
}

#[test]
fn what_fails_lets_work_go_on_and_says_so_unless_it_must_not() {
    // A file where the data folder should be: no user can open the ledger.
    let blocked = |on_error: &str| {
        let machine = Machine::new(&format!("{DAILY}gate.on_error = \"{on_error}\"\n"));
        std::fs::write(machine.home.path().join("data"), "").unwrap();
        machine
    };
    let (answer, err) = blocked("allow").moment("UserPromptSubmit", 1);
    assert!(answer["systemMessage"].as_str().unwrap().contains("allowed anyway"), "{answer}");
    assert!(answer.get("decision").is_none() && err.contains("ledger"), "{answer} {err}");
    let (answer, _) = blocked("deny").moment("UserPromptSubmit", 1);
    assert_eq!(answer["decision"], "block");
    assert!(answer["reason"].as_str().unwrap().starts_with("Limits cannot be checked:"), "{answer}");
    assert_eq!(blocked("deny").moment("Stop", 1).0, Value::Null);
}

#[test]
fn a_config_with_a_mistake_keeps_what_is_right_in_it_and_is_told() {
    let machine = Machine::new(&format!("{DAILY}limits.weak = {{ usd = 1 }}\n"));
    let (answer, _) = machine.moment("UserPromptSubmit", 1);
    assert!(answer["systemMessage"].as_str().unwrap().contains("tokmeter config check"), "{answer}");
    assert_eq!(machine.moment("UserPromptSubmit", 10_000).0["decision"], "block");
}

#[test]
fn a_session_whose_limits_are_lifted_goes_on() {
    let machine = Machine::new(DAILY);
    assert_eq!(machine.moment("PostToolBatch", 10_000).0["continue"], false);
    let pricer =
        std::sync::Arc::new(crate::pricing::PriceBook::new(Vec::new(), Vec::new(), crate::pricing::CostMode::Auto));
    let path = machine.home.path().join("data/ledger.db");
    let mut books = crate::ledger::open(&path, crate::ledger::Options::new(now()), pricer).unwrap().books;
    crate::meter::overrides::lift(&mut books, &Label::new("s"), &Label::new("release"), now()).unwrap();
    drop(books);
    assert_eq!(machine.moment("PostToolBatch", 10_000).0, Value::Null);
    let (said, _) = machine.moment("UserPromptSubmit", 10_000);
    assert!(said["systemMessage"].as_str().unwrap().contains("Daily limit reached"), "{said}");
}

#[test]
fn an_answer_stays_short_whatever_names_are_in_it() {
    let machine = Machine::new(DAILY);
    let input = json!({ "session_id": "x\u{1b}".repeat(20_000), "hook_event_name": "UserPromptSubmit" });
    let none = Machine::new("limits.day = \"0 tokens\"\n");
    let (answer, _) = none.answer(input.to_string().as_bytes(), None);
    assert!(answer.contains("\"decision\":\"block\"") && answer.chars().count() < 10_000, "{}", answer.len());
    assert!(!answer.contains("\\u001b"));
    assert_eq!(machine.answer(b"", None).0, "");
}

/// Hook-like inputs: valid, invalid, truncated, and not JSON at all.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let moments = ["UserPromptSubmit", "PreToolUse", "PostToolBatch", "Stop", "SubagentStop", "SessionStart", "x", ""];
    let value = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!(["/w"])),
        Just(json!({ "id": 3 })),
        prop::sample::select(moments.to_vec()).prop_map(Value::from),
    ];
    let keys = ["hook_event_name", "session_id", "transcript_path", "cwd", "agent_id", "model", "tool_input", "other"];
    let members = prop::collection::vec((prop::sample::select(keys.to_vec()), value), 0..9);
    let named = prop::option::weighted(0.7, (prop::sample::select(moments.to_vec()), any::<prop::sample::Index>()));
    let object = (members, named).prop_map(|(members, named)| {
        let mut members: Vec<String> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        if let Some((moment, at)) = named {
            members.insert(at.index(members.len() + 1), format!("\"hook_event_name\":\"{moment}\""));
        }
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    prop_oneof![
        4 => object.clone(),
        2 => (object, any::<prop::sample::Index>()).prop_map(|(bytes, at)| bytes[..at.index(bytes.len())].to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

/// True for an answer that blocks.
fn stops(answer: &str) -> bool {
    let value: Value = serde_json::from_str(answer).unwrap_or_default();
    value.get("decision").is_some() || value.get("continue").is_some() || value.get("hookSpecificOutput").is_some()
}

#[test]
fn g11_ten_thousand_inputs_stop_nothing_unless_a_limit_is_over() {
    let (under, over) = (Machine::new(DAILY), Machine::new("limits.day = \"0 tokens\"\n"));
    let config = ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&input(), |input| {
            let (answer, _) = under.answer(&input, None);
            prop_assert!(!stops(&answer), "{answer}");
            prop_assert!(answer.is_empty() || serde_json::from_str::<Value>(&answer).is_ok());
            Ok(())
        })
        .unwrap();
    let config = ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let seen = std::cell::Cell::new(0);
    runner
        .run(&input(), |input| {
            let (answer, _) = over.answer(&input, None);
            let moment = Event::read(&input).moment;
            let may = matches!(moment, Moment::UserPromptSubmit | Moment::PreToolUse | Moment::PostToolBatch);
            prop_assert_eq!(stops(&answer), may, "{:?}: {}", moment, answer);
            seen.set(seen.get() + usize::from(may));
            Ok(())
        })
        .unwrap();
    assert!(seen.get() > 100, "the inputs hardly ever reach the gate: {}", seen.get());
}
