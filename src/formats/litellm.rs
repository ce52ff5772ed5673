//! LiteLLM: its proxy's logging payload, and rows of its spend log.

use super::count::Count;
use super::fields::{Named, Slot, Within, fields};
use super::json::{List, Money, NameOr, Text};
use super::keys::{answer_key, content_key};
use super::searches::{self, Item, ToolUsage};
use super::time::Stamp;
use super::usage::{Counts, Usage, given, tier};
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Place, Record};

#[derive(Debug)]
pub(super) struct LiteLlm;

impl Format for LiteLlm {
    fn name(&self) -> &'static str {
        "litellm"
    }

    fn needles(&self) -> &'static [&'static str] {
        &["_tokens\""]
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Payloads::default())
    }
}

#[derive(Default)]
struct Payloads {
    labels: Labels,
}

fields! {
    /// A call, as the proxy accounts for it.
    Line {
        call_type: Text<'a> = "call_type",
        id: Text<'a> = "id" | "request_id",
        session: Named<'a> = "session_id" | "trace_id",
        started: Stamp = "startTime",
        ended: Stamp = "endTime",
        model: Text<'a> = "model",
        prompt: Count = "prompt_tokens",
        completion: Count = "completion_tokens",
        total: Count = "total_tokens",
        cost: Money = "response_cost" | "spend",
        cache_hit: Within<'a> = "cache_hit",
        end_user: Named<'a> = "end_user",
        user: Named<'a> = "user",
        team: Named<'a> = "team_id",
        org: Named<'a> = "organization_id",
        breakdown: Breakdown<'a> = "cost_breakdown",
        metadata: NameOr<'a, Metadata<'a>> = "metadata",
        response: Within<'a> = "response",
    }
}

fields! {
    /// Owner of the key used for the call.
    Metadata {
        user: Named<'a> = "user_api_key_user_id" | "user_api_key_user_email",
        team: Named<'a> = "user_api_key_team_alias" | "user_api_key_team_id",
        org: Named<'a> = "user_api_key_org_alias" | "user_api_key_org_id",
        key: Named<'a> = "user_api_key_alias",
        usage: Usage<'a> = "usage_object",
        breakdown: Breakdown<'a> = "cost_breakdown",
    }
}

fields! {
    /// Components of the cost computed by the proxy.
    Breakdown {
        service_tier: Text<'a> = "service_tier",
        total: Money = "total_cost",
    }
}

fields! {
    /// The vendor's answer, of which only charged items are read.
    Response {
        usage: Usage<'a> = "usage",
        service_tier: Text<'a> = "service_tier",
        output: List<Item<'a>> = "output",
        tool_usage: ToolUsage<'a> = "tool_usage",
    }
}

impl Reader for Payloads {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let Ok(read) = serde_json::from_slice::<Line<'_>>(line) else { return Ok(Reading::NotMine) };
        if !read.is_ours() {
            return Ok(Reading::NotMine);
        }
        out.extend(self.call(&read, line, origin)?.map(Record::Call));
        Ok(Reading::Mine)
    }
}

impl Line<'_> {
    fn is_ours(&self) -> bool {
        let has_counts = self.prompt.is_given() || self.completion.is_given() || self.total.is_given();
        self.call_type.get().is_some() && !self.started.is_absent() && has_counts
    }

    /// True when the proxy's own cache answered, without a model call.
    fn is_from_cache_of_proxy(&self) -> bool {
        self.cache_hit.written().is_some_and(|hit| hit.trim_matches('"').eq_ignore_ascii_case("true"))
    }
}

impl Payloads {
    fn call(&mut self, read: &Line<'_>, line: &[u8], origin: &Origin) -> Result<Option<Call>, BadLine> {
        if read.is_from_cache_of_proxy() {
            return Ok(None);
        }
        // Rows of its database may contain the metadata as a string.
        let written;
        let notes = match &read.metadata {
            NameOr::Object(notes) => notes,
            NameOr::Name(text) => {
                written = serde_json::from_str(text).unwrap_or_default();
                &written
            }
            NameOr::Neither => &Metadata::default(),
        };
        // The proxy converts all vendors' counts to OpenAI's meaning. Cached tokens are only in the usage object, which
        // is in the answer, the metadata, or both.
        let response: Response<'_> = read.response.object().unwrap_or_default();
        let (answered, noted) = (response.usage.counts()?, notes.usage.counts()?);
        let total = |usage: &Usage<'_>, counts: &Counts| -> Result<u64, BadLine> {
            let cached = counts.cache_read + counts.cache_write_5m + counts.cache_write_1h;
            Ok(cached.saturating_add(usage.audio_tokens()?))
        };
        let notes_know_more = total(&notes.usage, &noted)? > total(&response.usage, &answered)?;
        let (usage, counts) = if response.usage.is_absent() || notes_know_more {
            (&notes.usage, noted)
        } else {
            (&response.usage, answered)
        };
        let (tokens, is_split_guessed) = Counts {
            input: None,
            prompt: given(&read.prompt, "prompt_tokens")?,
            output: given(&read.completion, "completion_tokens")?,
            total: given(&read.total, "total_tokens")?,
            ..counts
        }
        .split();
        let breakdown = if read.breakdown.is_absent() { &notes.breakdown } else { &read.breakdown };
        let service = breakdown.service_tier.or(&usage.service_tier).or(&response.service_tier);
        if tokens.is_zero() {
            return Ok(None);
        }
        let mut label = |name: &Named<'_>| self.labels.find(name.get());
        let (owner, at) = (notes, read.started.0.unwrap_or(origin.modified));
        let from = Attribution {
            session: label(&read.session),
            user: label(read.end_user.or(&read.user).or(&owner.user)),
            team: label(owner.team.or(&read.team)),
            org: label(owner.org.or(&read.org)),
            project: label(&owner.key),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            ..Attribution::new(at, Label::new("litellm"))
        };
        let model = self.labels.find(read.model.get());
        let id = read.id.get();
        let is_guessed = is_split_guessed
            || model.is_none()
            || usage.is_an_estimate()
            || usage.hides_lifetimes(read.model.get().unwrap_or_default(), &tokens);
        Ok(Some(Call {
            fidelity: if is_guessed { Fidelity::Guessed } else { Fidelity::Final },
            tier: tier(usage.speed.get(), service.get(), usage.geo.get()),
            parts: usage.parts(&tokens)?,
            web_searches: searches::charged(&response.output, &response.tool_usage)?
                .max(response.usage.web_searches()?)
                .max(notes.usage.web_searches()?),
            quoted: read.cost.or(&breakdown.total).0,
            latency: read.ended.0.and_then(|ended| (ended - at).to_std().ok()),
            ..Call::new(
                id.map_or_else(
                    || content_key("litellm", line),
                    |id| answer_key(id).unwrap_or_else(|| CallKey::from_parts(&["litellm", id])),
                ),
                from,
                model,
                tokens,
            )
        }))
    }
}
