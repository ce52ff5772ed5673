//! Langfuse's exports: observations as written by its API, its blob storage export (`observations_v2/`, JSONL) and its
//! user interface's JSON export, one per line or a list of them.
//!
//! Based on the field reference of the blob storage export and the source of its ingestion
//! (`packages/shared/src/server/ingestion/types.ts`; read 2026-11-27): an observation of the type `GENERATION` or
//! `EMBEDDING` is one request; other types have no usage of their own. The keys of `usageDetails` are charged
//! separately, so they are disjoint: `OpenAI`'s `cached_tokens` are taken out of `input` (as `input_cached_tokens`),
//! and reasoning out of `output` (as `output_reasoning_tokens`). A program that sends its own counts may leave the
//! cache in the input; then `total` is input plus output. `totalCost` is Langfuse's own sum, or the program's. Older
//! observations have `usage` with a `unit`; only the unit tokens counts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::answers::{CallBuilder, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Named, Slot, Within, fields};
use super::json::{self, Money, Text};
use super::split::Counts;
use super::time::Stamp;
use super::usage::has_two_lifetimes;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Call, Label, Record, one_by_one};

/// Langfuse's observations.
pub(super) struct Langfuse;

const NAME: &str = "langfuse";

impl Format for Langfuse {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"usageDetails\"", "\"usage_details\"", "\"calculatedTotalCost\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Observations(CallBuilder::new(NAME)))
    }
}

fields! {
    /// An observation.
    Line {
        id: Text<'a> = "id",
        kind: Text<'a> = "type",
        trace: Text<'a> = "traceId" | "trace_id",
        name: Text<'a> = "name",
        started: Stamp = "startTime" | "start_time",
        ended: Stamp = "endTime" | "end_time",
        model: Text<'a> = "model" | "providedModelName" | "provided_model_name",
        session: Named<'a> = "sessionId" | "session_id",
        user: Named<'a> = "userId" | "user_id",
        details: Within<'a> = "usageDetails" | "usage_details",
        usage: Within<'a> = "usage",
        costs: Within<'a> = "costDetails" | "cost_details",
        cost: Money = "totalCost" | "total_cost" | "calculatedTotalCost",
    }
}

fields! {
    /// Usage from before there were details.
    Usage {
        unit: Text<'a> = "unit",
        input: Count = "input" | "promptTokens",
        output: Count = "output" | "completionTokens",
        total: Count = "total" | "totalTokens",
    }
}

fields! {
    /// Costs, with the same keys as the details.
    Costs {
        total: Money = "total",
    }
}

struct Observations(CallBuilder);

impl Reader for Observations {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if read.trace.is_absent() || read.started.is_absent() || read.kind.is_absent() {
            return Ok(Reading::NotMine);
        }
        if matches!(read.kind.get(), Some("GENERATION" | "EMBEDDING")) {
            out.extend(self.call(&read, origin)?.map(Record::Call));
        }
        Ok(Reading::Mine)
    }
}

impl Observations {
    fn call(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let Some(counts) = counts(read)? else { return Ok(None) };
        let (tokens, is_split_guessed) = counts.split();
        let model = read.model.get();
        let hides_lifetimes = tokens.cache_write() > 0 && model.is_some_and(has_two_lifetimes);
        let session = read.session.get().or_else(|| read.trace.get());
        let mut from = self.0.from(read.started.0, Where { session, ..Where::default() }, origin);
        from.user = read.user.get().map(Label::new);
        from.feature = read.name.get().map(Label::new);
        let at = from.at;
        let id = read.id.get().unwrap_or_default();
        let call = self.0.call(&[id], from, model, (tokens, is_split_guessed || hides_lifetimes));
        let costs: Costs<'_> = read.costs.object().unwrap_or_default();
        Ok(call.map(|call| Call {
            quoted: costs.total.0.or(read.cost.0),
            latency: read.ended.0.and_then(|ended| (ended - at).to_std().ok()),
            ..call
        }))
    }
}

/// The counts in the details, or else those of the older usage.
fn counts(read: &Line<'_>) -> Result<Option<Counts>, BadLine> {
    let details = details(read.details);
    if details.is_empty() {
        let usage: Usage<'_> = read.usage.object().unwrap_or_default();
        if usage.is_absent() || usage.unit.get().is_some_and(|unit| unit != "TOKENS") {
            return Ok(None);
        }
        return Ok(Some(Counts {
            input: Some(usage.input.tokens("usage.input")?),
            output: Some(usage.output.tokens("usage.output")?),
            total: Some(usage.total.tokens("usage.total")?).filter(|total| *total > 0),
            ..Counts::default()
        }));
    }
    let mut sums = [0_u64; 6];
    for (name, count) in &details {
        let count = count.tokens("usageDetails")?;
        let class = class_of(name);
        sums[class] = sums[class].saturating_add(count);
    }
    let [input, output, cache_read, cache_write, reasoning, total] = sums;
    let (total, parts) = (Some(total).filter(|total| *total > 0), input.saturating_add(cache_read + cache_write));
    // If the total is input plus output, the cache and the reasoning are included in them.
    let is_inside = total == Some(input + output) && total != Some(parts.saturating_add(output + reasoning));
    let output = if is_inside { output } else { output + reasoning };
    Ok(Some(Counts {
        input: Some(input),
        output: Some(output),
        total: total.filter(|_| is_inside),
        cache_read,
        cache_write_5m: cache_write,
        reasoning,
        ..Counts::default()
    }))
}

/// Index of a key's count among input, output, cache reads, cache writes, reasoning and total.
fn class_of(name: &str) -> usize {
    let has = |part: &str| name.contains(part);
    if has("total") {
        5
    } else if has("reasoning") {
        4
    } else if has("cache") && (has("creation") || has("write")) {
        3
    } else if has("cache") {
        2
    } else {
        usize::from(has("output") || has("completion"))
    }
}

/// The details, which some exports write as a string.
fn details(within: Within<'_>) -> BTreeMap<Cow<'_, str>, Count> {
    if let Some(details) = within.object() {
        return details;
    }
    let text: Option<String> = within.written().and_then(|text| serde_json::from_str(text).ok());
    let details: BTreeMap<String, Count> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    one_by_one(details.into_iter().map(|(name, count)| (Cow::Owned(name), count)))
}
