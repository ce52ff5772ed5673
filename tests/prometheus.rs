//! A real Prometheus scrapes `tokmeter serve`, and answers every query of `contrib/grafana-dashboard.json`; `promtool`
//! finds nothing to say about the metrics.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    reason = "a test that fails here has found what it was looking for"
)]

#[path = "serve/client.rs"]
mod client;
mod common;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::{Client, Served};
use common::{Home, native, now};
use serde_json::Value;

/// True where this program is installed; else the test is skipped, and says so.
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

/// A running Prometheus, ended when dropped.
struct Prometheus {
    child: Child,
    client: Client,
}

impl Prometheus {
    /// Scrapes this address several times a second.
    fn start(home: &Home, target: SocketAddr) -> Self {
        let config = format!(
            "global: {{scrape_interval: 300ms, scrape_timeout: 300ms}}\nscrape_configs:\n- job_name: tokmeter\n  \
             static_configs: [{{targets: ['{target}']}}]\n"
        );
        let config = home.write("prometheus.yml", &config);
        let data = home.path().join("prometheus");
        // The port is free now; Prometheus does not say which one it chose itself.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
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
        let encoded: Vec<String> = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.client.get(&format!("/api/v1/query?query={}", encoded.concat())).json();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The queries of the dashboard, with its variables filled in.
fn queries() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: BTreeSet<String> = targets
        .map(|target| target["expr"].as_str().unwrap().replace("$__range", "5m").replace("$__interval", "5m"))
        .collect();
    assert!(queries.len() > 15 && queries.iter().all(|query| !query.contains('$')), "{queries:?}");
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
        open.retain(|query| prometheus.query(query).is_empty());
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
