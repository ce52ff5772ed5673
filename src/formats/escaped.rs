//! Lines whose field names contain escapes (`"us\\u0061ge"`), in which needles cannot be found directly.
//!
//! No agent writes such names, but JSON allows them, and some encoders escape more than necessary.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Number of bytes searched for escapes at each end of a line. Names of counts come before or after a long text, and
/// searching texts twice would take too long.
const ENDS: usize = 2048;

static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u00"));

/// The line with unnecessary letter escapes decoded, for the needle search; `None` if it has none. In a file written by
/// one program, whose lines are alike, only the first name is checked.
pub(super) fn written_out(line: &[u8], alone: bool) -> Option<Vec<u8>> {
    let is_worth_it = if alone { first_name_is_escaped(line) } else { has_letter(line) };
    is_worth_it.then(|| decoded(line))
}

fn first_name_is_escaped(line: &[u8]) -> bool {
    let Some(begin) = memchr::memchr(b'"', &line[..line.len().min(16)]) else { return false };
    let name = &line[begin + 1..];
    memchr::memchr2(b'"', b'\\', name).is_some_and(|at| name[at] == b'\\')
}

fn has_letter(line: &[u8]) -> bool {
    let found = |part: &[u8]| ESCAPE.find_iter(part).any(|at| letter(&part[at..]).is_some());
    if line.len() <= 2 * ENDS {
        return found(line);
    }
    found(&line[..ENDS]) || found(&line[line.len() - ENDS..])
}

/// The letter, digit or sign encoded by an escape at the start of these bytes.
fn letter(escape: &[u8]) -> Option<u8> {
    let digits = escape.strip_prefix(b"\\u00")?.get(..2)?;
    let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)).then_some(byte)
}

fn decoded(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut from = 0;
    for at in ESCAPE.find_iter(line) {
        if let Some(letter) = letter(&line[at..]) {
            out.extend_from_slice(&line[from..at]);
            out.push(letter);
            from = at + 6;
        }
    }
    out.extend_from_slice(&line[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_that_need_no_escape_are_written_out() {
        let plain = |line: &str, alone| written_out(line.as_bytes(), alone).map(|out| String::from_utf8(out).unwrap());
        assert_eq!(
            plain(r#"{"us\u0061ge":1,"b\u005Fc":"\u003c\u0022"}"#, false).unwrap(),
            r#"{"usage":1,"b_c":"\u003c\u0022"}"#
        );
        for line in [r#"{"usage":"\u001b[0m \u003cb\u003e"}"#, r#"{"a":"\n\u00"}"#, "", "{", "{\"", "{\"\\u00"] {
            assert_eq!(plain(line, false), None, "{line}");
        }
        let long = format!(r#"{{"a":"{}","\u0061":1}}"#, "x".repeat(10_000));
        assert!(plain(&long, false).is_some() && plain(&long, true).is_none());
        assert!(plain(r#" { "\u0061":1}"#, true).is_some() && plain(r#"{"a":"\u0061"}"#, true).is_none());
    }
}
