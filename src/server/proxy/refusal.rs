//! Refusals in the client's own language, and the headers that warn of a limit.
//!
//! A limit that is reached is no reason to try again: the SDKs of both vendors obey `x-should-retry: false`, and Claude
//! Code shows the message of a `billing_error` once. A call that only waits for others to end is answered as the
//! vendors answer too many requests, and is tried again.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::admission::{LimitState, Protocol, Refusal};
use crate::domain::Instant;

/// Names the deciding limit, in answers that were admitted and in refusals.
const LIMIT: HeaderName = HeaderName::from_static("x-tokmeter-limit");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Read by Claude Code with a subscription, which shows a warning of its own. Older versions go by the status; since about
/// 2.1.300 they go by the window that the limit stands for: paid usage (seen in 2.1.332, 2026-11).
const STATUS: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-status");
const RESET: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-reset");
const PAID_USED: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-utilization");
const PAID_RESET: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-reset");
const PAID_WARNS: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-surpassed-threshold");
/// With this, Claude Code shows our sentence as it is, and not as a passing trouble of the service (2.1.332).
const PAID_REFUSED: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-disabled-reason");

/// Seconds after which a call that waits for others may be tried again.
const SOON: i64 = 2;
/// Seconds stated where no time is known at which a limit has room again.
const LATER: i64 = 3600;

/// A complete answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Kind of an error in the words of both vendors.
struct Kind {
    anthropic: &'static str,
    openai: &'static str,
    code: &'static str,
}

const SPENT: Kind = Kind { anthropic: "billing_error", openai: "insufficient_quota", code: "insufficient_quota" };
const WAITS: Kind = Kind { anthropic: "rate_limit_error", openai: "requests", code: "rate_limit_exceeded" };
const BOOKS: Kind = Kind { anthropic: "api_error", openai: "server_error", code: "limits_unavailable" };
const KEY: Kind = Kind { anthropic: "authentication_error", openai: "invalid_request_error", code: "invalid_api_key" };
/// Codex shows when the limit resets for this type only.
const OF_CODEX: Kind = Kind { openai: "usage_limit_reached", ..SPENT };

/// The answer to a call that may not be made.
pub(crate) fn refused(protocol: Protocol, client: &HeaderMap, refusal: &Refusal, now: Instant) -> Answer {
    match refusal {
        Refusal::Over(state) => over(protocol, client, state, now),
        Refusal::Books => {
            let why = "the limits cannot be checked: the ledger cannot be read or written (gate.on_error is \"deny\")";
            answer(StatusCode::SERVICE_UNAVAILABLE, body(Some(protocol), &BOOKS, why), Some((SOON, false)))
        }
    }
}

fn over(protocol: Protocol, client: &HeaderMap, state: &LimitState, now: Instant) -> Answer {
    let (limit, again, used) = (&state.limit, &state.again, &state.used);
    let (mut answer, body) = if state.waits {
        let why = format!("calls under way may use up the limit ({limit}; {again}): {used} with them; try again soon");
        (answer(StatusCode::TOO_MANY_REQUESTS, Value::Null, Some((SOON, true))), body(Some(protocol), &WAITS, &why))
    } else {
        let why = format!("spend limit reached ({limit}; {again}): {used} used");
        let until = state.resets_at.map_or(LATER, |at| (at - now).num_seconds().saturating_add(1).max(1));
        let is_codex = protocol != Protocol::Messages && is_codex(client);
        let mut body = body(Some(protocol), if is_codex { &OF_CODEX } else { &SPENT }, &why);
        if let (true, Some(at)) = (is_codex, state.resets_at) {
            body["error"]["resets_at"] = at.timestamp().into();
        }
        (answer(StatusCode::TOO_MANY_REQUESTS, Value::Null, Some((until, false))), body)
    };
    answer.body = body.to_string();
    if protocol == Protocol::Messages && !state.waits {
        answer.headers.insert(PAID_REFUSED, HeaderValue::from_static("spend_limit"));
    }
    answer.headers.extend(limit_header(state).map(|value| (LIMIT, value)));
    answer
}

/// The answer to a request whose key is missing, unknown or revoked.
pub(crate) fn unknown_key(protocol: Option<Protocol>, is_presented: bool) -> Answer {
    let why = if is_presented {
        "the key in x-tokmeter-key or /k/KEY/ is unknown or revoked; ask whoever runs this proxy for a new one"
    } else {
        "this proxy asks for a key: send it as x-tokmeter-key, or put /k/KEY before the path"
    };
    answer(StatusCode::UNAUTHORIZED, body(protocol, &KEY, why), None)
}

/// Adds what a client may show of a limit that is near. What the upstream states of its own limits stays.
pub(crate) fn warn(protocol: Protocol, near: &LimitState, headers: &mut HeaderMap) {
    if let Some(value) = limit_header(near) {
        headers.insert(LIMIT, value);
    }
    if protocol != Protocol::Messages {
        return;
    }
    if headers.get(&STATUS).is_none_or(|status| status == "allowed") {
        headers.insert(STATUS, HeaderValue::from_static("allowed_warning"));
        set_reset(headers, RESET, near.resets_at);
    }
    if !headers.contains_key(&PAID_USED) && !headers.contains_key(&PAID_WARNS) {
        let fraction = |percent: u64| HeaderValue::from_str(&format!("{}.{:02}", percent / 100, percent % 100)).ok();
        headers.extend(fraction(near.percent).map(|value| (PAID_USED, value)));
        headers.extend(fraction(near.threshold.into()).map(|value| (PAID_WARNS, value)));
        set_reset(headers, PAID_RESET, near.resets_at);
    }
}

/// States when a limit resets, or that this is not known.
fn set_reset(headers: &mut HeaderMap, name: HeaderName, at: Option<Instant>) {
    match at {
        Some(at) => _ = headers.insert(name, HeaderValue::from(at.timestamp())),
        None => _ = headers.remove(name),
    }
}

/// `alice daily; 82%`. A name that cannot stand in a header is left out.
fn limit_header(state: &LimitState) -> Option<HeaderValue> {
    let name = if state.limit.is_ascii() { state.limit.as_str() } else { state.period.as_str() };
    HeaderValue::from_str(&format!("{name}; {}%", state.percent)).ok()
}

fn is_codex(client: &HeaderMap) -> bool {
    let says = |name: &str| client.get(name).is_some_and(|value| value.as_bytes().starts_with(b"codex"));
    says("originator") || says("user-agent")
}

/// The body in the form of the protocol; for other paths, `OpenAI`'s.
fn body(protocol: Option<Protocol>, kind: &Kind, why: &str) -> Value {
    match protocol {
        Some(Protocol::Messages) => json!({ "type": "error", "error": { "type": kind.anthropic, "message": why } }),
        Some(Protocol::Chat | Protocol::Responses | Protocol::Embeddings) | None => {
            json!({ "error": { "message": why, "type": kind.openai, "param": null, "code": kind.code } })
        }
    }
}

/// An answer with the seconds after which the call may be tried again, and whether the client should by itself.
fn answer(status: StatusCode, body: Value, retry: Option<(i64, bool)>) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((seconds, should)) = retry {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(if should { "true" } else { "false" }));
    }
    Answer { status, headers, body: body.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Label, Usd};
    use crate::server::proxy::admission::Quantity;

    fn now() -> Instant {
        "2026-11-27T22:00:00Z".parse().unwrap()
    }

    fn state(waits: bool) -> LimitState {
        LimitState {
            limit: Label::new("alice daily"),
            period: Label::new("daily"),
            percent: 104,
            threshold: 100,
            spent: Quantity::Usd(Usd::from_micro(26_100_000)),
            allowed: Quantity::Usd(Usd::from_micro(25_000_000)),
            used: Label::new("$26.10 of $25.00"),
            again: Label::new("resets 00:00"),
            resets_at: Some("2026-11-28T00:00:00Z".parse().unwrap()),
            waits,
        }
    }

    fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
        headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn a_limit_that_is_reached_is_told_in_the_form_of_each_vendor_and_not_to_be_tried_again() {
        let said = "spend limit reached (alice daily; resets 00:00): $26.10 of $25.00 used";
        let anthropic = json!({ "type": "error", "error": { "type": "billing_error", "message": said } });
        let quota = "insufficient_quota";
        let openai = json!({ "error": { "message": said, "type": quota, "param": null, "code": quota } });
        for (protocol, expected) in [
            (Protocol::Messages, &anthropic),
            (Protocol::Chat, &openai),
            (Protocol::Responses, &openai),
            (Protocol::Embeddings, &openai),
        ] {
            let answer = refused(protocol, &HeaderMap::new(), &Refusal::Over(state(false)), now());
            assert_eq!(
                (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap()),
                (StatusCode::TOO_MANY_REQUESTS, expected.clone())
            );
            let said = ["content-type", "retry-after", "x-should-retry", "x-tokmeter-limit"];
            let said = said.map(|name| header(&answer.headers, name));
            assert_eq!(said, ["application/json", "7201", "false", "alice daily; 104%"]);
        }
    }

    #[test]
    fn codex_is_told_when_the_limit_resets() {
        let mut client = HeaderMap::new();
        client.insert("user-agent", HeaderValue::from_static("codex_exec/0.99.0 (Linux)"));
        let answer = refused(Protocol::Responses, &client, &Refusal::Over(state(false)), now());
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&body["error"]["type"], &body["error"]["resets_at"]),
            (&json!("usage_limit_reached"), &json!(1_795_824_000))
        );
    }

    #[test]
    fn a_call_that_waits_for_others_is_to_be_tried_again() {
        let answer = refused(Protocol::Messages, &HeaderMap::new(), &Refusal::Over(state(true)), now());
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &body["error"]["type"]),
            (StatusCode::TOO_MANY_REQUESTS, &json!("rate_limit_error"))
        );
        assert_eq!([header(&answer.headers, "retry-after"), header(&answer.headers, "x-should-retry")], ["2", "true"]);
    }

    #[test]
    fn a_key_or_books_that_are_missing_are_no_limit() {
        let answer = unknown_key(Some(Protocol::Messages), false);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status.as_u16(), &body["error"]["type"]), (401, &json!("authentication_error")));
        let body: Value = serde_json::from_str(&unknown_key(None, true).body).unwrap();
        assert_eq!(body["error"]["code"], json!("invalid_api_key"));
        let answer = refused(Protocol::Chat, &HeaderMap::new(), &Refusal::Books, now());
        assert_eq!((answer.status.as_u16(), header(&answer.headers, "x-should-retry")), (503, "false"));
    }

    #[test]
    fn a_limit_that_is_near_is_told_to_claude_code_unless_the_upstream_warns_itself() {
        let mut headers = HeaderMap::new();
        warn(Protocol::Messages, &state(false), &mut headers);
        assert_eq!(header(&headers, "anthropic-ratelimit-unified-status"), "allowed_warning");
        assert_eq!(header(&headers, "anthropic-ratelimit-unified-reset"), "1795824000");
        let paid = ["utilization", "surpassed-threshold", "reset"];
        let paid = paid.map(|of| header(&headers, &format!("anthropic-ratelimit-unified-overage-{of}")));
        assert_eq!(paid, ["1.04", "1.00", "1795824000"]);
        headers.insert(STATUS, HeaderValue::from_static("rejected"));
        headers.insert(RESET, HeaderValue::from_static("5"));
        warn(Protocol::Messages, &state(false), &mut headers);
        assert_eq!(header(&headers, "anthropic-ratelimit-unified-reset"), "5");
        let mut headers = HeaderMap::new();
        warn(Protocol::Chat, &LimitState { limit: Label::new("zoë daily"), ..state(false) }, &mut headers);
        assert_eq!((headers.len(), header(&headers, "x-tokmeter-limit")), (1, "daily; 104%"));
    }
}
