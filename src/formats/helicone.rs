//! Helicone's requests, as written by `npx @helicone/export` and its API `request/query-clickhouse`: one per line, or a
//! list of them.
//!
//! Based on its source (`packages/llm-mapper/types.ts`, `HeliconeRequest`, and the costs that it computes from a row;
//! read 2026-11-27): `prompt_tokens`, `prompt_cache_read_tokens` and `prompt_cache_write_tokens` are charged
//! separately, so they are disjoint. Versions before cache counts left them inside the prompt, except for Anthropic,
//! and nothing records the version. If the cache is smaller than the prompt, the split is therefore a guess. A row with
//! a `cache_reference_id` was answered from Helicone's own cache, without a call. A count of -1 means that nothing was
//! counted. Bodies are not read.

use std::time::Duration;

use super::answers::{CallBuilder, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Named, Slot, fields};
use super::json::{self, Money, Text};
use super::split::Counts;
use super::time::Stamp;
use super::usage::has_two_lifetimes;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Call, Label, Parts, Record};

/// Helicone's requests.
pub(super) struct Helicone;

const NAME: &str = "helicone";
/// Id that means that a request was not answered from the cache.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

impl Format for Helicone {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "how long cache writes live"
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"request_created_at\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Requests(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A request.
    Line {
        id: Text<'a> = "request_id",
        at: Stamp = "request_created_at",
        user: Named<'a> = "request_user_id" | "helicone_user",
        properties: Properties<'a> = "request_properties" | "properties",
        overridden: Text<'a> = "model_override",
        answered: Text<'a> = "response_model",
        asked: Text<'a> = "request_model" | "model",
        provider: Text<'a> = "provider",
        delay: Named<'a> = "delay_ms",
        prompt: Count = "prompt_tokens",
        completion: Count = "completion_tokens",
        cache_read: Count = "prompt_cache_read_tokens",
        cache_write: Count = "prompt_cache_write_tokens",
        reasoning: Count = "reasoning_tokens",
        audio_input: Count = "prompt_audio_tokens",
        audio_output: Count = "completion_audio_tokens",
        cost: Money = "costUSD" | "cost",
        cache: Text<'a> = "cache_reference_id",
    }
}

fields! {
    /// Headers that identify the session and the program.
    Properties {
        session: Named<'a> = "Helicone-Session-Id",
        feature: Named<'a> = "Helicone-Session-Name" | "App" | "app",
    }
}

struct Requests(CallBuilder);

impl Reader for Requests {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if read.id.is_absent() || read.at.is_absent() {
            return Ok(Reading::NotMine);
        }
        if read.cache.get().is_none_or(|id| id == NOBODY) {
            out.extend(self.call(&read, origin)?.map(Record::Call));
        }
        Ok(Reading::Mine)
    }
}

/// A count in which -1 means unknown.
fn counted(count: &Count, name: &'static str) -> Result<u64, BadLine> {
    match count {
        Count::Absurd(value) if value.to_string() == "-1" => Ok(0),
        Count::Absent | Count::Whole(_) | Count::Absurd(_) | Count::Wrong => count.tokens(name),
    }
}

impl Requests {
    fn call(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let prompt = counted(&read.prompt, "prompt_tokens")?;
        let (cache_read, cache_write) =
            (counted(&read.cache_read, "cache reads")?, counted(&read.cache_write, "cache writes")?);
        let (tokens, _) = Counts {
            input: Some(prompt),
            output: Some(counted(&read.completion, "completion_tokens")?),
            cache_read,
            cache_write_5m: cache_write,
            reasoning: counted(&read.reasoning, "reasoning_tokens")?,
            ..Counts::default()
        }
        .split();
        let model = read.overridden.or(&read.answered).or(&read.asked).get();
        let is_anthropic = read.provider.get().is_some_and(|provider| provider.eq_ignore_ascii_case("anthropic"));
        let cached = cache_read.saturating_add(cache_write);
        let is_in_doubt = !is_anthropic && (1..=prompt).contains(&cached);
        let hides_lifetimes = cache_write > 0 && model.is_some_and(has_two_lifetimes);
        let place = Where { session: read.properties.session.get(), ..Where::default() };
        let mut from = self.0.from(read.at.0, place, origin);
        from.user = read.user.get().map(Label::new);
        from.feature = read.properties.feature.get().map(Label::new);
        let id = read.id.get().unwrap_or_default();
        let parts = Parts {
            audio_input: counted(&read.audio_input, "prompt_audio_tokens")?,
            audio_output: counted(&read.audio_output, "completion_audio_tokens")?,
            ..Parts::NONE
        };
        let call = self.0.call(&[id], from, model, (tokens, is_in_doubt || hides_lifetimes));
        let latency = read.delay.milliseconds().filter(|latency| *latency > Duration::ZERO);
        Ok(call.map(|call| Call { quoted: read.cost.0, latency, parts: parts.within(&tokens), ..call }))
    }
}
