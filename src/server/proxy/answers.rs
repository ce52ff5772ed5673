//! The proxy's own error responses, in the form of the API in use, so that the client's library shows their message.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::headers;

/// An error of the proxy's own.
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    /// Its error type for `OpenAI`, and for Anthropic.
    kinds: [&'static str; 2],
    /// Its error code for `OpenAI`.
    code: &'static str,
    pub(super) message: String,
}

impl Trouble {
    /// The upstream cannot be reached, or disconnects before its response.
    pub(super) fn upstream(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            kinds: ["server_error", "api_error"],
            code: "upstream_unreachable",
            message: message.into(),
        }
    }

    /// The request cannot be forwarded.
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

    /// The client asks for a `WebSocket`. Codex takes this status, and no other, as a reason to make its calls over
    /// HTTP at once (0.171, tried 2026-11-29).
    pub(super) fn websocket() -> Self {
        let why = "tokmeter: this proxy opens no WebSocket, whose calls could be neither counted nor limited: make them \
                   over HTTP";
        Self::request(StatusCode::UPGRADE_REQUIRED, why)
    }

    /// There are limits for models, and the request's model cannot be read.
    pub(super) fn hidden_model() -> Self {
        let why = "tokmeter: there is a limit for a model, and the model of this request cannot be read: send a JSON \
                   object in UTF-8 that names it within its first 32 MiB, in at most 512 bytes, not compressed or as gzip, \
                   deflate, br or zstd";
        Self::request(StatusCode::BAD_REQUEST, why)
    }

    /// There are limits for models, and services differ in which model the request names.
    pub(super) fn two_models() -> Self {
        let why = "tokmeter: there is a limit for a model, and services may take this request for one of another model: \
                   name it once, as \"model\"";
        Self::request(StatusCode::BAD_REQUEST, why)
    }

    /// The response.
    pub(super) fn answer(&self, is_anthropic: bool) -> Response<Full<Bytes>> {
        let body = if is_anthropic {
            json!({"type": "error", "error": {"type": self.kinds[1], "message": self.message}})
        } else {
            json!({"error": {"message": self.message, "type": self.kinds[0], "param": null, "code": self.code}})
        };
        let mut answer = document(self.status, &body);
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // An answer with this status must name the protocol (RFC 9110, 15.5.22).
            headers::insert(answer.headers_mut(), UPGRADE, "HTTP/1.1");
            headers::insert(answer.headers_mut(), CONNECTION, "upgrade");
        }
        answer
    }
}

/// A JSON document.
pub(super) fn document(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    headers::insert(answer.headers_mut(), CONTENT_TYPE, "application/json");
    answer
}
