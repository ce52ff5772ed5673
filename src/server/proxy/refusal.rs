//! Refusals in the form of the client's API, and the headers that warn about a limit.
//!
//! When a limit is reached, retrying is useless: the SDKs of both vendors obey `x-should-retry: false`, and Claude Code
//! shows the message of a `billing_error` once. A call that only has to wait for others to end gets the vendors'
//! response to too many requests, and is retried.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::admission::{LimitState, Refusal};
use super::answers::document;
use super::headers::LIMIT;
use crate::domain::Instant;

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Read by Claude Code with a subscription, which then shows its own warning. Older versions go by the status. Since
/// about 2.1.300 they go by the window that the limit belongs to: paid usage (seen in 2.1.332, 2026-11).
const STATUS: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-status");
const RESET: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-reset");
const PAID_USED: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-utilization");
const PAID_RESET: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-reset");
const PAID_WARNS: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-surpassed-threshold");
/// With this header, Claude Code shows our message as it is, and not as a temporary problem of the service (2.1.332).
const PAID_REFUSED: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-overage-disabled-reason");

/// Seconds after which a call that waits for others may be retried.
const SOON: i64 = 2;
/// Seconds to send if it is unknown when a limit has room again.
const LATER: i64 = 3600;

/// The client that gets the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// Speaks Anthropic's API.
    Anthropic,
    /// Speaks `OpenAI`'s.
    OpenAi,
    /// Codex, which shows when a limit resets.
    Codex,
}

impl Client {
    /// Recognises the client by these headers.
    pub(super) fn new(is_anthropic: bool, headers: &HeaderMap) -> Self {
        let says = |name: &str| headers.get(name).is_some_and(|value| value.as_bytes().starts_with(b"codex"));
        match is_anthropic {
            true => Self::Anthropic,
            false if says("originator") || says("user-agent") => Self::Codex,
            false => Self::OpenAi,
        }
    }
}

/// Kind of an error, under the names of both vendors.
struct Kind {
    anthropic: &'static str,
    openai: &'static str,
    code: &'static str,
}

const SPENT: Kind = Kind { anthropic: "billing_error", openai: "insufficient_quota", code: "insufficient_quota" };
const WAITS: Kind = Kind { anthropic: "rate_limit_error", openai: "requests", code: "rate_limit_exceeded" };
const BOOKS: Kind = Kind { anthropic: "api_error", openai: "server_error", code: "limits_unavailable" };
/// Codex shows the reset time of a limit only for this type.
const OF_CODEX: Kind = Kind { openai: "usage_limit_reached", ..SPENT };

/// The response to a call that must not be made.
pub(super) fn refused(client: Client, refusal: &Refusal, now: Instant) -> Response<Full<Bytes>> {
    match refusal {
        Refusal::Over(state) if state.waits => waits(client, state),
        Refusal::Over(state) => over(client, state, now),
        Refusal::Books => {
            let why = "the limits cannot be checked: the ledger cannot be read or written (gate.on_error is \"deny\")";
            answer(StatusCode::SERVICE_UNAVAILABLE, &body(client, &BOOKS, why), SOON, false)
        }
    }
}

/// The response to a call that may have room once others have ended.
fn waits(client: Client, state: &LimitState) -> Response<Full<Bytes>> {
    let LimitState { limit, again, used, .. } = state;
    let why = format!("calls under way may use up the limit ({limit}; {again}): {used} with them; try again soon");
    let mut answer = answer(StatusCode::TOO_MANY_REQUESTS, &body(client, &WAITS, &why), SOON, true);
    answer.headers_mut().extend(limit_header(state).map(|value| (LIMIT, value)));
    answer
}

/// The response to a call over its limit.
fn over(client: Client, state: &LimitState, now: Instant) -> Response<Full<Bytes>> {
    let LimitState { limit, again, used, .. } = state;
    let why = format!("spend limit reached ({limit}; {again}): {used} used");
    let mut body = body(client, if client == Client::Codex { &OF_CODEX } else { &SPENT }, &why);
    if let (Client::Codex, Some(at)) = (client, state.resets_at) {
        body["error"]["resets_at"] = at.timestamp().into();
    }
    let until = state.resets_at.map_or(LATER, |at| (at - now).num_seconds().saturating_add(1).max(1));
    let mut answer = answer(StatusCode::TOO_MANY_REQUESTS, &body, until, false);
    let headers = answer.headers_mut();
    headers.extend(limit_header(state).map(|value| (LIMIT, value)));
    if client == Client::Anthropic {
        headers.insert(PAID_REFUSED, HeaderValue::from_static("spend_limit"));
    }
    answer
}

/// Adds headers from which a client can show a near limit. Headers about the upstream's own limits are kept.
pub(super) fn warn(is_anthropic: bool, near: &LimitState, headers: &mut HeaderMap) {
    if let Some(value) = limit_header(near) {
        headers.insert(LIMIT, value);
    }
    if !is_anthropic {
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

/// Sets the reset time of a limit, or marks it as unknown.
fn set_reset(headers: &mut HeaderMap, name: HeaderName, at: Option<Instant>) {
    match at {
        Some(at) => _ = headers.insert(name, HeaderValue::from(at.timestamp())),
        None => _ = headers.remove(name),
    }
}

/// `alice daily; 82%`. A name that is not valid in a header is left out.
fn limit_header(state: &LimitState) -> Option<HeaderValue> {
    let name = if state.limit.is_ascii() { state.limit.as_str() } else { state.period.as_str() };
    HeaderValue::from_str(&format!("{name}; {}%", state.percent)).ok()
}

/// The body in the form of the client's API.
fn body(client: Client, kind: &Kind, why: &str) -> Value {
    match client {
        Client::Anthropic => json!({ "type": "error", "error": { "type": kind.anthropic, "message": why } }),
        Client::OpenAi | Client::Codex => {
            json!({ "error": { "message": why, "type": kind.openai, "param": null, "code": kind.code } })
        }
    }
}

/// A response with the seconds after which the call may be retried, and whether the client should do so by itself.
fn answer(status: StatusCode, body: &Value, seconds: i64, should: bool) -> Response<Full<Bytes>> {
    let mut answer = document(status, body);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    answer.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static(if should { "true" } else { "false" }));
    answer
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::domain::Label;

    fn now() -> Instant {
        "2026-11-27T22:00:00Z".parse().unwrap()
    }

    fn state(waits: bool) -> LimitState {
        LimitState {
            limit: Label::new("alice daily"),
            period: Label::new("daily"),
            percent: 104,
            threshold: 100,
            used: Label::new("$26.10 of $25.00"),
            again: Label::new("resets 00:00"),
            resets_at: Some("2026-11-28T00:00:00Z".parse().unwrap()),
            waits,
        }
    }

    fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
        headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of a refusal, and the values of these headers.
    fn read(answer: Response<Full<Bytes>>, names: &[&str]) -> (StatusCode, Value, Vec<String>) {
        let headers_of = names.iter().map(|name| header(answer.headers(), name).to_owned()).collect();
        let status = answer.status();
        // The whole body is available immediately.
        let body = answer.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap(), headers_of)
    }

    const HOW: [&str; 4] = ["content-type", "retry-after", "x-should-retry", "x-tokmeter-limit"];

    #[test]
    fn a_limit_that_is_reached_is_stated_in_the_form_of_each_vendor_and_not_to_be_tried_again() {
        let sentence = "spend limit reached (alice daily; resets 00:00): $26.10 of $25.00 used";
        let anthropic = json!({ "type": "error", "error": { "type": "billing_error", "message": sentence } });
        let quota = "insufficient_quota";
        let openai = json!({ "error": { "message": sentence, "type": quota, "param": null, "code": quota } });
        for (client, expected) in [(Client::Anthropic, &anthropic), (Client::OpenAi, &openai)] {
            let (status, body, how) = read(refused(client, &Refusal::Over(state(false)), now()), &HOW);
            assert_eq!((status, &body), (StatusCode::TOO_MANY_REQUESTS, expected));
            assert_eq!(how, ["application/json", "7201", "false", "alice daily; 104%"]);
        }
    }

    #[test]
    fn codex_is_told_when_the_limit_resets() {
        let mut headers = HeaderMap::new();
        assert_eq!(Client::new(false, &headers), Client::OpenAi);
        headers.insert("user-agent", HeaderValue::from_static("codex_exec/0.171.0 (Linux)"));
        assert_eq!(Client::new(true, &headers), Client::Anthropic);
        let client = Client::new(false, &headers);
        let (_, body, _) = read(refused(client, &Refusal::Over(state(false)), now()), &[]);
        let expected = [json!("usage_limit_reached"), json!(1_795_824_000)];
        assert_eq!([&body["error"]["type"], &body["error"]["resets_at"]], expected.each_ref());
    }

    #[test]
    fn a_call_that_waits_for_others_is_to_be_tried_again() {
        for (client, kind) in [(Client::Anthropic, "rate_limit_error"), (Client::Codex, "requests")] {
            let (status, body, how) = read(refused(client, &Refusal::Over(state(true)), now()), &HOW);
            assert_eq!((status, &body["error"]["type"]), (StatusCode::TOO_MANY_REQUESTS, &json!(kind)));
            assert_eq!(how[1..3], ["2", "true"]);
        }
    }

    #[test]
    fn books_that_cannot_be_read_are_no_limit() {
        let (status, body, how) = read(refused(Client::OpenAi, &Refusal::Books, now()), &HOW);
        assert_eq!((status.as_u16(), &body["error"]["code"]), (503, &json!("limits_unavailable")));
        assert_eq!(how[2], "false");
    }

    #[test]
    fn a_limit_that_is_near_is_told_to_claude_code_unless_the_upstream_warns_itself() {
        let mut headers = HeaderMap::new();
        warn(true, &state(false), &mut headers);
        assert_eq!(header(&headers, "anthropic-ratelimit-unified-status"), "allowed_warning");
        assert_eq!(header(&headers, "anthropic-ratelimit-unified-reset"), "1795824000");
        let paid = ["utilization", "surpassed-threshold", "reset"];
        let paid = paid.map(|of| header(&headers, &format!("anthropic-ratelimit-unified-overage-{of}")));
        assert_eq!(paid, ["1.04", "1.00", "1795824000"]);
        headers.insert(STATUS, HeaderValue::from_static("rejected"));
        headers.insert(RESET, HeaderValue::from_static("5"));
        warn(true, &state(false), &mut headers);
        assert_eq!(header(&headers, "anthropic-ratelimit-unified-reset"), "5");
        let mut headers = HeaderMap::new();
        warn(false, &LimitState { limit: Label::new("zoë daily"), ..state(false) }, &mut headers);
        assert_eq!((headers.len(), header(&headers, "x-tokmeter-limit")), (1, "daily; 104%"));
    }
}
