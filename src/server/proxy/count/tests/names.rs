//! What names a call apart from the response's id: the client's key, the vendor's request, the prompt.

use super::*;

#[test]
fn the_alias_is_what_telemetry_knows_of_a_call_besides_the_answers_id() {
    let message = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","usage":{"input_tokens":100,"cache_read_input_tokens":7,"output_tokens":20}}"#;
    let chat = format!(
        r#"{{"id":"{ID}","object":"chat.completion","model":"gpt-5","choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":3}}}}"#
    );
    let alias = |protocol, body: &str, request: Option<&str>, session: Option<&str>| {
        let who = Who { session: session.map(Label::new), ..Who::default() };
        let about = About { who, request: request.map(str::to_owned), ..about(protocol) };
        calls(&seen(body, &[body], 0, true), &about)[0].alias
    };
    let prompt = Tokens { input: 100, cache_read: 7, output: 50, ..Tokens::ZERO };
    let (session, request) = (Some("s-1"), Some("req_1"));
    assert_eq!(alias(Protocol::Messages, message, None, session), prompt_key("s-1", &prompt));
    assert_eq!(alias(Protocol::Messages, message, request, session), Some(request_key("req_1")));
    assert_eq!(alias(Protocol::Messages, message, None, None), None);
    // Other agents' telemetry has the answer's id, and an alias that must not be displaced.
    assert_eq!(alias(Protocol::Chat, &chat, request, session), None);
    let without_id = chat.replace(ID, "1");
    assert_eq!(alias(Protocol::Chat, &without_id, request, session), Some(request_key("req_1")));
}

#[test]
fn attempts_are_those_of_one_user_at_one_api_however_the_user_is_named() {
    let named = |user: Option<&str>, protocol| {
        let mut about = About { idempotency: Some("job".to_owned()), ..about(protocol) };
        about.facts.who.user = user.map(Label::new);
        about
    };
    let key = |about: &About| about.repeat_key().unwrap();
    let ann = named(Some("ann"), Protocol::Chat);
    let header = About { who: ann.facts.who.clone(), facts: Facts::default(), ..ann.clone() };
    assert_eq!(key(&ann), key(&header));
    let others = [
        named(Some("bob"), Protocol::Chat),
        named(None, Protocol::Chat),
        named(Some("ann"), Protocol::Embeddings),
        About { idempotency: Some("other".to_owned()), ..ann.clone() },
    ];
    assert!(others.iter().all(|other| key(other) != key(&ann)));
    assert_eq!(key(&others[1]), key(&named(Some("alice"), Protocol::Chat)), "the default user");
}

#[test]
fn a_key_that_never_changes_does_not_make_every_answer_one_call() {
    let about = About { idempotency: Some("job".to_owned()), ..about(Protocol::Responses) };
    let mut ids = FirstSeen::default();
    let mut answer = |number: u32, is_whole| {
        let body = format!(
            r#"{{"object":"response","id":"resp_{number:032}","model":"gpt-5","usage":{{"input_tokens":100,"output_tokens":20}}}}"#
        );
        let alias = crate::server::proxy::count::calls(&seen(&body, &[&body], 0, is_whole), &about, &mut ids)[0].alias;
        alias.is_some_and(CallKey::is_of_attempts)
    };
    let whole = [(0, true), (1, false), (2, true), (3, true), (4, true), (5, true)];
    assert_eq!(whole.map(|(number, is_whole)| answer(number, is_whole)), [true, true, true, true, false, false]);
}
