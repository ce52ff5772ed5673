//! What the key of a value says about the value.

use super::Depth;

/// The key of the next value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    /// True if the value is a text that a model reads or writes.
    pub(super) is_text: bool,
    /// True if the value is a part of the request that the answer repeats.
    pub(super) is_repeated: bool,
    pub(super) is_usage: bool,
    pub(super) is_kind: bool,
    pub(super) is_error: bool,
    pub(super) is_kept: bool,
    pub(super) is_options: bool,
    /// Where a thought of the model is written, if it is one.
    pub(super) thought: Option<Thought>,
}

/// Where a thought is written. Gateways write each in several places, for clients of several kinds: `OpenRouter` as
/// `reasoning` and `reasoning_details`, `LiteLLM` as `reasoning_content` and `thinking_blocks`, vLLM as `reasoning` and
/// `reasoning_content` (November 2026).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thought {
    Content,
    Plain,
    Details,
}

impl Thought {
    /// The place with this key.
    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"reasoning_content" => Some(Self::Content),
            b"reasoning" => Some(Self::Plain),
            b"reasoning_details" | b"thinking_blocks" => Some(Self::Details),
            _ => None,
        }
    }
}

impl Key {
    /// The key with this name, at this depth of a request or an answer.
    pub(super) fn new(name: &[u8], depth: usize, of: Depth) -> Self {
        let is_request = of == Depth::Request;
        Self {
            is_text: if is_request { is_read(name) } else { is_written(name) },
            // An event has the answer one level deeper.
            is_repeated: !is_request && depth <= 2 && is_repeated(name),
            is_usage: name == b"usage",
            is_kind: depth == 1 && name == b"type",
            is_error: depth <= 2 && name == b"error",
            is_kept: depth == 1 && [b"metadata".as_slice(), b"stream_options", b"conversation"].contains(&name),
            is_options: depth == 1 && name == b"stream_options",
            thought: Thought::of(name),
        }
    }
}

/// True for a key of texts that models read.
fn is_read(name: &[u8]) -> bool {
    is_written(name) || matches!(name, b"prompt" | b"instructions" | b"system" | b"description")
}

/// True for a key of texts that models write. The calls of custom tools have an `input`.
fn is_written(name: &[u8]) -> bool {
    matches!(
        name,
        b"content"
            | b"text"
            | b"delta"
            | b"partial_json"
            | b"arguments"
            | b"thinking"
            | b"reasoning_content"
            | b"reasoning"
            | b"refusal"
            | b"input"
    )
}

/// True for a key of an answer, with which it repeats a part of its request.
fn is_repeated(name: &[u8]) -> bool {
    matches!(name, b"instructions" | b"input" | b"input_messages" | b"prompt" | b"system" | b"tools" | b"metadata")
}
