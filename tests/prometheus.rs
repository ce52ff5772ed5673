//! A real Prometheus scrapes `tokmeter serve`, and answers every query of `contrib/grafana-dashboard.json`; `promtool`
//! finds nothing to say about the metrics.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "serve/client.rs"]
mod client;
mod common;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::{Client, Served};
use common::{Home, native, now};
use serde_json::{Value, json};

/// True if this program is installed; otherwise the test is skipped with a note.
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn has(program: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
    let _ = writeln!(std::io::stderr(), "skipped: {program} is not installed");
    false
}

/// A server with limits, and calls of two models in two projects.
fn served(home: &Home) -> Served {
    home.config(
        "[server]\nmetrics_names = true\n[limits]\nday = { usd = 50, tokens = 1_000_000 }\n[limits.users.\"*\"]\n\
         week = { usd = 100 }\n[alerts]\nnotify = \"off\"\n",
    );
    let served = Served::start(home);
    for number in 0..6 {
        book(&served.client, number);
    }
    served
}

fn book(client: &Client, number: u64) {
    let (model, project) =
        if number.is_multiple_of(2) { ("claude-opus-5", "/p/one") } else { ("gpt-4o", "/p/\\\"two\\\"") };
    let who = format!("\"user\":\"alice\",\"project\":\"{project}\",\"latency_ms\":900,\"input_tokens\"");
    let line = native(&number.to_string(), &now(), model, 1_000 + number, 100).replace("\"input_tokens\"", &who);
    assert_eq!(client.post("/api/v1/calls", &[], line.as_bytes()).status, 200);
}

fn checked(text: &[u8]) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text).unwrap();
    let out = promtool.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(out.status.success() && said.is_empty(), "{said}\n{}", String::from_utf8_lossy(text));
}

#[test]
fn the_contract_names_every_metric_and_openmetrics_has_the_same() {
    let home = Home::new();
    let client = &served(&home).client;
    let names = |text: &str| -> BTreeSet<String> {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|line| line.replace(" counter", "_total counter").replace("_total_total", "_total")).collect()
    };
    let text = client.get("/metrics");
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let open = client.get_with("/metrics", &[("accept", "application/openmetrics-text; version=1.0.0")]);
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text().ends_with("\n# EOF\n"));
    let all = names(&text.text());
    assert_eq!(all, names(&open.text()));
    let contract = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/contract.md")).unwrap();
    let rows = contract.split("\n### Metrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = |row: &str| -> Vec<String> { row.split('|').map(|cell| cell.trim().replace('`', "")).collect() };
    let rows = rows.lines().filter(|row| row.starts_with("| `tokmeter_")).map(cells);
    let documented: BTreeSet<String> = rows.map(|cells| format!("{} {}", cells[1], cells[2])).collect();
    assert_eq!(all, documented);
}

#[test]
fn promtool_finds_nothing_to_say() {
    if !has("promtool") {
        return;
    }
    let home = Home::new();
    let served = served(&home);
    checked(&served.client.get("/metrics").body);
    drop(served);
    checked(&home.tokmeter().arg("metrics").output().unwrap().stdout);
}

/// Time between two scrapes, which is also the shortest `$__interval` that Grafana sends.
const INTERVAL: &str = "300ms";

/// A running Prometheus, ended when dropped.
struct Prometheus {
    child: Child,
    client: Client,
}

impl Prometheus {
    /// Scrapes this address every [`INTERVAL`].
    fn start(home: &Home, target: SocketAddr) -> Self {
        let config = format!(
            "global: {{scrape_interval: {INTERVAL}, scrape_timeout: {INTERVAL}}}\nscrape_configs:\n- job_name: tokmeter\n  \
             static_configs: [{{targets: ['{target}']}}]\n"
        );
        let config = home.write("prometheus.yml", &config);
        let data = home.path().join("prometheus");
        // It does not say which port it chose itself.
        let address = common::free_address();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prometheus = Self { child, client: Client { address } };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() || prometheus.client.get("/-/ready").status != 200 {
            assert!(began.elapsed() < Duration::from_secs(60), "Prometheus does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        prometheus
    }

    /// The result of a query.
    fn query(&self, query: &str) -> Vec<Value> {
        self.ask("query", query, "")
    }

    fn ask(&self, path: &str, query: &str, more: &str) -> Vec<Value> {
        let encoded: Vec<String> = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.client.get(&format!("/api/v1/{path}?query={}{more}", encoded.concat())).json();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The only number of a query, once it is this one; then also the time.
    fn once(&self, query: &str, is_right: impl Fn(f64) -> bool) -> (f64, f64) {
        let began = Instant::now();
        loop {
            let found = self.query(query);
            let number = found.first().map(|one| number(&one["value"][1]));
            if let Some(number) = number.filter(|number| is_right(*number)) {
                return (number, clock().timestamp_micros() as f64 / 1e6);
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{query}: {found:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The sum of the bars that a panel shows between two times, each as wide as [`INTERVAL`].
    fn bars(&self, query: &str, from: f64, until: f64) -> f64 {
        let step = 0.3;
        // The first bar is the rise since `from`; the last ends behind `until`.
        let times = format!("&start={}&end={}&step={step}", from + step, until + step);
        let series = self.ask("query_range", query, &times);
        series.iter().flat_map(|one| one["values"].as_array().unwrap()).map(|value| number(&value[1])).sum()
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
fn clock() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// True of two numbers that differ by the rounding of sums only.
fn alike(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9 * one.abs().max(1.0)
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The queries of the dashboard by panel, with its variables filled in as Grafana does it when it is closest to the
/// data.
fn queries() -> BTreeSet<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let filled = |query: &str| {
        let query = query.replace("$__range_s", "300").replace("$__range", "5m");
        // Four scrapes are the shortest `$__rate_interval`.
        query.replace("$__rate_interval", "1200ms").replace("$__interval", INTERVAL)
    };
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), filled(target["expr"].as_str().unwrap())))
    };
    let queries: BTreeSet<(String, String)> = panels.iter().flat_map(of_panel).collect();
    assert!(queries.len() > 15 && queries.iter().all(|(_, query)| !query.contains('$')), "{queries:?}");
    queries
}

#[test]
fn prometheus_scrapes_it_and_every_query_of_the_dashboard_has_an_answer() {
    if !has("prometheus") {
        return;
    }
    let home = Home::new();
    let served = served(&home);
    let prometheus = Prometheus::start(&home, served.client.address);
    let began = Instant::now();
    let mut open = queries();
    let mut number = 6;
    // A rate needs two scrapes, between which something has happened.
    while !open.is_empty() {
        let targets = prometheus.client.get("/api/v1/targets").json();
        let target = &targets["data"]["activeTargets"][0];
        assert_ne!(target["health"], "down", "{target}");
        book(&served.client, number);
        number += 1;
        open.retain(|(_, query)| prometheus.query(query).is_empty());
        assert!(began.elapsed() < Duration::from_secs(60), "no answer to {open:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    // The numbers are those of the report.
    let report = home.tokmeter().args(["report", "total", "--json"]).output().unwrap();
    let total = serde_json::from_slice::<Value>(&report.stdout).unwrap()["total"].clone();
    for (query, wanted) in [
        ("sum(tokmeter_calls_total)", total["calls"].to_string()),
        ("sum(tokmeter_tokens_total)", total["total_tokens"].to_string()),
        ("tokmeter_today_tokens", total["total_tokens"].to_string()),
    ] {
        let is_right =
            || prometheus.query(query).first().is_some_and(|one| one["value"][1].as_str() == Some(wanted.as_str()));
        while !is_right() {
            assert!(began.elapsed() < Duration::from_secs(90), "{query} is not {wanted}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let quoted = prometheus.query(r#"tokmeter_calls_total{project="/p/\"two\""}"#);
    assert_eq!(quoted.len(), 1, "{quoted:?}");
}

/// A span of Claude Code's telemetry.
fn span(request: &str, input: u64) -> Value {
    let at = clock().timestamp_nanos_opt().unwrap();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let count = |key: &str, value: u64| json!({"key": key, "value": {"intValue": value}});
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "claude-code")]},
        "scopeSpans": [{"scope": {"name": "com.anthropic.claude_code.tracing"}, "spans": [{
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": format!("{:016x}", input), "name": "claude_code.llm_request",
            "startTimeUnixNano": at.to_string(), "endTimeUnixNano": (at + 1_000_000).to_string(),
            "attributes": [
                text("session.id", "s-1"), text("model", "claude-opus-5"), text("request_id", request),
                count("input_tokens", input), count("output_tokens", 10),
            ],
        }]}],
    }]})
}

#[test]
fn the_bars_of_the_dashboard_sum_to_what_was_counted_when_a_transcript_takes_a_call_over() {
    if !has("prometheus") {
        return;
    }
    let home = Home::new();
    let transcript = ".claude/projects/src/s-1.jsonl";
    home.write(transcript, "");
    let served = served(&home);
    // The transcript of the second is read later, and its time is the earlier one.
    let begun = now();
    for body in [span("req_1", 1_000_000), span("req_2", 100)] {
        let json = [("content-type", "application/json")];
        assert_eq!(served.client.post("/v1/traces", &json, body.to_string().as_bytes()).status, 200);
    }
    let prometheus = Prometheus::start(&home, served.client.address);
    let (tokens, cost) = ("sum(tokmeter_tokens_total)", "sum(tokmeter_cost_usd_total)");
    let otlp = "sum(tokmeter_tokens_total{source=\"otlp\"})";
    let (tokens_before, from) = prometheus.once(tokens, |_| true);
    let (cost_before, _) = prometheus.once(cost, |_| true);
    prometheus.once(otlp, |tokens| alike(tokens, 1_000_120.0));
    book(&served.client, 6);
    let line = json!({
        "type": "assistant", "sessionId": "s-1", "requestId": "req_2", "timestamp": begun, "uuid": "u-1",
        "version": "2.1.332", "cwd": "/src",
        "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5",
            "usage": {"input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 0}},
    });
    home.write(transcript, &format!("{line}\n"));
    prometheus.once(otlp, |tokens| alike(tokens, 1_000_010.0));
    // A scrape that begins after the fall was seen has everything.
    book(&served.client, 8);
    let wanted = tokens_before + f64::from(1_006 + 100 + 1_008 + 100);
    let (_, until) = prometheus.once(tokens, |tokens| alike(tokens, wanted));
    let (cost_after, _) = prometheus.once(cost, |_| true);
    let rise = cost_after - cost_before;
    assert!(rise > 0.001 && cost_before > 100.0 * rise, "{cost_before} {rise}");
    for (panel, query) in queries() {
        let wanted = match panel.as_str() {
            "Tokens by type" => wanted - tokens_before,
            "Cost by model" => rise,
            // From few scrapes Prometheus guesses what the rest of the range was like.
            "Cost per hour" => {
                let guessed = number(&prometheus.query(&query)[0]["value"][1]) / 12.0;
                assert!(guessed > 0.0 && guessed < 10.0 * rise, "{panel}: {guessed} {rise}");
                continue;
            }
            _ => continue,
        };
        let bars = prometheus.bars(&query, from, until);
        assert!(alike(bars, wanted), "{panel}: {bars} {wanted}");
    }
}
