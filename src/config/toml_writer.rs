//! Writes values as TOML.

use std::fmt::Write as _;

use super::prices::per_million;
use crate::domain::{Label, Usd};
use crate::pricing::Rates;

/// Rates as members of a table.
pub(super) fn rate_lines(rates: &Rates) -> Vec<(&'static str, String)> {
    let quoted = |rate: Usd| text(&per_million(rate));
    let others = [
        ("cache_read", rates.cache_read.map(quoted)),
        ("cache_write_5m", rates.cache_write_5m.map(quoted)),
        ("cache_write_1h", rates.cache_write_1h.map(quoted)),
        ("web_search", rates.web_search.map(|each| text(&each.to_string()))),
    ];
    let mut lines = vec![("input", quoted(rates.input)), ("output", quoted(rates.output))];
    lines.extend(others.into_iter().filter_map(|(key, value)| Some((key, value?))));
    lines
}

/// `[50, 80]`.
pub(super) fn percentages(all: &[u8]) -> String {
    let all: Vec<String> = all.iter().map(u8::to_string).collect();
    format!("[{}]", all.join(", "))
}

/// Text in quotes.
pub(super) fn text(text: &str) -> String {
    escaped(&toml_edit::Value::from(text).to_string())
}

/// Escapes invisible characters in a quoted text, so that a terminal shows them.
fn escaped(quoted: &str) -> String {
    let hidden = |letter: char| !letter.is_ascii() && !Label::is_shown(letter);
    if !quoted.contains(hidden) {
        return quoted.to_owned();
    }
    // Only basic strings have escapes; in literal strings, between apostrophes, backslashes are literal.
    let literal = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let basic = match literal {
        Some(inner) => format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\"")),
        None => quoted.to_owned(),
    };
    let mut out = String::with_capacity(basic.len());
    for letter in basic.chars() {
        if hidden(letter) {
            let _ = write!(out, "\\U{:08X}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

/// A list of texts.
pub(super) fn texts(all: &[String]) -> String {
    let all: Vec<String> = all.iter().map(|one| text(one)).collect();
    format!("[{}]", all.join(", "))
}

/// A key, in quotes if it needs them.
pub(super) fn key(name: &str) -> String {
    escaped(&toml_edit::Key::new(name).display_repr())
}
