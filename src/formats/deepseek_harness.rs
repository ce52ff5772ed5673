//! DeepSeek Harness's sessions: `sessions/<folder>/<session>/session.jsonl.zstd` in `$DSH_HOME` or `~/.dsh`, or
//! uncompressed `session.jsonl` if configured.
//!
//! Based on tokscale 4.17 (`sessions/dsh.rs`, which quotes the agent's source, and its issues #1152, #1173 and #1187;
//! read 2026-11-26). Each flush appends a zstd frame. An answer is `assistant/message`, a failed attempt
//! `assistant/attempt`, a summary `compaction/summary`. Their counts are in `data.usage`, or else in the last `usage`
//! chunk of `data.stream`. Input excludes the cache, output includes reasoning. A later sample of a step replaces the
//! earlier one, unless there is an `llm/retry-started` between them. So the step and its start time identify an answer,
//! and a fork copies both. The header's `seedLength` is the number of copied events. The model is the one that
//! answered, even if another was requested.

use serde::{Deserialize, Serialize};

use super::answers::{NONE, Stated, Where};
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{self, List, Text};
use super::line_calls::{self, Log};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, Claim, Instant, Label, Record};

/// DeepSeek Harness's sessions.
pub(super) struct DeepSeekHarness;

const NAME: &str = "deepseek-harness";

impl Format for DeepSeekHarness {
    fn name(&self) -> &'static str {
        NAME
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("DSH_HOME").or_else(|| env.home(".dsh"));
        home.map(|home| Location::tree(home.join("sessions"))).into_iter().collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        matches!(name, b"session.jsonl" | b"session.jsonl.zstd").then_some(Framing::Lines)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &[
            "\"assistant/",
            "\"compaction/summary\"",
            "\"step/start\"",
            "\"llm/retry-started\"",
            "\"request/header\"",
            HEADER,
        ]
    }
    fn reader(&self) -> Box<dyn Reader> {
        line_calls::reader(NAME, line)
    }
}

const HEADER: &str = "\"createdAt\"";

fields! {
    /// An event.
    Line {
        kind: Text<'a> = "type",
        id: Text<'a> = "id",
        folder: Text<'a> = "cwd",
        copied: Count = "seedLength",
        number: Count = "seq",
        at: Stamp = "time",
        data: Data<'a> = "data",
    }
}

fields! {
    /// Its content.
    Data {
        turn: Count = "turn",
        step: Count = "step",
        compaction: Text<'a> = "compactionId",
        usage: Usage<'a> = "usage",
        message: Message<'a> = "message",
        stream: List<Piece<'a>> = "stream",
        header: Header<'a> = "header",
    }
}

fields! {
    /// A request's header.
    Header {
        config: Source<'a> = "config",
    }
}

fields! {
    Message {
        id: Text<'a> = "id",
        source: Source<'a> = "source",
    }
}

fields! {
    /// The requested model.
    Source {
        model: Text<'a> = "model",
        replay: Replay<'a> = "replayState",
    }
}

fields! {
    /// The data for sending the request again.
    Replay {
        response: Response<'a> = "response",
    }
}

fields! {
    /// The model that answered.
    Response {
        model: Text<'a> = "responseModel",
    }
}

fields! {
    /// A piece of a stream.
    Piece {
        chunk: Chunk<'a> = "chunk",
    }
}

fields! {
    /// Its content.
    Chunk {
        kind: Text<'a> = "type",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// Counts.
    Usage {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cacheReadTokens",
        cache_write: Count = "cacheWriteTokens",
        reasoning: Count = "reasoningTokens",
    }
}

/// Facts that earlier events give for later ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    session: Option<String>,
    project: Option<String>,
    /// Events copied from a parent.
    copied: u64,
    /// The model that was requested last.
    model: Option<String>,
    /// Turn, step, and when the step or its latest attempt started.
    step: Option<(u64, u64, Instant)>,
}

fn line(log: &mut Log<Known>, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
    let read: Line<'_> = json::parse(line)?;
    let data = &read.data;
    let step = (data.turn.tokens("turn")?, data.step.tokens("step")?);
    match read.kind.get() {
        Some("session") => {
            let text = |text: &Text<'_>| text.get().map(str::to_owned);
            let (session, project, copied) = (text(&read.id), text(&read.folder), read.copied.total("seedLength")?);
            log.known = Known { session, project, copied, ..Known::default() };
        }
        Some("request/header") => log.known.model = data.header.config.model.get().map(str::to_owned),
        Some("step/start" | "llm/retry-started") => log.known.step = read.at.0.map(|at| (step.0, step.1, at)),
        Some("assistant/message" | "assistant/attempt" | "compaction/summary") => {
            out.extend(call(log, &read, step, origin)?.map(Record::Call));
        }
        Some(_) | None => return Ok(Reading::NotMine),
    }
    Ok(Reading::Mine)
}

fn call(log: &mut Log<Known>, read: &Line<'_>, step: (u64, u64), origin: &Origin) -> Result<Option<Call>, BadLine> {
    let (known, data) = (&log.known, &read.data);
    let streamed = data.stream.0.iter().rev().find(|piece| piece.chunk.kind.get() == Some("usage"));
    let usage = if data.usage.is_absent() { streamed.map(|piece| &piece.chunk.usage) } else { Some(&data.usage) };
    let Some(Usage { input, output, cache_read, cache_write, reasoning, .. }) = usage else { return Ok(None) };
    let counts = Stated { input, output, cache_read, cache_write, reasoning, total: NONE }.exclusive()?;
    let is_summary = read.kind.get() == Some("compaction/summary");
    let begun = known.step.filter(|(turn, number, _)| !is_summary && (*turn, *number) == step).map(|(.., at)| at);
    let session = known.session.as_deref().or_else(|| origin.folder(0)).unwrap_or_default();
    let place = Where { session: Some(session), project: known.project.as_deref(), agent: None };
    let mut from = log.builder.from(begun.or(read.at.0), place, origin);
    let number = read.number.total("seq")?;
    if read.number.is_given() && number < known.copied {
        from.claim = Claim::Copy;
    }
    from.feature = is_summary.then(|| Label::new("compaction"));
    let source = &data.message.source;
    let model = source.replay.response.model.get().or_else(|| source.model.get()).or(known.model.as_deref());
    let time = from.at.timestamp_millis().to_string();
    let (turn, step, number) = (step.0.to_string(), step.1.to_string(), number.to_string());
    let key = match (begun, data.compaction.get(), data.message.id.get()) {
        (Some(_), ..) => ["step", &turn, &step, &time],
        (None, Some(id), _) => ["summary", id, "", ""],
        (None, None, Some(id)) => ["message", id, &time, ""],
        (None, None, None) => ["number", &number, &time, ""],
    };
    let call = log.builder.call(&key, from, model, counts);
    let latency = begun.zip(read.at.0).and_then(|(begun, ended)| ended.signed_duration_since(begun).to_std().ok());
    Ok(call.map(|call| Call { latency, ..call }))
}
