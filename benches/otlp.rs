//! Log records taken in and booked by `tokmeter serve`, as a process of its own, from several connections over loopback.
//!
//! The records are Claude Code's, with the attributes of 2.1.332. "session" is the mix of a real session, where one
//! record in five is a request with counts; "requests" are requests only, each a new call. A run whose total is wrong
//! stops. Processor time is that of the server, all threads together.

#![allow(clippy::print_stdout, reason = "the figures are its result")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

/// Records in an export.
const EACH: usize = 500;
const CONNECTIONS: usize = 4;

fn main() {
    // `cargo test --benches` only asks whether it still works.
    let records = if std::env::args().any(|arg| arg == "--bench") { 200_000 } else { 2_000 };
    for (name, every) in [("session", 5), ("requests", 1)] {
        for form in [Form::Protobuf, Form::Json] {
            measure(name, every, form, records);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Protobuf,
    Json,
}

fn measure(name: &str, every: usize, form: Form, records: usize) {
    let bodies: Vec<Vec<u8>> = (0..records / EACH).map(|at| body(at * EACH, every, form)).collect();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    let home = tempfile::tempdir().expect("a folder for the ledger");
    #[expect(clippy::disallowed_methods, reason = "another build of the program may be measured")]
    let program = std::env::var_os("CARGO_BIN_EXE_tokmeter").unwrap_or(env!("CARGO_BIN_EXE_tokmeter").into());
    let mut server = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut said = BufReader::new(server.stderr.take().expect("its messages"));
    let mut line = String::new();
    said.read_line(&mut line).expect("its address");
    let address = line.trim().rsplit("http://").next().unwrap_or_default().to_owned();
    while !ask(&address, "/readyz").0 {
        std::thread::yield_now();
    }
    let (before, began) = (processor_time(&server), Instant::now());
    let left = Mutex::new(bodies.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| send(&address, form, || left.lock().expect("no sender panics").next()));
        }
    });
    let (wall, spent) = (began.elapsed().as_secs_f64(), processor_time(&server) - before);
    let calls = records.div_ceil(every);
    let (_, total) = ask(&address, "/api/v1/usage?period=total");
    assert!(total.contains(&format!("\"calls\":{calls},")), "expected {calls} calls: {total}");
    let peak = peak_mib(&server);
    end(&mut server);
    let (all, size) = (records as f64, bytes / records);
    println!(
        "{name:8} {form:8?} {size:5} B each: {:>7.0} records/s, {:>7.0} per second of one core, {peak} MiB at most",
        all / wall,
        all / spent
    );
}

/// Sends bodies on one connection; each is acknowledged once it is booked.
fn send(address: &str, form: Form, mut next: impl FnMut() -> Option<Vec<u8>>) {
    let kind = match form {
        Form::Protobuf => "application/x-protobuf",
        Form::Json => "application/json",
    };
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("an option of the connection");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    while let Some(body) = next() {
        loop {
            let length = body.len();
            let head = format!(
                "POST /v1/logs HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).expect("a server that reads");
            let (status, mut rest) = (line_of(&mut reader), 0);
            loop {
                let line = line_of(&mut reader).to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                rest = line.strip_prefix("content-length: ").map_or(rest, |length| length.parse().expect("a length"));
            }
            let mut answer = vec![0; rest];
            reader.read_exact(&mut answer).expect("an answer");
            match status.split(' ').nth(1) {
                Some("200") => break,
                Some("503") => std::thread::yield_now(),
                _ => panic!("{status}"),
            }
        }
    }
}

fn line_of(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("an answer");
    line.trim_end().to_owned()
}

fn ask(address: &str, path: &str) -> (bool, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("a server that reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    (answer.starts_with("HTTP/1.1 200"), answer)
}

/// Asks the server to end, so that it writes its profile if it was built to write one.
fn end(server: &mut Child) {
    #[cfg(unix)]
    rustix::process::kill_process(rustix::process::Pid::from_child(server), rustix::process::Signal::TERM)
        .expect("a server that runs");
    #[cfg(not(unix))]
    server.kill().expect("a server that runs");
    server.wait().expect("a server that ends");
}

/// Seconds of processor time so far.
fn processor_time(server: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap_or_default();
    let ticks = |at| stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(at)?.parse::<f64>().ok());
    ticks(11).zip(ticks(12)).map_or(f64::NAN, |(user, system)| (user + system) / 100.0)
}

fn peak_mib(server: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

enum Value {
    Text(String),
    Int(u64),
    Double(f64),
}

/// The attributes of a record.
fn attributes(at: usize, is_request: bool) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut all = vec![
        ("user.id", text("e30af7d63c89861c277e9cef30667eeeee9ef31e2dce353a82bb38e4e7727b6d")),
        ("session.id", Value::Text(format!("b770dd99-1433-48ea-870a-{:012}", at / 2_000))),
        ("terminal.type", text("xterm")),
        ("event.timestamp", text("2026-11-27T00:25:41.619Z")),
        ("event.sequence", Value::Int(at as u64)),
        ("prompt.id", text("ff64e00c-fe86-4375-83e6-6a83f12ec840")),
    ];
    if is_request {
        all.extend([
            ("event.name", text("api_request")),
            ("model", text("claude-opus-5-5")),
            ("input_tokens", Value::Int(3)),
            ("output_tokens", Value::Int(782)),
            ("cache_read_tokens", Value::Int(75_606)),
            ("cache_creation_tokens", Value::Int(616)),
            ("cache_creation_5m_tokens", Value::Int(616)),
            ("cache_creation_1h_tokens", Value::Int(0)),
            ("cost_usd", Value::Double(0.033_853_2)),
            ("cost_usd_micros", Value::Int(33_853)),
            ("duration_ms", Value::Int(306)),
            ("ttft_ms", Value::Int(72)),
            ("request_id", Value::Text(format!("req_011CU{at:015}"))),
            ("speed", text("normal")),
            ("query_source", text("repl_main_thread")),
            ("effort", text("medium")),
        ]);
    } else {
        all.extend([
            ("event.name", text("tool_result")),
            ("tool_name", text("Bash")),
            ("success", text("true")),
            ("duration_ms", Value::Int(12)),
            ("tool_parameters", text("{\"bash_command\":\"ls\",\"description\":\"list\"}")),
            ("tool_result_size_bytes", Value::Int(1_000)),
        ]);
    }
    all
}

/// An export of the records from this number on.
fn body(from: usize, every: usize, form: Form) -> Vec<u8> {
    let records = (from..from + EACH).map(|at| {
        let is_request = at.is_multiple_of(every);
        let event = if is_request { "claude_code.api_request" } else { "claude_code.tool_result" };
        (1_795_730_000_000_000_000 + at as u64 * 1_000_000, event, attributes(at, is_request))
    });
    match form {
        Form::Json => {
            let typed = |value: Value| match value {
                Value::Text(text) => serde_json::json!({"stringValue": text}),
                Value::Int(number) => serde_json::json!({"intValue": number.to_string()}),
                Value::Double(number) => serde_json::json!({"doubleValue": number}),
            };
            let records: Vec<_> = records
                .map(|(at, event, attributes)| {
                    let attributes: Vec<_> = attributes
                        .into_iter()
                        .map(|(key, value)| serde_json::json!({"key": key, "value": typed(value)}))
                        .collect();
                    serde_json::json!({
                        "timeUnixNano": at.to_string(), "body": {"stringValue": event}, "attributes": attributes,
                    })
                })
                .collect();
            let service = serde_json::json!([{"key": "service.name", "value": {"stringValue": "claude-code"}}]);
            serde_json::json!({"resourceLogs": [{
                "resource": {"attributes": service},
                "scopeLogs": [{"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": records}],
            }]})
            .to_string()
            .into_bytes()
        }
        Form::Protobuf => {
            let mut scope = field(1, &field(1, b"com.anthropic.claude_code.events"));
            for (at, event, attributes) in records {
                let mut record = [&[9], at.to_le_bytes().as_slice(), &field(5, &field(1, event.as_bytes()))].concat();
                for (key, value) in attributes {
                    record.extend(field(6, &pair(key, value)));
                }
                scope.extend(field(2, &record));
            }
            let resource = field(1, &pair("service.name", Value::Text("claude-code".to_owned())));
            field(1, &[field(1, &resource), field(2, &scope)].concat())
        }
    }
}

/// A key and its value, as protobuf.
fn pair(key: &str, value: Value) -> Vec<u8> {
    let value = match value {
        Value::Text(text) => field(1, text.as_bytes()),
        Value::Int(number) => [vec![3 << 3], varint(number)].concat(),
        Value::Double(number) => [&[4 << 3 | 1], number.to_le_bytes().as_slice()].concat(),
    };
    [field(1, key.as_bytes()), field(2, &value)].concat()
}

fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        bytes.push(if number == 0 { byte } else { byte | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}
