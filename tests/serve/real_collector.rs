//! A real collector between a program and tokmeter: Rotel, which the Python index has as a package with its executable.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Served;
use crate::common::{Home, free_address};

/// The collector, ended when dropped.
struct Collector {
    child: Child,
    address: String,
}

impl Collector {
    /// Starts it; it passes on what it gets to an address to which nobody needs to listen yet.
    fn start(program: &str, home: &Home, to: &str) -> Self {
        let address = free_address().to_string();
        let child = Command::new(program)
            .arg("start")
            .args(["--pid-file", home.path().join("collector.pid").to_str().unwrap()])
            .args(["--otlp-grpc-endpoint", &free_address().to_string(), "--otlp-http-endpoint", &address])
            .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
            .args(["--otlp-exporter-endpoint", &format!("http://{to}")])
            .args(["--otlp-exporter-retry-initial-backoff", "50ms", "--otlp-exporter-retry-max-backoff", "50ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut collector = Self { child, address };
        while TcpStream::connect(&collector.address).is_err() {
            assert_eq!(collector.child.try_wait().unwrap(), None, "the collector ended");
            std::thread::yield_now();
        }
        collector
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The collector's program, where Python has it and the exporter.
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn program() -> Option<String> {
    let find = "import pathlib, rotel, opentelemetry.exporter.otlp.proto.http
print(pathlib.Path(rotel.__file__).with_name('rotel-agent'))";
    let found = Command::new("python3").args(["-c", find]).output().ok().filter(|out| out.status.success());
    if found.is_none() {
        let why = "python3 with rotel and opentelemetry-exporter-otlp-proto-http is not installed";
        assert!(std::env::var_os("CI").is_none(), "{why}");
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {why}\n"));
    }
    Some(String::from_utf8(found?.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_real_collector_delivers_everything_also_what_it_got_before_tokmeter_ran() {
    let Some(program) = program() else { return };
    let home = Home::new();
    let to = free_address().to_string();
    let mut collector = Collector::start(&program, &home, &to);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/exporter.py");
    let send = || {
        let endpoint = format!("http://{}", collector.address);
        let ran = Command::new("python3").args([script, &endpoint]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    // It waits for tokmeter with these.
    send();
    let served = Served::with(&home, &["--listen", &to]);
    let counted = || {
        let rows = served.client.get("/api/v1/usage?period=total&by=model").json();
        let rows = rows["rows"].as_array().unwrap().clone();
        let counts = ["calls", "input_tokens", "cache_read_tokens", "output_tokens"];
        rows.iter()
            .map(|row| (row["model"].as_str().unwrap().to_owned(), counts.map(|name| row[name].as_u64().unwrap())))
            .collect::<Vec<_>>()
    };
    // The calls of a session's metrics are one row, and its request has the same id in each run.
    let all = |runs: u64| {
        vec![
            ("claude-haiku-4-5".to_owned(), [1, 10 * runs, 22 * runs, 14 * runs]),
            ("claude-opus-5".to_owned(), [1, 12, 0, 3]),
            ("gpt-4o".to_owned(), [runs, 80 * runs, 20 * runs, 30 * runs]),
        ]
    };
    while counted() != all(1) {
        std::thread::yield_now();
    }
    // A collector that is asked to end delivers what it has.
    send();
    kill_process(Pid::from_child(&collector.child), Signal::TERM).unwrap();
    collector.child.wait().unwrap();
    assert_eq!(counted(), all(2));
}
