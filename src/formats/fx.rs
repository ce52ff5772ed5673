//! Sessions of fx (Vercel): `~/.fx/sessions/<session>/usage-v2.json`, a session's running totals by model.
//!
//! Based on the agent's source (`vercel-labs/fx`, `session_usage.zig`, `usage_report.zig`, read 2026-11-26): input
//! includes cache reads and writes, output includes reasoning, and the total is input plus output. The agent rejects
//! any snapshot that violates this. (tokscale 4.17 adds the cache to the input.) `events.jsonl` repeats the totals with
//! each change, and `checkpoint.json` repeats them again. No file lists single requests, so the total is dated by the
//! session's start, which is the first part of its folder's name, and what it grows by later by the time at which the
//! document was written. Child sessions are in subfolders and are included in their parent's total.

use super::answers::{CallBuilder, NONE, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, List, Text};
use super::running::snapshot;
use super::time;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Record, Tokens};

/// Sessions of fx.
pub(super) struct Fx;

const NAME: &str = "fx";

impl Format for Fx {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Totals]
    }
    fn gaps(&self) -> &'static str {
        "single calls: a total for each session, dated by its start and by when it was seen to grow"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".fx/sessions").into_iter().map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"usage-v2.json").then_some(Framing::Document)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Sessions(CallBuilder::new(NAME)))
    }
}

fields! {
    /// The document.
    File {
        session: Text<'a> = "session_id",
        snapshot: Snapshot<'a> = "snapshot",
    }
}

fields! {
    /// A session's totals.
    Snapshot {
        models: List<Model<'a>> = "models",
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_tokens",
        cache_write: Count = "cache_write_tokens",
        reasoning: Count = "reasoning_tokens",
    }
}

fields! {
    /// A model's totals.
    Model {
        name: Text<'a> = "model",
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_tokens",
        cache_write: Count = "cache_write_tokens",
        reasoning: Count = "reasoning_tokens",
    }
}

struct Sessions(CallBuilder);

impl Reader for Sessions {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: File<'_> = json::parse(line)?;
        let all = &read.snapshot;
        if all.is_absent() {
            return Ok(Reading::NotMine);
        }
        if origin.folder(1).is_some_and(|above| matches!(above, "subagent" | "background")) {
            return Ok(Reading::Mine);
        }
        let mut models: Vec<(&str, Tokens)> = Vec::new();
        for model in &all.models.0 {
            let Model { input, output, cache_read, cache_write, reasoning, .. } = model;
            let stated = Stated { input, output, cache_read, cache_write, reasoning, total: NONE };
            models.push((model.name.get().unwrap_or("unknown"), stated.inclusive_total()?));
        }
        if models.is_empty() {
            let Snapshot { input, output, cache_read, cache_write, reasoning, .. } = all;
            let stated = Stated { input, output, cache_read, cache_write, reasoning, total: NONE };
            models.push(("unknown", stated.inclusive_total()?));
        }
        let session = read.session.get().or_else(|| origin.folder(0));
        let began = session.and_then(|session| session.split('-').next()?.parse().ok()).and_then(time::epoch);
        let from = self.0.from(began, Where { session, ..Where::default() }, origin);
        out.extend(snapshot(NAME, from, origin.modified, models).map(Record::Bill));
        Ok(Reading::Mine)
    }
}
