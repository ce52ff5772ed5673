//! Calls that try to get past a limit: paths that services take for others, and bodies whose model is hidden.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::Home;
use crate::service::{Proxy, Service};
use crate::{CHAT, booked, set};

const BODY: &str = r#"{"model":"gpt-4o","messages":[]}"#;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A text with nothing but escapes, as JSON may write it.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat()
}

#[test]
fn a_limit_holds_on_every_path_that_a_service_may_take_for_that_of_a_call() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "day", "0usd");
    let proxy = Proxy::start(&home, service.address);
    for end in
        ["completion%73", "completions/.", "completions/x/..", "completions/x/%2E./", "completions;x", "/completions/"]
    {
        assert_eq!(proxy.call(&format!("/v1/chat/{end}"), &[]).status, 429, "{end}");
    }
    assert_eq!(service.count(), 0);
}

#[test]
fn a_limit_holds_for_a_model_with_a_long_name_however_it_is_written() {
    let name = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, &format!("model:{name}:day"), "0usd");
    let proxy = Proxy::start(&home, service.address);
    for name in [name, &escaped(name)] {
        let body = format!(r#"{{"model":"{name}","messages":[]}}"#);
        assert_eq!(proxy.send("POST", "/v1/messages", &[], body.as_bytes()).status, 429, "{name}");
    }
    assert_eq!(service.count(), 0);
}

#[test]
fn messages_that_are_added_to_a_thread_or_a_conversation_are_no_calls_and_pass_at_a_limit() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "day", "0usd");
    let proxy = Proxy::start(&home, service.address);
    let body = br#"{"role":"user","content":"hello"}"#;
    for path in [
        "/v1/threads/thread_1/messages",
        "/openai/threads/thread_1/messages?api-version=2024-05-01-preview",
        "/v1/conversations/conv_1/messages",
    ] {
        assert_eq!(proxy.send("POST", path, &[], body).status, 200, "{path}");
    }
    for path in ["/v1/messages", "/messages", "/anthropic/messages", "/v1/threads/../messages"] {
        assert_eq!(proxy.send("POST", path, &[], body).status, 429, "{path}");
    }
    assert_eq!(service.count(), 3);
}

#[test]
fn with_a_limit_for_a_model_a_body_that_may_hide_it_is_refused() {
    let (home, service) = (Home::new(), Service::start(true));
    let wide: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (once, twice) = (packed(BODY.as_bytes()), packed(&packed(BODY.as_bytes())));
    let marked = format!("\u{feff}{BODY}");
    let escaped = BODY.replace("gpt-4o", &escaped("gpt-4o"));
    let long = BODY.replace("gpt-4o", &"m".repeat(513));
    let bodies: [(&str, &[u8], u16); 10] = [
        ("", escaped.as_bytes(), 429),
        ("", long.as_bytes(), 400),
        ("", br#"{"model":["gpt-4o"],"messages":[]}"#, 400),
        ("", marked.as_bytes(), 429),
        ("gzip", &once, 429),
        ("gzip, gzip", &twice, 400),
        ("", &wide, 400),
        ("", b"[]", 400),
        ("", br#"{"messages":[]}"#, 200),
        ("", br#"{"model":"gpt-4o-mini","messages":[]}"#, 200),
    ];
    let send =
        |proxy: &Proxy, coding: &str, body: &[u8]| proxy.send("POST", CHAT, &[("content-encoding", coding)], body);
    set(&home, "model:gpt-4o:day", "0usd");
    let proxy = Proxy::start(&home, service.address);
    for (coding, body, status) in bodies {
        let answer = send(&proxy, coding, body);
        let what = String::from_utf8_lossy(body);
        assert_eq!(answer.status, status, "{coding} {what}: {answer:?}");
        if status == 400 {
            assert_eq!(answer.body["error"]["type"], "invalid_request_error");
            let why = answer.body["error"]["message"].as_str().unwrap();
            assert!(why.contains("the model of this request cannot be read"), "{why}");
        }
    }
    assert_eq!(service.count(), 2);
    proxy.end();
    // Without a limit for a model, nobody minds.
    home.tokmeter().args(["limits", "unset", "model:gpt-4o:day"]).assert().success();
    set(&home, "day", "100usd");
    let proxy = Proxy::start(&home, service.address);
    for (coding, body, _) in bodies {
        assert_eq!(send(&proxy, coding, body).status, 200);
    }
}

/// A body that names its model first and last, with a prompt of this many bytes in between.
fn twice(first: &str, last: &str, prompt: usize) -> Vec<u8> {
    let prompt = "a".repeat(prompt);
    format!(r#"{{"model":{first},"messages":[{{"role":"user","content":"{prompt}"}}],{last}}}"#).into_bytes()
}

#[test]
fn with_a_limit_for_a_model_a_body_that_names_two_models_is_refused_however_long_it_is() {
    let (home, service) = (Home::new(), Service::start(true));
    let deep = format!(r#""x":{}1{},"model":"gpt-4o""#, "[".repeat(200), "]".repeat(200));
    let mini = r#""gpt-4o-mini""#;
    let bodies: [(Vec<u8>, u16); 9] = [
        (twice(mini, r#""model":"gpt-4o""#, 9), 400),
        (twice(mini, r#""model":"gpt-4o""#, 600_000), 400),
        (twice(mini, r#""mod\u0065l":"gpt-4o""#, 9), 400),
        (twice(mini, r#""MODEL":"gpt-4o""#, 9), 400),
        (twice(mini, r#""model":null"#, 9), 400),
        (twice(mini, &deep, 9), 400),
        (twice(r#""gpt-4o""#, r#""model":"gpt-4o""#, 600_000), 429),
        (twice(mini, r#""model":"gpt-4o-mini""#, 600_000), 200),
        (twice(mini, r#""metadata":{"model":"gpt-4o"},"tools":[{"model":"gpt-4o"}]"#, 9), 200),
    ];
    set(&home, "model:gpt-4o:day", "0usd");
    let proxy = Proxy::start(&home, service.address);
    for (body, status) in &bodies {
        let answer = proxy.send("POST", CHAT, &[], body);
        let what = String::from_utf8_lossy(&body[body.len().saturating_sub(60)..]);
        assert_eq!(answer.status, *status, "…{what}: {answer:?}");
        if *status == 400 {
            assert_eq!(answer.body["error"]["type"], "invalid_request_error");
        }
    }
    assert_eq!(service.count(), 2);
    // A long one ends before the part that names the other model, so the service never has all of it.
    let answer = proxy.send("POST", "/v1/messages", &[], &twice(mini, r#""model":"gpt-4o""#, 33 << 20));
    assert_eq!((answer.status, &answer.body["error"]["type"]), (400, &"invalid_request_error".into()));
    assert!(answer.body["error"]["message"].as_str().unwrap().contains("one of another model"), "{answer:?}");
    assert_eq!(proxy.send("POST", "/v1/messages", &[], &twice(mini, r#""x":1"#, 33 << 20)).status, 200);
    assert_eq!(service.count(), 3);
    proxy.end();
    // Without a limit for a model, they pass as they are.
    home.tokmeter().args(["limits", "unset", "model:gpt-4o:day"]).assert().success();
    set(&home, "day", "100usd");
    let proxy = Proxy::start(&home, service.address);
    for (body, _) in &bodies {
        assert_eq!(proxy.send("POST", CHAT, &[], body).status, 200);
    }
}

#[test]
fn a_limit_for_a_model_holds_in_whatever_spelling_it_is_asked_for() {
    for limit in ["model:gpt-4o:day", "model:GPT-4o:day", "model:gpt-4*:day"] {
        let (home, service) = (Home::new(), Service::start(true));
        set(&home, limit, "50 tokens");
        let proxy = Proxy::start(&home, service.address);
        // The limit is reached by calls that are booked under the name in the answer.
        assert_eq!(proxy.call(CHAT, &[]).status, 200);
        proxy.end();
        let proxy = Proxy::start(&home, service.address);
        for model in ["gpt-4o", "GPT-4O", "openai/gpt-4o", "openrouter/openai/gpt-4o-2024-08-06"] {
            let body = format!(r#"{{"model":"{model}","messages":[]}}"#);
            assert_eq!(proxy.send("POST", CHAT, &[], body.as_bytes()).status, 429, "{model} by {limit}");
        }
        let other = proxy.send("POST", CHAT, &[], br#"{"model":"o3","messages":[]}"#);
        assert_eq!((other.status, service.count()), (200, 2), "{limit}");
    }
}

#[test]
fn a_limit_for_a_model_holds_for_the_alias_under_which_a_gateway_sells_it() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "model:gpt-4o:day", "250 tokens");
    let proxy = Proxy::start(&home, service.address);
    let ask = |model: &str| {
        let body = format!(r#"{{"model":"{model}","max_tokens":100,"messages":[{{"role":"user","content":"hi"}}]}}"#);
        proxy.send("POST", CHAT, &[("x-user-id", "alice")], body.as_bytes())
    };
    // Every answer is gpt-4o's and uses a hundred tokens. The first one shows that, and was held under another name.
    assert_eq!(ask("fast").status, 200);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while booked(&home, "alice") != (1, 100) && std::time::Instant::now() < end {}
    // Two more reach the limit, whether they are booked yet or held.
    assert_eq!((ask("fast").status, ask("fast").status), (200, 200));
    let refused = ask("fast");
    assert_eq!((refused.status, service.count()), (429, 3), "{refused:?}");
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("gpt-4o"), "{refused:?}");
    // Nobody can know what another name stands for before its first answer.
    assert_eq!((ask("faster").status, ask("faster").status, service.count()), (200, 429, 4));
    proxy.end();
    assert_eq!((booked(&home, "alice"), super::holds(&home)), ((4, 400), Vec::new()));
}

#[test]
fn a_limit_that_the_calls_of_an_alias_cannot_reach_is_named_once() {
    let (home, service) = (Home::new(), Service::start(true));
    for (limit, amount) in [
        ("model:fast:day", "50 tokens"),
        ("user:alice:model:fas*:day", "50 tokens"),
        // These hold, or concern others.
        ("model:gpt-4o:week", "1m tokens"),
        ("model:*:day", "1m tokens"),
        ("model:slow:day", "50 tokens"),
        ("day", "1m tokens"),
    ] {
        set(&home, limit, amount);
    }
    let proxy = Proxy::start(&home, service.address);
    let body = br#"{"model":"fast","max_tokens":10,"messages":[]}"#;
    let ask = || proxy.send("POST", CHAT, &[("x-user-id", "alice")], body).status;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    assert_eq!(ask(), 200);
    while booked(&home, "alice") != (1, 100) && std::time::Instant::now() < end {}
    assert_eq!((ask(), ask()), (200, 200));
    let said = proxy.said("limit model:fast:day does not hold");
    let of = |what: &str| said.lines().filter(|line| line.contains(what)).collect::<Vec<_>>();
    assert_eq!(of("does not hold").len(), 2, "{said}");
    assert_eq!(of("limit user:alice:model:fas*:day does not hold").len(), 1, "{said}");
    let [line] = of("limit model:fast:day does not hold")[..] else { panic!("{said}") };
    assert!(line.contains("answers calls for fast as gpt-4o"), "{line}");
    // What is left of it is that no call has such a model.
    proxy.end();
    let doctor = home.tokmeter().arg("doctor").output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    let named: Vec<&str> = said.lines().filter(|line| line.contains("no call has this model")).collect();
    let keys = ["model:fast:day", "user:alice:model:fas*:day", "model:slow:day"];
    assert!(named.len() == 3 && keys.iter().all(|key| said.contains(&format!(" {key}: no call"))), "{said}");
}

#[test]
fn a_limit_for_a_model_holds_where_the_path_names_it_or_nothing_does() {
    const AZURE: &str = "/openai/deployments/prod/chat/completions?api-version=2024-10-21";
    const VERTEX: &str = "/v1/projects/p/locations/l/publishers/anthropic/models/";
    let unnamed = r#"{"max_tokens":100,"messages":[{"role":"user","content":"hi"}]}"#;
    let other = unnamed.replace("{\"max", "{\"model\":\"o3\",\"max");
    // The body of a request to a deployment may name anything.
    for (path, bodies) in [(AZURE, [unnamed, &other]), (CHAT, [unnamed, unnamed])] {
        let (home, service) = (Home::new(), Service::start(true));
        set(&home, "model:gpt-4o:day", "250 tokens");
        let proxy = Proxy::start(&home, service.address);
        let ask = |number: usize| proxy.send("POST", path, &[("x-user-id", "alice")], bodies[number % 2]);
        // Every answer is gpt-4o's and uses a hundred tokens; the first one shows that.
        assert_eq!(ask(0).status, 200, "{path}");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while booked(&home, "alice") != (1, 100) && std::time::Instant::now() < end {}
        assert_eq!((ask(0).status, ask(0).status), (200, 200), "{path}");
        let refused = ask(1);
        assert_eq!((refused.status, service.count()), (429, 3), "{path}: {refused:?}");
        assert!(refused.body["error"]["message"].as_str().unwrap().contains("gpt-4o"), "{refused:?}");
    }
    // A deployment by the name of a model is that model from the first call on.
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "model:gpt-4o:day", "0 tokens");
    let proxy = Proxy::start(&home, service.address);
    for body in [unnamed, &other] {
        let refused = proxy.send("POST", &AZURE.replace("prod", "GPT-4o"), &[], body);
        assert_eq!((refused.status, service.count()), (429, 0), "{refused:?}");
    }
    assert_eq!(proxy.send("POST", CHAT, &[], &other).status, 200);
    proxy.end();
    // Vertex AI names the model in the path alone.
    set(&home, "model:claude-opus-5:day", "0 tokens");
    let proxy = Proxy::start(&home, service.address);
    let send = |end: &str| proxy.send("POST", &format!("{VERTEX}{end}"), &[], unnamed);
    let refused = send("claude-opus-5@20260101:streamRawPredict");
    assert_eq!((refused.status, &refused.body["error"]["type"]), (429, &"billing_error".into()), "{refused:?}");
    assert_eq!((send("count-tokens:rawPredict").status, service.count()), (200, 2));
}
