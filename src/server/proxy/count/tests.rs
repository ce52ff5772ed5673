//! Tests of what is booked for a response.

use std::collections::VecDeque;

use super::*;

mod names;

/// The calls of a response to the first request of a proxy.
fn calls(seen: &Seen, about: &About) -> Vec<Call> {
    super::calls(seen, about, &mut FirstSeen::default())
}

pub(in crate::server::proxy) fn about(protocol: Protocol) -> About {
    About {
        protocol,
        upstream: 0,
        path: "/v1/x".to_owned(),
        id: "c1".to_owned(),
        at: Instant::from_timestamp(1_795_730_000, 0).unwrap(),
        latency: Duration::from_millis(20),
        who: Who::default(),
        facts: Facts { model: Some("asked".to_owned()), text: 400, ..Facts::default() },
        bytes: 1000,
        idempotency: None,
        request: None,
        defaults: Defaults { user: Label::new("alice"), team: Some(Label::new("web")), org: Some(Label::new("acme")) },
        is_codex: false,
        is_fetch: false,
    }
}

fn seen(first: &str, usage: &[&str], text: u64, is_whole: bool) -> Seen {
    let bytes = |text: &str| text.as_bytes().to_vec();
    Seen {
        first: Some(bytes(first)),
        usage: usage.iter().map(|text| bytes(text)).collect::<VecDeque<_>>(),
        text,
        is_whole,
        is_begun: true,
        ..Seen::default()
    }
}

const ID: &str = "chatcmpl-0123456789abcdef";

#[test]
fn a_call_has_the_key_that_logs_of_the_same_answer_have() {
    let body = format!(
        r#"{{"id":"{ID}","object":"chat.completion","model":"gpt-5","choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":3}}}}"#
    );
    let found = calls(&seen(&body, &[&body], 0, true), &about(Protocol::Chat));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, crate::formats::keys::response_key(ID));
    assert_eq!((found[0].tokens.input, found[0].tokens.output, found[0].fidelity), (9, 3, Fidelity::Final));
    let from = &found[0].from;
    let names = [&from.user, &from.team, &from.org].map(|name| name.as_ref().map_or("", Label::as_str));
    assert_eq!(names, ["alice", "web", "acme"]);
}

#[test]
fn without_usage_the_counts_are_estimated_and_marked() {
    let chunk = format!(r#"{{"id":"{ID}","object":"chat.completion.chunk","model":"gpt-5","choices":[]}}"#);
    for usage in [vec![], vec![r#"{"choices":[],"model":"x","usage":{"prompt_tokens":-4,"completion_tokens":1}}"#]] {
        let found = calls(&seen(&chunk, &usage, 80, true), &about(Protocol::Chat));
        assert_eq!((found[0].tokens.input, found[0].tokens.output), (100, 20));
        assert_eq!((found[0].fidelity, found[0].key), (Fidelity::Guessed, crate::formats::keys::response_key(ID)));
    }
}

#[test]
fn a_message_that_is_cut_off_has_its_input_and_an_estimate_of_what_was_written() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","usage":{"input_tokens":50,"cache_read_input_tokens":0,"output_tokens":1}}}"#;
    let cut = calls(&seen(start, &[start], 40, false), &about(Protocol::Messages));
    assert_eq!((cut[0].tokens.input, cut[0].tokens.output, cut[0].fidelity), (50, 10, Fidelity::Guessed));
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":12}}"#;
    let whole = calls(&seen(start, &[start, delta], 40, false), &about(Protocol::Messages));
    assert_eq!((whole[0].tokens.output, whole[0].fidelity), (12, Fidelity::Final));
    assert_eq!(whole[0].key, crate::formats::keys::message_key("msg_1"));
}

#[test]
fn a_count_that_a_stream_states_at_its_end_is_kept_though_the_end_itself_is_missing() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","usage":{"input_tokens":100,"output_tokens":1}}}"#;
    let delta = |stop: &str| format!(r#"{{"type":"message_delta","delta":{{{stop}}},"usage":{{"output_tokens":20}}}}"#);
    let message = |stop: &str| calls(&seen(start, &[start, &delta(stop)], 4000, false), &about(Protocol::Messages));
    assert_eq!(counts(&message(r#""stop_reason":"end_turn""#)), [EXACT]);
    let chunk = |reason: &str| {
        format!(
            r#"{{"id":"{ID}","object":"chat.completion.chunk","model":"gpt-5","choices":[{{"finish_reason":{reason}}}],"usage":{{"prompt_tokens":100,"completion_tokens":20}}}}"#
        )
    };
    let chat = |reason: &str| calls(&seen(&chunk("null"), &[&chunk(reason)], 4000, false), &about(Protocol::Chat));
    assert_eq!(counts(&chat(r#""stop""#)), [EXACT]);
    let guessed = [(100, 0, 1000, Fidelity::Guessed)];
    assert_eq!(
        (counts(&message(r#""stop_reason":null"#)), counts(&chat("null"))),
        (guessed.to_vec(), guessed.to_vec())
    );
}

#[test]
fn usage_in_other_events_of_a_message_adds_what_the_usual_ones_do_not_state() {
    let usage = r#"{"input_tokens":100,"cache_read_input_tokens":70,"output_tokens":1}"#;
    let start = format!(
        r#"{{"type":"message_start","message":{{"id":"msg_1","type":"message","role":"assistant","model":"m","usage":{usage}}}}}"#
    );
    let bare = start.replace(usage, "null");
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":42}}"#;
    let other = |usage: &str| format!(r#"{{"type":"ping","usage":{{{usage}}}}}"#);
    let found = |first: &str, usage: &[&str], other: String, is_whole| {
        let seen = Seen { unusual_usage: Some(other.into_bytes()), ..seen(first, usage, 400, is_whole) };
        let found = calls(&seen, &about(Protocol::Messages));
        assert_eq!(found[0].key, crate::formats::keys::message_key("msg_1"));
        counts(&found)
    };
    let exact = (100, 70, 42, Fidelity::Final);
    for other in [other(r#""output_tokens":7"#), other(r#""output_tokens":42"#), other(r#""input_tokens":0,"x":null"#)]
    {
        assert_eq!(found(&start, &[&start, delta], other, true), [exact]);
    }
    assert_eq!(found(&start, &[&start], other(r#""output_tokens":42"#), true), [exact]);
    assert_eq!(found(&start, &[delta], other(r#""output_tokens":42"#), true), [exact], "after many deltas");
    let input = r#""input_tokens":100,"cache_read_input_tokens":70,"output_tokens":42"#;
    assert_eq!(found(&bare, &[delta], other(input), true), [exact]);
    assert_eq!(found(&bare, &[], other(input), true), [exact]);
    // What a stream wrote after such a count, before it broke off, is estimated.
    assert_eq!(found(&start, &[&start], other(r#""output_tokens":60"#), false), [(100, 70, 100, Fidelity::Guessed)]);
    // Events before the first, or without one.
    let pings = [other(r#""output_tokens":7"#), other(r#""output_tokens":8"#)];
    let all = [&pings[0], &start, &pings[1], delta];
    let early = Seen { is_message: true, ..seen(&start, &all.map(|event| event), 400, true) };
    assert_eq!(counts(&calls(&early, &about(Protocol::Messages))), [exact]);
}

#[test]
fn answers_without_an_id_are_as_many_as_their_requests() {
    let body = r#"{"object":"list","data":[],"model":"text-embedding-3","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let one = calls(&seen(body, &[body], 0, true), &about(Protocol::Embeddings));
    let other = About { id: "c2".to_owned(), ..about(Protocol::Embeddings) };
    let two = calls(&seen(body, &[body], 0, true), &other);
    assert_eq!((one[0].tokens.input, one[0].tokens.output), (8, 0));
    assert_ne!(one[0].key, two[0].key);
    let again = About { idempotency: Some("k".to_owned()), ..about(Protocol::Embeddings) };
    let repeat = About { id: "c3".to_owned(), ..again.clone() };
    let key = |about: &About| calls(&seen(body, &[body], 0, true), about)[0].key;
    assert_eq!(key(&again), key(&repeat));
}

#[test]
fn codex_logs_a_short_id_under_its_thread_and_so_is_its_call_booked() {
    let body = r#"{"type":"response.completed","response":{"object":"response","id":"resp_1","model":"gpt-5","usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}}"#;
    let who = Who { session: Some(Label::new("thread")), ..Who::default() };
    let about = About { who, is_codex: true, ..about(Protocol::Responses) };
    let found = calls(&seen(body, &[body], 0, true), &about);
    assert_eq!((found[0].key, &found[0].lineage), (codex_key("resp_1"), &about.who.session));
    let long = body.replace("resp_1", "resp_0123456789abcdef");
    let found = calls(&seen(&long, &[&long], 0, true), &about);
    assert_eq!((Some(found[0].key), &found[0].lineage), (answer_key("resp_0123456789abcdef"), &None));
    let other = About { is_codex: false, ..about };
    assert_eq!(calls(&seen(body, &[body], 0, true), &other)[0].lineage, None);
}

#[test]
fn of_a_response_that_is_made_later_the_cost_is_a_lower_bound() {
    let queued = r#"{"object":"response","id":"resp_1","model":"gpt-5","status":"queued","usage":null}"#;
    let found = calls(&seen(queued, &[queued], 0, true), &about(Protocol::Responses));
    assert_eq!((found.len(), found[0].fidelity), (1, Fidelity::LowerBound));
}

#[test]
fn a_fetched_response_counts_if_it_was_made_in_the_background() {
    let body = r#"{"object":"response","id":"resp_1","model":"gpt-5","background":true,"usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}"#;
    let about = About { is_fetch: true, ..about(Protocol::Responses) };
    let fetched = |body: &str| calls(&seen(body, &[body], 0, true), &about);
    let found = fetched(body);
    assert_eq!((found[0].tokens.input, found[0].tokens.output, found[0].fidelity), (9, 3, Fidelity::Final));
    assert_eq!(fetched(&body.replace("true", "false")), []);
    let waiting = r#"{"object":"response","id":"resp_1","background":true,"status":"in_progress","usage":null}"#;
    assert_eq!(fetched(waiting), []);
    assert_eq!(calls(&Seen::default(), &about), []);
}

#[test]
fn an_answer_of_which_items_were_left_out_is_a_lower_bound() {
    let body = r#"{"object":"response","id":"resp_1","model":"gpt-5","usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}"#;
    let cut = Seen { is_cut: true, ..seen(body, &[body], 0, true) };
    assert_eq!(calls(&cut, &about(Protocol::Responses))[0].fidelity, Fidelity::LowerBound);
}

#[test]
fn a_failure_before_any_text_costs_nothing() {
    let first = r#"{"type":"response.created","response":{"id":"resp_1"}}"#;
    let failed = Seen { is_failed: true, ..seen(first, &[], 0, true) };
    assert_eq!(calls(&failed, &about(Protocol::Responses)), []);
    let body = r#"{"object":"response","id":"resp_1","model":"gpt-5","status":"failed","error":null,"output":[],"usage":null}"#;
    assert_eq!(calls(&seen(body, &[body], 0, true), &about(Protocol::Responses)), []);
}

/// Counts and fidelity of each call.
fn counts(calls: &[Call]) -> Vec<(u64, u64, u64, Fidelity)> {
    calls.iter().map(|call| (call.tokens.input, call.tokens.cache_read, call.tokens.output, call.fidelity)).collect()
}

const EXACT: (u64, u64, u64, Fidelity) = (100, 0, 20, Fidelity::Final);

#[test]
fn a_stream_is_one_call_whatever_the_ids_of_its_events_and_the_last_count_wins() {
    let chunk = |names: &str, output: u64| {
        format!(
            r#"{{{names}"object":"chat.completion.chunk","model":"gpt-5","choices":[],"usage":{{"prompt_tokens":100,"completion_tokens":{output}}}}}"#
        )
    };
    let response = |names: &str, output: u64| {
        format!(
            r#"{{"type":"response.in_progress","response":{{{names}"object":"response","model":"gpt-5","usage":{{"input_tokens":100,"output_tokens":{output}}}}}}}"#
        )
    };
    let names: [fn(u64) -> String; 5] = [
        |_| String::new(),
        |place| format!(r#""id":"chatcmpl-0123456789abcdef{place}","#),
        |place| format!(r#""id":"cmpl-1","created":{},"created_at":{},"#, 1_795_870_000 + place, 1_795_870_000 + place),
        |_| r#""id":null,"#.to_owned(),
        |_| r#""id":"","#.to_owned(),
    ];
    for names in names {
        let all = |one: &dyn Fn(&str, u64) -> String| [1, 30, 20].map(|output| one(&names(output), output));
        for (protocol, events) in [(Protocol::Chat, all(&chunk)), (Protocol::Responses, all(&response))] {
            let found = calls(&seen(&events[0], &events.each_ref().map(String::as_str), 0, true), &about(protocol));
            assert_eq!(counts(&found), [EXACT], "{events:?}");
        }
    }
}

#[test]
fn messages_without_an_id_are_one_call_for_each_request() {
    for id in [r#""id":"","#, r#""id":null,"#, "", r#""id":"gen-1","#] {
        let start = format!(
            r#"{{"type":"message_start","message":{{{id}"type":"message","role":"assistant","model":"m","usage":{{"input_tokens":90,"output_tokens":1}}}}}}"#
        );
        let delta = r#"{"type":"message_delta","delta":{},"usage":{"input_tokens":100,"output_tokens":20}}"#;
        let seen = seen(&start, &[&start, delta], 40, true);
        let one = calls(&seen, &about(Protocol::Messages));
        let two = calls(&seen, &About { id: "c2".to_owned(), ..about(Protocol::Messages) });
        assert_eq!((counts(&one), counts(&two)), (vec![EXACT], vec![EXACT]), "{id}");
        assert_ne!(one[0].key, two[0].key, "{id}");
    }
}

#[test]
fn usage_counts_without_the_names_by_which_logs_recognise_it() {
    use Protocol::{Chat, Embeddings, Messages, Responses};
    let usage = r#""usage":{"prompt_tokens":100,"completion_tokens":20}"#;
    let stated = r#""usage":{"input_tokens":100,"output_tokens":20}"#;
    let first = format!(r#"{{"id":"{ID}","object":"chat.completion.chunk","model":"gpt-5","choices":[]}}"#);
    let start =
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"gpt-5"}}"#;
    let delta = format!(r#"{{"type":"message_delta","delta":{{}},{stated}}}"#);
    let ids = [answer_key(ID), answer_key("msg_1")];
    for (protocol, first, document, model, key) in [
        (Chat, r#"{"choices":[{}]}"#, format!(r#"{{"choices":[],{usage}}}"#), "asked", None),
        (Chat, &first, format!(r"{{{usage}}}"), "gpt-5", ids[0]),
        (Chat, &first, format!(r#"{{"object":"x","x_groq":{{{usage}}},"usage":null}}"#), "gpt-5", ids[0]),
        (Responses, "", format!(r#"{{"id":"x","model":"gpt-5",{stated}}}"#), "gpt-5", None),
        (Responses, "", format!(r#"{{"response":{{"model":"gpt-5","attributes":{{}},{stated}}}}}"#), "gpt-5", None),
        (Embeddings, "", r#"{"data":[],"model":"gpt-5","usage":{"prompt_tokens":100}}"#.to_owned(), "gpt-5", None),
        (Messages, "", format!(r#"{{"id":"msg_1","model":"gpt-5","attributes":1,{stated}}}"#), "gpt-5", ids[1]),
        (Messages, start, delta.clone(), "gpt-5", ids[1]),
        (Messages, r#"{"type":"content_block_start"}"#, delta, "asked", None),
    ] {
        let found =
            calls(&seen(if first.is_empty() { &document } else { first }, &[&document], 40, true), &about(protocol));
        let output = if protocol == Embeddings { 0 } else { 20 };
        assert_eq!(counts(&found), [(100, 0, output, Fidelity::Final)], "{document}");
        assert_eq!(found[0].model, Some(Label::new(model)), "{document}");
        assert_eq!(found[0].key, key.unwrap_or_else(|| about(protocol).own_key()), "{document}");
    }
}

#[test]
fn an_id_that_may_not_be_unique_identifies_no_answer() {
    let mut ids = FirstSeen::default();
    let mut key = |id: &str, number: &str, request: Option<&str>| {
        let body = format!(
            r#"{{"id":"{id}","object":"chat.completion","created":1795875100,"model":"gpt-5","choices":[],"usage":{{"prompt_tokens":100,"completion_tokens":20}}}}"#
        );
        let request = request.map(str::to_owned);
        let about = About { id: number.to_owned(), request, ..about(Protocol::Chat) };
        super::calls(&seen(&body, &[&body], 0, true), &about, &mut ids)[0].key
    };
    assert_ne!(key("chatcmpl-71", "c1", None), key("chatcmpl-71", "c2", None));
    // Another request with the same answer, according to the service itself.
    assert_eq!(key(ID, "c1", Some("req_1")), answer_key(ID).unwrap());
    assert_eq!(key(ID, "c2", Some("req_2")), request_key("req_2"));
    // A retry, and an event that was read after the call was booked.
    assert_eq!((key(ID, "c3", None), key(ID, "c1", Some("req_1"))), (answer_key(ID).unwrap(), answer_key(ID).unwrap()));
}

#[test]
fn advice_belongs_to_the_answer_that_it_was_charged_with() {
    let body = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","usage":{"input_tokens":100,"output_tokens":20,"iterations":[{"type":"message","input_tokens":100,"output_tokens":20},{"type":"advisor_message","model":"claude-haiku-4-5","input_tokens":5,"output_tokens":6}]}}"#;
    let mut ids = FirstSeen::default();
    let mut keys = |request: &str| {
        let about = About { request: Some(request.to_owned()), ..about(Protocol::Messages) };
        let found = super::calls(&seen(body, &[body], 0, true), &about, &mut ids);
        assert_eq!(counts(&found), [EXACT, (5, 0, 6, Fidelity::Final)]);
        assert_eq!([found[0].alias, found[1].alias], [Some(request_key(request)), None]);
        [found[0].key, found[1].key]
    };
    let (one, two) = (keys("req_1"), keys("req_2"));
    assert_eq!(one[1], crate::formats::keys::advisor_key(one[0], 1));
    assert!(one[0] != two[0] && one[1] != two[1]);
}

#[test]
fn a_message_that_fails_before_any_text_is_no_call_unless_more_than_its_first_event_states_usage() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","usage":{"input_tokens":100,"output_tokens":1}}}"#;
    let delta = r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":20}}"#;
    let failed = |usage: &[&str], text| {
        let seen = Seen { is_failed: true, ..seen(start, usage, text, false) };
        counts(&calls(&seen, &about(Protocol::Messages)))
    };
    assert_eq!(failed(&[start], 0), []);
    assert_eq!(failed(&[start], 40), [(100, 0, 10, Fidelity::Guessed)]);
    assert_eq!(failed(&[start, delta], 0), [EXACT]);
}

#[test]
fn an_answer_does_not_say_who_called() {
    let body = r#"{"object":"response","id":"resp_1","model":"gpt-5","user":"eve","conversation":{"id":"s"},"metadata":{"team":"evil","session_id":"s","project":"p","feature":"f"},"usage":{"input_tokens":100,"output_tokens":20}}"#;
    let from = calls(&seen(body, &[body], 0, true), &about(Protocol::Responses)).remove(0).from;
    assert_eq!((from.user, from.team), (Some(Label::new("alice")), Some(Label::new("web"))));
    assert_eq!((from.session, from.project, from.feature), (None, None, None));
}

#[test]
fn a_response_in_the_background_that_failed_without_output_costs_nothing() {
    for id in ["resp_0123456789abcdef", "resp_1"] {
        let response = |rest: &str| {
            let body = format!(
                r#"{{"id":"{id}","object":"response","created_at":1795168800,"model":"gpt-5","background":true,"instructions":"be brief",{rest}}}"#
            );
            seen(&body, &[&body], 8, true)
        };
        let made = about(Protocol::Responses);
        let fetch = About { is_fetch: true, id: "c2".to_owned(), ..about(Protocol::Responses) };
        let queued = calls(&response(r#""status":"queued","output":[],"usage":null"#), &made);
        let failed = calls(&response(r#""status":"failed","error":{"code":"x"},"output":[],"usage":null"#), &fetch);
        assert_eq!((counts(&failed), failed[0].key), (vec![(0, 0, 0, Fidelity::Refused)], queued[0].key), "{id}");
        let empty = About { facts: Facts::default(), bytes: 0, ..fetch.clone() };
        let failed = calls(&response(r#""status":"failed","error":null,"output":[],"usage":null"#), &empty);
        assert_eq!((counts(&failed), failed[0].key), (vec![(0, 0, 0, Fidelity::Refused)], queued[0].key), "{id}");
        for rest in [
            r#""status":"cancelled","output":[],"usage":null"#,
            r#""status":"failed","output":[{"type":"message"}],"usage":null"#,
        ] {
            assert_eq!(calls(&response(rest), &fetch), [], "{rest}");
        }
    }
}
