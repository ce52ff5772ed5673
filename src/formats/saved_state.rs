//! The stored form of a decoder's state.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

/// In version 1, the states of formats were JSON inside strings.
const VERSION: u32 = 2;

/// State of a decoder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Name of the current format.
    pub(super) on: Option<String>,
    /// State of each format, by name.
    pub(super) formats: BTreeMap<String, String>,
    /// Remaining lines of the opening.
    pub(super) opening: u16,
}

/// Writes the state: the current format, each format's state by name, and the remaining lines of the opening.
///
/// Written by hand, because every file that is read has a state, and serialising it with a general-purpose writer would
/// cost as much as many lines.
pub(super) fn write(on: Option<&str>, formats: &[(&str, String)], opening: u16) -> String {
    let room = formats.iter().map(|(name, state)| name.len() + state.len() + 8).sum::<usize>();
    let mut text = String::with_capacity(room + 64);
    let _ = write!(text, "{{\"v\":{VERSION}");
    if let Some(on) = on {
        text.extend([",\"on\":\"", on, "\""]);
    }
    for (at, (name, state)) in formats.iter().enumerate() {
        text.extend([if at == 0 { ",\"formats\":{\"" } else { ",\"" }, name, "\":"]);
        if is_json(state) {
            text.push_str(state);
        } else {
            text.push_str(&serde_json::to_string(state).unwrap_or_default());
        }
    }
    text.push_str(if formats.is_empty() { "" } else { "}" });
    if opening > 0 {
        let _ = write!(text, ",\"opening\":{opening}");
    }
    text.push('}');
    text
}

/// True for a state that is stored as it is. Any other is stored as a string.
fn is_json(state: &str) -> bool {
    state.starts_with('{') && state.ends_with('}') || state.starts_with('[') && state.ends_with(']')
}

/// Reads a stored state; `None` if it is invalid or of an unknown version.
pub(super) fn read(text: &str) -> Option<Saved> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        v: u32,
        on: Option<String>,
        #[serde(default, borrow)]
        formats: BTreeMap<Cow<'a, str>, &'a RawValue>,
        #[serde(default)]
        opening: u16,
    }
    let stored: Stored<'_> = serde_json::from_str(text).ok().filter(|stored: &Stored<'_>| stored.v <= VERSION)?;
    let state = |raw: &RawValue| match raw.get() {
        quoted if quoted.starts_with('"') => serde_json::from_str(quoted).ok(),
        json => Some(json.to_owned()),
    };
    let formats = stored.formats.into_iter().map(|(name, raw)| Some((name.into_owned(), state(raw)?)));
    Some(Saved { on: stored.on, formats: formats.collect::<Option<_>>()?, opening: stored.opening })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_restored_as_it_was_whatever_it_is_made_of() {
        for states in [
            &[][..],
            &[("a", r#"{"x":[1,"\"}"]}"#)],
            &[("a", "[1,null]"), ("b-c", "5e55-1"), ("d", "two\nlines, \"quoted\"")],
        ] {
            for (on, opening) in [(None, 0), (Some("a"), 0), (Some("a"), 10_000), (None, 7)] {
                let named: Vec<(&str, String)> =
                    states.iter().map(|(name, state)| (*name, (*state).to_owned())).collect();
                let formats = states.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect();
                let saved = Saved { on: on.map(str::to_owned), formats, opening };
                let text = write(on, &named, opening);
                assert_eq!(read(&text), Some(saved), "{text}");
            }
        }
    }

    #[test]
    fn a_state_of_version_1_is_read_and_one_of_a_later_version_is_not() {
        let one = r#"{"v":1,"on":"codex","formats":{"codex":"{\"own\":\"t\"}"},"opening":3}"#;
        let formats = BTreeMap::from([("codex".to_owned(), r#"{"own":"t"}"#.to_owned())]);
        assert_eq!(read(one), Some(Saved { on: Some("codex".to_owned()), formats, opening: 3 }));
        for bad in ["", "{}", "5", r#"{"v":3}"#, r#"{"v":1,"formats":7}"#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
