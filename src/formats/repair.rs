//! Recovers data from lines that are not a single JSON value.

use memchr::memmem;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use super::{BadLine, json};

/// Byte order mark that some writers put at the start of a file.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Numbers that JavaScript and Python write although JSON does not have them.
const NO_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The line without white space and a byte order mark around it.
pub(crate) fn bare(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    line.strip_prefix(BYTE_ORDER_MARK).map_or(line, <[u8]>::trim_ascii_start)
}

/// Why a line cannot be a whole object or list, judged quickly by its first and last bytes.
pub(super) fn torn(line: &[u8]) -> Option<BadLine> {
    let why = match line {
        [b'{', .., b'}'] | [b'[', .., b']'] => return None,
        [b'{' | b'[', ..] => "cut off at its end",
        [.., b'}' | b']'] => "cut off at its beginning",
        _ => "not an object",
    };
    Some(BadLine::NotJson(why.to_owned()))
}

pub(super) fn nuls(line: &[u8]) -> u64 {
    memchr::memchr_iter(0, line).map(|_| 1).sum()
}

/// A whole document without a byte order mark, and cleaned. `None` if nothing changed.
pub(super) fn mended(document: &[u8]) -> Option<Vec<u8>> {
    let bare = bare(document);
    cleaned(bare).or_else(|| (bare.len() < document.len()).then(|| bare.to_vec()))
}

/// The line without bytes that make a valid object unreadable: NUL bytes are removed, raw control characters become
/// spaces, invalid bytes and escapes become U+FFFD, and numbers that JSON does not have become null. `None` if nothing
/// changed.
pub(super) fn cleaned(line: &[u8]) -> Option<Vec<u8>> {
    let mut clean = cleaned_once(line)?;
    // Removing bytes may create a new unpaired escape.
    while let Some(again) = cleaned_once(&clean) {
        clean = again;
    }
    Some(clean)
}

fn cleaned_once(line: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(line);
    let mut out = String::with_capacity(text.len());
    let (mut letters, mut in_text) = (text.char_indices(), false);
    while let Some((at, letter)) = letters.next() {
        in_text ^= letter == '"';
        match letter {
            '\0' => {}
            'N' | 'I' | '-' if !in_text => match NO_NUMBERS.iter().find(|name| text[at..].starts_with(**name)) {
                Some(name) => {
                    out.push_str("null");
                    letters.nth(name.len() - 2);
                }
                None => out.push(letter),
            },
            letter if letter < ' ' => out.push(' '),
            '\\' => {
                let escape = &text[at..];
                match surrogate(escape) {
                    None => {
                        // Copy the escaped character as well, so that `\\ud800` is not mistaken for an escape.
                        out.push(letter);
                        if let Some((_, next)) = letters.next() {
                            out.push(if next < ' ' { ' ' } else { next });
                        }
                    }
                    Some(high) if high < 0xdc00 && surrogate(&escape[6..]).is_some_and(|low| low >= 0xdc00) => {
                        out.push_str(&escape[..12]);
                        letters.nth(10);
                    }
                    Some(_) => {
                        out.push_str("\\ufffd");
                        letters.nth(4);
                    }
                }
            }
            letter => out.push(letter),
        }
    }
    (out.as_bytes() != line).then(|| out.into_bytes())
}

/// The surrogate at the start of this text, if it is an escaped one.
fn surrogate(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..0xe000).contains(unit))
}

/// Number of bytes, at the start of a line that has no end yet, that form one or more complete objects or lists.
///
/// No proper prefix of an object is an object, nor is one of a list a list, so more bytes cannot change their meaning.
pub(crate) fn whole(line: &[u8]) -> usize {
    let text = bare(line);
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return 0;
    }
    let Cut { objects, torn } = cut(text);
    let mended =
        || matches!(text.last(), Some(b'}' | b']')) && cleaned(text).is_some_and(|text| cut(&text).torn.is_none());
    match torn {
        None => line.len(),
        Some(_) if mended() => line.len(),
        Some((torn, _)) if !objects.is_empty() => line.len() - torn.len(),
        Some(_) => 0,
    }
}

/// A line split into objects.
pub(super) struct Cut<'line> {
    /// Complete objects at the start of the line.
    pub(super) objects: Vec<&'line [u8]>,
    /// The remainder, and why it is not an object.
    pub(super) torn: Option<(&'line [u8], BadLine)>,
}

/// Splits a line into its objects.
pub(super) fn cut(line: &[u8]) -> Cut<'_> {
    let mut objects = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        let why = match values.next() {
            // A bare number or word is not a log line, but may well be the start of binary data.
            Some(Ok(_)) if matches!(rest[0], b'{' | b'[') => {
                let (object, behind) = rest.split_at(values.byte_offset());
                objects.push(object);
                rest = behind.trim_ascii();
                continue;
            }
            Some(Err(error)) => json::not_json(&error),
            Some(Ok(_)) | None => BadLine::NotJson("not an object".to_owned()),
        };
        return Cut { objects, torn: Some((rest, why)) };
    }
    Cut { objects, torn: None }
}

/// A complete object at the end of a truncated line. A writer died in the middle of a line, and the next one appended
/// its own.
pub(super) fn behind(torn: &[u8]) -> Option<&[u8]> {
    // Most attempts fail after a few bytes. The total is bounded, so that a malicious line cannot take minutes.
    let mut budget = torn.len().saturating_mul(8).max(4096);
    for at in memmem::find_iter(torn, b"{\"").filter(|at| *at > 0) {
        let guess = &torn[at..];
        let seen = match serde_json::from_slice::<IgnoredAny>(guess) {
            Ok(_) => return Some(guess),
            Err(error) if error.classify() == Category::Eof => guess.len(),
            Err(error) => error.column(),
        };
        budget = budget.checked_sub(seen.max(16))?;
    }
    None
}

/// True when an object behind this text may be a value within a longer one that lacks only its end.
pub(super) fn may_be_inside(before: &[u8]) -> bool {
    match before.trim_ascii_end() {
        [name @ .., b':'] => name.trim_ascii_end().ends_with(b"\""),
        text => matches!(text.last(), Some(b'[' | b',')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn b5_b8_what_makes_a_sound_object_unreadable_is_taken_out() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"{\"a\0\0\":1}", b"{\"a\":1}"),
            (b"{\"a\":\"x\x1b[1m\ty\"}", b"{\"a\":\"x [1m y\"}"),
            (b"{\"a\":\"\xff\"}", b"{\"a\":\"\xef\xbf\xbd\"}"),
            (br#"{"a":"\ud800"}"#, br#"{"a":"\ufffd"}"#),
            (br#"{"a":"\udc00\ud800\ud800\udc00"}"#, br#"{"a":"\ufffd\ufffd\ud800\udc00"}"#),
            (br#"{"a":"\\ud800","b":"\ud8"}"#, br#"{"a":"\\ud800","b":"\ud8"}"#),
            (br#"{"a":NaN,"b":[-Infinity,Infinity,-1]}"#, br#"{"a":null,"b":[null,null,-1]}"#),
            (br#"{"a":"\"NaN","b":"-Infinity"}"#, br#"{"a":"\"NaN","b":"-Infinity"}"#),
        ];
        for (line, clean) in cases {
            let cleaned = cleaned(line).unwrap_or_else(|| line.to_vec());
            assert_eq!(String::from_utf8_lossy(&cleaned), String::from_utf8_lossy(clean));
        }
    }

    #[test]
    fn b7_a_line_is_cut_into_its_objects() {
        let Cut { objects, torn } = cut(br#"{"a":1}{"b":{"c":2}} [3] {"d":"#);
        assert_eq!(objects, [br#"{"a":1}"#.as_slice(), br#"{"b":{"c":2}}"#, b"[3]"]);
        assert_eq!(torn.unwrap().0, br#"{"d":"#);
    }

    #[test]
    fn b4_the_object_behind_a_torn_one_is_found() {
        for torn in [r#"{"a":{"b":"never en"#, r#"{"a":"#, r#"{"a":12"#, r#"{"a":1,"#, r#"{"a":"x\"#, "{\"a"] {
            let line = format!("{torn}{}", r#"{"whole":{"x":"{y"}}"#);
            assert_eq!(behind(line.as_bytes()), Some(br#"{"whole":{"x":"{y"}}"#.as_slice()), "{line}");
        }
        assert_eq!(behind(br#""c":{"d":1},"e":{"f":2}}"#), None, "a line without its head has no whole object");
    }

    #[test]
    fn b4_an_object_is_a_value_of_the_torn_one_at_most_behind_a_name_or_in_a_list() {
        for before in [r#"{"a":"#, r#"{"a" : "#, r#"{"a":["#, r#"{"a":[{}, "#] {
            assert!(may_be_inside(before.as_bytes()), "{before}");
        }
        for before in ["", r#"{"a":"b"#, r#"{"a":1"#, r#"{"a"#, r#"{"a":{}"#, "INFO: "] {
            assert!(!may_be_inside(before.as_bytes()), "{before}");
        }
    }

    #[test]
    fn b2_of_a_line_without_end_the_objects_it_begins_with_are_whole() {
        let cases: [(&[u8], usize); 10] = [
            (b"{\"a\":1}", 7),
            (b"{\"a\":1}{\"b\":2}", 14),
            (b"\xef\xbb\xbf{\"a\":1}", 10),
            (b"{\"a\0\":\"\x01\"}", 10),
            (b"{\"a\":\"\xff\"}", 9),
            (b"{\"a\":1}{\"b\":2", 7),
            (b"{\"a\":{\"b\":1}", 0),
            (b"{\"a\":{}", 0),
            (b"7", 0),
            (b"", 0),
        ];
        for (line, length) in cases {
            assert_eq!(whole(line), length, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn b5_what_nul_bytes_had_parted_is_cleaned_too() {
        let clean = cleaned(b"{\"a\":\"\\ud\0ddd\"}").unwrap();
        assert!(cleaned(&clean).is_none() && serde_json::from_slice::<serde_json::Value>(&clean).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(line in prop::collection::vec(prop::sample::select(b"{}[]\"\\:,u dcD80aefNn1\0\x1b\xff\xc3".to_vec()), 0..60)) {
            let clean = cleaned(&line).unwrap_or(line.clone());
            prop_assert!(cleaned(&clean).is_none(), "cleaning twice is cleaning once");
            if let Some((torn, _)) = cut(&line).torn {
                behind(torn);
            }
        }
    }
}
