//! Tests that a document gives the same result however it is divided.

use super::*;
use proptest::prelude::*;

fn extract(depth: Depth, text: &str) -> (String, Facts) {
    let mut extractor = Extractor::new(depth);
    extractor.feed(text.as_bytes());
    (String::from_utf8(extractor.document().to_vec()).unwrap(), extractor.facts().clone())
}

#[test]
fn long_texts_and_lists_are_left_out_and_counts_are_kept() {
    let long = "x".repeat(TEXT + 1);
    let vector = vec!["0.25"; 1536].join(", ");
    let text = format!(
        r#"{{"object": "list", "data": [{{"embedding": [{vector}]}}], "text": "{long}", "usage": {{"prompt_tokens": 8}}}}"#
    );
    let (out, facts) = extract(Depth::Answer, &text);
    assert_eq!(
        out,
        r#"{"object":"list","data":[{"embedding":[0.25,0.25,0.25,0.25]}],"text":"","usage":{"prompt_tokens":8}}"#
    );
    assert!(facts.has_usage && facts.end == Some(text.len() as u64) && facts.text == TEXT as u64 + 1);
    assert!(!facts.is_cut, "numbers are not objects");
}

#[test]
fn a_list_of_very_many_small_items_is_cut_and_that_is_said() {
    let answer = |items: u32| {
        let items: Vec<&str> = (0..items).map(|_| "{}").collect();
        let items = items.join(",");
        extract(Depth::Answer, &format!(r#"{{"output":[{items}],"usage":{{"a":1}}}}"#)).1
    };
    let (few, many) = (answer(ITEMS.0), answer(ITEMS.0 + 1));
    assert!(few.has_usage && !few.is_cut && many.has_usage && many.is_cut);
}

#[test]
fn usage_survives_an_answer_of_ten_megabytes() {
    let items = vec![format!(r#"{{"type":"x","content":[{{"text":"{}"}}]}}"#, "y".repeat(400)); 25_000].join(",");
    let text =
        format!(r#"{{"type":"response.completed","response":{{"output":[{items}],"usage":{{"a":{{"b":1}}}}}}}}"#);
    let (out, facts) = extract(Depth::Answer, &text);
    assert!(text.len() > 10_000_000 && out.len() < 2 * ENOUGH, "{}", out.len());
    assert!(out.ends_with(r#"],"usage":{"a":{"b":1}}}}"#));
    assert!(facts.has_usage && facts.kind == b"response.completed" && facts.end.is_some() && facts.is_cut);
    assert_eq!(facts.text, 25_000 * 400);
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
}

#[test]
fn of_a_request_the_outermost_object_is_kept() {
    let text =
        r#"{"messages":[{"role":"user","content":"hello"}],"model":"m","metadata":{"user_id":"u"},"stream":true}"#;
    let (out, facts) = extract(Depth::Request, text);
    assert_eq!(out, r#"{"messages":[],"model":"m","metadata":{"user_id":"u"},"stream":true}"#);
    assert_eq!(facts.end, Some(text.len() as u64));
}

#[test]
fn usage_that_is_null_is_none_and_an_error_is_seen() {
    assert!(!extract(Depth::Answer, r#"{"usage":null,"x":{}}"#).1.has_usage);
    assert!(!extract(Depth::Answer, r#"{"error":null,"x":{}}"#).1.has_error);
    assert!(extract(Depth::Answer, r#"{"error":{"message":"x"}}"#).1.has_error);
    assert!(extract(Depth::Answer, r#"{"response":{"error":{"code":"x"}}}"#).1.has_error);
}

#[test]
fn numbers_that_json_does_not_have_become_null_and_nothing_else_does() {
    let text = r#"{"a":NaN,"b":[ -Infinity , Infinity,1,2,3,NaN],"c":"NaN","NaN":-1,"d":{"e":NaN},"f":[NaN]}"#;
    let want = r#"{"a":null,"b":[null,null,1,2],"c":"NaN","NaN":-1,"d":{"e":null},"f":[null]}"#;
    assert_eq!(extract(Depth::Answer, text).0, want);
    assert_eq!(extract(Depth::Answer, r#"{"a":NaNs}"#).0, r#"{"a":NaNs}"#);
    let in_request = r#"{"model":"m","messages":[NaN],"temperature":NaN}"#;
    assert_eq!(extract(Depth::Request, in_request).0, r#"{"model":"m","messages":[],"temperature":null}"#);
}

#[test]
fn a_request_has_an_empty_list_in_place_of_a_long_text_and_an_answer_an_empty_text() {
    let (long, short) = ("\\u0442".repeat(TEXT / 2 + 1), "\\u0442".repeat(TEXT / 2));
    let text = format!(r#"{{"model":"{long}","{long}":"{short}"}}"#);
    assert_eq!(extract(Depth::Request, &text).0, format!(r#"{{"model":[],"":"{short}"}}"#));
    assert_eq!(extract(Depth::Answer, &text).0, format!(r#"{{"model":"","":"{short}"}}"#));
}

#[test]
fn escapes_that_json_does_not_have_end_where_they_end_and_do_not_grow_the_copy() {
    let (out, facts) = extract(Depth::Answer, r#"{"text":"\u00","a":"\ud83","text":"\u12\"","b":1}"#);
    assert_eq!(out, r#"{"text":"\u00","a":"\ud83","text":"\u12\"","b":1}"#);
    assert_eq!((facts.text, facts.end), (3, Some(out.len() as u64)));
    let (out, facts) = extract(Depth::Answer, &format!(r#"{{"text":"{}"}}"#, "\\u".repeat(MOST)));
    assert_eq!((out.as_str(), facts.text, facts.is_given_up), (r#"{"text":""}"#, MOST as u64, false));
}

proptest! {
    #[test]
    fn a_text_is_as_long_as_without_its_escapes(text in "\\PC{0,40}|[\u{0}-\u{fff}\"\\\\]{0,40}", size in 1_usize..9) {
        let escaped = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<Vec<_>>().concat();
        for inner in [serde_json::to_string(&text).unwrap(), format!("\"{escaped}\"")] {
            let mut extractor = Extractor::new(Depth::Answer);
            for part in format!("{{\"text\":{inner}}}").as_bytes().chunks(size) {
                extractor.feed(part);
            }
            prop_assert_eq!(extractor.facts().text, text.len() as u64);
            prop_assert!(extractor.facts().end.is_some());
        }
    }

    #[test]
    fn nothing_depends_on_where_the_bytes_are_cut(cuts in prop::collection::vec(1_usize..9, 1..60)) {
        let text = r#"{"type":"a\"b\\","usage":{"n":[1, 2],"s":"\u00e9"},"l":[1,2,3,4,5,6],"d":{"content":"xyz"},"t":true}"#;
        let whole = extract(Depth::Answer, text);
        let mut extractor = Extractor::new(Depth::Answer);
        let mut rest = text.as_bytes();
        for cut in cuts.iter().cycle() {
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            extractor.feed(head);
            rest = tail;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(String::from_utf8(extractor.document().to_vec()).unwrap(), whole.0);
        prop_assert_eq!(extractor.facts(), &whole.1);
    }

    #[test]
    fn bytes_that_are_no_json_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for depth in [Depth::Answer, Depth::Request] {
            let mut extractor = Extractor::new(depth);
            extractor.feed(&bytes);
            extractor.clear();
            extractor.feed(b"{\"a\":1}");
            prop_assert_eq!(extractor.document(), b"{\"a\":1}");
        }
    }

    #[test]
    fn short_json_is_copied_whole(value in prop::collection::btree_map("[a-z]{1,6}", (any::<i32>(), "[^\u{0}]{0,40}", any::<bool>()), 0..6)) {
        let text = serde_json::to_string(&value).unwrap();
        let (out, _) = extract(Depth::Answer, &text);
        prop_assert_eq!(out, text);
    }
}

#[test]
fn a_thought_that_a_gateway_writes_in_several_places_is_one_text() {
    let text = |delta: &str| {
        let chunk = format!(r#"{{"choices":[{{"delta":{delta}}},{{"delta":{{"content":"12345"}}}}]}}"#);
        extract(Depth::Answer, &chunk).1.text
    };
    for (delta, bytes) in [
        (r#"{"content":"","reasoning":"123"}"#, 3),
        (r#"{"reasoning":"123","reasoning_details":[{"type":"reasoning.text","text":"123"}]}"#, 3),
        (r#"{"reasoning_details":[{"type":"reasoning.text","text":"12"},{"text":"3"}]}"#, 3),
        (r#"{"reasoning_content":"123","thinking_blocks":[{"type":"thinking","thinking":"123"}]}"#, 3),
        (r#"{"reasoning":"123","reasoning_content":"123"}"#, 3),
        (r#"{"reasoning":"","reasoning_content":"123","content":"1"}"#, 4),
    ] {
        assert_eq!(text(delta), bytes + 5, "{delta}");
    }
    // An answer with two choices has two thoughts, and Anthropic's have one place.
    let both = r#"{"choices":[{"message":{"reasoning":"1","reasoning_details":[{"text":"1"}]}},{"message":{"reasoning":"23"}}]}"#;
    assert_eq!(extract(Depth::Answer, both).1.text, 3);
    assert_eq!(extract(Depth::Answer, r#"{"type":"content_block_delta","delta":{"thinking":"1234"}}"#).1.text, 4);
}
