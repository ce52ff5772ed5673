//! The Aside browser's agent: `~/.aside/u/<account>/sessions/<session>/messages.jsonl`, or `history.jsonl` in the same
//! folder.
//!
//! There is no public source. Based on tokscale 4.17 (`sessions/aside.rs` and its tests, read 2026-11-26): an assistant
//! message has counts like pi's, with input and cache separate, but output includes `reasoning`. `cost.total` is the
//! agent's own figure, in dollars. `responseId` comes from the provider and identifies an answer; a line without one is
//! identified by its own text.

use super::answers::{CallBuilder, NONE, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, Money, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, Record};

/// The Aside browser's agent.
pub(super) struct Aside;

const NAME: &str = "aside";

impl Format for Aside {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".aside/u").into_iter().map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        matches!(name, b"messages.jsonl" | b"history.jsonl").then_some(Framing::Lines)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"usage\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Sessions(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A message.
    Line {
        role: Text<'a> = "role",
        at: Stamp = "timestamp",
        model: Text<'a> = "model",
        provider: Text<'a> = "provider",
        id: Text<'a> = "responseId",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        input: Count = "input",
        output: Count = "output",
        cache_read: Count = "cacheRead",
        cache_write: Count = "cacheWrite",
        reasoning: Count = "reasoning",
        cost: Cost<'a> = "cost",
    }
}

fields! {
    /// The cost of an answer.
    Cost {
        total: Money = "total",
    }
}

struct Sessions(CallBuilder);

impl Reader for Sessions {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if read.role.get() != Some("assistant") || read.usage.is_absent() {
            return Ok(Reading::NotMine);
        }
        let Usage { input, output, cache_read, cache_write, reasoning, .. } = &read.usage;
        let counts = Stated { input, output, cache_read, cache_write, reasoning, total: NONE }.exclusive()?;
        // `u/<account>/sessions/<session>/messages.jsonl`
        let session = origin.folder(2).zip(origin.folder(0)).map(|(account, session)| format!("{account}/{session}"));
        let place = Where { session: session.as_deref(), ..Where::default() };
        let from = self.0.from(read.at.0, place, origin);
        let call = match read.id.get() {
            Some(id) => self.0.call(&[read.provider.get().unwrap_or_default(), id], from, read.model.get(), counts),
            None => self.0.call_of_line(line, from, read.model.get(), counts),
        };
        let quoted = read.usage.cost.total.0;
        out.extend(call.map(|call| Record::Call(Call { quoted, ..call })));
        Ok(Reading::Mine)
    }
}
