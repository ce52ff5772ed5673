//! Calls that try to get past a limit: paths that services take for others, and bodies whose model is hidden.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::Home;
use crate::service::{Proxy, Service};
use crate::{CHAT, set};

const BODY: &str = r#"{"model":"gpt-4o","messages":[]}"#;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
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
fn with_a_limit_for_a_model_a_body_that_may_hide_it_is_refused() {
    let (home, service) = (Home::new(), Service::start(true));
    let wide: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (once, twice) = (packed(BODY.as_bytes()), packed(&packed(BODY.as_bytes())));
    let marked = format!("\u{feff}{BODY}");
    let bodies: [(&str, &[u8], u16); 7] = [
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
