//! LiteLLM: the payload that its proxy logs for each call, and the rows of its spend log.

use super::count::Count;
use super::fields::{Named, Slot, Within, fields};
use super::json::{Money, Text};
use super::keys::{answer_key, content_key};
use super::time::Stamp;
use super::usage::{Counts, Usage, given};
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Place, Record};

/// LiteLLM's logs.
#[derive(Debug)]
pub(super) struct LiteLlm;

impl Format for LiteLlm {
    fn name(&self) -> &'static str {
        "litellm"
    }

    fn markers(&self) -> &'static [&'static str] {
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
    /// A call as the proxy accounts for it.
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
        metadata: Metadata<'a> = "metadata",
        response: Within<'a> = "response",
    }
}

fields! {
    /// Whose key the call was made with.
    Metadata {
        user: Named<'a> = "user_api_key_user_id" | "user_api_key_user_email",
        team: Named<'a> = "user_api_key_team_alias" | "user_api_key_team_id",
        org: Named<'a> = "user_api_key_org_alias" | "user_api_key_org_id",
        key: Named<'a> = "user_api_key_alias",
        usage: Usage<'a> = "usage_object",
    }
}

fields! {
    /// The vendor's answer, of which only the usage is read.
    Response {
        usage: Usage<'a> = "usage",
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

    /// The proxy's own cache answered: no model was asked.
    fn is_from_the_proxys_cache(&self) -> bool {
        self.cache_hit.written().is_some_and(|hit| hit.trim_matches('"').eq_ignore_ascii_case("true"))
    }
}

impl Payloads {
    fn call(&mut self, read: &Line<'_>, line: &[u8], origin: &Origin) -> Result<Option<Call>, BadLine> {
        if read.is_from_the_proxys_cache() {
            return Ok(None);
        }
        // The proxy brings all vendors to OpenAI's meaning; what was cached stands in the usage alone.
        let response: Response<'_> = read.response.object().unwrap_or_default();
        let parts = response.usage.or(&read.metadata.usage).counts()?;
        let (tokens, is_split_guessed) = Counts {
            input: None,
            prompt: given(&read.prompt, "prompt_tokens")?,
            output: given(&read.completion, "completion_tokens")?,
            total: given(&read.total, "total_tokens")?,
            ..parts
        }
        .split();
        if tokens.is_zero() {
            return Ok(None);
        }
        let mut label = |name: &Named<'_>| self.labels.find(name.get());
        let (owner, at) = (&read.metadata, read.started.0.unwrap_or(origin.modified));
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
        Ok(Some(Call {
            fidelity: if is_split_guessed || model.is_none() { Fidelity::Guessed } else { Fidelity::Final },
            tier: response.usage.tier(&Text::default()),
            quoted: read.cost.0,
            latency: read.ended.0.and_then(|ended| (ended - at).to_std().ok()),
            ..Call::new(
                id.map_or_else(
                    || content_key("litellm", line),
                    |id| answer_key(id).unwrap_or_else(|| CallKey::of(&["litellm", id])),
                ),
                from,
                model,
                tokens,
            )
        }))
    }
}
