//! Answers of our own, in the form of the API that was asked: the client's library shows their sentence.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::admission::{LimitState, Quantity, Refusal};
use super::headers::{self, LIMIT};
use crate::domain::Instant;

/// Tells `OpenAI`'s and Anthropic's libraries not to try again.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Anthropic's state of a limit, which Claude Code shows.
const STATUS: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-status");
const RESET: HeaderName = HeaderName::from_static("anthropic-ratelimit-unified-reset");

/// An error of ours.
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    /// Its type at `OpenAI`, and at Anthropic.
    kinds: [&'static str; 2],
    /// Its code at `OpenAI`.
    code: &'static str,
    pub(super) message: String,
}

impl Trouble {
    /// The upstream cannot be reached, or breaks off before its answer.
    pub(super) fn upstream(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            kinds: ["server_error", "api_error"],
            code: "upstream_unreachable",
            message: message.into(),
        }
    }

    /// The request cannot be passed on.
    pub(super) fn request(status: StatusCode, message: &str) -> Self {
        Self {
            status,
            kinds: ["invalid_request_error", "invalid_request_error"],
            code: "not_forwarded",
            message: message.to_owned(),
        }
    }

    /// The key is missing or unknown.
    pub(super) fn key() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            kinds: ["invalid_request_error", "authentication_error"],
            code: "invalid_api_key",
            message: format!("tokmeter: send a key of this proxy as {} or in the path /k/KEY/…", headers::KEY),
        }
    }

    /// The answer.
    pub(super) fn answer(&self, is_anthropic: bool) -> Response<Full<Bytes>> {
        let body = if is_anthropic {
            json!({"type": "error", "error": {"type": self.kinds[1], "message": self.message}})
        } else {
            json!({"error": {"message": self.message, "type": self.kinds[0], "param": null, "code": self.code}})
        };
        document(self.status, &body)
    }
}

/// The answer to a call over its limit.
pub(super) fn refused(refusal: &Refusal, is_anthropic: bool, now: Instant) -> Response<Full<Bytes>> {
    let state = match refusal {
        Refusal::Over(state) => Some(state),
        Refusal::Books => None,
    };
    let sentence = state.map_or_else(|| "the ledger cannot be read, and calls are denied then".to_owned(), sentence);
    let body = if is_anthropic {
        json!({"type": "error", "error": {"type": "billing_error", "message": format!("spend limit reached ({sentence})")}})
    } else {
        json!({"error": {
            "message": format!("tokmeter: limit reached ({sentence})"),
            "type": "insufficient_quota", "param": null, "code": "budget_exceeded",
        }})
    };
    let mut answer = document(StatusCode::TOO_MANY_REQUESTS, &body);
    let map = answer.headers_mut();
    headers::insert(map, SHOULD_RETRY, "false");
    let wait = state.and_then(|state| state.resets_at).map(|at| (at - now).num_seconds().max(1));
    if let Some(seconds) = wait {
        headers::insert(map, RETRY_AFTER, &seconds.to_string());
    }
    if let Some(state) = state {
        headers::insert(map, LIMIT, &sentence_in_ascii(&sentence_of_limit(state)));
    }
    answer
}

/// Adds a warning about a limit that is near to the head of an answer.
pub(super) fn warn(map: &mut HeaderMap, near: &LimitState, is_anthropic: bool) {
    headers::insert(map, LIMIT, &sentence_in_ascii(&sentence_of_limit(near)));
    let is_calm = map.get(&STATUS).is_none_or(|status| status == "allowed");
    if is_anthropic && is_calm {
        headers::insert(map, STATUS, "allowed_warning");
        if let Some(at) = near.resets_at {
            headers::insert(map, RESET, &at.timestamp().to_string());
        }
    }
}

/// `daily; resets 2026-11-27T00:00:00Z; user alice: $25.00 of $25.00`.
fn sentence(state: &LimitState) -> String {
    let resets = state
        .resets_at
        .map_or_else(String::new, |at| format!("; resets {}", at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
    format!("{}{resets}; {}", state.period, sentence_of_limit(state))
}

fn sentence_of_limit(state: &LimitState) -> String {
    let amount = |quantity: Quantity| match quantity {
        Quantity::Usd(usd) => {
            let cents = usd.rounded(2);
            format!("${}.{:02}", cents / 100, (cents % 100).abs())
        }
        Quantity::Tokens(count) => format!("{count} tokens"),
    };
    format!("{}: {} of {}", state.limit, amount(state.spent), amount(state.allowed))
}

/// A header holds ASCII only.
fn sentence_in_ascii(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect()
}

fn document(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    headers::insert(answer.headers_mut(), CONTENT_TYPE, "application/json");
    answer
}
