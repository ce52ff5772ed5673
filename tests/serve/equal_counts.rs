//! Calls with equal counts: those that are one, and those that are not.

use serde_json::{Value, json};

use crate::client::Served;
use crate::common::Home;
use crate::counted;
use crate::ladder::{at, attributes, post};

/// Records or spans with these attributes, of a service.
fn of_service(service: &str, groups: [&str; 3], all: &[Value]) -> Value {
    json!({groups[0]: [{
        "resource": {"attributes": attributes(&[("service.name", service.into())])},
        groups[1]: [{"scope": {"name": service}, groups[2]: all}],
    }]})
}

#[test]
fn a_log_record_and_a_span_without_the_services_id_are_one_call() {
    let counts = [
        ("session.id", Value::from("s-1")),
        ("model", "claude-opus-5".into()),
        ("input_tokens", 100.into()),
        ("output_tokens", 20.into()),
    ];
    let signal = |name: &str, own: &[(&str, Value)], span: Option<u64>| {
        json!({
            "traceId": span.map(|_| "5b8efff798038103d269b633813fc60c"), "spanId": span.map(|span| format!("{span:016x}")),
            "name": name, "body": {"stringValue": name}, "timeUnixNano": at(0).to_string(),
            "startTimeUnixNano": at(0).to_string(), "attributes": attributes(&[&counts[..], own].concat()),
        })
    };
    let log = |own: &[(&str, Value)], span| {
        let record = signal("claude_code.api_request", own, span);
        ("/v1/logs", of_service("claude-code", ["resourceLogs", "scopeLogs", "logRecords"], &[record]))
    };
    let span = |own: &[(&str, Value)], span| {
        let span = signal("claude_code.llm_request", own, Some(span));
        ("/v1/traces", of_service("claude-code", ["resourceSpans", "scopeSpans", "spans"], &[span]))
    };
    let client = |id: &str| [("client_request_id", Value::from(id))];
    let numbered = |number: u64| [("event.sequence", Value::from(number))];
    for is_reversed in [false, true] {
        let home = Home::new();
        let served = Served::start(&home);
        let cases = [
            (vec![log(&client("c1"), Some(1)), span(&client("c1"), 1)], 1),
            (vec![log(&client("c2"), None), span(&client("c2"), 2)], 1),
            (vec![log(&[], Some(3)), span(&[], 3)], 1),
            // The span around two requests is not that of either.
            (vec![log(&numbered(1), Some(4)), log(&numbered(2), Some(4))], 2),
        ];
        let mut calls = 0;
        for (mut exports, more) in cases {
            calls += more;
            if is_reversed {
                exports.reverse();
            }
            for (path, export) in exports.iter().chain(&exports) {
                post(&served.client, path, export);
            }
            assert_eq!(counted(&served.client), (calls, calls * 100), "{exports:?}");
        }
    }
}

#[test]
fn b25_answers_with_equal_counts_are_as_many_as_their_ids_and_prompts() {
    let home = Home::new();
    let mut served = Served::start(&home);
    let counts = [
        ("input_token_count", 100.into()),
        ("output_token_count", 20.into()),
        ("total_token_count", 120.into()),
        ("duration_ms", 500.into()),
        ("session.id", Value::from("s-1")),
        ("model", Value::from("m")),
    ];
    let record = |event: &str, own: &[(&str, Value)], second: u64| {
        let event = ("event.name", event.into());
        json!({"timeUnixNano": at(second).to_string(), "attributes": attributes(&[&counts[..], own, &[event]].concat())})
    };
    let prompt = |id: &str| [("prompt_id", Value::from(id))];
    let answer = |id: &str| [("response_id", Value::from(id))];
    let gemini = |own: &[(&str, Value)], second| record("gemini_cli.api_response", own, second);
    let qwen = |own: &[(&str, Value)], second| record("qwen-code.api_response", own, second);
    let chat = |id: &str, answer: &str| {
        json!({
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": id, "name": "chat m",
            "startTimeUnixNano": at(0).to_string(),
            "attributes": attributes(&[
                ("gen_ai.operation.name", "chat".into()), ("gen_ai.request.model", "m".into()),
                ("gen_ai.conversation.id", "s-1".into()), ("gen_ai.response.id", answer.into()),
                ("gen_ai.usage.input_tokens", 100.into()), ("gen_ai.usage.output_tokens", 20.into()),
            ]),
        })
    };
    let logs = ["resourceLogs", "scopeLogs", "logRecords"];
    let exports = [
        ("/v1/logs", of_service("gemini-cli", logs, &[gemini(&prompt("p1"), 0), gemini(&prompt("p2"), 60)]), 2),
        // At another time within one prompt, and in another prompt at one time.
        ("/v1/logs", of_service("gemini-cli", logs, &[gemini(&prompt("p2"), 61), gemini(&prompt("p3"), 61)]), 2),
        ("/v1/logs", of_service("qwen-code", logs, &[qwen(&answer("r-1"), 0), qwen(&answer("r-2"), 0)]), 2),
        // The same answer, sent at another time.
        ("/v1/logs", of_service("qwen-code", logs, &[qwen(&answer("r-2"), 9), qwen(&prompt("p1"), 9)]), 1),
        (
            "/v1/traces",
            of_service(
                "github-copilot",
                ["resourceSpans", "scopeSpans", "spans"],
                &[
                    chat("4df394fca7d359f2", "chatcmpl-1"),
                    chat("5c89c184ddad9353", "chatcmpl-2"),
                    chat("6c89c184ddad9353", "chatcmpl-2"),
                ],
            ),
            2,
        ),
    ];
    let mut calls = 0;
    for (path, export, more) in &exports {
        calls += more;
        post(&served.client, path, export);
        assert_eq!(counted(&served.client), (calls, calls * 100), "{export}");
    }
    served.kill();
    let served = Served::start(&home);
    for (path, export, _) in &exports {
        post(&served.client, path, export);
    }
    assert_eq!(counted(&served.client), (calls, calls * 100));
}

#[test]
fn b25_equal_prompts_behind_a_gateway_are_as_many_as_the_source_that_has_most_of_them() {
    let home = Home::new();
    let served = Served::start(&home);
    let record = |number: u64, output: u64| {
        json!({
            "timeUnixNano": at(number).to_string(), "body": {"stringValue": "claude_code.api_request"},
            "attributes": attributes(&[
                ("session.id", "s-1".into()), ("model", "claude-opus-5[1m]".into()), ("input_tokens", 100.into()),
                ("output_tokens", output.into()), ("client_request_id", format!("c-{number}").into()),
            ]),
        })
    };
    let line = |number: u64, output: u64| {
        let message = json!({"id": format!("gen-{number}"), "role": "assistant", "model": "claude-opus-5",
            "usage": {"input_tokens": 100, "output_tokens": output}});
        let line = json!({"type": "assistant", "sessionId": "s-1", "uuid": format!("u-{number}"), "version": "2.1.332",
            "timestamp": format!("2026-11-26T22:00:0{number}.000Z"), "message": message});
        format!("{line}\n")
    };
    let logs = ["resourceLogs", "scopeLogs", "logRecords"];
    post(&served.client, "/v1/logs", &of_service("claude-code", logs, &[record(1, 20), record(2, 30), record(3, 40)]));
    assert_eq!(counted(&served.client), (3, 300));
    drop(served);
    // An answer that is logged while it grows, and one that another program's telemetry would have reported.
    home.write(".claude/projects/src/s-1.jsonl", &[line(1, 1), line(1, 20), line(2, 30)].concat());
    let served = Served::start(&home);
    assert_eq!(counted(&served.client), (3, 300));
    let usage = served.client.get("/api/v1/usage?period=total").json();
    assert_eq!(usage["total"]["output_tokens"], 90);
}
