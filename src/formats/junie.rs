//! Junie's sessions (JetBrains): `~/.junie/sessions/<session>/events.jsonl`.
//!
//! Based on tokscale 4.17 (`sessions/junie.rs`, read 2026-11-26; its issues #727 and #732 describe the traps): an event
//! of the kind `LlmResponseMetadataEvent` has a list `modelUsage` with one entry per answer. `inputTokens` excludes
//! cache reads and writes. `cost` is the agent's own figure, in dollars. `timestampMs` is the end of the answer and
//! `time` its duration in milliseconds. When a session is replayed, its events are written again, byte for byte. Equal
//! entries within one event are separate answers, and so are equal events at different times.
//!
//! No source says whether `reasoningTokens` are part of `outputTokens`. They are assumed to be, as with every vendor of
//! the models, unless they are greater.

use super::answers::{CallBuilder, NONE, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Named, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, Money, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, Record, Usd};

/// Junie's sessions.
pub(super) struct Junie;

const NAME: &str = "junie";

impl Format for Junie {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".junie/sessions").into_iter().map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"events.jsonl").then_some(Framing::Lines)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &[KIND]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Sessions(CallBuilder::new(NAME)))
    }
}

const KIND: &str = "\"LlmResponseMetadataEvent\"";

fields! {
    /// An event with its time.
    Line {
        at: Stamp = "timestampMs",
        event: Event<'a> = "event",
    }
}

fields! {
    Event {
        agent: AgentEvent<'a> = "agentEvent",
    }
}

fields! {
    /// An act of an agent.
    AgentEvent {
        kind: Text<'a> = "kind",
        answers: List<Answer<'a>> = "modelUsage",
    }
}

fields! {
    Answer {
        model: Text<'a> = "model",
        input: Count = "inputTokens" | "input",
        output: Count = "outputTokens" | "output",
        cache_read: Count = "cacheInputTokens" | "cacheReadInputTokens" | "cacheRead",
        cache_write: Count = "cacheCreateTokens" | "cacheCreationInputTokens" | "cacheWrite",
        reasoning: Count = "reasoningTokens" | "reasoningOutputTokens" | "thinkingTokens",
        cost: Money = "cost",
        time: Named<'a> = "time",
    }
}

struct Sessions(CallBuilder);

impl Reader for Sessions {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let event = &read.event.agent;
        if event.kind.get() != Some("LlmResponseMetadataEvent") {
            return Ok(Reading::NotMine);
        }
        let session = origin.folder(0);
        let time = read.at.0.map(|at| at.timestamp_millis().to_string()).unwrap_or_default();
        let mut bad = FirstBad::default();
        for (place, answer) in event.answers.0.iter().enumerate() {
            let (input, output, cache_read) = (&answer.input, &answer.output, &answer.cache_read);
            let stated = Stated {
                input,
                output,
                cache_read,
                cache_write: &answer.cache_write,
                reasoning: &answer.reasoning,
                total: NONE,
            };
            let Some(counts) = bad.good(stated.exclusive()) else { continue };
            let from = self.0.from(read.at.0, Where { session, ..Where::default() }, origin);
            let fields = format!("{place} {:?} {:?}", counts.0.fields(), answer.cost.0.map(Usd::pico));
            let model = answer.model.get();
            let key = [session.unwrap_or_default(), &time, model.unwrap_or_default(), &fields];
            let call = self.0.call(&key, from, model, counts);
            let (quoted, latency) = (answer.cost.0, answer.time.milliseconds());
            out.extend(call.map(|call| Record::Call(Call { quoted, latency, ..call })));
        }
        bad.result()
    }
}
