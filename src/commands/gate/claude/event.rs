//! What Claude Code tells a hook: the few fields that matter, even of input that is cut off or partly nonsense.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Which moment it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Moment {
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

    fn of(name: &str) -> Self {
        Self::NAMES.iter().find(|(known, _)| *known == name).map_or(Self::Other, |(_, moment)| *moment)
    }

    /// Its name in the protocol.
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, moment)| *moment == self).map_or("", |(name, _)| name)
    }
}

/// What a hook is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Which moment it is.
    pub(super) moment: Moment,
    /// The session.
    pub(super) session: Option<String>,
    /// Its transcript.
    pub(super) transcript: Option<String>,
    /// The working folder.
    pub(super) cwd: Option<String>,
    /// The sub-agent, within one.
    pub(super) agent: Option<String>,
    /// The model, where the event names it.
    pub(super) model: Option<String>,
}

impl Event {
    /// Reads what can be read. Large inputs (a file that a tool writes) may be cut off: what stood
    /// before the cut counts, so that nobody passes the gate by being long.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut event = Self::default();
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        // An error ends the reading; what was read before it stands.
        let _ = Fields(&mut event).deserialize(&mut reader);
        event
    }

    fn take(&mut self, key: &str, value: Option<String>) {
        match key {
            "hook_event_name" => self.moment = value.as_deref().map(Moment::of).unwrap_or_default(),
            "session_id" => self.session = value,
            "transcript_path" => self.transcript = value,
            "cwd" => self.cwd = value,
            "agent_id" => self.agent = value,
            "model" => self.model = value,
            _ => {}
        }
    }
}

/// Fills an event as the fields come by.
struct Fields<'e>(&'e mut Event);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "hook_event_name" | "session_id" | "transcript_path" | "cwd" | "agent_id" | "model" => {
                    let value = map.next_value_seed(Name)?;
                    self.0.take(&key, value.filter(|name| !name.is_empty()));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A text, or the `id` of an object; anything else is no name.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<String>;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Option<String>;
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut id = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "id" {
                id = map.next_value::<Option<String>>().unwrap_or_default();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(id)
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
            assert_eq!((Moment::of(name), moment.name()), (moment, name));
        }
        assert_eq!(Moment::of("PreCompact"), Moment::Other);
    }
}
