//! Tests that thousands of generated inputs never block the agent.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DAILY, Machine};
use crate::integrations::claude_code::hook_input::{Event, Moment};

/// Inputs similar to those of hooks: valid, invalid, truncated, and not JSON at all.
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
