//! Bytes and headers pass through in both directions, but for a few.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::common::Home;
use crate::dialects::{Api, INPUT, OUTPUT, Usage};
use crate::mock::{Mock, Reply, Step};
use crate::running::{Running, booked, leave_after, post, sent};

const CREDENTIAL: &str = "sk-canary-credential-0123456789";
const SECRET: &str = "canary-prompt-9876543210";

#[test]
fn a_request_arrives_as_it_was_sent_but_for_our_own_headers() {
    let home = Home::new();
    let mock = Mock::start(|_, number| Reply::json(&Api::Messages.body(number)));
    let proxy = Running::start(&home, mock.address);
    let body =
        br#"{ "model" : "claude-opus-5",  "messages":[{"role":"user","content":"hi \u00e9"}] , "max_tokens":5}  "#;
    let headers = [
        ("authorization", "Bearer sk-ant-oat01-x"),
        ("x-api-key", "sk-x"),
        ("anthropic-beta", "oauth-2025-04-20,context-1m"),
        ("x-claude-code-session-id", "s-1"),
        ("x-team-id", "web"),
        ("x-user-id", "bob"),
        ("x-project", "/src/api"),
        ("x-agent-id", "helper"),
        ("x-feature", "search"),
        ("x-custom", "kept"),
        ("te", "gzip"),
        ("keep-alive", "5"),
    ];
    let answer = post(proxy.address, "/v1/messages?beta=true&x=%2F", &headers, body);
    assert_eq!(answer.text(), Api::Messages.body(0));
    assert_eq!(answer.header("x-tokmeter-call-id").map(str::len), Some(32));
    assert!(answer.header("x-tokmeter-overhead-ms").unwrap().parse::<f64>().unwrap() < 1000.0);
    let asked = &mock.asked()[0];
    assert_eq!((asked.path.as_str(), asked.body.as_slice()), ("/v1/messages?beta=true&x=%2F", &body[..]));
    let mut names: Vec<&str> = asked.headers.keys().map(hyper::header::HeaderName::as_str).collect();
    names.sort_unstable();
    let kept = [
        "anthropic-beta",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "x-api-key",
        "x-claude-code-session-id",
        "x-custom",
    ];
    assert_eq!(names, kept);
    proxy.end();
    let row = &booked(&home)[0];
    let said = ["user", "team", "session", "project", "agent", "feature"].map(|name| row[name].as_str().unwrap());
    assert_eq!(said, ["bob", "web", "s-1", "/src/api", "helper", "search"]);
}

#[test]
fn whatever_is_no_call_passes_and_is_not_counted() {
    let home = Home::new();
    let mock = Mock::start(|received, _| match received.path.as_str() {
        "/v1/old" => {
            let mut reply = Reply { status: 302, ..Reply::json("") };
            reply.headers.push(("location", "https://elsewhere.example/".to_owned()));
            reply
        }
        "/v1/messages" => {
            Reply { status: 529, ..Reply::json(r#"{"type":"error","error":{"type":"overloaded_error"}}"#) }
        }
        _ => Reply::json(r#"{"input_tokens":7}"#),
    });
    let proxy = Running::start(&home, mock.address);
    let answer = post(proxy.address, "/v1/messages/count_tokens?beta=true", &[], b"{}");
    assert_eq!((answer.status, answer.text()), (200, r#"{"input_tokens":7}"#.to_owned()));
    let answer = post(proxy.address, "/v1/old", &[], b"{}");
    assert_eq!((answer.status, answer.header("location")), (302, Some("https://elsewhere.example/")));
    assert_eq!(post(proxy.address, "/v1/messages", &[], &Api::Messages.request(false)).status, 529);
    let mut stream = TcpStream::connect(proxy.address).unwrap();
    write!(stream, "HEAD /api/hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    proxy.end();
    assert_eq!(booked(&home).len(), 0);
}

#[test]
fn a_response_made_in_the_background_counts_when_it_is_fetched() {
    const ID: &str = "resp_0123456789abcdef0123456789abcdef";
    let response = |status: &str, usage: &str| {
        let about = r#""object":"response","created_at":1795168800,"model":"gpt-4o","output":[],"background":true"#;
        format!(r#"{{"id":"{ID}","status":"{status}",{about},"usage":{usage}}}"#)
    };
    let done = response("completed", r#"{"input_tokens":100,"output_tokens":50,"total_tokens":150}"#);
    let queued = response("queued", "null");
    let home = Home::new();
    let mock = Mock::start(move |received, number| match (received.path.ends_with(ID), number) {
        (true, 2..) => Reply::json(&done),
        _ => Reply::json(&queued),
    });
    let proxy = Running::start(&home, mock.address);
    assert_eq!(post(proxy.address, "/v1/responses", &[], br#"{"model":"gpt-4o","background":true}"#).status, 200);
    for _ in 0..3 {
        let mut stream = TcpStream::connect(proxy.address).unwrap();
        write!(stream, "GET /v1/responses/{ID} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.contains(ID), "{text}");
    }
    proxy.end();
    let rows = booked(&home);
    let row = |name: &str| rows[0][name].clone();
    assert_eq!((rows.len(), row("input_tokens"), row("output_tokens")), (1, 100.into(), 50.into()));
    assert_eq!(row("fidelity"), "final");
}

#[test]
fn a_response_made_in_the_background_is_no_call_once_it_is_fetched_as_failed_without_output() {
    const ID: &str = "resp_0123456789abcdef0123456789abcdef";
    let response = |status: &str| {
        let about = r#""object":"response","created_at":1795168800,"model":"gpt-4o","output":[],"background":true"#;
        format!(r#"{{"id":"{ID}","status":"{status}",{about},"instructions":"be brief","error":null,"usage":null}}"#)
    };
    let (queued, failed) = (response("queued"), response("failed"));
    let event = |kind: &str, response: &str| {
        Step::Data(format!("data: {{\"type\":\"response.{kind}\",\"response\":{response}}}\n\n").into_bytes())
    };
    let stream = Reply::stream(vec![event("created", &queued), event("failed", &failed)]);
    for query in ["", "?stream=true"] {
        let home = Home::new();
        let (queued, failed, stream) = (queued.clone(), failed.clone(), stream.clone());
        let mock = Mock::start(move |received, number| match (&*received.path, number) {
            (_, ..2) => Reply::json(&queued),
            (path, _) if path.ends_with("stream=true") => stream.clone(),
            _ => Reply::json(&failed),
        });
        let fetch = |proxy: &Running| {
            let mut stream = TcpStream::connect(proxy.address).unwrap();
            write!(stream, "GET /v1/responses/{ID}{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert!(text.starts_with("HTTP/1.1 200") && text.contains(ID), "{text}");
        };
        let proxy = Running::start(&home, mock.address);
        assert_eq!(post(proxy.address, "/v1/responses", &[], br#"{"model":"gpt-4o","background":true}"#).status, 200);
        fetch(&proxy);
        proxy.end();
        assert_eq!(booked(&home)[0]["fidelity"], "lower_bound");
        let proxy = Running::start(&home, mock.address);
        fetch(&proxy);
        proxy.end();
        assert_eq!(booked(&home).len(), 0, "{query}");
    }
}

#[test]
fn an_upstream_that_is_gone_is_a_502_in_the_apis_form() {
    let home = Home::new();
    let gone = crate::common::free_address();
    let proxy = Running::start(&home, gone);
    let answer = post(proxy.address, Api::Messages.path(), &[], &Api::Messages.request(false));
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["type"], &body["error"]["type"]), (502, &"error".into(), &"api_error".into()));
    let answer = post(proxy.address, Api::Chat.path(), &[], &Api::Chat.request(false));
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["error"]["code"]), (502, &"upstream_unreachable".into()));
    proxy.end();
    assert_eq!(booked(&home).len(), 0);
}

#[test]
fn a_long_prompt_is_passed_on_before_its_end_is_known() {
    let home = Home::new();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Running::start(&home, upstream.local_addr().unwrap());
    let prompt = "word ".repeat(100_000);
    let body = serde_json::json!({"messages": [{"role": "user", "content": prompt}], "stream": true, "model": "gpt-5"})
        .to_string();
    let (head, tail) = body.split_at(400_000);
    let mut client = TcpStream::connect(proxy.address).unwrap();
    write!(client, "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{head}", body.len()).unwrap();
    // The rest is not sent before the upstream has most of what was.
    let (mut asked, _) = upstream.accept().unwrap();
    asked.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut seen = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    while seen.len() < 390_000 {
        let count = asked.read(&mut chunk).unwrap();
        assert!(count > 0);
        seen.extend_from_slice(&chunk[..count]);
    }
    client.write_all(tail.as_bytes()).unwrap();
    while !seen.ends_with(b"0\r\n\r\n") {
        let count = asked.read(&mut chunk).unwrap();
        assert!(count > 0);
        seen.extend_from_slice(&chunk[..count]);
    }
    let text = String::from_utf8_lossy(&seen);
    assert!(text.contains(r#","stream_options":{"include_usage":true}"#), "asked for at the end");
    let answer = Reply::stream(Api::Chat.stream(0, Usage::Given, false)).bytes();
    write!(asked, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").unwrap();
    asked.write_all(&answer).unwrap();
    drop(asked);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.contains("[DONE]") && !text.contains("prompt_tokens"), "{text}");
    proxy.end();
    let rows = booked(&home);
    assert_eq!((rows.len(), rows[0]["input_tokens"].as_u64()), (1, Some(INPUT)));
}

#[test]
fn neither_credentials_nor_bodies_are_kept_anywhere() {
    let home = Home::new();
    let mock = Mock::start(|received, number| {
        let is_broken = received.headers.contains_key("x-broken");
        let mut steps = Api::Chat.stream(number, if is_broken { Usage::Missing } else { Usage::Given }, false);
        steps.insert(1, Api::Chat.delta(number, SECRET, Usage::Given));
        if is_broken {
            steps.insert(2, Step::Reset);
        }
        Reply::stream(steps)
    });
    let log = home.path().join("log.txt");
    let upstream = format!("http://{}", mock.address);
    let proxy = Running::with(&home, &["--upstream", &upstream, "--log", log.to_str().unwrap()]);
    let body = String::from_utf8(Api::Chat.request(true)).unwrap().replace("say hello", SECRET);
    let bearer = format!("Bearer {CREDENTIAL}");
    let headers = [("authorization", bearer.as_str()), ("x-api-key", CREDENTIAL), ("x-tokmeter-key", CREDENTIAL)];
    assert!(post(proxy.address, Api::Chat.path(), &headers[..2], body.as_bytes()).text().contains(SECRET));
    // Nobody knows this key.
    assert!(!post(proxy.address, Api::Chat.path(), &headers, body.as_bytes()).text().contains(SECRET));
    let broken = [headers[0], headers[1], ("x-broken", "1")];
    post(proxy.address, Api::Chat.path(), &broken, body.as_bytes());
    post(proxy.address, "/k/sk-canary-credential-0123456789/v1/models", &headers, body.as_bytes());
    assert!(mock.asked().iter().all(|asked| asked.headers["authorization"] == bearer.as_str()));
    assert!(
        mock.asked()
            .iter()
            .all(|asked| !asked.path.contains("canary") && !asked.headers.contains_key("x-tokmeter-key"))
    );
    let said = proxy.end();
    assert_eq!(booked(&home).len(), 2);
    let mut all = vec![said.into_bytes()];
    let mut open = vec![home.path().to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { all.push(std::fs::read(&path).unwrap()) }
        }
    }
    assert!(all.len() > 2);
    for text in all {
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(CREDENTIAL) && !text.contains(SECRET), "{text}");
    }
}

#[test]
fn several_upstreams_and_the_token_of_a_proxy_that_others_can_reach() {
    let home = Home::new();
    let (one, two) = (Mock::start(|_, _| Reply::json("{}")), Mock::start(|_, _| Reply::json("{}")));
    home.config(&format!(
        "[proxy.upstreams]\n\"/\" = \"http://{}\"\n\"/openai\" = \"http://{}/v1\"\n",
        one.address, two.address
    ));
    let token = home.write("token", "0123456789abcdef\n");
    let proxy = Running::with(&home, &["--token-file", token.to_str().unwrap()]);
    let status = |path: &str, headers: &[(&str, &str)]| post(proxy.address, path, headers, b"{}").status;
    assert_eq!(status("/v1/models", &[]), 401);
    assert_eq!(status("/v1/models", &[("x-tokmeter-key", "0123456789abcdeX")]), 401);
    assert_eq!(status("/v1/models", &[("x-tokmeter-key", "0123456789abcdef")]), 200);
    assert_eq!(status("/k/0123456789abcdef/openai/models", &[]), 200);
    assert_eq!(one.asked().iter().map(|asked| asked.path.clone()).collect::<Vec<_>>(), ["/v1/models"]);
    assert_eq!(two.asked().iter().map(|asked| asked.path.clone()).collect::<Vec<_>>(), ["/v1/models"]);
    let plain = Running::start(&home, one.address);
    assert_eq!(post(plain.address, "/v1/models", &[("origin", "https://evil.example")], b"{}").status, 403);
    // `post` sends a Host of its own, which is this machine's.
    assert_eq!(post(plain.address, "http://evil.example/v1/models", &[], b"{}").status, 403);
    assert_eq!(post(plain.address, &format!("http://{}/v1/models", plain.address), &[], b"{}").status, 200);
    for second in ["localhost", "evil.example"] {
        assert_eq!(post(plain.address, "/v1/models", &[("host", second)], b"{}").status, 400, "{second}");
    }
    assert_eq!(one.asked().len(), 2);
}

#[test]
fn a_client_of_http_2_is_served_on_one_connection() {
    let home = Home::new();
    let mock = Mock::start(|_, number| Reply::stream(Api::Responses.stream(number, Usage::Given, false)));
    let proxy = Running::start(&home, mock.address);
    let address = proxy.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let calls = (0..20).map(|number| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let request = hyper::Request::post(format!("http://{address}/v1/responses"))
                    .header("x-user-id", format!("user-{number}"))
                    // As HTTP/1.1 takes them, too.
                    .header("x-long", "v".repeat(20_000))
                    .body(Full::new(Bytes::from(Api::Responses.request(true))))
                    .unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert_eq!(answer.status(), 200);
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                assert!(String::from_utf8_lossy(&body).contains("response.completed"));
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    });
    // Closes the connection, whose end the proxy would wait for.
    drop(runtime);
    proxy.end();
    let rows = booked(&home);
    assert_eq!(rows.iter().filter(|row| row["output_tokens"] == OUTPUT).count(), 20);
}

#[test]
fn every_call_is_booked_once_however_its_client_leaves() {
    const CALLS: usize = 120;
    let home = Home::new();
    let mock = Mock::start(|received, number| {
        let api = if received.path.contains("messages") { Api::Messages } else { Api::Chat };
        let mut steps = api.stream(number, Usage::Given, false);
        if number % 7 == 3 {
            steps.insert(3, Step::Reset);
        }
        steps.insert(2, Step::Pause(Duration::from_millis((number % 5) as u64 * 3)));
        Reply { delay: Duration::from_millis((number % 3) as u64), ..Reply::stream(steps) }
    });
    let proxy = Running::start(&home, mock.address);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= CALLS {
                        break;
                    }
                    let api = if number.is_multiple_of(2) { Api::Messages } else { Api::Chat };
                    let stream = sent(proxy.address, api.path(), &[], &api.request(true));
                    match number % 4 {
                        0 => drop(stream),
                        1 => leave_after(stream, api.begin_mark()),
                        2 => leave_after(stream, "HTTP/1.1 200"),
                        _ => _ = crate::running::read(stream, 1024, Duration::ZERO),
                    }
                }
            });
        }
    });
    proxy.end();
    // A client that leaves at once may be gone before anything was asked.
    let asked = mock.asked().len();
    assert!(asked >= CALLS * 3 / 4, "{asked}");
    assert_eq!(booked(&home).len(), asked);
}

#[test]
fn a_preface_of_http2_that_comes_in_parts_is_one_and_a_method_that_begins_like_it_is_none() {
    use std::io::{Read as _, Write as _};

    let home = Home::new();
    let mock = Mock::start(|_, _| Reply::json("{}"));
    let proxy = Running::start(&home, mock.address);
    let open = || {
        let stream = std::net::TcpStream::connect(proxy.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    };
    let mut http2 = open();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for part in [&preface[..1], &preface[1..5], &preface[5..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]] {
        http2.write_all(part).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    // The length of a frame, and its type: the settings of the server.
    let mut frame = [0; 4];
    http2.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "{frame:?}");
    let mut http1 = open();
    for part in ["P", "R", "OPFIND /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"] {
        http1.write_all(part.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut answer = String::new();
    http1.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(mock.asked().len(), 1);
    // A connection on which nothing comes keeps nobody waiting at the end.
    let silent = open();
    proxy.end();
    drop(silent);
}

#[test]
fn an_answer_that_comes_before_the_whole_request_was_read_is_passed_on() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), [0; 512]);
            let _ = stream.read(&mut head);
            let body = r#"{"error":{"message":"too long"}}"#;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 413 Payload Too Large\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes());
            // Closed with most of the request unread.
        }
    });
    let proxy = Running::start(&home, address);
    let prompt = "x".repeat(3_000_000);
    for path in ["/v1/chat/completions", "/v1/responses", "/v1/files"] {
        for _ in 0..4 {
            let answer =
                post(proxy.address, path, &[], format!(r#"{{"model":"gpt-5","input":"{prompt}"}}"#).as_bytes());
            assert_eq!(answer.status, 413, "{path}: {}", answer.text());
            assert!(answer.text().contains("too long"), "{path}");
        }
    }
    proxy.end();
    assert_eq!(booked(&home), Vec::<serde_json::Value>::new());
}

#[test]
fn what_is_not_to_be_booked_leaves_no_journal_that_others_would_book() {
    let home = Home::new();
    let mock = Mock::start(|_, number| Reply::json(&Api::Chat.body(number)));
    let upstream = format!("http://{}", mock.address);
    let args = ["serve", "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0", "--no-ledger", "--upstream", &upstream];
    let mut serving = home.spawn(&args);
    let mut stderr = std::io::BufReader::new(serving.stderr.take().unwrap());
    let line = crate::line_with(&mut stderr, "forwarding on http://").unwrap();
    let address = line.trim().rsplit("http://").next().unwrap().parse().unwrap();
    assert_eq!(post(address, Api::Chat.path(), &[], &Api::Chat.request(false)).status, 200);
    assert_eq!(booked(&home).len(), 0);
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert_eq!(booked(&home).len(), 0);
}
