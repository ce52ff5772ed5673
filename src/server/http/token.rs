//! The token that clients must present where the server can be reached from other machines.

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

/// A secret that clients present as `Authorization: Bearer …`. It is never displayed.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// A token of at least this many characters is accepted.
    pub(crate) const SHORTEST: usize = 16;

    /// Takes a token as it stands in the config.
    ///
    /// # Errors
    /// When it is too short to be a secret or cannot stand in a header.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.len() < Self::SHORTEST {
            return Err(format!("has fewer than {} characters", Self::SHORTEST));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has characters that cannot stand in a header; use letters and digits".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// True when a request presents this token. The time taken does not depend on how much of it is right.
    pub(super) fn is_presented(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
            let value = value.as_bytes();
            let (scheme, token) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
        });
        bearer.is_some_and(|token| token.ct_eq(self.0.as_bytes()).into())
    }

    /// True for this token, in the same time whatever is wrong with another one.
    pub(in crate::server) fn is(&self, presented: &str) -> bool {
        presented.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Token(…)")
    }
}
