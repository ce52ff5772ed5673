//! OpenCodeReview's sessions (Alibaba): `~/.opencodereview/sessions/<repository>/<session>.jsonl`.
//!
//! Based on the agent's source (`alibaba/open-code-review`, `internal/session/persist.go` and
//! `internal/llm/accounting.go`, read 2026-11-26): a line `llm_response` has the counts of one answer and a random
//! `uuid`. `prompt_tokens` includes the cache: the agent's own total is prompt plus completion. A session that
//! continues after an interruption is a new file, with a checkpoint for each file already reviewed but none of its
//! answers. If the service gives no counts, the agent writes its own estimate, and nothing distinguishes the two.

use super::answers::{Head, NONE, Stated, Where};
use super::count::Count;
use super::fields::{Named, Slot, fields};
use super::json::{self, Text};
use super::line_calls::{self, Log};
use super::time::Stamp;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::{Call, Label, Record};

/// OpenCodeReview's sessions.
pub(super) struct OpenCodeReview;

const NAME: &str = "open-code-review";

impl Format for OpenCodeReview {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "whether a count is its own estimate, which it writes where a service states none"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".opencodereview/sessions").into_iter().map(Location::tree).collect()
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"llm_response\"", "\"session_start\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        line_calls::reader(NAME, line)
    }
}

fields! {
    /// The start of a session, or an answer.
    Line {
        kind: Text<'a> = "type",
        id: Text<'a> = "uuid",
        session: Text<'a> = "sessionId",
        at: Stamp = "timestamp",
        folder: Text<'a> = "cwd",
        task: Text<'a> = "taskType",
        model: Text<'a> = "model",
        length: Named<'a> = "duration_ms",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        input: Count = "prompt_tokens",
        output: Count = "completion_tokens",
        cache_read: Count = "cache_read_tokens",
        cache_write: Count = "cache_write_tokens",
    }
}

fn line(log: &mut Log<Head>, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
    let read: Line<'_> = json::parse(line)?;
    match read.kind.get() {
        Some("session_start") => {
            Head::learn(&mut log.known.project, read.folder.get());
            return Ok(Reading::Mine);
        }
        Some("llm_response") if !read.usage.is_absent() => {}
        Some(_) | None => return Ok(Reading::NotMine),
    }
    let Usage { input, output, cache_read, cache_write, .. } = &read.usage;
    let counts = Stated { input, output, cache_read, cache_write, reasoning: NONE, total: NONE }.inclusive()?;
    let session = read.session.get().unwrap_or_else(|| origin.stem());
    let place = Where { session: Some(session), project: log.known.project.as_deref(), agent: None };
    let mut from = log.builder.from(read.at.0, place, origin);
    from.feature = read.task.get().map(Label::new);
    let call = match read.id.get() {
        Some(id) => log.builder.call(&[id], from, read.model.get(), counts),
        None => log.builder.call_of_line(line, from, read.model.get(), counts),
    };
    let latency = read.length.milliseconds();
    out.extend(call.map(|call| Record::Call(Call { latency, ..call })));
    Ok(Reading::Mine)
}
