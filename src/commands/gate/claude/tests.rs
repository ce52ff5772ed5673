//! Tests of the exact answer to every event.

mod arbitrary;
mod machine;

use serde_json::json;

use self::machine::{Machine, now};
use super::*;

const DAILY: &str = "limits.day = { tokens = 10_000 }\n";
const OVER: &str = "Daily limit reached: 10,000 of 10,000 tokens used, resets 00:00";
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
    let near = |percent, used| json!({ "systemMessage": format!("tokmeter: {percent}% of daily limit used: {used} of 10,000 tokens, resets 00:00") });
    let cases = [(7_999, Value::Null), (8_000, near(80, "8,000")), (9_999, near(99, "9,999"))];
    for (used, answer) in cases {
        let machine = Machine::new(DAILY);
        assert_eq!(machine.moment("UserPromptSubmit", used).0, answer, "{used}");
        // The warning is not repeated with every prompt, but a new session gets it again.
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
fn a_session_that_ends_is_recorded_as_ended() {
    let turns = |moment: &str| {
        let machine = Machine::new("");
        machine.moment(moment, 1);
        let prices = crate::pricing::PriceBook::new(Vec::new(), Vec::new(), crate::pricing::CostMode::Auto);
        let path = machine.home.path().join("data/ledger.db");
        let books =
            crate::ledger::open(&path, crate::ledger::Options::new(now()), std::sync::Arc::new(prices)).unwrap();
        books.books.statuses().unwrap()
    };
    let (source, session) = (Label::new(SOURCE), Label::new("s"));
    let closed = TurnStatus { source, session, agent: None, turn: Turn::Closed, seen: now() };
    assert_eq!(turns("SessionEnd"), [Status::Turn(closed)]);
    assert_eq!(turns("PostToolBatch"), []);
}

#[test]
fn what_fails_lets_work_go_on_and_says_so_unless_it_must_not() {
    // A file where the data folder should be, so that no user can open the ledger.
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
    // An override is a fact in the ledger that cannot be opened.
    assert!(!answer.to_string().contains("limits override"), "{answer}");
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
    let (output, _) = machine.moment("UserPromptSubmit", 10_000);
    assert!(output["systemMessage"].as_str().unwrap().contains("Daily limit reached"), "{output}");
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
