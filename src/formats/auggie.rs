//! Auggie's sessions (Augment Code): `~/.augment/sessions/<session>.json`, one document per session, rewritten in
//! place.
//!
//! Based on tokscale 4.17 (`sessions/augment.rs`, checked there against real sessions; read 2026-11-26): an exchange
//! has the counts of its turn in `response_nodes[].token_usage`. No turn with counts on two nodes has been seen. A
//! repetition is more likely than a second call, so the first node with counts is used. `input_tokens` excludes cache
//! reads and writes, whatever the model's vendor. An exchange without an `exchange.model_id` uses the model in
//! `agentState`.
//!
//! A turn's key is its request, which a copy of the session keeps. When a history is shortened, the ledger keeps its
//! calls. Tool rounds within a turn have no counts of their own, so a turn is one call.

use super::answers::{CallBuilder, NONE, Stated, Where};
use super::count::Count;
use super::fields::{Named, Slot, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::Record;

/// Auggie's sessions.
pub(super) struct Auggie;

const NAME: &str = "auggie";

impl Format for Auggie {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "requests of a turn one by one"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".augment/sessions").into_iter().map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        name.ends_with(b".json").then_some(Framing::Document)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Sessions(CallBuilder::new(NAME)))
    }
}

fields! {
    Session {
        id: Text<'a> = "sessionId",
        state: State<'a> = "agentState",
        turns: List<Turn<'a>> = "chatHistory",
        root: Text<'a> = "workspaceRoot" | "rootPath",
    }
}

fields! {
    /// The current state of the agent.
    State {
        model: Text<'a> = "modelId",
    }
}

fields! {
    Turn {
        ended: Stamp = "finishedAt",
        number: Named<'a> = "sequenceId",
        exchange: Exchange<'a> = "exchange",
    }
}

fields! {
    /// A turn's question and answer.
    Exchange {
        model: Text<'a> = "model_id",
        request: Text<'a> = "request_id",
        nodes: List<Node<'a>> = "response_nodes",
    }
}

fields! {
    /// A part of an answer.
    Node {
        usage: Usage<'a> = "token_usage",
    }
}

fields! {
    /// The counts of a turn.
    Usage {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_input_tokens",
        cache_write: Count = "cache_creation_input_tokens",
    }
}

struct Sessions(CallBuilder);

impl Reader for Sessions {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Session<'_> = json::parse(line)?;
        if read.id.is_absent() && read.turns.is_absent() {
            return Ok(Reading::NotMine);
        }
        let session = read.id.get().unwrap_or_else(|| origin.stem());
        let place = Where { session: Some(session), project: read.root.get(), agent: None };
        let mut bad = FirstBad::default();
        for (at, turn) in read.turns.0.iter().enumerate() {
            let exchange = &turn.exchange;
            let Some(counts) = bad.good(exchange.counts()) else { continue };
            let from = self.0.from(turn.ended.0, place, origin);
            let model = exchange.model.get().or_else(|| read.state.model.get());
            let place_in_history = at.to_string();
            let call = match (exchange.request.get(), turn.number.get()) {
                (Some(request), _) => self.0.call(&["request", request], from, model, counts),
                (None, Some(number)) => self.0.call(&["turn", session, number], from, model, counts),
                (None, None) => self.0.call(&["place", session, &place_in_history], from, model, counts),
            };
            out.extend(call.map(Record::Call));
        }
        bad.result()
    }
}

impl Exchange<'_> {
    /// The counts of the first node that has some.
    fn counts(&self) -> Result<(crate::domain::Tokens, bool), BadLine> {
        for node in &self.nodes.0 {
            let counts = node.usage.stated().exclusive()?;
            if !counts.0.is_zero() {
                return Ok(counts);
            }
        }
        Ok(Default::default())
    }
}

impl Usage<'_> {
    fn stated(&self) -> Stated<'_> {
        let Self { input, output, cache_read, cache_write, .. } = self;
        Stated { input, output, cache_read, cache_write, reasoning: NONE, total: NONE }
    }
}
