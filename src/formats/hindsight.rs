//! Hindsight's requests (a memory service): `usage/YYYY-MM.jsonl` in `$HINDSIGHT_HOME` or `~/.hindsight`.
//!
//! The service keeps its requests for about 90 minutes and offers them over HTTP. `tokscale hindsight sync` writes them
//! to this log, one line each, with the service's id. Based on tokscale 4.17 (`sessions/hindsight.rs`, which quotes the
//! service's `llm_wrapper.py`; read 2026-11-26): with Anthropic the input excludes the cache, with other providers it
//! includes it. Output includes reasoning. Failed requests have no counts.

use super::answers::{CallBuilder, NONE, Stated, Where};
use super::count::Count;
use super::fields::{Named, Slot, fields};
use super::json::{self, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::{Call, Label, Record};

/// Hindsight's requests.
pub(super) struct Hindsight;

const NAME: &str = "hindsight";

impl Format for Hindsight {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "requests that were not fetched within about 90 minutes (`tokscale hindsight sync`)"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("HINDSIGHT_HOME").or_else(|| env.home(".hindsight"));
        home.map(|home| Location::flat(home.join("usage"))).into_iter().collect()
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"input_tokens\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Requests(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A request.
    Line {
        id: Text<'a> = "id",
        trace: Text<'a> = "trace_id",
        provider: Text<'a> = "provider",
        model: Text<'a> = "model",
        feature: Text<'a> = "operation" | "scope",
        at: Stamp = "started_at",
        length: Named<'a> = "duration_ms",
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cached_tokens",
        total: Count = "total_tokens",
        bank: Text<'a> = "bank",
    }
}

struct Requests(CallBuilder);

impl Reader for Requests {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let Some(id) = read.id.get() else { return Ok(Reading::NotMine) };
        if read.provider.is_absent() && read.bank.is_absent() {
            return Ok(Reading::NotMine);
        }
        let Line { input, output, cache_read, total, .. } = &read;
        let stated = Stated { input, output, cache_read, cache_write: NONE, reasoning: NONE, total };
        let is_exclusive = read.provider.get().is_some_and(|provider| provider.eq_ignore_ascii_case("anthropic"));
        let counts = if is_exclusive { stated.exclusive()? } else { stated.inclusive()? };
        let place = Where { session: read.trace.get(), project: read.bank.get(), agent: None };
        let mut from = self.0.from(read.at.0, place, origin);
        from.feature = read.feature.get().map(Label::new);
        let call = self.0.call(&[id], from, read.model.get(), counts);
        let latency = read.length.milliseconds();
        out.extend(call.map(|call| Record::Call(Call { latency, ..call })));
        Ok(Reading::Mine)
    }
}
