//! Checks the token that a client presents.

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use crate::config::Token;

/// True when a request presents this token, as `Authorization: Bearer …`. The time taken does not depend on how much of
/// the token is right.
pub(super) fn is_presented(token: &Token, headers: &HeaderMap) -> bool {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let value = value.as_bytes();
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    bearer.is_some_and(|presented| presented.ct_eq(token.bytes()).into())
}

/// True for this token. Takes the same time for any other token.
pub(in crate::server) fn is(token: &Token, presented: &str) -> bool {
    presented.as_bytes().ct_eq(token.bytes()).into()
}
