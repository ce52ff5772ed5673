//! OpenHands's conversations: `<conversation>/base_state.json`, one document each, rewritten in place.
//!
//! Based on the agent's source (`OpenHands/software-agent-sdk`: `metrics.py`, `telemetry.py`, `conversation_stats.py`,
//! and the CLI's `locations.py`, read 2026-11-26): for each purpose that uses a model (agent, condenser, …),
//! `stats.usage_to_metrics` has a list `token_usages` with one entry per answer, next to `costs` (only those above
//! zero) and `response_latencies`. The lists are in the same order but share no ids; if they have the same length,
//! their entries belong together. `prompt_tokens` includes the cache, as in LiteLLM. Agents over ACP count it
//! separately, which is evident when the cache exceeds the prompt. The accumulated sum repeats the list and is read
//! only if there is no list. A delegate's metrics are merged into its parent's: the same answers under the same ids.

use std::collections::BTreeMap;

use super::answers::{CallBuilder, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, Within, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, Money, Text};
use super::keys::answer_key;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, Label, Record};

/// OpenHands's conversations.
pub(super) struct OpenHands;

const NAME: &str = "openhands";

impl Format for OpenHands {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "single calls, where a conversation keeps its sum alone"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let usual = || {
            let home = env.path("OPENHANDS_PERSISTENCE_DIR").or_else(|| env.home(".openhands"));
            home.map(|home| home.join("conversations"))
        };
        env.path("OPENHANDS_CONVERSATIONS_DIR").or_else(usual).map(Location::tree).into_iter().collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"base_state.json").then_some(Framing::Document)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Conversations(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A conversation.
    State {
        id: Text<'a> = "id",
        workspace: Workspace<'a> = "workspace",
        stats: Stats<'a> = "stats",
    }
}

fields! {
    /// Where the agent works.
    Workspace {
        folder: Text<'a> = "working_dir",
    }
}

fields! {
    /// The models used in the conversation.
    Stats {
        uses: Within<'a> = "usage_to_metrics",
    }
}

fields! {
    /// One purpose that uses a model.
    Metrics {
        model: Text<'a> = "model_name",
        answers: List<Usage<'a>> = "token_usages",
        costs: List<Cost<'a>> = "costs",
        sum: Usage<'a> = "accumulated_token_usage",
    }
}

fields! {
    /// The cost of an answer, and its time.
    Cost {
        amount: Money = "cost",
        at: Stamp = "timestamp",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        model: Text<'a> = "model",
        id: Text<'a> = "response_id",
        prompt: Count = "prompt_tokens",
        output: Count = "completion_tokens",
        cache_read: Count = "cache_read_tokens",
        cache_write: Count = "cache_write_tokens",
        reasoning: Count = "reasoning_tokens",
    }
}

impl Usage<'_> {
    fn stated(&self) -> Stated<'_> {
        let Self { prompt: input, output, cache_read, cache_write, reasoning, .. } = self;
        Stated { input, output, cache_read, cache_write, reasoning, total: super::answers::NONE }
    }
}

struct Conversations(CallBuilder);

impl Reader for Conversations {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: State<'_> = json::parse(line)?;
        if read.stats.is_absent() {
            return Ok(Reading::NotMine);
        }
        let session = read.id.get().or_else(|| origin.folder(0)).unwrap_or_default();
        let place = Where { session: Some(session), project: read.workspace.folder.get(), agent: None };
        let uses: BTreeMap<String, Metrics<'_>> = read.stats.uses.object().unwrap_or_default();
        let mut bad = FirstBad::default();
        for (name, metrics) in &uses {
            if metrics.answers.0.is_empty() {
                let Some(tokens) = bad.good(metrics.sum.stated().inclusive_total()) else { continue };
                let mut from = self.0.from(None, place, origin);
                from.feature = feature(name);
                let sum = self.0.call(&["sum", session, name], from, metrics.model.get(), (tokens, false));
                out.extend(sum.map(Record::Call));
            }
            for number in 0..metrics.answers.0.len() {
                out.extend(
                    bad.good(self.call(session, place, name, metrics, number, origin)).flatten().map(Record::Call),
                );
            }
        }
        bad.result()
    }
}

/// The purpose, if the model is not used for the agent itself.
fn feature(name: &str) -> Option<Label> {
    Some(name).filter(|name| !matches!(*name, "agent" | "default")).map(Label::new)
}

impl Conversations {
    /// An answer, identified by its number within a purpose.
    fn call(
        &mut self,
        session: &str,
        place: Where<'_>,
        name: &str,
        metrics: &Metrics<'_>,
        number: usize,
        origin: &Origin,
    ) -> Result<Option<Call>, BadLine> {
        let usage = &metrics.answers.0[number];
        let are_paired = metrics.costs.0.len() == metrics.answers.0.len();
        let cost = metrics.costs.0.get(number).filter(|_| are_paired);
        let mut from = self.0.from(cost.and_then(|cost| cost.at.0), place, origin);
        from.feature = feature(name);
        let model = usage.model.get().or_else(|| metrics.model.get());
        let counts = usage.stated().inclusive()?;
        let place_in_list = number.to_string();
        let call = self.0.call(&["number", session, name, &place_in_list], from, model, counts);
        let id = usage.id.get();
        let key = id
            .map(|id| answer_key(id).unwrap_or_else(|| crate::domain::CallKey::from_parts(&[NAME, "id", session, id])));
        let quoted = cost.and_then(|cost| cost.amount.0);
        Ok(call.map(|call| Call { key: key.unwrap_or(call.key), quoted, ..call }))
    }
}
