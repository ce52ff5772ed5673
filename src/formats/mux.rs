//! Mux's workspaces (Coder): `sessions/<workspace>/` in `$MUX_ROOT` or `~/.mux`, with `chat.jsonl`,
//! `chat-archive.jsonl`, `headless-usage.jsonl`, and the document `session-usage.json`.
//!
//! Based on the agent's source (`sessionUsageService.ts`, `displayUsage.ts`, read 2026-11-26). A chat's answers have
//! the AI SDK's counts in `metadata.usage`, and the counts of models called by its tools in `metadata.toolModelUsages`.
//! Titles, memory and side questions are only in `headless-usage.jsonl`. `session-usage.json` adds all of them up by
//! model and never decreases: the amount beyond the known answers was used by answers that are no longer in any file.
//! When a sub-agent's workspace is deleted, its sum is added to its parent's (`rolledUpFrom`). Such a total is not
//! read, because its parts may already have been. Amounts summed up by a compaction in an older version have the model
//! `historical`. A chat is rewritten by a compaction and when a question is edited. A fork begins with a copy of its
//! parent's `chat.jsonl`, byte for byte, and with empty totals: the `workspaceId` of such lines names the workspace
//! that wrote them, until the fork's chat is rewritten.
//!
//! `inputTokens` either includes the cache (OpenAI, Google, and all vendors since AI SDK 6) or excludes it (Anthropic
//! before that); a cache larger than the input reveals the latter. Cache writes are in `providerMetadata`. The
//! document's classes are disjoint, including output and reasoning.

use std::collections::BTreeMap;

use super::answers::{CallBuilder, Stated, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, Within, fields};
use super::json::{self, List, Text};
use super::running::bill;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Claim, Label, Record, Tokens};

/// Mux's workspaces.
pub(super) struct Mux;

const NAME: &str = "mux";

impl Format for Mux {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Totals]
    }
    fn gaps(&self) -> &'static str {
        "single answers of chats that were compacted, edited or deleted: the rest of a total"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("MUX_ROOT").or_else(|| env.home(".mux"));
        home.map(|home| Location::tree(home.join("sessions"))).into_iter().collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        match name {
            b"chat.jsonl" | b"chat-archive.jsonl" | b"headless-usage.jsonl" => Some(Framing::Lines),
            b"session-usage.json" => Some(Framing::Document),
            _ => None,
        }
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"usage\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Workspaces(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A message, a line about a background call, or the totals of a workspace.
    Line {
        id: Text<'a> = "id",
        role: Text<'a> = "role",
        about: Answer<'a> = "metadata",
        at: Stamp = "timestamp",
        feature: Text<'a> = "source",
        model: Text<'a> = "model",
        writer: Text<'a> = "workspaceId",
        usage: Usage<'a> = "usage",
        vendor: Vendor<'a> = "providerMetadata",
        totals: Within<'a> = "byModel",
        merged: Within<'a> = "rolledUpFrom",
        last: Last<'a> = "lastRequest",
    }
}

fields! {
    /// Metadata of an answer.
    Answer {
        at: Stamp = "timestamp",
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
        vendor: Vendor<'a> = "providerMetadata",
        tools: List<Tool<'a>> = "toolModelUsages",
    }
}

fields! {
    /// A request made by a tool while an answer was in progress.
    Tool {
        model: Text<'a> = "model",
        name: Text<'a> = "toolName",
        usage: Usage<'a> = "usage",
        vendor: Vendor<'a> = "providerMetadata",
    }
}

fields! {
    /// The AI SDK's counts.
    Usage {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cachedInputTokens",
        reasoning: Count = "reasoningTokens",
        total: Count = "totalTokens",
    }
}

fields! {
    /// Data of one vendor.
    Vendor {
        anthropic: Anthropic<'a> = "anthropic",
    }
}

fields! {
    /// Anthropic's data.
    Anthropic {
        cache_write: Count = "cacheCreationInputTokens",
    }
}

fields! {
    /// The latest request.
    Last {
        at: Stamp = "timestamp",
    }
}

fields! {
    /// A model's totals.
    Totals {
        input: Part<'a> = "input",
        cache_read: Part<'a> = "cached",
        cache_write: Part<'a> = "cacheCreate",
        output: Part<'a> = "output",
        reasoning: Part<'a> = "reasoning",
    }
}

fields! {
    /// One class in a model's totals.
    Part {
        tokens: Count = "tokens",
    }
}

struct Workspaces(CallBuilder);

impl Reader for Workspaces {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let own = origin.folder(0);
        let place = Where { session: read.writer.get().or(own), ..Where::default() };
        let claim = if place.session == own { Claim::Own } else { Claim::Maker };
        if let Some(totals) = read.totals.object::<BTreeMap<String, Totals<'_>>>() {
            self.totals(&read, &totals, place, origin, out)?;
            return Ok(Reading::Mine);
        }
        if read.role.get() == Some("assistant") {
            self.tools(&read, (place, claim), origin, out)?;
        }
        let (usage, vendor, model, at) = match read.role.get() {
            Some("assistant") => (&read.about.usage, &read.about.vendor, &read.about.model, read.about.at),
            Some(_) => return Ok(Reading::Mine),
            None => (&read.usage, &read.vendor, &read.model, read.at),
        };
        if usage.is_absent() {
            return Ok(if read.role.is_absent() { Reading::NotMine } else { Reading::Mine });
        }
        let counts = usage.tokens(vendor)?;
        let mut from = self.0.from(at.0, place, origin);
        (from.feature, from.claim) = (read.feature.get().map(Label::new), claim);
        let model = model.get().map(name_of);
        let call = match read.id.get() {
            // A forked workspace takes its messages with it.
            Some(id) => self.0.call(&["message", id, &from.at.to_rfc3339()], from, model, counts),
            None => self.0.call_of_line(line, from, model, counts),
        };
        out.extend(call.map(Record::Call));
        Ok(Reading::Mine)
    }
}

impl Workspaces {
    /// The requests made by an answer's tools, identified by their index in its list.
    fn tools(
        &mut self,
        read: &Line<'_>,
        (place, claim): (Where<'_>, Claim),
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<(), BadLine> {
        for (number, tool) in read.about.tools.0.iter().enumerate() {
            let mut from = self.0.from(read.about.at.0, place, origin);
            (from.feature, from.claim) = (tool.name.get().map(Label::new), claim);
            let key = ["tool", read.id.get().unwrap_or_default(), &from.at.to_rfc3339(), &number.to_string()];
            let call = self.0.call(&key, from, tool.model.get().map(name_of), tool.usage.tokens(&tool.vendor)?);
            out.extend(call.map(Record::Call));
        }
        Ok(())
    }

    fn totals(
        &mut self,
        read: &Line<'_>,
        totals: &BTreeMap<String, Totals<'_>>,
        place: Where<'_>,
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<(), BadLine> {
        let merged: BTreeMap<String, Within<'_>> = read.merged.object().unwrap_or_default();
        if !merged.is_empty() {
            return Ok(());
        }
        let mut models: BTreeMap<&str, Tokens> = BTreeMap::new();
        for (model, parts) in totals {
            let tokens = models.entry(name_of(model)).or_default();
            *tokens = tokens.saturating_add(parts.tokens()?);
        }
        let from = self.0.from(read.last.at.0, place, origin);
        out.extend(bill(NAME, from, models).map(Record::Bill));
        Ok(())
    }
}

impl Usage<'_> {
    fn tokens(&self, vendor: &Vendor<'_>) -> Result<(Tokens, bool), BadLine> {
        let Self { input, output, cache_read, reasoning, total, .. } = self;
        let cache_write = &vendor.anthropic.cache_write;
        Stated { input, output, cache_read, cache_write, reasoning, total }.inclusive()
    }
}

impl Totals<'_> {
    fn tokens(&self) -> Result<Tokens, BadLine> {
        let reasoning = self.reasoning.tokens.total("reasoning")?;
        Ok(Tokens {
            input: self.input.tokens.total("input")?,
            cache_read: self.cache_read.tokens.total("cached")?,
            cache_write_5m: self.cache_write.tokens.total("cacheCreate")?,
            cache_write_1h: 0,
            output: self.output.tokens.total("output")?.saturating_add(reasoning),
            reasoning,
        })
    }
}

/// A model's name without the provider and, with Mux's gateway, without the vendor: chats and totals use different
/// names.
fn name_of(model: &str) -> &str {
    match model.split_once(':') {
        Some(("mux-gateway", name)) => name.split_once('/').map_or(name, |(_, name)| name),
        Some((_, name)) if !name.is_empty() => name,
        Some(_) | None => model,
    }
}
