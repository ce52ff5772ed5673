//! Command Code's sessions: `~/.commandcode/projects/<project>/<session>.jsonl`.
//!
//! There is no public source. Based on its documentation (<https://commandcode.ai/docs/sessions>) and three readers
//! that were built from real sessions in version 3 of the format, read 2026-11-26: a header with the session's id and
//! folder, then messages. An answer has `model` and `usage`. `inputTokens` includes cache reads and writes: only then
//! do the counts match `costUsd`, which is the agent's own figure. A message's `meta.messageId` comes from the service
//! and is in every copy of the session. Before version 3 (about 0.41) lines have no counts, and calls by sub-agents and
//! for summaries still have none, so a session used at least what its lines show. `*.checkpoints.jsonl` and
//! `*.prompts.jsonl` are not sessions.

use super::answers::{Head, NONE, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, Money, Text};
use super::line_calls::{self, Log};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, Fidelity, Record};

/// Command Code's sessions.
pub(super) struct CommandCode;

const NAME: &str = "command-code";

impl Format for CommandCode {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "sub-agents and summaries; all before version 3 of its format (about 0.41)"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".commandcode/projects").into_iter().map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        let is_beside = [b".checkpoints.jsonl".as_slice(), b".prompts.jsonl"].iter().any(|end| name.ends_with(end));
        (name.ends_with(b".jsonl") && !is_beside).then_some(Framing::Lines)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"usage\"", HEADER]
    }
    fn reader(&self) -> Box<dyn Reader> {
        line_calls::reader(NAME, line)
    }
}

const HEADER: &str = "\"cwd\"";

fields! {
    /// A header or a message.
    Line {
        kind: Text<'a> = "type",
        id: Text<'a> = "id",
        folder: Text<'a> = "cwd",
        at: Stamp = "timestamp",
        message: Message<'a> = "message",
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    Message {
        about: About<'a> = "meta",
    }
}

fields! {
    /// About a message.
    About {
        id: Text<'a> = "messageId",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cacheReadTokens",
        cache_write: Count = "cacheWriteTokens",
        cost: Money = "costUsd",
    }
}

fn line(log: &mut Log<Head>, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
    let read: Line<'_> = json::parse(line)?;
    if read.kind.get() == Some("session") {
        Head::learn(&mut log.known.session, read.id.get());
        Head::learn(&mut log.known.project, read.folder.get());
        return Ok(Reading::Mine);
    }
    if read.usage.is_absent() {
        return Ok(Reading::NotMine);
    }
    let Usage { input, output, cache_read, cache_write, .. } = &read.usage;
    let counts = Stated { input, output, cache_read, cache_write, reasoning: NONE, total: NONE }.inclusive()?;
    let session = log.known.session.as_deref().unwrap_or_else(|| origin.stem());
    let place = Where { session: Some(session), project: log.known.project.as_deref(), agent: None };
    let from = log.builder.from(read.at.0, place, origin);
    let model = read.model.get();
    let call = match (read.message.about.id.get(), read.id.get()) {
        (Some(id), _) => log.builder.call(&["message", id], from, model, counts),
        (None, Some(id)) => log.builder.call(&["entry", id, &from.at.to_rfc3339()], from, model, counts),
        (None, None) => log.builder.call_of_line(line, from, model, counts),
    };
    let quoted = read.usage.cost.0;
    out.extend(call.map(|call| {
        let fidelity = if call.fidelity == Fidelity::Final { Fidelity::Unlisted } else { call.fidelity };
        Record::Call(Call { quoted, fidelity, ..call })
    }));
    Ok(Reading::Mine)
}
