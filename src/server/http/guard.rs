//! Checks who may send requests: the token, the `Host` that the client used, and the origin of the page that sent it.
//!
//! A web page of another origin can make a browser send requests to a loopback address, through a form or through a
//! name that resolves to it. `Host` and `Origin` reveal that.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::page;
use super::shared::Shared;
use super::status::Problem;
use super::token;
use crate::config::Token;
use crate::server::loopback;

/// Paths that reveal nothing about the ledger, in addition to the files of the page.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/"];

/// Rejects unauthorised requests, and adds the headers that every response has.
pub(super) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(shared.token.as_ref(), request.uri(), request.headers()) {
        Some(problem) => {
            let mut response = problem.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// True for a path that needs no token.
pub(super) fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with(page::FILES)
}

fn refusal(token: Option<&Token>, target: &Uri, headers: &HeaderMap) -> Option<Problem> {
    let is_known = token.is_some_and(|token| token::is_presented(token, headers));
    if !is_known && token.is_some() && !is_open(target.path()) {
        return Some(Problem::new(StatusCode::UNAUTHORIZED, "send the token as Authorization: Bearer …"));
    }
    // A second name could be the one that the next server goes by (RFC 9112, 3.2).
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Some(Problem::new(StatusCode::BAD_REQUEST, "send one Host"));
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // Without a token, only names of this machine are served, because any other name was made to point here.
    if token.is_none() && !loopback::is_for_loopback(target, headers) {
        return Some(Problem::new(StatusCode::FORBIDDEN, "this server answers to localhost only"));
    }
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if origin.is_some_and(|origin| Some(origin) != loopback::host(target, headers)) {
        return Some(Problem::new(StatusCode::FORBIDDEN, "pages of other origins are not served"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(name, value): (axum::http::HeaderName, HeaderValue)| (name, value))
            .collect()
    }

    fn status(token: Option<&Token>, path: &str, pairs: &[(&'static str, &str)]) -> u16 {
        refusal(token, &path.parse().unwrap(), &headers(pairs)).map_or(200, |problem| problem.status.as_u16())
    }

    #[test]
    fn only_names_of_this_machine_are_served_without_a_token() {
        for host in ["localhost", "LOCALHOST:4318", "127.0.0.1:4318", "127.9.9.9", "[::1]:4318"] {
            assert_eq!(status(None, "/metrics", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example", "evil.example:4318", "192.168.1.4", "localhost.evil.example", "[fe80::1]"] {
            assert_eq!(status(None, "/metrics", &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(None, "/metrics", &[]), 403);
        let local = ("host", "localhost:4318");
        assert_eq!(status(None, "http://localhost:4318/metrics", &[local]), 200);
        assert_eq!(status(None, "http://evil.example/metrics", &[local]), 403);
        let own = [local, ("origin", "http://localhost:4318")];
        assert_eq!(status(None, "http://127.0.0.1:4318/metrics", &own), 403, "the target is what the page must match");
    }

    #[test]
    fn a_request_with_two_names_of_its_host_is_malformed() {
        let token = Token::new("0123456789abcdef").unwrap();
        for second in ["evil.example", "localhost:4318"] {
            let both = [("host", "localhost:4318"), ("host", second), ("authorization", "Bearer 0123456789abcdef")];
            assert_eq!(status(None, "/metrics", &both), 400, "{second}");
            assert_eq!(status(Some(&token), "/metrics", &both), 400, "{second}");
            assert_eq!(status(None, "/healthz", &both), 400, "{second}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let own = [("host", "localhost:4318"), ("origin", "http://localhost:4318")];
        assert_eq!(status(None, "/v1/logs", &own), 200);
        for origin in ["http://evil.example", "http://localhost:8080", "null"] {
            assert_eq!(status(None, "/v1/logs", &[("host", "localhost:4318"), ("origin", origin)]), 403, "{origin}");
        }
    }

    #[test]
    fn with_a_token_every_name_is_served_to_whoever_presents_it() {
        let token = Token::new("0123456789abcdef").unwrap();
        let host = ("host", "meter.example");
        let bearer = |value| status(Some(&token), "/api/v1/usage", &[host, ("authorization", value)]);
        assert_eq!(bearer("Bearer 0123456789abcdef"), 200);
        assert_eq!(bearer("bearer 0123456789abcdef"), 200);
        for wrong in ["Bearer 0123456789abcdeX", "Bearer 0123456789abcdef0", "Basic 0123456789abcdef", "Bearer ", "Bea"]
        {
            assert_eq!(bearer(wrong), 401, "{wrong}");
        }
        assert_eq!(status(Some(&token), "/healthz", &[host]), 200);
        assert_eq!(status(Some(&token), "/", &[host]), 200);
        assert_eq!(status(Some(&token), "/page/main.js", &[host]), 200);
        assert_eq!(status(Some(&token), "/pages", &[host]), 401);
        assert_eq!(status(Some(&token), "/metrics", &[host]), 401);
        assert!(Token::new("short").is_err() && Token::new("with spaces in it, alas").is_err());
        assert!(!format!("{token:?}").contains("0123"));
    }
}
