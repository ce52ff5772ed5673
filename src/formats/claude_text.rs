//! Sizes of the texts in Claude Code's transcripts. Versions 2.1.9 to 2.1.49 count only the beginning of an answer.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::branch::branch_name;
use super::claude_code::ClaudeCode;
use super::claude_line::is_cut;
use super::count::Count;
use super::fields::{Slot, Within, fields};
use super::json::Text;
use super::keys::message_key;
use super::texts::{Spoken, TextReader, Texts, blocks};
use super::time::Stamp;
use super::{Format as _, Framing, Origin};
use crate::domain::{Attribution, Instant, Label};

/// The texts of Claude Code.
pub(super) struct ClaudeTexts;

impl Texts for ClaudeTexts {
    fn name(&self) -> &'static str {
        ClaudeCode.name()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        ClaudeCode.framing(name)
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Lines)
    }
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

static ASSISTANT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"assistant\""));

struct Lines;

impl TextReader for Lines {
    fn line(&mut self, line: &[u8], _origin: &Origin, out: &mut Vec<Spoken>) {
        out.extend(spoken(line));
    }
}

/// The part of an answer in a transcript line, if there is one.
fn spoken(line: &[u8]) -> Option<Spoken> {
    ASSISTANT.find(line)?;
    let read: Line<'_> = serde_json::from_slice(line).ok()?;
    let message = &read.message;
    // Other ids are not unique.
    let id = message.id.get().filter(|id| id.starts_with("msg_"))?;
    let model = message.model.get().filter(|model| *model != "<synthetic>")?;
    if read.kind.get() != Some("assistant") || message.content.is_absent() {
        return None;
    }
    let (blocks, hides_parts) = blocks(message.content);
    let label = |text: &Text<'_>| text.get().map(Label::new);
    let source = Label::new(ClaudeTexts.name());
    Some(Spoken {
        key: message_key(id),
        from: Attribution {
            session: label(&read.session),
            agent: label(&read.agent),
            project: label(&read.cwd),
            branch: branch_name(read.branch.get()).map(Label::new),
            ..Attribution::new(read.at.0.unwrap_or(Instant::UNIX_EPOCH), source)
        },
        model: Some(Label::new(model)),
        output: message.usage.output.tokens("output_tokens").unwrap_or(0),
        blocks,
        hides_parts,
        is_cut: is_cut(read.version.get()),
    })
}
