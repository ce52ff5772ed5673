//! An OpenTelemetry Collector in front, as `contrib/otel-collector.yaml` sets it up: what its `otlphttp` exporter
//! sends, and what it makes of the answers.
//!
//! From the exporter's source (open-telemetry/opentelemetry-collector, exporter/otlphttpexporter/otlp.go at 9b7948a and
//! its README, read 2026-11-27): protobuf, `gzip` unless told otherwise, ids of no bytes where there are none, the
//! resources of several programs in one request; sent again after 429, 502, 503 and 504 only, after `Retry-After` in
//! whole seconds; an answer's body is read as a message of its content type, and `partial_success` is logged.

use std::io::Write as _;
use std::net::TcpStream;

use crate::client::{Answer, Client, Served, gzip};
use crate::common::Home;
use crate::{LOGS, PROTOBUF, counted};

const AGENT: (&str, &str) = ("user-agent", "OpenTelemetry Collector Contrib/0.139.0 (linux/amd64)");

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A field of bytes, text or a message.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn number(of: u64, value: u64) -> Vec<u8> {
    [varint(of << 3), varint(value)].concat()
}

fn time(of: u64) -> Vec<u8> {
    [varint(of << 3 | 1), 1_795_730_000_000_000_000_u64.to_le_bytes().to_vec()].concat()
}

fn text(of: u64, key: &str, value: &str) -> Vec<u8> {
    field(of, &[field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat())
}

fn count(of: u64, key: &str, value: u64) -> Vec<u8> {
    field(of, &[field(1, key.as_bytes()), field(2, &number(3, value))].concat())
}

/// The signals of one program: its resource, a scope, and the signals in it.
fn resource(service: &str, scope: &str, signals: &[Vec<u8>]) -> Vec<u8> {
    let signals: Vec<u8> = signals.iter().flat_map(|signal| field(2, signal)).collect();
    let scope = [field(1, &field(1, scope.as_bytes())), signals].concat();
    let resource = [text(1, "service.name", service), text(1, "host.name", "build-7")].concat();
    field(1, &[field(1, &resource), field(2, &scope)].concat())
}

/// A request of Claude Code as the collector passes it on.
fn request(id: &str, input: u64) -> Vec<u8> {
    [
        time(1),
        number(2, 9),
        field(3, b"INFO"),
        field(5, &field(1, b"claude_code.api_request")),
        text(6, "event.name", "api_request"),
        text(6, "session.id", "s-1"),
        text(6, "model", "claude-opus-5"),
        count(6, "input_tokens", input),
        count(6, "output_tokens", 10),
        text(6, "request_id", id),
        // Flags, of fixed length; then ids that are not there.
        [varint(8 << 3 | 5), vec![0; 4]].concat(),
        field(9, b""),
        field(10, b""),
        time(11),
    ]
    .concat()
}

/// A chat span of a library.
fn chat(span: u8, input: u64) -> Vec<u8> {
    [
        field(1, &[7; 16]),
        field(2, &[span; 8]),
        field(4, b""),
        field(5, b"chat gpt-4o"),
        number(6, 3),
        time(7),
        time(8),
        text(9, "gen_ai.operation.name", "chat"),
        text(9, "gen_ai.request.model", "gpt-4o"),
        count(9, "gen_ai.usage.input_tokens", input),
        count(9, "gen_ai.usage.output_tokens", 10),
        field(15, b""),
    ]
    .concat()
}

fn send(client: &Client, path: &str, body: &[u8]) -> Answer {
    client.post(path, &[("content-type", PROTOBUF), ("content-encoding", "gzip"), AGENT], &gzip(body))
}

/// How the exporter takes an answer: `Err` is to be sent again after so many seconds.
fn taken(answer: &Answer) -> Result<(), u64> {
    assert_eq!(answer.header("content-type"), Some(PROTOBUF));
    match answer.status {
        200..300 => Ok(()),
        429 | 502 | 503 | 504 => Err(answer.header("retry-after").unwrap().parse().unwrap()),
        status => panic!("the data would be dropped after {status}"),
    }
}

#[test]
fn a_batch_of_several_programs_counts_and_its_resend_does_not() {
    let home = Home::new();
    let served = Served::start(&home);
    let tool =
        [time(1), field(5, &field(1, b"claude_code.tool_result")), text(6, "event.name", "tool_result")].concat();
    let claude = resource("claude-code", "com.anthropic.claude_code.events", &[request("req_1", 100), tool]);
    let other = resource("claude-code", "com.anthropic.claude_code.events", &[request("req_2", 200)]);
    let app = resource("my-app", "opentelemetry.instrumentation.openai", &[chat(1, 1_000), chat(2, 2_000)]);
    let web = resource("checkout", "http", &[[field(1, &[9; 16]), field(2, &[9; 8]), field(5, b"GET /")].concat()]);
    for _ in 0..2 {
        let answers = [(LOGS, [claude.clone(), other.clone()]), ("/v1/traces", [app.clone(), web.clone()])]
            .map(|(path, resources)| send(&served.client, path, &resources.concat()));
        for answer in answers {
            assert_eq!((taken(&answer), answer.body.len()), (Ok(()), 0));
        }
        assert_eq!(counted(&served.client), (4, 3_300));
    }
}

#[test]
fn what_was_refused_is_said_in_a_message_that_the_exporter_reads() {
    let home = Home::new();
    let served = Served::start(&home);
    let absurd = request("req_bad", 2_000_000_000);
    let body = resource("claude-code", "com.anthropic.claude_code.events", &[absurd, request("req_1", 100)]);
    let answer = send(&served.client, LOGS, &body);
    assert_eq!(taken(&answer), Ok(()));
    // `partial_success` with the number of rejected records, then why.
    let [10, length, partial @ ..] = &*answer.body else { panic!("{:?}", answer.body) };
    assert_eq!(usize::from(*length), partial.len());
    let [8, 1, 18, length, why @ ..] = partial else { panic!("{partial:?}") };
    let why = std::str::from_utf8(why).unwrap();
    assert!(usize::from(*length) == why.len() && why.contains("input_tokens"), "{why}");
    assert_eq!(counted(&served.client), (1, 100));
}

#[test]
fn a_batch_that_finds_no_room_is_sent_again_and_counts_once() {
    let home = Home::new();
    home.config("[server]\nbody_mib = 1\n");
    let served = Served::start(&home);
    let body = resource("claude-code", "com.anthropic.claude_code.events", &[request("req_1", 100)]);
    assert_eq!(taken(&send(&served.client, LOGS, &body)), Ok(()));
    // Others have announced as much as there is room for, and are slow to send it.
    let slow: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(served.client.address).unwrap();
            let address = served.client.address;
            let head = format!(
                "POST {LOGS} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {PROTOBUF}\r\ncontent-length: 1048576\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let next = resource("claude-code", "com.anthropic.claude_code.events", &[request("req_2", 200)]);
    let busy = loop {
        if let Err(seconds) = taken(&send(&served.client, LOGS, &body)) {
            break seconds;
        }
    };
    assert_eq!((busy, taken(&send(&served.client, LOGS, &next))), (1, Err(1)));
    drop(slow);
    while taken(&send(&served.client, LOGS, &next)).is_err() {}
    assert_eq!(taken(&send(&served.client, LOGS, &next)), Ok(()));
    assert_eq!(counted(&served.client), (2, 300));
}

#[test]
fn the_collectors_recipe_names_an_address_and_paths_that_are_served() {
    let recipe = include_str!("../../contrib/otel-collector.yaml");
    let line = |start: &str| {
        let mut lines = recipe.lines().map(str::trim).filter(|line| line.starts_with(start));
        lines.next().unwrap_or_else(|| panic!("no line {start}")).trim_start_matches(start).trim().to_owned()
    };
    assert_eq!(line("endpoint: http://"), "127.0.0.1:4318", "the address on which `serve` listens");
    let home = Home::new();
    let served = Served::start(&home);
    // Each kind of signal has a pipeline to tokmeter, and a path here.
    for kind in ["logs", "traces", "metrics"] {
        assert!(recipe.contains(&format!("    {kind}:\n      receivers: [otlp]")), "{kind}");
        assert_eq!(taken(&send(&served.client, &format!("/v1/{kind}"), b"")), Ok(()), "{kind}");
    }
    let exporters: Vec<&str> = recipe.lines().filter(|line| line.trim().starts_with("exporters: [")).collect();
    assert_eq!(exporters.len(), 3);
    assert!(exporters.iter().all(|line| line.contains("otlphttp/tokmeter")), "{exporters:?}");
    for (setting, value) in [("compression:", "gzip"), ("encoding:", "proto")] {
        assert_eq!(line(setting), value);
    }
}
