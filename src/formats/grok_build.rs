//! Grok Build's sessions (xAI): `sessions/<folder, percent-encoded>/<session>/updates.jsonl` in `$GROK_HOME` or
//! `~/.grok`.
//!
//! Based on three accounts of real sessions, read 2026-11-26: tokscale 4.17 (`sessions/grok.rs`), a survey of 48
//! sessions of 1.0.41 (`usage.json` against `updates.jsonl`, 2026-09-27), and notes on the protocol's types
//! (`PromptUsage`). A line `turn_completed` has the counts of one turn, by model in `modelUsage`, and its cost in ticks
//! of 10^-10 dollars. Input includes cache reads, output includes reasoning. The log is append-only, even for a
//! compaction.
//!
//! The same usage is in `logs/unified.jsonl` (each inference, without its model), in `usage.json` and in `signals.json`
//! (sums). They are not read: in the survey every session's `usage.json` equalled the sum of these lines, except for
//! one that counted its sub-agents twice, and those are sessions with logs of their own. A turn is one call here,
//! however many inferences it took. A cancelled turn has no counts, and versions before these lines had only a total.

use std::collections::BTreeMap;

use super::answers::{CallBuilder, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, Within, fields};
use super::first_bad::FirstBad;
use super::json::{self, Flag, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, Fidelity, Record, Usd, percent_decoded};

/// Grok Build's sessions.
pub(super) struct GrokBuild;

const NAME: &str = "grok-build";

impl Format for GrokBuild {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "requests of a turn one by one; cancelled turns; versions that state a total alone"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("GROK_HOME").or_else(|| env.home(".grok"));
        home.map(|home| Location::tree(home.join("sessions"))).into_iter().collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"updates.jsonl").then_some(Framing::Lines)
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

const KIND: &str = "\"turn_completed\"";

fields! {
    /// A notification.
    Line {
        at: Stamp = "timestamp",
        params: Params<'a> = "params",
        meta: Meta<'a> = "_meta",
    }
}

fields! {
    /// Its content.
    Params {
        session: Text<'a> = "sessionId",
        update: Update<'a> = "update",
        meta: Meta<'a> = "_meta",
    }
}

fields! {
    /// Id and time of a notification.
    Meta {
        id: Text<'a> = "eventId",
        at: Stamp = "agentTimestampMs",
    }
}

fields! {
    /// An event of a session.
    Update {
        kind: Text<'a> = "sessionUpdate",
        prompt: Text<'a> = "prompt_id",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// The counts of a turn, or of one model in it.
    Usage {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cachedReadTokens" | "cacheReadTokens",
        cache_write: Count = "cacheCreationTokens" | "cachedWriteTokens",
        reasoning: Count = "reasoningTokens",
        total: Count = "totalTokens",
        ticks: Count = "costUsdTicks",
        is_cost_partial: Flag = "costIsPartial",
        is_incomplete: Flag = "usageIsIncomplete",
        models: Within<'a> = "modelUsage",
    }
}

struct Sessions(CallBuilder);

impl Reader for Sessions {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let update = &read.params.update;
        if update.kind.get() != Some("turn_completed") {
            return Ok(Reading::NotMine);
        }
        let meta = read.params.meta.or(&read.meta);
        let session = read.params.session.get().or_else(|| origin.folder(0));
        let project = origin.folder(1).map(percent_decoded);
        let place = Where { session, project: project.as_deref(), agent: None };
        let from = self.0.from(meta.at.0.or(read.at.0), place, origin);
        // An event's id starts with its session's id, even in a copy of the log.
        let time = from.at.timestamp_millis().to_string();
        let id = match (meta.id.get(), update.prompt.get()) {
            (Some(id), _) if id.len() >= 16 => ["event", "", id],
            (Some(id), _) => ["event", session.unwrap_or_default(), id],
            (None, Some(id)) => ["prompt", session.unwrap_or_default(), id],
            (None, None) => ["time", session.unwrap_or_default(), &time],
        };
        let models: BTreeMap<String, Usage<'_>> = update.usage.models.object().unwrap_or_default();
        if models.is_empty() {
            out.extend(self.call(&id, from, None, &update.usage, &update.usage)?.map(Record::Call));
            return Ok(Reading::Mine);
        }
        let (mut bad, is_incomplete) = (FirstBad::default(), update.usage.is_incomplete.0);
        for (model, usage) in &models {
            // The cost of a turn is that of its only model.
            let paid = if models.len() == 1 && !usage.ticks.is_given() { &update.usage } else { usage };
            let call = bad.good(self.call(&id, from.clone(), Some(model), usage, paid)).flatten();
            out.extend(call.map(|call| Record::Call(lower_bound(call, is_incomplete))));
        }
        bad.result()
    }
}

impl Sessions {
    /// The usage of a turn or of one model in it, whose cost is in `paid`.
    fn call(
        &mut self,
        id: &[&str; 3],
        from: Attribution,
        model: Option<&str>,
        usage: &Usage<'_>,
        paid: &Usage<'_>,
    ) -> Result<Option<Call>, BadLine> {
        let Usage { input, output, cache_read, cache_write, reasoning, total, .. } = usage;
        let counts = Stated { input, output, cache_read, cache_write, reasoning, total }.inclusive()?;
        let ticks = paid.ticks.total("costUsdTicks")?;
        let key = [id[0], id[1], id[2], model.unwrap_or_default()];
        let quoted = (ticks > 0 && !paid.is_cost_partial.0).then(|| Usd::from_pico(i128::from(ticks) * 100));
        let call = self.0.call(&key, from, model, counts).map(|call| Call { quoted, ..call });
        Ok(call.map(|call| lower_bound(call, usage.is_incomplete.0)))
    }
}

fn lower_bound(call: Call, is_incomplete: bool) -> Call {
    if is_incomplete { Call { fidelity: Fidelity::LowerBound, ..call } } else { call }
}
