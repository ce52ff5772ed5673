//! Facts from a request's body: the model, whether it streams, the caller.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::admission::{Protocol, Who};
use super::extractor::{Depth, Extractor};
use super::unpack::Unpack;
use crate::domain::Label;

/// Key of the model.
const MODEL: &str = "model";
/// Average number of bytes of text per token, for estimates.
const BYTES_PER_TOKEN: u64 = 4;

/// Facts of a request's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The model: that of the path or, of several in the body, the last.
    pub(super) model: Option<String>,
    /// True if services may differ in which model they take it to name: two different ones, or one under a key with
    /// other letters than `model`, which some (in Go) accept.
    pub(super) is_ambiguous: bool,
    /// True if the value of `model` is no name, or too long for one.
    pub(super) has_unread_model: bool,
    /// True if the response should be streamed.
    pub(super) is_stream: bool,
    /// Whether it asks for usage in a stream.
    pub(super) usage: UsageOption,
    /// Maximum output tokens.
    pub(super) most_output: Option<u64>,
    /// The caller, according to the body.
    pub(super) who: Who,
    /// Number of bytes of text in it.
    pub(super) text: u64,
    /// True if the body is an object that could be read to its end.
    pub(super) is_whole: bool,
}

/// Whether a request asks for usage in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum UsageOption {
    /// It has no stream options.
    #[default]
    Missing,
    /// Its stream options, which end with the brace at this position, do not mention usage.
    Unsaid { end: u64, is_empty: bool },
    /// It asks for usage or declines it, or its stream options cannot be completed.
    Said,
}

/// Reads a request's body while it is being forwarded.
pub(super) struct Scan {
    unpack: Unpack,
    /// The model that the path names.
    model: Option<String>,
    extractor: Extractor,
    /// Number of bytes received.
    bytes: u64,
}

impl Scan {
    /// For a body with this coding, whose path names this model. What is compressed twice may hide something: services
    /// differ in what they undo.
    pub(super) fn new(unpack: Unpack, model: Option<String>) -> Self {
        let unpack = if matches!(unpack, Unpack::Twice(_)) { Unpack::Unknown } else { unpack };
        Self { unpack, model, extractor: Extractor::new(Depth::Request), bytes: 0 }
    }

    /// Processes the next bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.unpack.feed(chunk, |bytes| self.extractor.feed(bytes));
    }

    /// Position after the last brace, if the body is a complete, uncompressed object.
    pub(super) fn end(&self) -> Option<u64> {
        matches!(self.unpack, Unpack::Plain).then(|| self.extractor.facts().end).flatten()
    }

    /// True for a body that is not compressed.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.unpack, Unpack::Plain)
    }

    /// True if the body is too long or too deep to be read to its end.
    pub(super) fn gave_up(&self) -> bool {
        self.extractor.facts().is_given_up
    }

    /// Number of bytes received.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The facts found so far.
    pub(super) fn facts(&self) -> Facts {
        let text = self.extractor.facts().text;
        let document = self.extractor.document();
        // If only the beginning of the body is known, use its complete members.
        let whole: Option<Members> = serde_json::from_slice(document).ok();
        let is_whole = whole.is_some();
        let parsed = whole.or_else(|| serde_json::from_slice(&closed(document)?).ok());
        let Some(Members { map, is_ambiguous, has_unread_model }) = parsed else {
            return Facts { text, model: self.model.clone(), ..Facts::default() };
        };
        let count = |name: &str| map.get(name).and_then(Value::as_u64);
        Facts {
            model: self.model.clone().or_else(|| Some(map.get(MODEL)?.as_str()?.to_owned())),
            is_ambiguous,
            has_unread_model,
            is_stream: map.get("stream") == Some(&Value::Bool(true)),
            usage: usage_option(&map, self.extractor.facts().options_end),
            most_output: count("max_completion_tokens")
                .or_else(|| count("max_output_tokens"))
                .or_else(|| count("max_tokens")),
            who: who(&map),
            text,
            is_whole,
        }
    }
}

/// The members of a body.
struct Members {
    /// Of several with one key, the last.
    map: Map<String, Value>,
    is_ambiguous: bool,
    has_unread_model: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Collect)
    }
}

/// Collects the members of a body.
struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
        let mut found = Members { map: Map::new(), is_ambiguous: false, has_unread_model: false };
        while let Some((key, value)) = members.next_entry::<String, Value>()? {
            let is_model = key == MODEL;
            let is_other = found.map.get(MODEL).is_some_and(|known| *known != value);
            // The extractor leaves an empty list of a long text.
            found.has_unread_model |= is_model && !value.is_string() && !value.is_null();
            found.is_ambiguous |= if is_model { is_other } else { key.eq_ignore_ascii_case(MODEL) };
            found.map.insert(key, value);
        }
        Ok(found)
    }
}

impl Facts {
    /// Estimate of the input tokens, from its text or, failing that, from the size of the body.
    pub(super) fn input(&self, bytes: u64) -> u64 {
        let text = if self.text == 0 { bytes } else { self.text };
        text.div_ceil(BYTES_PER_TOKEN)
    }

    /// True when usage has to be requested for a stream of chat completions.
    pub(super) fn wants_usage(&self, protocol: Protocol) -> bool {
        protocol == Protocol::Chat && self.is_stream && self.usage != UsageOption::Said
    }
}

/// Estimate of the tokens in this much text.
pub(super) fn tokens_of(text: u64) -> u64 {
    text.div_ceil(BYTES_PER_TOKEN)
}

/// The document up to the last complete member of the outermost object, with its brackets closed.
fn closed(document: &[u8]) -> Option<Vec<u8>> {
    let (mut depth, mut in_text, mut is_escaped, mut last) = (0_usize, false, false, None);
    for (at, byte) in document.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => last = Some(at),
            _ => {}
        }
    }
    let mut whole = document.get(..last?)?.to_vec();
    whole.push(b'}');
    Some(whole)
}

/// Whether the body asks for usage; its stream options end at this position.
fn usage_option(map: &Map<String, Value>, end: Option<u64>) -> UsageOption {
    match (map.get("stream_options"), end) {
        (None, None) => UsageOption::Missing,
        (Some(Value::Object(options)), Some(end)) if !options.contains_key("include_usage") => {
            UsageOption::Unsaid { end, is_empty: options.is_empty() }
        }
        (_, _) => UsageOption::Said,
    }
}

fn who(map: &Map<String, Value>) -> Who {
    let label = |value: Option<&Value>| value.and_then(Value::as_str).and_then(Label::find);
    let notes = map.get("metadata").and_then(Value::as_object);
    let note = |names: &[&str]| names.iter().find_map(|name| label(notes?.get(*name)));
    let user = label(map.get("user")).or_else(|| note(&["user_id", "user"]));
    // Claude Code puts the account and the session in one text, as JSON or in plain words.
    let user_text = user.as_ref().map_or("", Label::as_str);
    let own: Option<Map<String, Value>> = serde_json::from_str(user_text).ok();
    let session = match &own {
        Some(own) => label(own.get("session_id")),
        None => user_text.split_once("_session_").map(|(_, session)| Label::new(session)),
    };
    // Of the Responses API: an id, or an object with one.
    let conversation = map.get("conversation").and_then(|value| label(Some(value)).or_else(|| label(value.get("id"))));
    Who {
        user: user.filter(|_| own.is_none() && session.is_none()),
        team: note(&["team_id", "team"]),
        session: note(&["session_id", "session", "conversation_id"]).or(session).or(conversation),
        agent: note(&["agent_id", "agent"]),
        project: note(&["project_id", "project"]),
        feature: note(&["feature"]),
        key: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        let mut scan = Scan::new(Unpack::Plain, None);
        scan.feed(text.as_bytes());
        scan.facts()
    }

    #[test]
    fn a_request_says_its_model_stream_and_user() {
        let found = facts(
            r#"{"messages":[{"content":"12345678"}],"model":"gpt-5","stream":true,"max_tokens":9,"user":"alice","metadata":{"team":"web","session_id":"s"}}"#,
        );
        assert_eq!(found.model.as_deref(), Some("gpt-5"));
        assert!(found.wants_usage(Protocol::Chat) && !found.wants_usage(Protocol::Messages));
        assert_eq!((found.most_output, found.input(999)), (Some(9), 2));
        let name = |label: &Option<Label>| label.as_ref().map(|label| label.as_str().to_owned()).unwrap_or_default();
        assert_eq!([&found.who.user, &found.who.team, &found.who.session].map(name), ["alice", "web", "s"]);
        for conversation in [r#""conv_1""#, r#"{"id":"conv_1"}"#] {
            let found = facts(&format!(r#"{{"conversation":{conversation},"input":"hi"}}"#));
            assert_eq!(name(&found.who.session), "conv_1");
        }
    }

    #[test]
    fn usage_is_asked_for_unless_the_request_mentions_it() {
        let said = |options: &str| {
            let found = facts(&format!(r#"{{"stream":true{options}}}"#));
            (found.usage, found.wants_usage(Protocol::Chat))
        };
        let unsaid = |end, is_empty| (UsageOption::Unsaid { end, is_empty }, true);
        assert_eq!(said(""), (UsageOption::Missing, true));
        assert_eq!(said(r#","stream_options":{"include_obfuscation":false}"#), unsaid(60, false));
        assert_eq!(said(r#","stream_options":{ }"#), unsaid(34, true));
        for options in ["null", "7", "[]", r#"{"include_usage":false}"#, r#"{"include_usage":null,"a":1}"#] {
            assert_eq!(said(&format!(r#","stream_options":{options}"#)), (UsageOption::Said, false), "{options}");
        }
        let deep = r#","x":{"stream_options":{"a":1}}"#;
        assert_eq!(said(deep), (UsageOption::Missing, true));
        let twice = r#","stream_options":{"include_usage":true},"stream_options":{}"#;
        assert_eq!(said(twice), unsaid(73, true), "the last one counts");
    }

    #[test]
    fn the_beginning_of_a_body_says_what_its_whole_members_say() {
        let found = facts(r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"abc"#);
        assert_eq!((found.model.as_deref(), found.is_stream), (Some("m"), true));
        assert_eq!(facts("{\"model\":\"m"), Facts::default());
        assert_eq!(facts("no json"), Facts::default());
    }

    #[test]
    fn a_body_may_begin_with_a_byte_order_mark_and_is_whole_only_if_it_can_be_read() {
        let body = r#"{"model":"m","messages":[]}"#;
        let found = facts(&format!("\u{feff}{body}"));
        assert_eq!((found.model.as_deref(), found.is_whole), (Some("m"), true));
        assert!(facts("{}").is_whole);
        let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let deep = format!("{{\"x\":{}1{},\"model\":\"m\"}}", "[".repeat(200), "]".repeat(200));
        let list = format!("[{body}]");
        for body in [&wide[..], deep.as_bytes(), list.as_bytes(), b"{\"model\"", b""] {
            let mut scan = Scan::new(Unpack::Plain, None);
            scan.feed(body);
            let found = scan.facts();
            assert_eq!((found.model, found.is_whole), (None, false));
        }
    }

    #[test]
    fn a_body_that_names_two_models_or_one_under_another_spelling_of_the_key_is_ambiguous() {
        let cases = [
            (r#"{"model":"a","x":1,"model":"b"}"#, Some("b"), true),
            (r#"{"model":"a","mod\u0065l":"b"}"#, Some("b"), true),
            (r#"{"model":"a","model":null}"#, None, true),
            (r#"{"model":"a","Model":"a"}"#, Some("a"), true),
            (r#"{"MODEL":"a"}"#, None, true),
            (r#"{"model":"a","model":"a"}"#, Some("a"), false),
            (r#"{"model":"a","metadata":{"model":"b"},"tools":[{"model":"c"}],"models":["d"]}"#, Some("a"), false),
            (r#"{"model":"a","messages":[],"model":"b","input":""#, Some("b"), true),
        ];
        for (text, model, is_ambiguous) in cases {
            let found = facts(text);
            assert_eq!((found.model.as_deref(), found.is_ambiguous), (model, is_ambiguous), "{text}");
        }
    }

    #[test]
    fn a_model_is_read_if_its_name_is_short_without_escapes_and_else_known_to_be_unread() {
        let name = |letters: usize, letter: &str| format!(r#"{{"model":"{}","x":1}}"#, letter.repeat(letters));
        let cases = [
            (name(512, "m"), Some("m".repeat(512)), false),
            (name(513, "m"), None, true),
            (name(512, "\\u006d"), Some("m".repeat(512)), false),
            (name(513, "\\u006D"), None, true),
            (name(128, "\\ud83d\\ude00"), Some("😀".repeat(128)), false),
            (name(129, "😀"), None, true),
            (name(0, ""), Some(String::new()), false),
            (r#"{"model":["m"]}"#.to_owned(), None, true),
            (r#"{"model":{"name":"m"}}"#.to_owned(), None, true),
            (r#"{"model":null}"#.to_owned(), None, false),
            (r#"{"prompt":"m"}"#.to_owned(), None, false),
        ];
        for (text, model, has_unread_model) in cases {
            let found = facts(&text);
            assert_eq!(
                (found.model, found.has_unread_model, found.is_whole),
                (model, has_unread_model, true),
                "{text}"
            );
        }
    }

    #[test]
    fn claude_code_names_its_session_within_the_user() {
        let json = r#"{"metadata":{"user_id":"{\"device_id\":\"d\",\"account_uuid\":\"\",\"session_id\":\"s-1\"}"}}"#;
        let words = r#"{"metadata":{"user_id":"user_ab_account__session_s-1"}}"#;
        for text in [json, words] {
            let found = facts(text).who;
            assert_eq!((found.user, found.session), (None, Some(Label::new("s-1"))), "{text}");
        }
    }
}
