//! Upstreams over TLS and HTTP/2, and those with peculiarities.

use std::time::Duration;

use hyper::Version;

use crate::common::Home;
use crate::dialects::{Api, INPUT, OUTPUT, Usage};
use crate::mock::{Mock, Reply};
use crate::running::{Running, booked, post};

/// The numbers of every call in the books.
fn counts(home: &Home) -> Vec<(u64, u64)> {
    let number = |row: &serde_json::Value, name: &str| row[name].as_u64().unwrap();
    booked(home).iter().map(|row| (number(row, "input_tokens"), number(row, "output_tokens"))).collect()
}

/// Calls over TLS with a certificate of the config's file; the version that the upstream was asked in.
fn over_tls(protocols: &[&str]) -> Version {
    let home = Home::new();
    let mock = Mock::secure(protocols, |_, number| Reply::stream(Api::Chat.stream(number, Usage::Given, false)));
    let file = home.write("ca.pem", include_str!("tls/localhost.pem"));
    home.config(&format!("[proxy]\nca_file = '{}'\n", file.display()));
    let proxy = Running::with(&home, &["--upstream", &format!("https://localhost:{}", mock.address.port())]);
    for _ in 0..2 {
        let answer = post(proxy.address, Api::Chat.path(), &[("x-api-key", "k")], &Api::Chat.request(true));
        assert!(answer.is_whole && answer.status == 200 && answer.text().ends_with("data: [DONE]\n\n"), "{answer:?}");
        assert!(!answer.text().contains("prompt_tokens"));
    }
    proxy.end();
    assert_eq!(counts(&home), [(INPUT, OUTPUT), (INPUT, OUTPUT)]);
    let asked = mock.asked();
    assert!(asked.iter().all(|asked| asked.headers["x-api-key"] == "k" && asked.path == Api::Chat.path()));
    asked[0].version
}

#[test]
fn an_upstream_over_tls_is_asked_in_http_1_1_where_it_has_no_other() {
    assert_eq!(over_tls(&["http/1.1"]), Version::HTTP_11);
}

#[test]
fn an_upstream_that_has_http_2_is_asked_in_it() {
    assert_eq!(over_tls(&["h2", "http/1.1"]), Version::HTTP_2);
}

#[test]
fn an_upstream_that_nobody_vouches_for_gets_nothing() {
    let home = Home::new();
    let mock = Mock::secure(&["http/1.1"], |_, _| Reply::json("{}"));
    let file = home.write("ca.pem", include_str!("tls/other.pem"));
    home.config(&format!("[proxy]\nca_file = '{}'\n", file.display()));
    let proxy = Running::with(&home, &["--upstream", &format!("https://localhost:{}", mock.address.port())]);
    let answer = post(proxy.address, Api::Chat.path(), &[("authorization", "Bearer k")], &Api::Chat.request(false));
    assert_eq!((answer.status, mock.asked().len()), (502, 0), "{answer:?}");
    proxy.end();
    // A file without a certificate is reported at once.
    home.write("ca.pem", "nothing");
    let out = home
        .tokmeter()
        .args(["proxy", "--listen", "127.0.0.1:0", "--upstream", "https://localhost:1"])
        .output()
        .unwrap();
    let why = String::from_utf8(out.stderr).unwrap();
    assert!(
        out.status.code() == Some(69) && why.contains("proxy.ca_file: there is no certificate in PEM form"),
        "{why}"
    );
}

#[test]
fn the_usage_that_the_proxy_asked_for_reaches_no_client_that_did_not_ask_whatever_the_streams_type() {
    let home = Home::new();
    let kinds = ["Text/Event-Stream", "text/plain", "application/json"];
    let mock = Mock::start(move |_, number| {
        let mut reply = Reply::stream(Api::Chat.stream(number, Usage::Given, false));
        reply.headers = vec![("content-type", kinds[number].to_owned())];
        Reply { is_measured: true, ..reply }
    });
    let proxy = Running::start(&home, mock.address);
    for kind in kinds {
        let answer = post(proxy.address, Api::Chat.path(), &[], &Api::Chat.request(true));
        assert!(answer.is_whole && answer.header("content-type") == Some(kind));
        assert!(answer.text().ends_with("data: [DONE]\n\n") && !answer.text().contains("prompt_tokens"), "{kind}");
    }
    proxy.end();
    assert_eq!(counts(&home), [(INPUT, OUTPUT); 3]);
}

#[test]
fn answers_without_an_id_count_each_whatever_request_id_the_upstream_repeats() {
    let home = Home::new();
    let mock = Mock::start(|received, _| {
        let body = r#"{"object":"list","data":[],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
        let mut reply = Reply::json(body);
        // The id that the client sent, or the same id for all.
        let id = received.headers.get("x-request-id").map_or("req_always_the_same", |id| id.to_str().unwrap());
        reply.headers.push(("x-request-id", id.to_owned()));
        reply
    });
    let proxy = Running::start(&home, mock.address);
    for headers in [&[("x-request-id", "trace-77")][..], &[("x-request-id", "req_77")], &[]] {
        for user in ["alice", "bob", "bob"] {
            let headers = [headers, &[("x-user-id", user)]].concat();
            assert_eq!(post(proxy.address, "/v1/embeddings", &headers, br#"{"model":"e","input":"x"}"#).status, 200);
        }
    }
    proxy.end();
    assert_eq!(counts(&home), [(8, 0); 9]);
}

#[test]
fn an_upstream_that_wants_the_length_is_asked_again_with_it_and_remembered() {
    use std::io::Write as _;

    let home = Home::new();
    let refusal = Reply { status: 411, ..Reply::json("{}") };
    let mock = Mock::start(move |received, number| {
        if !received.headers.contains_key("content-length") {
            return refusal.clone();
        }
        Reply::stream(Api::Chat.stream(number, Usage::Given, false))
    });
    let proxy = Running::start(&home, mock.address);
    let body = Api::Chat.request(true);
    for _ in 0..2 {
        // The body comes slowly, so that its length is not known when it is passed on.
        let mut client = std::net::TcpStream::connect(proxy.address).unwrap();
        client.set_nodelay(true).unwrap();
        write!(client, "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for part in [&body[..20], &body[20..]] {
            write!(client, "{:x}\r\n", part.len()).unwrap();
            client.write_all(part).unwrap();
            write!(client, "\r\n").unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        write!(client, "0\r\n\r\n").unwrap();
        let answer = crate::running::read(client, 4096, Duration::ZERO);
        assert!(answer.is_whole && answer.status == 200, "{answer:?}");
    }
    let lengths: Vec<bool> = mock.asked().iter().map(|asked| asked.headers.contains_key("content-length")).collect();
    assert_eq!(lengths, [false, true, true], "asked once without, and remembered");
    proxy.end();
    assert_eq!(counts(&home), [(INPUT, OUTPUT), (INPUT, OUTPUT)]);
}
