//! Parses the input of Claude Code's hooks: just the fields needed, even from truncated or malformed JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Hook event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The user has submitted a prompt.
    UserPromptSubmit,
    /// A tool is about to be used.
    PreToolUse,
    /// Tools have run; the next model call is due.
    PostToolBatch,
    /// The agent is about to end its turn. Blocking that would make it continue.
    Stop,
    /// The same for a sub-agent.
    SubagentStop,
    SessionStart,
    /// A session has ended.
    SessionEnd,
    /// Another type.
    #[default]
    Other,
}

impl Moment {
    const NAMES: [(&'static str, Self); 7] = [
        ("UserPromptSubmit", Self::UserPromptSubmit),
        ("PreToolUse", Self::PreToolUse),
        ("PostToolBatch", Self::PostToolBatch),
        ("Stop", Self::Stop),
        ("SubagentStop", Self::SubagentStop),
        ("SessionStart", Self::SessionStart),
        ("SessionEnd", Self::SessionEnd),
    ];

    fn from_name(name: &str) -> Self {
        Self::NAMES.iter().find(|(known, _)| *known == name).map_or(Self::Other, |(_, moment)| *moment)
    }

    /// Name in the protocol.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, moment)| *moment == self).map_or("", |(name, _)| name)
    }
}

/// Input of a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) moment: Moment,
    /// Session id.
    pub(crate) session: Option<String>,
    /// Path of the transcript.
    pub(crate) transcript: Option<String>,
    /// Working directory.
    pub(crate) cwd: Option<String>,
    /// The sub-agent, if the event comes from one.
    pub(crate) agent: Option<String>,
    /// The model, if the event gives it.
    pub(crate) model: Option<String>,
}

impl Event {
    /// Parses as much as possible. Large inputs, such as a file written by a tool, may be truncated. The fields before
    /// the cut count, so that size is no way around the gate.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut event = Self::default();
        // Invalid UTF-8 in any field must not hide the fields after it.
        let text = String::from_utf8_lossy(bytes);
        let mut reader = serde_json::Deserializer::from_str(&text);
        // Parsing stops at an error; the fields before it are kept.
        let _ = reader.deserialize_map(Fields(|key: &str, value: &RawValue| event.take(key, value)));
        event
    }

    /// Sets a field. Values of an unexpected type are ignored.
    fn take(&mut self, key: &str, value: &RawValue) {
        let field = match key {
            "hook_event_name" => {
                if let Some(name) = text_of(value) {
                    self.moment = Moment::from_name(&name);
                }
                return;
            }
            "session_id" => &mut self.session,
            "transcript_path" => &mut self.transcript,
            "cwd" => &mut self.cwd,
            "agent_id" => &mut self.agent,
            "model" => &mut self.model,
            _ => return,
        };
        let name = text_of(value).or_else(|| if key == "model" { id_of(value) } else { None });
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            *field = Some(name);
        }
    }
}

/// Passes the fields of an object to a callback, as raw values.
struct Fields<F>(F);

impl<'de, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Fields<F> {
    type Value = ();
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Letters(key)) = map.next_key()? {
            (self.0)(&key, map.next_value()?);
        }
        Ok(())
    }
}

/// The value as text; `None` for other types.
fn text_of(value: &RawValue) -> Option<String> {
    if !value.get().starts_with('"') {
        return None;
    }
    serde_json::from_str(value.get()).ok().map(|Letters(text)| text)
}

/// The `id` of the value, if it is an object.
fn id_of(value: &RawValue) -> Option<String> {
    let mut id = None;
    let mut reader = serde_json::Deserializer::from_str(value.get());
    let fields = Fields(|key: &str, value: &RawValue| {
        if key == "id" {
            id = text_of(value).or_else(|| id.take());
        }
    });
    let _ = reader.deserialize_map(fields);
    id
}

/// A JSON string. Unpaired surrogates, as in truncated text, become replacement characters.
struct Letters(String);

impl<'de> Deserialize<'de> for Letters {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Letters;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Letters, E> {
                Ok(Letters(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        reader.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_matter_are_read_whatever_stands_around_them() {
        let event = Event::read(
            br#"{"session_id":"s","prompt":"x","tool_input":{"session_id":"no"},"transcript_path":"/t.jsonl","cwd":"/w",
                "hook_event_name":"PreToolUse","agent_id":null,"model":{"id":"claude-opus-5","display_name":"Opus"}}"#,
        );
        let some = |text: &str| Some(text.to_owned());
        let expected = Event {
            moment: Moment::PreToolUse,
            session: some("s"),
            transcript: some("/t.jsonl"),
            cwd: some("/w"),
            agent: None,
            model: some("claude-opus-5"),
        };
        assert_eq!(event, expected);
    }

    #[test]
    fn what_stands_before_a_cut_counts_and_nonsense_is_nothing() {
        let cut = Event::read(br#"{"session_id":"s","hook_event_name":"Stop","tool_input":{"content":"aaaa"#);
        assert_eq!((cut.moment, cut.session.as_deref()), (Moment::Stop, Some("s")));
        for nonsense in [&b""[..], b"null", b"[]", b"\xff\xfe", b"{", b"{\"hook_event_name\":7}", b"\"PreToolUse\""] {
            assert_eq!(Event::read(nonsense), Event::default());
        }
    }

    #[test]
    fn every_moment_is_known_by_its_own_name() {
        for (name, moment) in Moment::NAMES {
            assert_eq!((Moment::from_name(name), moment.name()), (moment, name));
        }
        assert_eq!(Moment::from_name("PreCompact"), Moment::Other);
    }

    #[test]
    fn j20_an_event_is_read_whatever_the_type_of_any_field_is() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        let odd = [
            "null",
            "true",
            "7",
            "-1",
            "1.5",
            "[]",
            "[{\"id\":\"x\"}]",
            "{}",
            "{\"id\":{\"a\":1}}",
            "\"\"",
            "\"\\ud83d\"",
            &deep,
        ];
        let fields = ["model", "cwd", "agent_id", "transcript_path", "tool_input", "\\udc80", "hook_event_name"];
        for value in odd {
            for field in fields {
                for (before, after) in [(true, false), (false, true), (true, true)] {
                    let mut parts = vec!["\"session_id\":\"s\"".to_owned()];
                    parts.extend(before.then(|| format!("\"{field}\":{value}")));
                    parts.push("\"hook_event_name\":\"PreToolUse\"".to_owned());
                    // If there are several event names, the last one counts. An unknown one is another event.
                    let after = after && !(field == "hook_event_name" && value.starts_with('"'));
                    parts.extend(after.then(|| format!("\"{field}\":{value}")));
                    let event = Event::read(format!("{{{}}}", parts.join(",")).as_bytes());
                    assert_eq!(
                        (event.moment, event.session.as_deref()),
                        (Moment::PreToolUse, Some("s")),
                        "{field}: {value:.40}"
                    );
                }
            }
        }
    }

    #[test]
    fn j20_bytes_that_are_no_characters_hide_nothing() {
        let event = Event::read(
            b"{\"cwd\":\"/w/\xff\",\"\xfe\":1,\"model\":{\"id\":7,\"id\":\"m\"},\"hook_event_name\":\"Stop\"}",
        );
        assert_eq!((event.moment, event.model.as_deref()), (Moment::Stop, Some("m")));
        assert_eq!(event.cwd.as_deref(), Some("/w/\u{fffd}"));
    }
}
