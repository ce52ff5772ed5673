//! Tests of what is passed on of a body.

use super::*;
use crate::server::proxy::unpack::Unpack;

fn passed(chunks: &[&'static str]) -> (String, bool) {
    let sent = Sent::new(Scan::new(Unpack::Plain, None), false, Arc::default(), 0);
    let passed: Vec<u8> =
        chunks.iter().flat_map(|chunk| sent.pass(Bytes::from_static(chunk.as_bytes()), true)).flatten().collect();
    (String::from_utf8(passed).unwrap(), sent.is_asked())
}

#[test]
fn usage_is_asked_for_within_stream_options_if_there_are_some_and_nothing_else_changes() {
    let asked = |text: &str| (text.to_owned(), true);
    assert_eq!(
        passed(&["{\"stream\":true", " }\n"]),
        asked("{\"stream\":true ,\"stream_options\":{\"include_usage\":true}}\n")
    );
    assert_eq!(
        passed(&["{\"stream\":true,\"stream", "_options\":{\"a\":{}}}"]),
        asked("{\"stream\":true,\"stream_options\":{\"a\":{},\"include_usage\":true}}")
    );
    assert_eq!(
        passed(&["{\"stream_options\":{ },\"stream\":true}"]),
        asked("{\"stream_options\":{ \"include_usage\":true},\"stream\":true}")
    );
    for body in [
        &["{\"stream_options\":{},", "\"stream\":true}"][..],
        &["{\"stream\":true,\"stream_options\":{\"include_usage\":false}}"],
        &["{\"stream\":false,\"stream_options\":{}}"],
    ] {
        assert_eq!(passed(body), (body.concat(), false));
    }
}

#[test]
fn facts_are_those_of_all_that_came_whenever_they_are_asked_for() {
    let sent = Sent::new(Scan::new(Unpack::Plain, None), false, Arc::default(), 0);
    let known = |sent: &Sent| {
        let (facts, bytes) = sent.facts_so_far();
        (facts.model, facts.is_stream, bytes)
    };
    sent.pass(Bytes::from_static(b"{\"model\":\"m\","), false);
    assert_eq!(known(&sent), (Some("m".to_owned()), false, 13));
    sent.pass(Bytes::from_static(b"\"stream\":true}"), false);
    assert_eq!(known(&sent), (Some("m".to_owned()), true, 27));
}

#[test]
fn a_body_sent_in_parts_ends_where_its_model_is_no_longer_certain() {
    let cut = |second: &'static str| {
        let sent = Sent::new(Scan::new(Unpack::Plain, None), false, Arc::default(), 0);
        sent.pass(Bytes::from_static(b"{\"model\":\"a\","), false);
        sent.allows_one_model();
        let passed = sent.pass(Bytes::from_static(second.as_bytes()), false);
        let cut = sent.lock().cut;
        assert_eq!(passed.is_empty(), cut.is_some(), "{second}");
        cut
    };
    for second in [r#""x":1}"#, r#""model":"a"}"#, r#""input":"a text that goes on"#, r#""x":{"model":"b"},"y":[1"#] {
        assert_eq!(cut(second), None, "{second}");
    }
    assert_eq!(cut(r#""x":1,"model":"b"}"#), Some(Cut::TwoModels));
    // What some parsers accept and others do not.
    for second in [r#""x":"\ud800","model":"b"}"#, r#""x":1e999,"model":"b"}"#, r#""x":01,"model":"b"}"#] {
        assert_eq!(cut(second), Some(Cut::Unreadable), "{second}");
    }
}
