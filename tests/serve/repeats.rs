//! One call seen in several ways, in every order, sent again, and with a server that is killed between any two: it
//! counts once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::JSON;
use crate::client::Served;
use crate::common::Home;
use crate::ladder::{at, attributes, metric};

/// Tokens of input of every call.
const INPUT: u64 = 100;

/// A way in which a call is seen; the number identifies the call.
#[derive(Clone, Copy)]
enum Way {
    /// Posted to this path, under this name of the list of resources.
    Posted(&'static str, &'static str, fn(u64) -> Value),
    /// A line of a log below the home.
    Logged(&'static str, fn(u64) -> Value),
}

const LOG: (&str, &str) = ("/v1/logs", "resourceLogs");
const SPAN: (&str, &str) = ("/v1/traces", "resourceSpans");

/// A call: its session, and the ways in which it is seen, one after the other.
struct Case {
    session: String,
    number: u64,
    seen: Vec<Way>,
}

/// Every order of every selection of these.
fn orders(ways: &[Way]) -> Vec<Vec<Way>> {
    let mut all = vec![Vec::new()];
    let mut from = 0;
    while from < all.len() {
        let chosen: Vec<usize> = all[from].clone();
        from += 1;
        all.extend((0..ways.len()).filter(|way| !chosen.contains(way)).map(|way| [&chosen[..], &[way]].concat()));
    }
    all.into_iter().skip(1).map(|order| order.into_iter().map(|way| ways[way]).collect()).collect()
}

/// Every order, with nothing sent again, each at once, and all of it later in the opposite order.
fn cases(ways: &[Way], session: fn(u64) -> String) -> Vec<Case> {
    let resent = orders(ways).into_iter().flat_map(|order| {
        let at_once = order.iter().flat_map(|way| [*way, *way]).collect();
        let later = order.iter().chain(order.iter().rev()).copied().collect();
        [order, at_once, later]
    });
    (0..).zip(resent).map(|(number, seen)| Case { session: session(number), number, seen }).collect()
}

/// Shows all cases their first way, then their second, and so on; then each session must have one call.
fn each_counts_once(ways: &[Way], session: fn(u64) -> String, is_killed: bool) {
    let home = Home::new();
    let cases = cases(ways, session);
    let mut served = Some(Served::start(&home));
    for step in 0..cases.iter().map(|case| case.seen.len()).max().unwrap_or(0) {
        let mut posts: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
        let mut lines: BTreeMap<&str, String> = BTreeMap::new();
        for case in &cases {
            match case.seen.get(step) {
                Some(Way::Posted(path, list, make)) => posts.entry((path, list)).or_default().push(make(case.number)),
                Some(Way::Logged(file, make)) => {
                    lines.entry(file).or_default().extend([make(case.number).to_string(), "\n".to_owned()]);
                }
                None => {}
            }
        }
        for (file, lines) in lines {
            home.write(&format!("{file}/step-{step}.jsonl"), &lines);
        }
        if is_killed && let Some(mut served) = served.take() {
            served.kill();
        }
        // A start reads all logs before it is ready.
        let served = served.get_or_insert_with(|| Served::start(&home));
        for ((path, list), resources) in posts {
            let body = json!({list: resources}).to_string();
            assert_eq!(served.client.post(path, &[("content-type", JSON)], body.as_bytes()).status, 200, "{path}");
        }
    }
    // Calls that were logged while this server ran count now or after a restart.
    drop(served);
    let served = Served::start(&home);
    let usage = served.client.get("/api/v1/usage?period=total&by=session").json();
    let count = |row: &Value, name: &str| row[name].as_u64().unwrap_or_default();
    let found: BTreeMap<String, (u64, u64)> = usage["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let counts = (count(row, "calls"), count(row, "input_tokens"));
            (row["session"].as_str().unwrap_or_default().to_owned(), counts)
        })
        .collect();
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| found.get(&case.session) != Some(&(1, INPUT)))
        .map(|case| {
            let seen: Vec<usize> = case.seen.iter().map(|way| place(ways, way)).collect();
            format!("seen as {seen:?}: {:?}", found.get(&case.session))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(found.len(), cases.len());
}

/// The place of a way in a list, by what it makes.
fn place(ways: &[Way], way: &Way) -> usize {
    let made = |way: &Way| match way {
        Way::Posted(path, _, make) => (*path, make(0)),
        Way::Logged(file, make) => (*file, make(0)),
    };
    ways.iter().position(|other| made(other) == made(way)).unwrap()
}

fn claude_session(number: u64) -> String {
    format!("claude-{number:04}")
}

fn resource(service: &str) -> Value {
    json!({"attributes": attributes(&[("service.name", service.into())])})
}

fn claude_attributes(number: u64) -> Vec<Value> {
    attributes(&[
        ("session.id", claude_session(number).into()),
        ("model", "claude-opus-5".into()),
        ("input_tokens", INPUT.into()),
        ("output_tokens", 10.into()),
        ("request_id", format!("req_{number:012}").into()),
    ])
}

fn claude_log(number: u64) -> Value {
    json!({"resource": resource("claude-code"), "scopeLogs": [{"logRecords": [{
        "timeUnixNano": at(2).to_string(), "body": {"stringValue": "claude_code.api_request"},
        "attributes": claude_attributes(number),
    }]}]})
}

fn claude_span(number: u64) -> Value {
    json!({"resource": resource("claude-code"), "scopeSpans": [{"spans": [{
        "traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1),
        "name": "claude_code.llm_request", "startTimeUnixNano": at(1).to_string(), "endTimeUnixNano": at(2).to_string(),
        "attributes": claude_attributes(number),
    }]}]})
}

fn claude_metric(number: u64) -> Value {
    let classes = [("input", INPUT), ("output", 10)];
    metric(&claude_session(number), 1, (at(0), at(60)), &classes)["resourceMetrics"][0].take()
}

fn claude_line(number: u64) -> Value {
    json!({
        "type": "assistant", "sessionId": claude_session(number), "requestId": format!("req_{number:012}"),
        "timestamp": "2026-11-26T22:00:00.000Z", "uuid": format!("u-{number}"), "version": "2.1.332", "cwd": "/src",
        "message": {"id": format!("msg_{number:012}"), "type": "message", "role": "assistant", "model": "claude-opus-5",
            "usage": {"input_tokens": INPUT, "output_tokens": 10, "cache_read_input_tokens": 0}},
    })
}

const CLAUDE: [Way; 4] = [
    Way::Posted(LOG.0, LOG.1, claude_log),
    Way::Posted(SPAN.0, SPAN.1, claude_span),
    Way::Posted("/v1/metrics", "resourceMetrics", claude_metric),
    Way::Logged(".claude/projects/src", claude_line),
];

#[test]
fn b22_claude_codes_log_span_metric_and_transcript_count_once_in_every_order() {
    each_counts_once(&CLAUDE, claude_session, false);
}

#[test]
fn b22_claude_codes_log_span_metric_and_transcript_count_once_over_restarts() {
    each_counts_once(&CLAUDE, claude_session, true);
}

/// Removes the id that a gateway does not return.
fn without_request_id(mut signal: Value, signals: &str, list: &str, own: Option<&str>) -> Value {
    let attributes = &mut signal[signals][0][list][0]["attributes"];
    *attributes = attributes.as_array().unwrap().iter().filter(|one| one["key"] != "request_id").cloned().collect();
    let session = attributes[0]["value"]["stringValue"].as_str().unwrap().to_owned();
    if let Some(name) = own {
        let id = format!("{name}-{session}");
        attributes.as_array_mut().unwrap().extend(crate::ladder::attributes(&[(name, id.into())]));
    }
    signal
}

fn gateways_line(number: u64) -> Value {
    let mut line = claude_line(number);
    line.as_object_mut().unwrap().remove("requestId");
    // The service names the model in its own way.
    line["message"]["model"] = "claude-opus-5-20261001".into();
    line
}

const CLIENTS: Option<&str> = Some("client_request_id");
const GATEWAYS_METRIC: Way = Way::Posted("/v1/metrics", "resourceMetrics", claude_metric);
const GATEWAYS_LINE: Way = Way::Logged(".claude/projects/src", gateways_line);
const BEHIND_A_GATEWAY: [Way; 4] = [
    Way::Posted(LOG.0, LOG.1, |number| without_request_id(claude_log(number), "scopeLogs", "logRecords", CLIENTS)),
    Way::Posted(SPAN.0, SPAN.1, |number| without_request_id(claude_span(number), "scopeSpans", "spans", CLIENTS)),
    GATEWAYS_METRIC,
    GATEWAYS_LINE,
];
/// As in versions whose telemetry has no id of the client's either.
const BEHIND_A_GATEWAY_BEFORE: [Way; 3] = [
    Way::Posted(LOG.0, LOG.1, |number| without_request_id(claude_log(number), "scopeLogs", "logRecords", None)),
    Way::Posted(SPAN.0, SPAN.1, |number| without_request_id(claude_span(number), "scopeSpans", "spans", None)),
    GATEWAYS_LINE,
];

#[test]
fn b22_claude_codes_signals_and_transcript_count_once_where_no_request_has_an_id() {
    for is_killed in [false, true] {
        each_counts_once(&BEHIND_A_GATEWAY, claude_session, is_killed);
        each_counts_once(&BEHIND_A_GATEWAY_BEFORE, claude_session, is_killed);
    }
}

fn qwen_session(number: u64) -> String {
    format!("qwen-{number:04}")
}

fn qwen_event(number: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("event.name", "qwen-code.api_response".into()),
        ("response_id", format!("chatcmpl-{number:024}").into()),
        ("model", "qwen3-coder-plus".into()),
        ("duration_ms", 434.into()),
        ("input_token_count", INPUT.into()),
        ("output_token_count", 10.into()),
        ("total_token_count", (INPUT + 10).into()),
    ]
}

fn qwen_log(number: u64) -> Value {
    let own = [qwen_event(number), vec![("session.id", qwen_session(number).into())]].concat();
    json!({"resource": resource("qwen-code"), "scopeLogs": [{"logRecords": [{
        "timeUnixNano": at(2).to_string(), "attributes": attributes(&own),
    }]}]})
}

fn qwen_chat(number: u64) -> Value {
    let event: serde_json::Map<String, Value> =
        qwen_event(number).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    json!({
        "uuid": format!("u-{number}"), "sessionId": qwen_session(number), "timestamp": "2026-11-26T22:00:00.000Z",
        "type": "system", "subtype": "ui_telemetry", "cwd": "/src", "version": "0.24.4",
        "systemPayload": {"uiEvent": event},
    })
}

/// The agent's own ledger, which has no ids of answers.
fn qwen_ledger(number: u64) -> Value {
    json!({
        "schemaVersion": 1, "id": format!("l-{number}"), "timestamp": "2026-11-26T22:00:00.001Z",
        "localDate": "2026-11-26", "localMonth": "2026-11", "sessionId": qwen_session(number),
        "model": "qwen3-coder-plus", "authType": "openai", "source": "main", "inputTokens": INPUT, "outputTokens": 10,
        "cachedTokens": 0, "thoughtsTokens": 0, "totalTokens": INPUT + 10, "apiDurationMs": 434,
    })
}

#[test]
fn b22_qwen_codes_event_chat_and_ledger_count_once_in_every_order() {
    let ways = [
        Way::Posted(LOG.0, LOG.1, qwen_log),
        Way::Logged(".qwen/projects/src/chats", qwen_chat),
        Way::Logged(".qwen/usage", qwen_ledger),
    ];
    for is_killed in [false, true] {
        each_counts_once(&ways, qwen_session, is_killed);
    }
}

/// A call that a log with the service's id, such as a proxy's, and the agent's own telemetry report.
#[test]
fn b22_an_agents_telemetry_and_a_log_with_the_services_id_are_one_call_in_either_order() {
    let home = Home::new();
    let served = Served::start(&home);
    let mut calls = 0;
    for is_copilots in [false, true] {
        for is_reversed in [false, true] {
            calls += 1;
            let (path, body, id) = if is_copilots {
                let mut span = library_span(calls, true);
                span["resource"] = resource("github-copilot");
                (SPAN.0, json!({SPAN.1: [span]}).to_string(), format!("chatcmpl-{calls:016}"))
            } else {
                (LOG.0, json!({LOG.1: [qwen_log(calls)]}).to_string(), format!("chatcmpl-{calls:024}"))
            };
            let line = json!({"id": id, "model": "m", "input_tokens": INPUT, "output_tokens": 10}).to_string();
            let mut posts = [(path, body), ("/api/v1/calls", line)];
            if is_reversed {
                posts.reverse();
            }
            for (path, body) in posts {
                assert_eq!(served.client.post(path, &[("content-type", JSON)], body.as_bytes()).status, 200, "{path}");
            }
            assert_eq!(crate::counted(&served.client), (calls, calls * INPUT), "{path} {is_reversed}");
        }
    }
}

fn library_session(number: u64) -> String {
    format!("library-{number:04}")
}

/// The signal of an instrumentation library, which may name the answer.
fn library(number: u64, list: &str, signals: &str, own: &Value, is_named: bool) -> Value {
    let mut named = vec![
        ("gen_ai.operation.name", "chat".into()),
        ("gen_ai.request.model", "gpt-4o".into()),
        ("gen_ai.conversation.id", library_session(number).into()),
        ("gen_ai.usage.input_tokens", INPUT.into()),
        ("gen_ai.usage.output_tokens", 10.into()),
    ];
    if is_named {
        named.push(("gen_ai.response.id", format!("chatcmpl-{number:016}").into()));
    }
    let mut signal = json!({
        "traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1),
        "attributes": attributes(&named),
    });
    signal.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    json!({"resource": resource("my-app"), list: [{signals: [signal]}]})
}

fn library_log(number: u64, is_named: bool) -> Value {
    let own = json!({
        "timeUnixNano": at(2).to_string(), "eventName": "gen_ai.client.inference.operation.details", "severityNumber": 9,
    });
    library(number, "scopeLogs", "logRecords", &own, is_named)
}

fn library_span(number: u64, is_named: bool) -> Value {
    let own = json!({
        "name": "chat gpt-4o", "kind": 3, "startTimeUnixNano": at(1).to_string(), "endTimeUnixNano": at(2).to_string(),
    });
    library(number, "scopeSpans", "spans", &own, is_named)
}

const NAMED_LOG: Way = Way::Posted(LOG.0, LOG.1, |number| library_log(number, true));
const BARE_LOG: Way = Way::Posted(LOG.0, LOG.1, |number| library_log(number, false));
const NAMED_SPAN: Way = Way::Posted(SPAN.0, SPAN.1, |number| library_span(number, true));
const BARE_SPAN: Way = Way::Posted(SPAN.0, SPAN.1, |number| library_span(number, false));

#[test]
fn b22_the_log_and_the_span_of_a_library_count_once_whichever_names_the_answer() {
    for ways in [[NAMED_LOG, NAMED_SPAN], [BARE_LOG, BARE_SPAN], [NAMED_LOG, BARE_SPAN], [BARE_LOG, NAMED_SPAN]] {
        for is_killed in [false, true] {
            each_counts_once(&ways, library_session, is_killed);
        }
    }
}

fn gemini_session(number: u64) -> String {
    format!("gemini-{number:04}")
}

/// Gemini CLI's own event, and the one of the conventions that repeats it.
fn gemini_log(number: u64) -> Value {
    let own = attributes(&[
        ("event.name", "gemini_cli.api_response".into()),
        ("event.timestamp", "2026-11-27T00:26:32.426Z".into()),
        ("model", "gemini-3.1-pro-preview".into()),
        ("input_token_count", INPUT.into()),
        ("output_token_count", 10.into()),
    ]);
    let conventions = attributes(&[
        ("event.name", "gen_ai.client.inference.operation.details".into()),
        ("gen_ai.response.id", format!("gem{number:06}").into()),
        ("gen_ai.request.model", "gemini-3.1-pro-preview".into()),
        ("gen_ai.usage.input_tokens", INPUT.into()),
        ("gen_ai.usage.output_tokens", 10.into()),
    ]);
    json!({"resource": gemini_resource(number), "scopeLogs": [{
        "scope": {"name": "gemini-cli"}, "logRecords": [{"attributes": own}, {"attributes": conventions}],
    }]})
}

fn gemini_metric(number: u64) -> Value {
    let point = |class: &str, tokens: u64| {
        json!({
            "attributes": attributes(&[("model", "gemini-3.1-pro-preview".into()), ("type", class.into())]),
            "startTimeUnixNano": at(0).to_string(), "timeUnixNano": at(60).to_string(), "asInt": tokens,
        })
    };
    json!({"resource": gemini_resource(number), "scopeMetrics": [{"metrics": [
        {"name": "gemini_cli.token.usage", "sum": {"aggregationTemporality": 2, "isMonotonic": true,
            "dataPoints": [point("input", INPUT), point("output", 10)]}},
    ]}]})
}

fn gemini_resource(number: u64) -> Value {
    let session = gemini_session(number).into();
    json!({"attributes": attributes(&[("service.name", "gemini-cli".into()), ("session.id", session)])})
}

#[test]
fn b22_geminis_events_and_metric_count_once_in_every_order() {
    let ways = [Way::Posted(LOG.0, LOG.1, gemini_log), Way::Posted("/v1/metrics", "resourceMetrics", gemini_metric)];
    for is_killed in [false, true] {
        each_counts_once(&ways, gemini_session, is_killed);
    }
}

#[test]
fn b23_log_records_of_several_answers_within_one_span_are_calls_of_their_own() {
    let home = Home::new();
    let served = Served::start(&home);
    // The span around them is another program's: it is never seen.
    let of = |answer: u64| {
        let mut log = library_log(0, true);
        let named = &mut log["scopeLogs"][0]["logRecords"][0]["attributes"][5]["value"];
        *named = json!({"stringValue": format!("chatcmpl-{answer:016}")});
        log
    };
    for _ in 0..2 {
        let body = json!({"resourceLogs": [of(1), of(2), of(3)]}).to_string();
        assert_eq!(served.client.post(LOG.0, &[("content-type", JSON)], body.as_bytes()).status, 200);
    }
    assert_eq!(crate::counted(&served.client), (3, 3 * INPUT));
}
