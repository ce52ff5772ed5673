//! Muse Code's sessions (Meta): `$XDG_DATA_HOME/muse/sessions/Y/M/D/<session>/session.jsonl`, with sub-agents in
//! `subagent/<child>/session.jsonl` next to it.
//!
//! There is no public source. Based on three readers that were built from real sessions of versions 1.2 to 1.4:
//! tokscale 4.17 (`sessions/muse.rs`), CodexBar (tests of its `MuseLocalUsageReader`) and deja's notes, all read
//! 2026-11-26. Each line is an event with a random `id` and `recorded_at` in microseconds; a `retained_frame` contains
//! older lines as strings. An answer is the event `model_completed`, or `automated_review_completed` for an automated
//! review, whose model is an object. Cached tokens are part of `input_tokens`, reasoning is part of `output_tokens`
//! (1,431 events). The event `workflow_child_lifecycle` sums up a child that has a log of its own, and the `usage` of
//! `resource_usage_sampled` is processor time.

use super::answers::{Head, Stated, Where};
use super::count::Count;
use super::fields::{Named, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, NameOr, Text};
use super::line_calls::{self, Log};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, Record};

/// Muse Code's sessions.
pub(super) struct Muse;

const NAME: &str = "muse";

impl Format for Muse {
    fn name(&self) -> &'static str {
        NAME
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.data_home().map(|data| Location::tree(data.join("muse/sessions"))).into_iter().collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"session.jsonl").then_some(Framing::Lines)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &[ANSWER, REVIEW, METADATA]
    }
    fn reader(&self) -> Box<dyn Reader> {
        line_calls::reader(NAME, line)
    }
}

const ANSWER: &str = "model_completed";
const REVIEW: &str = "automated_review_completed";
const METADATA: &str = "runtime.session.metadata";

fields! {
    /// An event, or a frame of older ones.
    Line {
        id: Named<'a> = "id",
        sequence: Named<'a> = "sequence",
        at: Stamp = "recorded_at",
        kind: Text<'a> = "payload_type",
        stream: Stream<'a> = "stream",
        payload: Payload<'a> = "payload",
        children: List<Child<'a>> = "children",
    }
}

fields! {
    /// The session that an event belongs to.
    Stream {
        id: Text<'a> = "id",
    }
}

fields! {
    /// The content of an event.
    Payload {
        event: Event<'a> = "event",
        record: Facts<'a> = "record",
        children: List<Child<'a>> = "children",
    }
}

fields! {
    /// Facts about a session.
    Facts {
        folder: Text<'a> = "workspace_root",
    }
}

fields! {
    /// An older line.
    Child {
        text: Text<'a> = "record_json",
    }
}

fields! {
    /// Event of a run.
    Event {
        kind: Text<'a> = "kind",
        model: NameOr<'a, Model<'a>> = "model",
        usage: Usage<'a> = "usage",
        length: Named<'a> = "duration_ms",
    }
}

fields! {
    /// The model of a review.
    Model {
        id: Text<'a> = "model_id",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_tokens" | "cached_tokens" | "cached_input_tokens",
        cache_write: Count = "cache_write_tokens",
        reasoning: Count = "reasoning_tokens",
        total: Count = "total_tokens",
    }
}

fn line(log: &mut Log<Head>, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
    let read: Line<'_> = json::parse(line)?;
    let mut bad = FirstBad::default();
    let children = read.children.0.iter().chain(&read.payload.children.0);
    let texts: Vec<&str> = children.filter_map(|child| child.text.get()).collect();
    for text in &texts {
        // A frame inside a frame is not read.
        bad.good(json::parse(text.as_bytes()).and_then(|read| read_event(log, &read, origin, out)));
    }
    let is_mine = read_event(log, &read, origin, out)? || !texts.is_empty();
    bad.result().map(|mine| if is_mine { mine } else { Reading::NotMine })
}

/// Reads one event. Returns true if its kind is known.
fn read_event(log: &mut Log<Head>, read: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<bool, BadLine> {
    if read.kind.get() == Some(METADATA) {
        Head::learn(&mut log.known.project, read.payload.record.folder.get());
        return Ok(true);
    }
    let event = &read.payload.event;
    if !matches!(event.kind.get(), Some(ANSWER | REVIEW)) {
        return Ok(false);
    }
    let Usage { input, output, cache_read, cache_write, reasoning, total, .. } = &event.usage;
    let counts = Stated { input, output, cache_read, cache_write, reasoning, total }.inclusive()?;
    let own = read.stream.id.get().or_else(|| origin.folder(0));
    // `<session>/subagent/<child>/session.jsonl`
    let parent = (origin.folder(1) == Some("subagent")).then(|| origin.folder(2)).flatten();
    let agent = parent.and(own);
    let place = Where { session: parent.or(own), agent, project: log.known.project.as_deref() };
    let from = log.builder.from(read.at.0, place, origin);
    let model = match &event.model {
        NameOr::Name(name) => Some(&**name).filter(|name| !name.is_empty()),
        NameOr::Object(model) => model.id.get(),
        NameOr::Neither => None,
    };
    let call = match (read.id.get(), read.sequence.get()) {
        (Some(id), _) if id.len() >= 16 => log.builder.call(&["event", id], from, model, counts),
        (id, number) => {
            let key = ["number", own.unwrap_or_default(), number.or(id).unwrap_or_default()];
            log.builder.call(&key, from, model, counts)
        }
    };
    let latency = event.length.milliseconds();
    out.extend(call.map(|call| Record::Call(Call { latency, ..call })));
    Ok(true)
}
