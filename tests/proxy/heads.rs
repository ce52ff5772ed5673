//! Heads and trailers, byte by byte.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::common::Home;
use crate::running::Running;

/// One request as it arrives upstream, and the answer as it arrives at the client.
fn exchanged(request: &str, answer: String) -> (String, String) {
    let home = Home::new();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Running::start(&home, upstream.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = upstream.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        let is_over = |seen: &[u8]| {
            let is_chunked = String::from_utf8_lossy(seen).contains("transfer-encoding: chunked");
            seen.ends_with(b"\r\n\r\n") && (!is_chunked || String::from_utf8_lossy(seen).contains("\r\n0\r\n"))
        };
        while !is_over(&seen) {
            let count = stream.read(&mut chunk).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..count]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(seen).unwrap()
    });
    let seen = sent(proxy.address, request);
    (asked.join().unwrap(), seen)
}

fn sent(proxy: SocketAddr, request: &str) -> String {
    let mut client = TcpStream::connect(proxy).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut seen = String::new();
    client.read_to_string(&mut seen).unwrap();
    seen
}

const EMPTY: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_request_without_a_body_gets_no_length() {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        let request = format!("{method} /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let (asked, _) = exchanged(&request, EMPTY.to_owned());
        assert!(!asked.contains("content-length") && !asked.contains("transfer-encoding"), "{asked}");
    }
    let request = "POST /v1/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (asked, _) = exchanged(request, EMPTY.to_owned());
    assert!(asked.contains("content-length: 0\r\n"), "{asked}");
}

#[test]
fn trailers_that_are_announced_pass_in_both_directions() {
    for path in ["/v1/files", "/v1/chat/completions"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\
             trailer: x-sum\r\n\r\n2\r\n{{}}\r\n0\r\nx-sum: 5\r\n\r\n"
        );
        let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                      2\r\n{}\r\n0\r\nx-sum: 7\r\n\r\n";
        let (asked, seen) = exchanged(&request, answer.to_owned());
        assert!(asked.ends_with("0\r\nx-sum: 5\r\n\r\n"), "{asked}");
        assert!(seen.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{seen}");
    }
}

#[test]
fn five_hundred_headers_pass_in_both_directions() {
    let many = (0..490).map(|number| format!("x-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    let request = format!("GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{many}\r\n");
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{many}content-length: 0\r\n\r\n");
    let (asked, seen) = exchanged(&request, answer);
    assert!(asked.contains("x-489: 1") && seen.starts_with("HTTP/1.1 200") && seen.contains("x-489: 1"), "{seen}");
}

/// What a client gets for a request that asks for another protocol, from an upstream that answers once.
fn upgraded(path: &str, headers: &str) -> (Option<String>, String) {
    let home = Home::new();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Running::start(&home, upstream.local_addr().unwrap());
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    upstream.set_nonblocking(true).unwrap();
    let mut client = TcpStream::connect(proxy.address).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let (mut asked, mut seen, mut chunk) = (None, Vec::new(), [0; 4096]);
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while !seen.ends_with(b"}") && !seen.ends_with(b"\r\n\r\n") {
        assert!(std::time::Instant::now() < end, "{}", String::from_utf8_lossy(&seen));
        if let Ok((mut stream, _)) = upstream.accept() {
            stream.set_nonblocking(false).unwrap();
            let count = stream.read(&mut chunk).unwrap();
            asked = Some(String::from_utf8(chunk[..count].to_vec()).unwrap());
            stream.write_all(EMPTY.as_bytes()).unwrap();
        }
        seen.extend(client.read(&mut chunk).map(|count| chunk[..count].to_vec()).unwrap_or_default());
    }
    (asked, String::from_utf8(seen).unwrap())
}

#[test]
fn a_websocket_is_refused_with_the_status_after_which_codex_uses_http() {
    for path in ["/v1/responses", "/v1/realtime?model=gpt-realtime"] {
        for offer in
            ["connection: Upgrade\r\nupgrade: WebSocket\r\n", "connection: upgrade\r\nupgrade: h2c, websocket\r\n"]
        {
            let (asked, seen) =
                upgraded(path, &format!("{offer}sec-websocket-version: 13\r\nsec-websocket-key: eA==\r\n"));
            assert_eq!(asked, None, "nothing goes upstream");
            assert!(seen.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{seen}");
            assert!(
                seen.contains("\r\nupgrade: HTTP/1.1\r\n") && seen.contains("\r\nconnection: upgrade\r\n"),
                "{seen}"
            );
            let body: serde_json::Value = serde_json::from_str(seen.split("\r\n\r\n").nth(1).unwrap()).unwrap();
            assert!(body["error"]["message"].as_str().unwrap().contains("opens no WebSocket"), "{seen}");
        }
    }
    // Anything else that a client offers it can do without.
    let (asked, seen) =
        upgraded("/v1/models", "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n");
    let asked = asked.unwrap();
    assert!(
        asked.starts_with("GET /v1/models ") && !asked.contains("h2c") && !asked.contains("http2-settings"),
        "{asked}"
    );
    assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
}

#[test]
fn an_answer_in_http_1_0_is_passed_on_in_1_1_so_that_its_end_is_seen() {
    for path in ["/v1/models", "/v1/chat/completions"] {
        let request =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        let (_, seen) = exchanged(&request, "HTTP/1.0 200 OK\r\n\r\n{\"a\":1}".to_owned());
        assert!(seen.starts_with("HTTP/1.1 200 OK\r\n") && seen.ends_with("{\"a\":1}\r\n0\r\n\r\n"), "{seen}");
        // A client of HTTP/1.0 gets it as it can read it.
        let (_, seen) =
            exchanged(&request.replace("HTTP/1.1", "HTTP/1.0"), "HTTP/1.0 200 OK\r\n\r\n{\"a\":1}".to_owned());
        assert!(seen.starts_with("HTTP/1.0 200 OK\r\n") && seen.ends_with("\r\n\r\n{\"a\":1}"), "{seen}");
    }
}
