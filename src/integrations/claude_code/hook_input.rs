//! What Claude Code tells a hook: the few fields that matter, even of input that is cut off or partly nonsense.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Which moment it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The person has written something.
    UserPromptSubmit,
    /// A tool is about to be used.
    PreToolUse,
    /// Tools have been used; the next call of the model is about to be made.
    PostToolBatch,
    /// The agent is about to end its turn. Blocking here would make it go on.
    Stop,
    /// The same of a sub-agent.
    SubagentStop,
    /// A session begins.
    SessionStart,
    /// A session has ended.
    SessionEnd,
    /// Anything else.
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

    /// Its name in the protocol.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, moment)| *moment == self).map_or("", |(name, _)| name)
    }
}

/// What a hook is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Which moment it is.
    pub(crate) moment: Moment,
    /// The session.
    pub(crate) session: Option<String>,
    /// Its transcript.
    pub(crate) transcript: Option<String>,
    /// The working folder.
    pub(crate) cwd: Option<String>,
    /// The sub-agent, within one.
    pub(crate) agent: Option<String>,
    /// The model, where the event names it.
    pub(crate) model: Option<String>,
}

impl Event {
    /// Reads what can be read. Large inputs (a file that a tool writes) may be cut off: what stood
    /// before the cut counts, so that nobody passes the gate by being long.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut event = Self::default();
        // A byte that is no character, in whatever field, must not hide the fields after it.
        let text = String::from_utf8_lossy(bytes);
        let mut reader = serde_json::Deserializer::from_str(&text);
        // An error ends the reading; what was read before it stands.
        let _ = reader.deserialize_map(Fields(|key: &str, value: &RawValue| event.take(key, value)));
        event
    }

    /// Takes a field. A value of an unexpected type is passed over and replaces nothing.
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

/// Hands on the fields of an object as they come by, whatever their values are.
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

/// The text that a value is; none for a value of another type.
fn text_of(value: &RawValue) -> Option<String> {
    if !value.get().starts_with('"') {
        return None;
    }
    serde_json::from_str(value.get()).ok().map(|Letters(text)| text)
}

/// The `id` of the object that a value is.
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

/// A JSON text. Half of a surrogate pair, which a text that was cut may end with, becomes a replacement character.
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
                    // Of two names of the event the last that is one counts; an odd text is a name, of another moment.
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
