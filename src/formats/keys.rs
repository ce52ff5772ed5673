//! Names that several formats agree on, so that one answer reported by two logs is counted once.

use crate::domain::{CallKey, Tokens};

/// The key of an Anthropic answer, named by its `msg_…` id.
///
/// A transcript, a proxy's log and a trace of the same answer all carry this id.
pub(crate) fn message_key(id: &str) -> CallKey {
    CallKey::from_parts(&["anthropic", id])
}

/// The key of an OpenAI-style answer, named by its `resp_…`, `chatcmpl-…` or other response id.
pub(crate) fn response_key(id: &str) -> CallKey {
    CallKey::from_parts(&["openai", id])
}

/// The second name of an answer: the id of the request that asked for it.
pub(crate) fn request_key(id: &str) -> CallKey {
    CallKey::from_parts(&["request", id])
}

/// The key of a whole thread: of totals that stand for all its answers together.
pub(crate) fn thread_key(id: &str) -> CallKey {
    CallKey::from_parts(&["thread", id])
}

/// The second name of a Gemini CLI answer: its session, model and counts, since its chats and its telemetry share no id.
///
/// The prompt of a session grows from call to call, so that no two of its answers have the same counts.
pub(crate) fn gemini_key(session: &str, model: &str, tokens: &Tokens) -> CallKey {
    let counts = tokens.fields().map(u64::to_le_bytes).concat();
    CallKey::from_parts(&[b"gemini".as_slice(), session.as_bytes(), model.as_bytes(), &counts])
}

/// The key of an advising model's round within an answer, by its place in the list of rounds.
///
/// Its tokens are not in the answer's own counts.
pub(crate) fn advisor_key(answer: CallKey, place: u64) -> CallKey {
    CallKey::from_parts(&[b"advisor".as_slice(), &answer.bytes(), &place.to_le_bytes()])
}

/// The key of an attempt within an answer, by its place in the list of rounds: a model wrote something and then declined.
pub(crate) fn attempt_key(answer: CallKey, place: u64) -> CallKey {
    CallKey::from_parts(&[b"attempt".as_slice(), &answer.bytes(), &place.to_le_bytes()])
}

/// The key of the answer that this id names wherever it stands; `None` for an id that is not a
/// vendor's, or that is too short to be the only one of its kind (Ollama has 999 of them).
pub(crate) fn answer_key(id: &str) -> Option<CallKey> {
    if id.starts_with("msg_") {
        return Some(message_key(id));
    }
    is_unique_response(id).then(|| response_key(id))
}

/// True for a response id that no other answer can have.
pub(crate) fn is_unique_response(id: &str) -> bool {
    let is_vendors = ["chatcmpl-", "resp_", "cmpl-", "gen-"].iter().any(|prefix| id.starts_with(prefix));
    is_vendors && id.len() >= 20
}

/// The key of a line that names no answer: its content, white space between the tokens of JSON left out.
pub(crate) fn content_key(format: &str, line: &[u8]) -> CallKey {
    let mut bytes = Vec::with_capacity(line.len());
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in line {
        if in_text {
            in_text = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_text = *byte == b'"';
        }
        bytes.push(*byte);
    }
    CallKey::from_parts(&[format.as_bytes(), b"content", &bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_in_two_roles_names_two_things() {
        let keys = [message_key("msg_1"), response_key("msg_1"), request_key("msg_1")];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_eq!(message_key("msg_1"), CallKey::from_parts(&["anthropic", "msg_1"]));
    }

    #[test]
    fn only_an_id_that_can_be_unique_names_an_answer_everywhere() {
        assert_eq!(answer_key("msg_01"), Some(message_key("msg_01")));
        assert_eq!(answer_key("resp_0123456789abcdef"), Some(response_key("resp_0123456789abcdef")));
        assert_eq!(answer_key("chatcmpl-417"), None);
        assert_eq!(answer_key("42"), None);
    }

    #[test]
    fn white_space_between_tokens_is_no_content() {
        let key = |line: &str| content_key("native", line.as_bytes());
        assert_eq!(key(r#"{"a": 1, "b": "x y"}"#), key("{\"a\":1,\"b\":\"x y\"}\r"));
        assert_ne!(key(r#"{"b":"x y"}"#), key(r#"{"b":"xy"}"#));
        assert_ne!(key(r#"{"b":"\" y"}"#), key(r#"{"b":"\"y"}"#));
    }
}
