//! `tokmeter serve`: the OTLP receiver's conformance table, the API, events, and what happens when it is killed.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "serve/bodies.rs"]
mod bodies;
#[path = "serve/client.rs"]
mod client;
#[path = "serve/collector.rs"]
mod collector;
mod common;
#[path = "serve/conformance.rs"]
mod conformance;
#[path = "serve/equal_counts.rs"]
mod equal_counts;
#[path = "serve/ladder.rs"]
mod ladder;
#[path = "serve/listening.rs"]
mod listening;
#[path = "serve/load.rs"]
mod load;
#[path = "serve/nested.rs"]
mod nested;
#[path = "serve/otlp_out.rs"]
mod otlp_out;
#[cfg(unix)]
#[path = "serve/real_collector.rs"]
mod real_collector;
#[path = "serve/repeats.rs"]
mod repeats;
#[path = "serve/security.rs"]
mod security;
#[path = "serve/settings.rs"]
mod settings;
#[path = "serve/setup.rs"]
mod setup;

use std::io::Write as _;

use client::{Client, Served, gzip};
use common::{Home, now};
use serde_json::{Value, json};

const LOGS: &str = "/v1/logs";
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// A request of Claude Code, as its log exporter sends it.
fn request(id: &str, input: u64) -> Value {
    json!({
        "timeUnixNano": "1795730000000000000",
        "body": {"stringValue": "claude_code.api_request"},
        "attributes": [
            {"key": "event.name", "value": {"stringValue": "api_request"}},
            {"key": "session.id", "value": {"stringValue": "s-1"}},
            {"key": "model", "value": {"stringValue": "claude-opus-5"}},
            {"key": "input_tokens", "value": {"intValue": input.to_string()}},
            {"key": "output_tokens", "value": {"intValue": "10"}},
            {"key": "request_id", "value": {"stringValue": id}},
        ],
    })
}

fn export(records: &[Value]) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]},
        "scopeLogs": [{"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": records}],
    }]})
}

fn logs(client: &Client, body: &Value) -> client::Answer {
    client.post(LOGS, &[("content-type", JSON)], body.to_string().as_bytes())
}

/// Calls and input tokens in the books.
fn counted(client: &Client) -> (u64, u64) {
    let usage = client.get("/api/v1/usage?period=total").json();
    (usage["total"]["calls"].as_u64().unwrap(), usage["total"]["input_tokens"].as_u64().unwrap())
}

#[test]
fn an_export_counts_once_however_often_it_is_sent() {
    let home = Home::new();
    let served = Served::start(&home);
    let body = export(&[request("req_1", 100), request("req_2", 200)]);
    for _ in 0..3 {
        let answer = logs(&served.client, &body);
        assert_eq!((answer.status, answer.text()), (200, "{}".to_owned()));
    }
    assert_eq!(counted(&served.client), (2, 300));
}

#[test]
fn a_method_that_a_path_is_said_to_take_is_taken() {
    let home = Home::new();
    let served = Served::start(&home);
    for path in ["/api/v1/usage", "/api/v1/ws"] {
        let (got, head) = (served.client.get(path), served.client.only_head(path));
        assert_eq!((head.status, head.text()), (got.status, String::new()), "{path}");
    }
}

#[test]
fn telemetry_is_no_log_that_is_gone() {
    let home = Home::new();
    let served = Served::start(&home);
    logs(&served.client, &export(&[request("req_1", 100)]));
    drop(served);
    let audit = home.tokmeter().args(["audit", "--json"]).output().unwrap();
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!((&audit["ledger"]["only_in_ledger"], &audit["ledger"]["files_gone"]), (&1.into(), &0.into()), "{audit}");
}

#[test]
fn d7_a_ledger_that_another_process_makes_in_place_of_ours_is_served_without_a_new_line() {
    let home = Home::new();
    let (log, gone) = (".local/share/tokmeter/usage.jsonl", "logs/gone.jsonl");
    home.config(&format!("logs = [\"{}\"]\n", home.path().join("logs").display()));
    home.write(log, &common::native("a", &now(), "gpt-5", 1, 1));
    home.write(gone, &common::native("b", &now(), "gpt-5", 1, 1));
    let served = Served::start(&home);
    assert_eq!(counted(&served.client).0, 2);
    std::fs::remove_file(home.path().join(gone)).unwrap();
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(home.path().join(format!(".local/share/tokmeter/ledger.db{ending}")));
    }
    assert!(home.tokmeter().args(["report", "total"]).output().unwrap().status.success());
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while counted(&served.client).0 != 1 {
        assert!(std::time::Instant::now() < end, "the old ledger is still served");
        std::thread::yield_now();
    }
}

#[test]
fn numbers_may_be_strings_integers_or_floats_and_names_in_snake_case() {
    let home = Home::new();
    let served = Served::start(&home);
    let snake = json!({"resource_logs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"string_value": "claude-code"}}]},
        "scope_logs": [{"scope": {"name": "claude_code"}, "log_records": [{
            "time_unix_nano": 1_795_730_000_000_000_000_u64,
            "severity_number": "SEVERITY_NUMBER_INFO",
            "trace_id": null,
            "span_id": "",
            "unknown_field": {"x": [1]},
            "attributes": [
                {"key": "event.name", "value": {"string_value": "api_request"}},
                {"key": "model", "value": {"string_value": "claude-opus-5"}},
                {"key": "input_tokens", "value": {"double_value": 300.0}},
                {"key": "output_tokens", "value": {"int_value": 5}},
                {"key": "request_id", "value": {"string_value": "req_snake"}},
            ],
        }]}],
    }]});
    assert_eq!(logs(&served.client, &snake).status, 200);
    assert_eq!(counted(&served.client), (1, 300));
}

#[test]
fn a_bad_record_is_refused_and_its_neighbours_count() {
    let home = Home::new();
    let served = Served::start(&home);
    let mut bad = request("req_bad", 1);
    bad["attributes"][3]["value"] = json!({"intValue": "-5"});
    let answer = logs(&served.client, &export(&[request("req_1", 100), bad]));
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedLogRecords"], "1");
    assert!(partial["errorMessage"].as_str().unwrap().contains("input_tokens"), "{partial}");
    assert_eq!(counted(&served.client), (1, 100));
}

#[test]
fn compressed_bodies_are_expanded_members_and_all() {
    let home = Home::new();
    let served = Served::start(&home);
    let text = export(&[request("req_1", 100)]).to_string();
    let (head, tail) = text.as_bytes().split_at(40);
    let both = [gzip(head), gzip(tail)].concat();
    let coded = [("content-type", JSON), ("content-encoding", "gzip")];
    assert_eq!(served.client.post(LOGS, &coded, &both).status, 200);
    assert_eq!(counted(&served.client), (1, 100));
}

#[test]
fn a_body_without_length_arrives_in_chunks() {
    let home = Home::new();
    let served = Served::start(&home);
    let text = export(&[request("req_1", 100)]).to_string();
    assert_eq!(served.client.post_chunked(LOGS, &[("content-type", JSON)], text.as_bytes()).status, 200);
    assert_eq!(counted(&served.client), (1, 100));
}

#[test]
fn faults_of_the_client_have_a_status_that_it_does_not_repeat() {
    let home = Home::new();
    let served = Served::start(&home);
    let client = &served.client;
    let post = |headers: &[(&str, &str)], body: &[u8]| client.post(LOGS, headers, body);
    let json = ("content-type", JSON);
    assert_eq!(post(&[json], b"{oops").status, 400);
    assert_eq!(post(&[json], b"{\"choices\":[]}").status, 400);
    assert_eq!(post(&[json], b"{}").status, 200, "an empty export");
    assert_eq!(post(&[("content-type", "text/plain")], b"{}").status, 415);
    assert_eq!(post(&[json, ("content-encoding", "br")], b"{}").status, 415);
    assert_eq!(post(&[json, ("content-encoding", "gzip")], b"not gzip").status, 400);
    let bomb = gzip(&vec![b' '; 70 * 1024 * 1024]);
    assert_eq!(post(&[json, ("content-encoding", "gzip")], &bomb).status, 413);
    assert_eq!(post(&[json], &vec![b' '; 17 * 1024 * 1024]).status, 413);
    assert_eq!(client.get(LOGS).status, 405);
    let status = post(&[json], b"{oops").json();
    assert_eq!(status["code"], 3, "a google.rpc.Status: {status}");
    // The same in the request's own encoding: field 1, a varint of 3.
    let answer = post(&[("content-type", PROTOBUF)], b"\xff\xff");
    assert_eq!((answer.status, &answer.body[..2]), (400, [0x08, 3].as_slice()));
    assert_eq!(answer.header("content-type"), Some(PROTOBUF));
    assert_eq!(counted(client), (0, 0));
}

#[test]
fn pages_of_other_origins_and_other_names_are_refused() {
    let home = Home::new();
    let served = Served::start(&home);
    assert_eq!(served.client.get_with("/metrics", &[("host", "evil.example")]).status, 403);
    assert_eq!(served.client.get_with("/metrics", &[("origin", "http://evil.example")]).status, 403);
}

#[test]
fn an_address_beyond_this_machine_needs_a_token() {
    let home = Home::new();
    let out = home.tokmeter().args(["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(out.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&out.stderr).contains("--token-file"));
    let token = home.write("token", "0123456789abcdef\n");
    let served = Served::with(&home, &["--listen", "0.0.0.0:0", "--token-file", token.to_str().unwrap()]);
    assert_eq!(served.client.get("/metrics").status, 401);
    assert_eq!(served.client.get_with("/metrics", &[("authorization", "Bearer 0123456789abcdef")]).status, 200);
    assert_eq!(served.client.get("/healthz").status, 200);
    let short = home.write("short", "secret\n");
    let out = home.tokmeter().args(["serve", "--token-file", short.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(78) && !said.contains("secret"), "{said}");
}

#[test]
fn what_could_not_be_read_is_in_every_answer() {
    let home = Home::new();
    home.write(".config/tokmeter/config.toml", "[limits]\nday = \"5 usd\"\n");
    home.write(".claude/projects/-w/old.jsonl.gz", "not read");
    let served = Served::start(&home);
    for path in ["gate", "limits", "summary", "usage"] {
        let answer = served.client.get(&format!("/api/v1/{path}")).json();
        assert_eq!(answer["unread_files"], 1, "{path}: {answer}");
    }
    assert_eq!(served.client.get("/api/v1/limits").json()["limits"][0]["lower_bound"], true);
}

#[test]
fn every_answer_is_the_commands_own() {
    let home = Home::new();
    home.write(".local/share/tokmeter/unused", "");
    let served = Served::start(&home);
    let line = common::native("a", &now(), "claude-opus-5", 1_000, 100);
    let answer = served.client.post("/api/v1/calls", &[], format!("{line}nonsense\n{line}").as_bytes());
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["ok"], &lines[1]["ok"], &lines[2]["repeat"]), (&json!(true), &json!(false), &json!(true)));
    let command = |args: &[&str]| -> Value {
        serde_json::from_slice(&home.tokmeter().args(args).output().unwrap().stdout).unwrap()
    };
    let usage = served.client.get("/api/v1/usage?period=total&by=model").json();
    assert_eq!(usage, command(&["report", "total", "--by", "model", "--json"]));
    assert_eq!(served.client.get("/api/v1/sessions").json(), command(&["report", "session", "--json"]));
    let short = served.client.get("/api/v1/usage?period=total&by=model&model=opus-5&session=latest").json();
    assert_eq!(short["rows"], usage["rows"], "the session is looked for among the calls of the model that is meant");
    let csv = served.client.get("/api/v1/usage?period=day&format=csv");
    let table = home.tokmeter().args(["report", "day", "--csv"]).output().unwrap().stdout;
    assert_eq!(csv.body, table);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let summary = served.client.get("/api/v1/summary").json();
    assert_eq!(summary["today"]["cost_usd"], usage["total"]["cost_usd"]);
    assert_eq!(served.client.get("/api/v1/gate").json()["allowed"], true);
    assert_eq!(served.client.get("/api/v1/health").json()["ledger"], "open");
    let metrics = served.client.get("/metrics").text();
    assert!(metrics.contains("tokmeter_calls_total{source=\"native\",model=\"claude-opus-5\"} 1\n"), "{metrics}");
    for (path, status) in [
        ("/api/v1/usage?colour=red", 400),
        ("/api/v1/usage?since=--help", 400),
        ("/api/v1/usage?period=aeon", 400),
        ("/api/v1/usage?user=%ff", 400),
        ("/api/v1/usage?session=nobody", 404),
        ("/nothing", 404),
    ] {
        let answer = served.client.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["ok"], false, "{path}");
    }
    served.client.post("/api/v1/calls", &[], common::native("b", &now(), "gpt-4o", 10, 1).as_bytes());
    // Calls are newest first, unless the order is given; CSV cannot say that rows are left out.
    let calls = |more: &str| served.client.get(&format!("/api/v1/usage?period=call{more}")).json()["rows"].clone();
    let (newest, oldest) = (calls(""), calls("&order=asc"));
    assert_eq!(newest, calls("&order=desc"));
    let reversed: Vec<Value> = newest.as_array().unwrap().iter().rev().cloned().collect();
    assert_eq!(oldest.as_array().unwrap(), &reversed);
    assert_eq!(oldest, command(&["report", "call", "--json"])["rows"]);
    assert_eq!(served.client.get("/api/v1/usage?period=call&format=csv").status, 400);
    assert_eq!(served.client.get("/api/v1/usage?period=call&format=csv&limit=5&order=asc").body, {
        home.tokmeter().args(["report", "call", "--csv", "--limit", "5"]).output().unwrap().stdout
    });
}

#[test]
fn events_come_with_every_change_and_resume() {
    let home = Home::new();
    let served = Served::start(&home);
    let mut events = served.client.events("");
    let first = events.next().unwrap();
    assert_eq!(first.1["today"]["calls"], 0);
    let line = common::native("now", &now(), "claude-opus-5", 7, 1);
    served.client.post("/api/v1/calls", &[], line.as_bytes());
    let (id, _) = events.find(|(_, summary)| summary["today"]["calls"] == 1).unwrap();
    // A client that already has this event gets the next one first.
    let mut resumed = served.client.events(&id);
    served.client.post("/api/v1/calls", &[], common::native("two", &now(), "claude-opus-5", 7, 1).as_bytes());
    let (next, _) = resumed.next().unwrap();
    assert_ne!(next, id, "the client has this one");
    let (_, summary) = events.find(|(_, summary)| summary["today"]["calls"] == 2).unwrap();
    assert_eq!(summary["today"]["tokens"], 16);
}

#[cfg(unix)]
#[test]
fn what_was_acknowledged_outlives_kill_9_and_is_not_counted_twice_on_resend() {
    let home = Home::new();
    let mut acknowledged = 0;
    for round in 0..3 {
        let mut served = Served::start(&home);
        for number in 0..20 {
            let body = export(&[request(&format!("req_{round}_{number}"), 1)]);
            assert_eq!(logs(&served.client, &body).status, 200);
            acknowledged += 1;
        }
        served.kill();
        let served = Served::start(&home);
        // The client had no answer to the last one and sends it again.
        logs(&served.client, &export(&[request(&format!("req_{round}_19"), 1)]));
        assert_eq!(counted(&served.client), (acknowledged, acknowledged));
    }
}

#[cfg(unix)]
#[test]
fn sigterm_is_a_normal_end_with_everything_booked() {
    let home = Home::new();
    let mut served = Served::start(&home);
    assert_eq!(logs(&served.client, &export(&[request("req_1", 100)])).status, 200);
    assert_eq!(served.terminate(), Some(0));
    let out = home.tokmeter().args(["report", "total", "--json"]).output().unwrap();
    let total: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(total["total"]["input_tokens"], 100);
}

/// The real exporter, where Python and its packages are installed: protobuf with gzip.
#[test]
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn the_python_exporter_is_understood() {
    let has =
        std::process::Command::new("python3").args(["-c", "import opentelemetry.exporter.otlp.proto.http"]).output();
    if !has.is_ok_and(|out| out.status.success()) {
        let why = "python3 with opentelemetry-exporter-otlp-proto-http is not installed";
        assert!(std::env::var_os("CI").is_none(), "{why}");
        let _ = writeln!(std::io::stderr(), "skipped: {why}");
        return;
    }
    let home = Home::new();
    let served = Served::start(&home);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/exporter.py");
    let endpoint = format!("http://{}", served.client.address);
    let ran = std::process::Command::new("python3").args([script, &endpoint]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let rows = served.client.get("/api/v1/usage?period=total&by=model").json();
    let model = |name: &str| {
        let row = rows["rows"].as_array().unwrap().iter().find(|row| row["model"] == name).cloned().unwrap_or_default();
        (
            row["calls"].as_u64(),
            row["input_tokens"].as_u64(),
            row["cache_read_tokens"].as_u64(),
            row["output_tokens"].as_u64(),
        )
    };
    // One chat span of a library, whose input includes the cache, and one of an agent around it, which does not count.
    assert_eq!(model("gpt-4o"), (Some(1), Some(80), Some(20), Some(30)));
    // A log record of Claude Code and its span name one request.
    assert_eq!(model("claude-opus-5"), (Some(1), Some(12), Some(0), Some(3)));
    // A cumulative sum, sent three times.
    assert_eq!(model("claude-haiku-4-5"), (Some(1), Some(10), Some(22), Some(14)));
}

/// The real exporters for Node, where they are installed: JSON and protobuf with gzip.
#[test]
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn the_node_exporters_are_understood() {
    let has =
        std::process::Command::new("node").args(["-e", "require('@opentelemetry/exporter-logs-otlp-proto')"]).output();
    if !has.is_ok_and(|out| out.status.success()) {
        let why = "node with @opentelemetry/exporter-logs-otlp-proto is not installed";
        assert!(std::env::var_os("CI").is_none(), "{why}");
        let _ = writeln!(std::io::stderr(), "skipped: {why}");
        return;
    }
    let home = Home::new();
    let served = Served::start(&home);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/exporter.js");
    let endpoint = format!("http://{}", served.client.address);
    for form in ["json", "proto"] {
        let ran = std::process::Command::new("node").args([script, &endpoint, form]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    let total = &served.client.get("/api/v1/usage?period=total").json()["total"];
    let counts = ["calls", "input_tokens", "cache_read_tokens", "output_tokens"].map(|name| total[name].as_u64());
    assert_eq!(counts, [Some(4), Some(184), Some(40), Some(66)]);
}
