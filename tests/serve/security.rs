//! Strangers, other web pages and broken clients get nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Served;
use crate::common::Home;

const PATHS: [(&str, &str); 19] = [
    ("POST", "/v1/traces"),
    ("POST", "/v1/logs"),
    ("POST", "/v1/metrics"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/usage"),
    ("GET", "/api/v1/summary"),
    ("GET", "/api/v1/sessions"),
    ("GET", "/api/v1/calls"),
    ("POST", "/api/v1/calls"),
    ("GET", "/api/v1/limits"),
    ("GET", "/api/v1/health"),
    ("GET", "/api/v1/gate"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/"),
    ("GET", "/page/page.css"),
    ("GET", "/nothing"),
];
/// Paths that tell nothing about the books.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/", "/page/page.css"];

/// The status of an answer, without waiting for its end.
fn status(served: &Served, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(served.client.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server may refuse a request before it has read all of it.
    let _ = stream.write_all(request);
    let mut head = Vec::new();
    let mut chunk = [0; 512];
    while head.len() < 16 {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => head.extend_from_slice(&chunk[..count]),
            Ok(_) | Err(_) => break,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok())
}

fn plain(method: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n{headers}\r\n").into_bytes()
}

#[test]
fn beyond_this_machine_nothing_is_answered_without_the_token() {
    let home = Home::new();
    let token = home.write("token", "0123456789abcdef\n");
    let served = Served::with(&home, &["--listen", "0.0.0.0:0", "--token-file", token.to_str().unwrap()]);
    for (method, path) in PATHS {
        for headers in [
            "",
            "host: localhost\r\n",
            "host: localhost\r\nauthorization: Bearer 0123456789abcdeg\r\n",
            "host: localhost\r\nauthorization: Bearer\r\n",
            "host: localhost\r\nauthorization: Basic MDEyMzQ1Njc4OWFiY2RlZg==\r\n",
            "host: localhost\r\ncookie: token=0123456789abcdef\r\n",
        ] {
            let code = status(&served, &plain(method, path, headers)).unwrap();
            assert!(code == if OPEN.contains(&path) { 200 } else { 401 }, "{method} {path} {headers}: {code}");
        }
        // Nor is it taken from the address, which others log.
        if !OPEN.contains(&path) {
            let path = format!("{path}?token=0123456789abcdef&access_token=0123456789abcdef");
            assert_eq!(status(&served, &plain(method, &path, "host: localhost\r\n")), Some(401));
        }
    }
}

#[test]
fn a_name_that_was_made_to_point_here_and_a_page_from_elsewhere_get_nothing() {
    let home = Home::new();
    let served = Served::start(&home);
    let own = served.client.address;
    for (method, path) in PATHS {
        for headers in [
            format!("host: evil.example:{}\r\n", own.port()),
            "host: 127.0.0.1.evil.example\r\n".to_owned(),
            "host: 10.0.0.1\r\n".to_owned(),
            String::new(),
            format!("host: {own}\r\norigin: http://evil.example\r\n"),
            format!("host: {own}\r\norigin: http://127.0.0.1:1\r\n"),
            format!("host: {own}\r\norigin: null\r\n"),
            format!("host: {own}\r\norigin: http://evil.example\r\ncontent-type: text/plain\r\n"),
        ] {
            let code = status(&served, &plain(method, path, &headers));
            assert_eq!(code, Some(403), "{method} {path} {headers}");
        }
        let elsewhere =
            plain(method, &format!("http://evil.example:{}{path}", own.port()), &format!("host: {own}\r\n"));
        assert_eq!(status(&served, &elsewhere), Some(403), "{method} {path} of another host");
        let both = format!("host: {own}\r\nhost: evil.example\r\n");
        assert_eq!(status(&served, &plain(method, path, &both)), Some(400), "{method} {path}");
    }
    assert_eq!(crate::counted(&served.client), (0, 0));
}

#[test]
fn a_client_that_sends_slowly_is_cut_off() {
    let home = Home::new();
    home.write(".config/tokmeter/config.toml", "[server]\ntimeout_seconds = 1\n");
    let served = Served::start(&home);
    let began = Instant::now();
    let host = served.client.address;
    let body = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    for (request, wanted) in [("GET / HT".to_owned(), ""), (String::new(), ""), (body, "HTTP/1.1 408 ")] {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Ends when the server closes the connection, and fails when it does not.
        stream.read_to_end(&mut answer).unwrap();
        assert!(String::from_utf8_lossy(&answer).starts_with(wanted), "{request:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(served.client.get("/healthz").status, 200);
}

/// A client that reads nothing, here of many answers that it asked for at once, is disconnected, and its place becomes
/// free.
#[test]
fn a_client_that_reads_nothing_is_cut_off() {
    let home = Home::new();
    home.config("[server]\nconnections = 1\ntimeout_seconds = 1\n");
    let served = Served::start(&home);
    let began = Instant::now();
    let mut deaf = TcpStream::connect(served.client.address).unwrap();
    deaf.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let request = format!("GET /page/views.css HTTP/1.1\r\nhost: {}\r\n\r\n", served.client.address);
    // Until both sides' buffers are full.
    while began.elapsed() < Duration::from_secs(20) && deaf.write_all(request.as_bytes()).is_ok() {}
    assert!(began.elapsed() < Duration::from_secs(20), "the server took every request");
    assert_eq!(served.client.get("/healthz").status, 200);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_head_or_a_path_of_any_length_is_answered_or_cut_off() {
    let home = Home::new();
    let served = Served::start(&home);
    let long = "x".repeat(200_000);
    for request in [
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n"),
        format!("GET /api/v1/usage?{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "user=x&".repeat(5_000)),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(500)),
    ] {
        let code = status(&served, request.as_bytes());
        assert!(code.is_none_or(|code| code < 500), "{code:?}");
    }
    assert_eq!(served.client.get("/healthz").status, 200);
}

/// Numbers from a seed, the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[usize::try_from(self.next()).unwrap() % all.len()]
    }
}

/// A request to a known path, with a wrong method, wrong parameters, wrong headers or a wrong body now and then.
fn any_request(dice: &mut Dice) -> Vec<u8> {
    const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "BREW"];
    const VALUES: [&str; 16] = [
        "day",
        "total",
        "2026-11-27",
        "-1",
        "999999999999999999999",
        "%00",
        "%ff%fe",
        "..%2f..%2fetc",
        "'",
        "\"",
        "*",
        "",
        "%E2%80%AE",
        "--help",
        "{}",
        "call",
    ];
    const NAMES: [&str; 12] =
        ["period", "start", "end", "by", "user", "format", "session", "limit", "since", "until", "model", "%5B"];
    const KINDS: [&str; 5] =
        ["application/json", "application/x-protobuf", "text/plain", "application/json; charset=x", "\u{1f980}"];
    const CODINGS: [&str; 5] = ["gzip", "zstd", "deflate", "br", "identity"];
    const SCRAPS: [&[u8]; 20] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"resourceLogs\":",
        b"\"scopeLogs\":",
        b"\"logRecords\":",
        b"\"attributes\":",
        b"null",
        b"1e999",
        b"-1",
        b",",
        b"\"\\ud800\"",
        b"\xff",
        b"\x0a\x05",
        b"\x08\x96\x01",
        b"\x1f\x8b\x08\x00",
        b"\x28\xb5\x2f\xfd",
        b"\n",
        b"{\"id\":\"a\",\"model\":\"m\",\"input_tokens\":1}\n",
    ];
    let (method, path) = PATHS[usize::try_from(dice.next()).unwrap() % PATHS.len()];
    let method = if dice.next().is_multiple_of(8) { dice.of(&METHODS) } else { method };
    let mut target = path.to_owned();
    for _ in 0..dice.next() % 4 {
        target += if target.contains('?') { "&" } else { "?" };
        target = format!("{target}{}={}", dice.of(&NAMES), dice.of(&VALUES));
    }
    let mut body: Vec<u8> = Vec::new();
    for _ in 0..dice.next() % 12 {
        body.extend_from_slice(dice.of(&SCRAPS));
    }
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n");
    if !dice.next().is_multiple_of(16) {
        head = format!("{head}content-length: {}\r\n", body.len());
    }
    if !dice.next().is_multiple_of(4) {
        head = format!("{head}content-type: {}\r\n", dice.of(&KINDS));
    }
    if dice.next().is_multiple_of(3) {
        head = format!("{head}content-encoding: {}\r\n", dice.of(&CODINGS));
    }
    let mut request = format!("{head}\r\n").into_bytes();
    request.extend_from_slice(&body);
    if dice.next().is_multiple_of(32) {
        let at = usize::try_from(dice.next()).unwrap() % request.len();
        request[at] = u8::try_from(dice.next() & 0xff).unwrap();
    }
    request
}

#[test]
fn ten_thousand_broken_requests_cause_neither_a_panic_nor_a_server_error() {
    const EACH: u64 = 2_500;
    let home = Home::new();
    // Each worker may have one connection that waits for a rest that never comes.
    home.write(".config/tokmeter/config.toml", "[server]\ntimeout_seconds = 5\n");
    let served = Served::start(&home);
    std::thread::scope(|scope| {
        for worker in 1..=4_u64 {
            let served = &served;
            scope.spawn(move || {
                let mut dice = Dice(worker.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                for _ in 0..EACH {
                    let request = any_request(&mut dice);
                    let code = status(served, &request);
                    assert!(code.is_none_or(|code| code < 500), "{code:?} for {}", String::from_utf8_lossy(&request));
                }
            });
        }
    });
    assert_eq!(served.client.get("/readyz").status, 200);
    assert_eq!(served.client.get("/api/v1/health").status, 200);
}
