//! Keys shared by several formats, so that an answer reported in two logs is counted once.

use std::time::Duration;

use crate::domain::{CallKey, Instant, Tokens};

/// Key of an Anthropic answer, from its `msg_…` id.
///
/// Transcripts, proxy logs and traces of the same answer all have this id.
pub(crate) fn message_key(id: &str) -> CallKey {
    CallKey::from_parts(&["anthropic", id])
}

/// Key of an OpenAI-style answer, from its `resp_…`, `chatcmpl-…` or other response id.
pub(crate) fn response_key(id: &str) -> CallKey {
    CallKey::from_parts(&["openai", id])
}

/// Alias of an answer: the id of its request.
pub(crate) fn request_key(id: &str) -> CallKey {
    CallKey::from_parts(&["request", id])
}

/// Key of an answer in a Codex thread whose id another service may reuse: unique only within the thread's family.
pub(crate) fn codex_key(id: &str) -> CallKey {
    CallKey::from_parts(&["codex", "response", id])
}

/// Key of a thread's totals, which stand for all its answers.
pub(crate) fn thread_key(id: &str) -> CallKey {
    CallKey::from_parts(&["thread", id])
}

/// Key of an answer that an agent identifies only by its time (to the millisecond), its model and its counts.
pub(crate) fn timed_key(agent: &str, at: Option<Instant>, model: Option<&str>, tokens: &Tokens) -> CallKey {
    let at = at.map(|at| at.timestamp_millis()).unwrap_or_default().to_le_bytes();
    let counts = tokens.fields().map(u64::to_le_bytes).concat();
    CallKey::from_parts(&[agent.as_bytes(), b"at", &at, model.unwrap_or_default().as_bytes(), &counts])
}

/// Alias of a Qwen Code answer: its session, model, counts and duration. Its ledger and its telemetry have no id for
/// the answer, and their times are the times of writing, which sometimes differ by a millisecond.
pub(crate) fn qwen_key(session: &str, model: &str, took: Option<Duration>, tokens: &Tokens) -> CallKey {
    let took = took.map(|took| took.as_millis()).unwrap_or_default().to_le_bytes();
    let counts = tokens.fields().map(u64::to_le_bytes).concat();
    CallKey::from_parts(&[b"qwen".as_slice(), session.as_bytes(), model.as_bytes(), &took, &counts])
}

/// Key of an answer for which several logs only share its session, model and counts without reasoning.
pub(crate) fn counted_key(agent: &str, session: &str, model: Option<&str>, tokens: &Tokens) -> CallKey {
    let counts = Tokens { reasoning: 0, ..*tokens }.fields().map(u64::to_le_bytes).concat();
    let model = model.unwrap_or_default().as_bytes();
    CallKey::from_parts(&[agent.as_bytes(), b"counts", session.as_bytes(), model, &counts])
}

/// Alias of an answer of Claude Code's whose request has no id, as behind many gateways and in clouds: its session and
/// the counts of its prompt. `None` if these counts are unknown.
///
/// The output is not part of it, because the first lines of an answer may have less of it than the last. Nor is the
/// model: a transcript has the name with which the service answered, telemetry the name that was asked for.
pub(crate) fn prompt_key(session: &str, tokens: &Tokens) -> Option<CallKey> {
    let counts = [tokens.input, tokens.cache_read, tokens.cache_write()].map(u64::to_le_bytes).concat();
    let prompt = || CallKey::of_counts(&[b"claude-code prompt".as_slice(), session.as_bytes(), &counts]);
    (tokens.prompt() > 0).then(prompt)
}

/// Key of an advisor model's round within an answer, by its position among the rounds.
///
/// The answer's own counts do not include its tokens.
pub(crate) fn advisor_key(answer: CallKey, place: u64) -> CallKey {
    CallKey::from_parts(&[b"advisor".as_slice(), &answer.bytes(), &place.to_le_bytes()])
}

/// Key of an attempt within an answer, by its position among the rounds: the model wrote something and then declined.
pub(crate) fn attempt_key(answer: CallKey, place: u64) -> CallKey {
    CallKey::from_parts(&[b"attempt".as_slice(), &answer.bytes(), &place.to_le_bytes()])
}

/// Key of an answer whose id is the same in any log; `None` for ids that do not come from a vendor or are too short to
/// be unique (Ollama has only 999).
pub(crate) fn answer_key(id: &str) -> Option<CallKey> {
    if id.starts_with("msg_") {
        return Some(message_key(id));
    }
    is_unique_response(id).then(|| response_key(id))
}

/// True for a globally unique response id.
pub(crate) fn is_unique_response(id: &str) -> bool {
    let is_vendors = ["chatcmpl-", "resp_", "cmpl-", "gen-"].iter().any(|prefix| id.starts_with(prefix));
    is_vendors && id.len() >= 20
}

/// Key of a line without ids: its content, ignoring white space between JSON tokens.
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
