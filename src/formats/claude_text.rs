//! Sizes of the texts in Claude Code's transcripts, for estimates of counts that are not in the log. No text is kept.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::branch::branch_name;
use super::claude_line::is_cut;
use super::count::Count;
use super::fields::{Slot, Within, fields};
use super::json::Text;
use super::keys::message_key;
use super::time::Stamp;
use crate::domain::{Attribution, CallKey, Instant, Label};

/// Name of the format.
pub(crate) const TRANSCRIPTS: &str = "claude-code";

/// A line's part of an answer: how much of it there is, and what the log counts.
#[derive(Clone, Debug)]
pub(crate) struct Spoken {
    /// The answer.
    pub(crate) key: CallKey,
    pub(crate) from: Attribution,
    pub(crate) model: Label,
    /// The output that the log states.
    pub(crate) output: u64,
    /// Characters of each block of text, thinking or tool input, by a hash of it: lines repeat blocks.
    pub(crate) blocks: Vec<(u64, u64)>,
    /// Parts of the answer are not in the log: thinking that is encrypted or left out.
    pub(crate) hides_parts: bool,
    /// The version is known to count the beginning of an answer only.
    pub(crate) is_cut: bool,
}

fields! {
    /// A line of an answer.
    Line {
        kind: Text<'a> = "type",
        at: Stamp = "timestamp",
        session: Text<'a> = "sessionId",
        version: Text<'a> = "version",
        cwd: Text<'a> = "cwd",
        branch: Text<'a> = "gitBranch",
        agent: Text<'a> = "agentId",
        message: Message<'a> = "message",
    }
}

fields! {
    /// The answer.
    Message {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
        content: Within<'a> = "content",
    }
}

fields! {
    /// The counts.
    Usage {
        output: Count = "output_tokens",
    }
}

fields! {
    /// A block of the answer.
    Block {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        thinking: Text<'a> = "thinking",
        name: Text<'a> = "name",
        input: Within<'a> = "input",
    }
}

static ASSISTANT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"assistant\""));

/// The part of an answer in a line of a transcript, if it holds any.
pub(crate) fn spoken(line: &[u8]) -> Option<Spoken> {
    ASSISTANT.find(line)?;
    let read: Line<'_> = serde_json::from_slice(line).ok()?;
    let message = &read.message;
    // Other ids are not unique.
    let id = message.id.get().filter(|id| id.starts_with("msg_"))?;
    let model = message.model.get().filter(|model| *model != "<synthetic>")?;
    if read.kind.get() != Some("assistant") || message.content.is_absent() {
        return None;
    }
    let raw: Vec<&RawValue> = serde_json::from_str(message.content.written()?).ok()?;
    let (mut blocks, mut hides_parts) = (Vec::new(), false);
    for block in raw {
        let Ok(parsed) = serde_json::from_str::<Block<'_>>(block.get()) else { continue };
        let length = |text: &Text<'_>| text.get().map_or(0, |text| size(text.chars().count()));
        let input = parsed.input.written().map_or(0, |input| size(input.chars().count()));
        let characters = length(&parsed.text) + length(&parsed.thinking) + length(&parsed.name) + input;
        hides_parts |= characters == 0 || parsed.kind.get() == Some("redacted_thinking");
        blocks.push((xxh3_64(block.get().as_bytes()), characters));
    }
    let label = |text: &Text<'_>| text.get().map(Label::new);
    Some(Spoken {
        key: message_key(id),
        from: Attribution {
            session: label(&read.session),
            agent: label(&read.agent),
            project: label(&read.cwd),
            branch: branch_name(read.branch.get()).map(Label::new),
            ..Attribution::new(read.at.0.unwrap_or(Instant::UNIX_EPOCH), Label::new(TRANSCRIPTS))
        },
        model: Label::new(model),
        output: message.usage.output.tokens("output_tokens").unwrap_or(0),
        blocks,
        hides_parts,
        is_cut: is_cut(read.version.get()),
    })
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
