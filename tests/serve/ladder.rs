//! One call once, whatever an agent sends of it: log record, span, metric, and its transcript on top.

use serde_json::{Value, json};

use crate::client::{Client, Served};
use crate::common::Home;
use crate::{JSON, counted, export, logs, request};

pub fn post(client: &Client, path: &str, body: &Value) {
    let answer = client.post(path, &[("content-type", JSON)], body.to_string().as_bytes());
    assert_eq!((answer.status, answer.text()), (200, "{}".to_owned()), "{path}");
}

pub fn attributes(all: &[(&str, Value)]) -> Vec<Value> {
    let typed = |value: &Value| match value {
        Value::String(_) => json!({"stringValue": value}),
        Value::Bool(_) => json!({"boolValue": value}),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => json!({"intValue": value}),
    };
    all.iter().map(|(key, value)| json!({"key": key, "value": typed(value)})).collect()
}

/// A sum of tokens, as Claude Code sends it.
pub fn metric(session: &str, temporality: u8, (start, end): (u64, u64), classes: &[(&str, u64)]) -> Value {
    let points: Vec<Value> = classes
        .iter()
        .map(|(class, tokens)| {
            json!({
                "attributes": attributes(&[
                    ("session.id", session.into()), ("model", "claude-opus-5".into()), ("type", (*class).into()),
                ]),
                "startTimeUnixNano": start.to_string(), "timeUnixNano": end.to_string(), "asInt": tokens.to_string(),
            })
        })
        .collect();
    json!({"resourceMetrics": [{
        "resource": {"attributes": attributes(&[("service.name", "claude-code".into())])},
        "scopeMetrics": [{"scope": {"name": "com.anthropic.claude_code"}, "metrics": [
            {"name": "claude_code.token.usage",
             "sum": {"aggregationTemporality": temporality, "isMonotonic": true, "dataPoints": points}},
            {"name": "claude_code.cost.usage",
             "sum": {"aggregationTemporality": temporality, "isMonotonic": true, "dataPoints": points}},
        ]}],
    }]})
}

pub fn at(second: u64) -> u64 {
    1_795_730_000_000_000_000 + second * 1_000_000_000
}

#[test]
fn metrics_alone_count_and_a_delta_that_is_sent_again_adds_nothing() {
    let home = Home::new();
    let mut served = Served::start(&home);
    let first = metric("s-1", 1, (at(0), at(60)), &[("input", 10), ("output", 5), ("cacheRead", 100)]);
    let second = metric("s-1", 1, (at(60), at(120)), &[("input", 7)]);
    for body in [&first, &second, &first, &second] {
        post(&served.client, "/v1/metrics", body);
    }
    assert_eq!(counted(&served.client), (1, 17));
    // Nor after a restart, whose end was not a good one.
    served.kill();
    let served = Served::start(&home);
    post(&served.client, "/v1/metrics", &second);
    post(&served.client, "/v1/metrics", &metric("s-1", 1, (at(120), at(180)), &[("input", 3)]));
    post(&served.client, "/v1/metrics", &metric("s-2", 1, (at(0), at(60)), &[("input", 1_000)]));
    assert_eq!(counted(&served.client), (2, 1_020));
}

#[test]
fn a_cumulative_sum_counts_once_and_starts_anew_with_its_process() {
    let home = Home::new();
    let served = Served::start(&home);
    for (start, end, tokens) in [(0, 60, 10), (0, 120, 25), (0, 60, 10), (200, 260, 4), (200, 320, 6)] {
        post(&served.client, "/v1/metrics", &metric("s-1", 2, (at(start), at(end)), &[("input", tokens)]));
    }
    assert_eq!(counted(&served.client), (1, 31));
}

#[test]
fn a_metric_counts_only_while_nothing_else_is_known_of_its_session() {
    let home = Home::new();
    let served = Served::start(&home);
    post(&served.client, "/v1/metrics", &metric("s-1", 1, (at(0), at(60)), &[("input", 300), ("output", 20)]));
    assert_eq!(counted(&served.client), (1, 300));
    // The same use as log records, late.
    assert_eq!(logs(&served.client, &export(&[request("req_1", 100), request("req_2", 200)])).status, 200);
    assert_eq!(counted(&served.client), (2, 300));
    // And more of the metric, before its log records come.
    post(&served.client, "/v1/metrics", &metric("s-1", 1, (at(60), at(120)), &[("input", 50)]));
    assert_eq!(counted(&served.client), (2, 300));
}

#[test]
fn a_metric_without_a_session_is_not_counted() {
    let home = Home::new();
    let served = Served::start(&home);
    let mut body = metric("s-1", 1, (at(0), at(60)), &[("input", 300)]);
    let point = &mut body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"][0];
    point["attributes"].as_array_mut().unwrap().remove(0);
    post(&served.client, "/v1/metrics", &body);
    assert_eq!(counted(&served.client), (0, 0));
}

#[test]
fn claude_codes_record_span_metric_and_transcript_are_one_call() {
    let home = Home::new();
    let line = json!({
        "type": "assistant", "sessionId": "s-1", "requestId": "req_1", "timestamp": "2026-11-26T22:00:00.000Z",
        "uuid": "u-1", "version": "2.1.332", "cwd": "/src",
        "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5",
            "usage": {"input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 0}},
    });
    home.write(".claude/projects/src/s-1.jsonl", &format!("{line}\n"));
    let served = Served::start(&home);
    assert_eq!(counted(&served.client), (1, 100));
    assert_eq!(logs(&served.client, &export(&[request("req_1", 100)])).status, 200);
    let span = json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&[("service.name", "claude-code".into())])},
        "scopeSpans": [{"scope": {"name": "com.anthropic.claude_code.tracing"}, "spans": [{
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "claude_code.llm_request",
            "startTimeUnixNano": at(0).to_string(), "endTimeUnixNano": at(1).to_string(),
            "attributes": attributes(&[
                ("session.id", "s-1".into()), ("model", "claude-opus-5".into()), ("input_tokens", 100.into()),
                ("output_tokens", 10.into()), ("request_id", "req_1".into()),
            ]),
        }]}],
    }]});
    post(&served.client, "/v1/traces", &span);
    post(&served.client, "/v1/metrics", &metric("s-1", 1, (at(0), at(60)), &[("input", 100), ("output", 10)]));
    assert_eq!(counted(&served.client), (1, 100));
    let doctor = home.tokmeter().args(["doctor", "--json"]).output().unwrap();
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let repeats = json!([{"counted": "claude-code", "repeated": "otlp", "calls": 1}]);
    assert_eq!(doctor["ledger"]["repeats"], repeats);
    let doctor = home.tokmeter().arg("doctor").output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains("1 call of claude-code reported by otlp as well, booked once"), "{doctor}");
}

/// Codex' event of an answer.
fn codex(session: &str, second: u64, input: u64, cached: u64) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": attributes(&[("service.name", "codex_exec".into())])},
        "scopeLogs": [{"scope": {"name": "codex_otel.log_only"}, "logRecords": [{
            "timeUnixNano": "0", "observedTimeUnixNano": at(second).to_string(),
            "attributes": attributes(&[
                ("event.name", "codex.sse_event".into()), ("event.kind", "response.completed".into()),
                ("input_token_count", input.to_string().into()), ("cached_token_count", cached.to_string().into()),
                ("output_token_count", "10".into()), ("conversation.id", session.into()), ("model", "gpt-5.6-codex".into()),
                ("event.timestamp", format!("2026-11-27T00:25:{second:02}.164Z").into()),
            ]),
        }]}],
    }]})
}

#[test]
fn codex_events_count_until_a_rollout_tells_the_same() {
    const SESSION: &str = "01a21a64-d5e2-79c0-8ac2-af1a4c4722c4";
    let home = Home::new();
    let served = Served::start(&home);
    for (second, input) in [(1, 100), (2, 300), (1, 100)] {
        post(&served.client, "/v1/logs", &codex(SESSION, second, input, 40));
    }
    // One row for the session: its events share no id with a rollout's answers.
    assert_eq!(counted(&served.client), (1, 320));
    let rollout = [
        json!({"timestamp": "2026-11-27T00:25:00.000Z", "type": "session_meta", "payload": {"id": SESSION, "cwd": "/src"}}),
        json!({"timestamp": "2026-11-27T00:25:01.180Z", "type": "token_usage_record", "payload": {
            "thread_id": SESSION, "session_id": SESSION, "response_id": "resp_0123456789abcdef01",
            "usage": {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 10, "total_tokens": 110},
        }}),
    ];
    let lines = rollout.map(|line| line.to_string()).join("\n") + "\n";
    home.write(&format!(".codex/sessions/2026/11/27/rollout-2026-11-27T00-25-00-{SESSION}.jsonl"), &lines);
    // The folder is new, so that it is found with the next look at all places, or by the next start.
    drop(served);
    let served = Served::start(&home);
    assert_eq!(counted(&served.client), (1, 60));
    post(&served.client, "/v1/logs", &codex(SESSION, 3, 500, 0));
    assert_eq!(counted(&served.client), (1, 60));
}

#[test]
fn a_sub_agents_events_are_known_by_the_rollout_of_its_parent() {
    const ROOT: &str = "01a21a64-d5e2-79c0-8ac2-af1a4c4722c4";
    const CHILD: &str = "01a21a64-d5e2-79c0-8ac2-af1a4c4722c5";
    let home = Home::new();
    let served = Served::start(&home);
    post(&served.client, "/v1/logs", &codex(CHILD, 1, 100, 40));
    assert_eq!(counted(&served.client), (1, 60));
    drop(served);
    let rollout = [
        json!({"timestamp": "2026-11-27T00:25:00.000Z", "type": "session_meta", "payload": {
            "id": CHILD, "session_id": ROOT, "parent_thread_id": ROOT, "cwd": "/src",
            "source": {"subagent": {"thread_spawn": {"parent_thread_id": ROOT, "depth": 1}}},
        }}),
        json!({"timestamp": "2026-11-27T00:25:01.180Z", "type": "token_usage_record", "payload": {
            "thread_id": CHILD, "session_id": ROOT, "response_id": "resp_0123456789abcdef01",
            "usage": {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 10, "total_tokens": 110},
        }}),
    ];
    let lines = rollout.map(|line| line.to_string()).join("\n") + "\n";
    home.write(&format!(".codex/sessions/2026/11/27/rollout-2026-11-27T00-25-00-{CHILD}.jsonl"), &lines);
    let served = Served::start(&home);
    assert_eq!(counted(&served.client), (1, 60));
}

#[test]
fn geminis_two_events_of_an_answer_and_its_metrics_are_one_call() {
    let home = Home::new();
    let served = Served::start(&home);
    let common: [(&str, Value); 2] =
        [("session.id", "g-1".into()), ("event.timestamp", "2026-11-27T00:26:32.426Z".into())];
    let own = attributes(
        &[
            &common[..],
            &[
                ("event.name", "gemini_cli.api_response".into()),
                ("model", "gemini-3.1-pro-preview".into()),
                ("input_token_count", 100.into()),
                ("output_token_count", 7.into()),
                ("cached_content_token_count", 60.into()),
                ("thoughts_token_count", 3.into()),
                ("tool_token_count", 5.into()),
            ],
        ]
        .concat(),
    );
    let conventions = attributes(
        &[
            &common[..],
            &[
                ("event.name", "gen_ai.client.inference.operation.details".into()),
                ("gen_ai.response.id", "gem000001".into()),
                ("gen_ai.request.model", "gemini-3.1-pro-preview".into()),
                ("gen_ai.usage.input_tokens", 100.into()),
                ("gen_ai.usage.output_tokens", 7.into()),
            ],
        ]
        .concat(),
    );
    let records = json!({"resourceLogs": [{
        "resource": {"attributes": attributes(&[("service.name", "gemini-cli".into()), ("session.id", "g-1".into())])},
        "scopeLogs": [{"scope": {"name": "gemini-cli"}, "logRecords": [{"attributes": own}, {"attributes": conventions}]}],
    }]});
    let point = |key: &str, class: &str, tokens: u64| {
        json!({
            "attributes": attributes(&[("model", "gemini-3.1-pro-preview".into()), (key, class.into())]),
            "startTimeUnixNano": at(0).to_string(), "timeUnixNano": at(60).to_string(), "asInt": tokens, "sum": tokens,
        })
    };
    let metrics = json!({"resourceMetrics": [{
        "resource": {"attributes": attributes(&[("service.name", "gemini-cli".into()), ("session.id", "g-1".into())])},
        "scopeMetrics": [{"metrics": [
            {"name": "gemini_cli.token.usage", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                point("type", "input", 100), point("type", "output", 7), point("type", "cache", 60),
                point("type", "thought", 3), point("type", "tool", 5),
            ]}},
            {"name": "gen_ai.client.token.usage", "histogram": {"aggregationTemporality": 2, "dataPoints": [
                point("gen_ai.token.type", "input", 100), point("gen_ai.token.type", "output", 7),
            ]}},
        ]}],
    }]});
    let usage = || {
        let total = &served.client.get("/api/v1/usage?period=total").json()["total"];
        ["calls", "input_tokens", "cache_read_tokens", "output_tokens"].map(|name| total[name].as_u64().unwrap())
    };
    post(&served.client, "/v1/metrics", &metrics);
    assert_eq!(usage(), [1, 45, 60, 10]);
    post(&served.client, "/v1/logs", &records);
    assert_eq!(usage(), [1, 45, 60, 10]);
    post(&served.client, "/v1/metrics", &metrics);
    assert_eq!(usage(), [1, 45, 60, 10]);
}

#[test]
fn copilots_chat_spans_count_and_neither_their_parent_nor_its_metrics_do() {
    let home = Home::new();
    let served = Served::start(&home);
    let span = |id: &str, parent: Option<&str>, operation: &str, input: u64| {
        json!({
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": id, "parentSpanId": parent, "name": operation,
            "startTimeUnixNano": at(0).to_string(), "endTimeUnixNano": at(1).to_string(),
            "attributes": attributes(&[
                ("gen_ai.operation.name", operation.into()), ("gen_ai.request.model", "gpt-5.4".into()),
                ("gen_ai.conversation.id", "c-1".into()), ("gen_ai.usage.input_tokens", input.into()),
                ("gen_ai.usage.output_tokens", 1.into()),
            ]),
        })
    };
    let parent = "72891cec1b57d383";
    let spans = json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&[("service.name", "github-copilot".into())])},
        "scopeSpans": [{"scope": {"name": "github.copilot"}, "spans": [
            span("4df394fca7d359f2", Some(parent), "chat", 100), span("5c89c184ddad9353", Some(parent), "chat", 200),
            span(parent, None, "invoke_agent", 300),
        ]}],
    }]});
    post(&served.client, "/v1/traces", &spans);
    post(&served.client, "/v1/traces", &spans);
    assert_eq!(counted(&served.client), (2, 300));
}
