//! Metrics that are sent to a collector: what is sent, what is sent again, and what never is.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Served};
use crate::common::{self, Home, now};
use crate::counted;

/// A request that a collector got.
struct Export {
    at: Instant,
    head: String,
    body: Vec<u8>,
}

/// A collector that gives its first requests the given answers, and 200 from then on.
fn collector(answers: &'static [&'static str]) -> (u16, Receiver<Export>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, exports) = channel();
    std::thread::spawn(move || {
        let mut answers = answers.iter();
        while let Ok((mut stream, _)) = listener.accept() {
            let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
            let (head, body) = loop {
                let Ok(count @ 1..) = stream.read(&mut chunk) else { break (String::new(), Vec::new()) };
                bytes.extend_from_slice(&chunk[..count]);
                let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                let length: usize = length.unwrap().parse().unwrap();
                if bytes.len() >= end + 4 + length {
                    break (head, bytes[end + 4..].to_vec());
                }
            };
            let answer = answers.next().unwrap_or(&"200 OK");
            let _ = write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if sender.send(Export { at: Instant::now(), head, body }).is_err() {
                return;
            }
        }
    });
    (port, exports)
}

fn next(exports: &Receiver<Export>) -> Export {
    exports.recv_timeout(Duration::from_secs(30)).expect("an export")
}

fn book(client: &Client, id: &str) {
    let line = common::native(id, &now(), "claude-opus-5", 1_000, 100);
    assert_eq!(client.post("/api/v1/calls", &[], line.as_bytes()).status, 200);
}

/// An export as OpenTelemetry's own library for Python decodes it; none where that is not installed.
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn decoded(body: &[u8]) -> Option<Value> {
    const SCRIPT: &str = "
import sys
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
print(MessageToJson(ExportMetricsServiceRequest.FromString(sys.stdin.buffer.read())))
";
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    python.stdin.take().unwrap().write_all(body).unwrap();
    let out = python.wait_with_output().unwrap();
    if out.status.success() {
        return Some(serde_json::from_slice(&out.stdout).unwrap());
    }
    let why = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(why.contains("ModuleNotFoundError") && std::env::var_os("CI").is_none(), "{why}");
    let _ = writeln!(std::io::stderr(), "skipped: python3 with opentelemetry-proto is not installed");
    None
}

#[cfg(unix)]
#[test]
fn sums_and_limits_are_sent_as_protobuf_with_the_headers_of_the_file() {
    let (port, exports) = collector(&[]);
    let home = Home::new();
    let headers = home.write("headers", "Authorization: Bearer of-the-collector\n");
    home.config(&format!(
        "[server]\notlp_endpoint = \"http://127.0.0.1:{port}\"\notlp_headers_file = {headers:?}\n\
         otlp_interval_seconds = 1\n[limits]\nday = {{ tokens = 10_000 }}\n[limits.users.\"*\"]\nweek = {{ usd = 1 }}\n"
    ));
    let mut served = Served::start(&home);
    book(&served.client, "a");
    next(&exports);
    book(&served.client, "b");
    // Changes since the last export are sent at the end.
    assert_eq!(served.terminate(), Some(0));
    let last = exports.try_iter().last().expect("a last export");
    assert!(last.head.starts_with("post /v1/metrics http/1.1"), "{}", last.head);
    for header in ["content-type: application/x-protobuf", "authorization: bearer of-the-collector"] {
        assert!(last.head.contains(header), "{}", last.head);
    }
    // Another meter takes the export and counts none of it.
    let other_home = Home::new();
    let other = Served::start(&other_home);
    let kind = [("content-type", "application/x-protobuf")];
    let taken = other.client.post("/v1/metrics", &kind, &last.body);
    assert_eq!((taken.status, taken.body.len()), (200, 0));
    assert_eq!(counted(&other.client), (0, 0));
    let Some(export) = decoded(&last.body) else { return };
    let group = &export["resourceMetrics"][0];
    let name = json!({"key": "service.name", "value": {"stringValue": "tokmeter"}});
    assert_eq!(group["resource"]["attributes"][0], name);
    let metrics = group["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let metric = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name}"));
    let report = home.tokmeter().args(["report", "total", "--json"]).output().unwrap();
    let total = serde_json::from_slice::<Value>(&report.stdout).unwrap()["total"].clone();
    let sum = &metric("tokmeter.cost_usd")["sum"];
    assert_eq!(
        (&sum["aggregationTemporality"], &sum["isMonotonic"]),
        (&json!("AGGREGATION_TEMPORALITY_CUMULATIVE"), &json!(true))
    );
    assert_eq!(sum["dataPoints"][0]["asDouble"], total["cost_usd"]);
    let attributes: Vec<&Value> = sum["dataPoints"][0]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| &pair["value"]["stringValue"])
        .collect();
    assert_eq!(attributes, ["native", "claude-opus-5"]);
    let calls = &metric("tokmeter.calls")["sum"]["dataPoints"][0];
    assert_eq!(calls["asInt"], "2");
    assert!(calls["startTimeUnixNano"].as_str().unwrap() < calls["timeUnixNano"].as_str().unwrap(), "{calls}");
    let types = metric("tokmeter.tokens")["sum"]["dataPoints"].as_array().unwrap();
    let tokens: u64 = types.iter().map(|point| point["asInt"].as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(total["total_tokens"], tokens);
    // Without `metrics_names` only the limit that names nobody.
    let limits = metric("tokmeter.limit_used_ratio")["gauge"]["dataPoints"].as_array().unwrap();
    assert_eq!(limits.len(), 1, "{limits:?}");
    assert_eq!(limits[0]["asDouble"], 0.22);
}

#[test]
fn a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let (port, exports) =
        collector(&["503 Service Unavailable", "429 Too Many Requests\r\nretry-after: 2", "200 OK", "400 Bad Request"]);
    let home = Home::new();
    home.config(&format!(
        "[server]\notlp_endpoint = \"http://127.0.0.1:{port}/v1/metrics\"\notlp_interval_seconds = 4\n"
    ));
    let served = Served::start(&home);
    book(&served.client, "a");
    let times: Vec<Instant> = (0..5).map(|_| next(&exports).at).collect();
    let waited: Vec<u128> = times.windows(2).map(|two| (two[1] - two[0]).as_millis()).collect();
    // After 503 a second; after 429 the two that were asked for, or twice the delay; then and after 400 the interval.
    for (waited, least) in waited.iter().zip([950, 1_950, 3_950, 3_950]) {
        assert!(*waited >= least, "{times:?}");
    }
    assert!(waited[0] < 3_900 && waited[1] < 3_900, "{waited:?}");
}

#[test]
fn nothing_is_sent_unless_the_config_names_a_collector_and_secrets_are_shown_nowhere() {
    let home = Home::new();
    let secret = home.write("headers", "HUSH HUSH\n");
    home.config(&format!(
        "[server]\notlp_endpoint = \"http://u:HUSH@127.0.0.1:1/HUSH\"\notlp_headers_file = {secret:?}\n"
    ));
    let shown = home.tokmeter().args(["config", "show"]).output().unwrap();
    let ran = home.tokmeter().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = [shown.stdout, shown.stderr, ran.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(
        said.contains("otlp_endpoint = \"http://127.0.0.1:1/…\"") && said.contains("line 1 is not a header"),
        "{said}"
    );
    assert!(ran.status.code() == Some(78) && !said.contains("HUSH"), "{said}");
    // The variables that tell agents where to send their telemetry do not apply to us.
    let (port, exports) = collector(&[]);
    let endpoint = format!("http://127.0.0.1:{port}");
    let home = Home::new();
    let vars = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_METRIC_EXPORT_INTERVAL", "100")];
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("tokmeter"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .envs(home.vars())
        .envs(vars)
        .current_dir(home.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    crate::client::line_with(&mut said, "listening on http://").unwrap();
    #[cfg(unix)]
    {
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        child.wait().unwrap();
    }
    let _ = child.kill();
    assert!(exports.try_recv().is_err(), "sent without being told to");
}
