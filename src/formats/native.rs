//! tokmeter's own usage log, which also accepts the field names of common tracking middleware.

use serde::de::IgnoredAny;

use super::claude_line::is_bookkeeping;
use super::count::Count;
use super::fields::{Named, Seen, Slot, Within, fields};
use super::json::{Money, Object, Text};
use super::keys::{answer_key, content_key, request_key};
use super::time::Stamp;
use super::usage::{CacheSplit, Counts, Usage, cache_writes, given};
use super::usage_log_line::OwnFields;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Place, Record, Tokens};

/// Name of the format, and the source of calls whose program gives none.
pub(super) const NAME: &str = "native";

#[derive(Debug)]
pub(super) struct Native;

impl Format for Native {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needles(&self) -> &'static [&'static str] {
        &["_tokens\"", "Tokens\"", "\"usage\"", "\"llm.tokens."]
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Lines::default())
    }
}

#[derive(Default)]
struct Lines {
    labels: Labels,
}

fields! {
    /// A line, or the attributes in it. `samples/native/schema.json` describes the same names.
    Line {
        id: Named<'a> = "id",
        request: Named<'a> = "request_id" | "requestId",
        at: Stamp = "at" | "timestamp" | "ts" | "time" | "created_at" | "createdAt",
        model: Named<'a> = "model" | "llm.model" | "llm.model_name",
        input: Count = "input_tokens" | "inputTokens",
        span_input: Count = "llm.tokens.input",
        prompt: Count = "prompt_tokens" | "promptTokens",
        output: Count = "output_tokens" | "completion_tokens" | "outputTokens" | "completionTokens",
        span_output: Count = "llm.tokens.output",
        total: Count = "total_tokens" | "totalTokens",
        span_total: Count = "llm.tokens.total",
        cache_read: Count = "cache_read_tokens" | "cached_tokens" | "cache_read_input_tokens" | "cacheReadTokens"
            | "cachedTokens" | "cacheReadInputTokens" | "llm.tokens.cached" | "llm.tokens.cache_read",
        cache_write_5m: Count = "cache_write_5m_tokens" | "cache_creation_input_tokens" | "cacheWrite5mTokens"
            | "cacheCreationInputTokens" | "cache_write_tokens" | "cacheWriteTokens" | "llm.tokens.cache_write",
        cache_write_1h: Count = "cache_write_1h_tokens" | "cacheWrite1hTokens",
        cache_split: CacheSplit<'a> = "cache_creation" | "cacheCreation",
        reasoning: Count = "reasoning_tokens" | "reasoningTokens" | "thoughtsTokens" | "llm.tokens.reasoning",
        usage: Usage<'a> = "usage",
        cost: Money = "cost_usd" | "cost" | "estimated_cost" | "estimatedCost" | "costUsd" | "llm.cost_usd",
        service_tier: Text<'a> = "service_tier" | "serviceTier",
        session: Named<'a> = "session" | "session_id" | "sessionId" | "conversation_id" | "conversationId" | "cost.session_id",
        user: Named<'a> = "user" | "user_id" | "userId" | "cost.user_id" | "cost.user",
        team: Named<'a> = "team" | "team_id" | "teamId" | "cost.team_id" | "cost.team",
        org: Named<'a> = "org" | "org_id" | "orgId" | "cost.org_id" | "cost.org",
        project: Named<'a> = "project" | "project_id" | "projectId" | "cost.project_id" | "cost.project",
        agent: Named<'a> = "agent" | "agent_id" | "agentId" | "cost.agent" | "cost.agent_id",
        feature: Named<'a> = "feature" | "endpoint" | "cost.feature" | "cost.endpoint",
        branch: Named<'a> = "branch" | "git_branch" | "gitBranch",
        latency: Named<'a> = "latency_ms" | "latencyMs" | "llm.latency_ms" | "apiDurationMs",
        attributes: Within<'a> = "attributes",
        kept: OwnFields<'a> = "tokmeter",
        // Fields that only occur in other formats.
        kind: Text<'a> = "type",
        object: Text<'a> = "object",
        message: Carried<'a> = "message",
        response: Carried<'a> = "response",
        foreign: Seen = "choices" | "resourceSpans" | "resourceLogs" | "resource_spans" | "resource_logs" | "event.name"
            | "gen_ai.usage.input_tokens" | "gen_ai.usage.prompt_tokens" | "gen_ai.usage.output_tokens"
            | "gen_ai.operation.name" | "gen_ai.request.model" | "gen_ai.response.model" | "gen_ai.system"
            | "gen_ai.provider.name" | "call_type" | "run_type" | "request_path" | "parts"
            | "usageMetadata" | "toolUseResult" | "localDate" | "parentId",
        trace: Seen = "traceId" | "trace_id" | "TraceId" | "spanId" | "span_id" | "SpanId" | "context" | "spanContext",
    }
}

fields! {
    /// Signs that a line contains an answer of another format.
    Carried {
        usage: Object<IgnoredAny> = "usage",
        body: Object<IgnoredAny> = "body",
        object: Text<'a> = "object",
        choices: Seen = "choices",
    }
}

impl Reader for Lines {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let Ok(read) = serde_json::from_slice::<Line<'_>>(line) else { return Ok(Reading::NotMine) };
        let inner = read.attributes.object().unwrap_or_default();
        if !read.is_native(&inner) {
            return Ok(Reading::NotMine);
        }
        if let Some(call) = self.call(&read, &inner, line, origin)? {
            out.push(Record::Call(call));
            out.extend(read.kept.hold().map(Record::Settled));
        }
        Ok(Reading::Mine)
    }
}

impl Line<'_> {
    /// True when the line gives usage in our fields and has no fields of other formats.
    fn is_native(&self, inner: &Self) -> bool {
        let is_span = self.trace.is_some() && (self.has_span_counts() || inner.has_span_counts());
        (self.has_counts() || inner.has_counts()) && !is_span && !self.is_foreign() && !inner.is_foreign()
    }

    fn has_counts(&self) -> bool {
        self.has_flat_counts() || self.usage.has_counts()
    }

    fn has_flat_counts(&self) -> bool {
        [&self.input, &self.prompt, &self.output, &self.total].iter().any(|count| !count.is_absent())
            || self.has_span_counts()
    }

    /// True for counts like those that tracing libraries set on spans.
    fn has_span_counts(&self) -> bool {
        [&self.span_input, &self.span_output, &self.span_total].iter().any(|count| !count.is_absent())
    }

    /// The counts that stand in the line itself.
    fn flat_counts(&self) -> Result<Counts, BadLine> {
        let (write_5m, write_1h) = cache_writes(&self.cache_write_5m, &self.cache_split)?;
        Ok(Counts {
            input: given(self.input.or(&self.span_input), "input_tokens")?,
            prompt: given(&self.prompt, "prompt_tokens")?,
            output: given(self.output.or(&self.span_output), "output_tokens")?,
            total: given(self.total.or(&self.span_total), "total_tokens")?,
            cache_read: self.cache_read.tokens("cache_read_tokens")?,
            cache_write_5m: write_5m,
            cache_write_1h: given(&self.cache_write_1h, "cache_write_1h_tokens")?.unwrap_or(write_1h),
            reasoning: self.reasoning.tokens("reasoning_tokens")?,
        })
    }

    /// True for lines of other formats: API answers, agent transcripts.
    fn is_foreign(&self) -> bool {
        let is_api_object = self.object.get().is_some_and(|object| {
            ["chat.completion", "text_completion", "response", "list", "embedding"]
                .iter()
                .any(|known| object.starts_with(known))
        });
        let is_event = self.kind.get().is_some_and(|kind| {
            let is_known = matches!(
                kind,
                "assistant"
                    | "user"
                    | "system"
                    | "progress"
                    | "result"
                    | "message"
                    | "completion"
                    | "stream_event"
                    | "usage.record"
                    | "compaction"
                    | "branch_summary"
                    | "custom"
                    | "summary"
            );
            let is_stream =
                ["message_", "content_block_", "response.", "turn.", "thread.", "item.", "session.", "span."]
                    .iter()
                    .any(|prefix| kind.starts_with(prefix));
            is_known || is_stream || is_bookkeeping(kind)
        });
        self.foreign.is_some() || self.message.is_answer() || self.response.is_answer() || is_api_object || is_event
    }
}

impl Carried<'_> {
    fn is_answer(&self) -> bool {
        !self.usage.is_absent() || !self.body.is_absent() || !self.object.is_absent() || self.choices.is_some()
    }
}

/// Accessor of a field.
type Field = for<'s, 'a> fn(&'s Line<'a>) -> &'s Named<'a>;

impl Lines {
    fn call(
        &mut self,
        read: &Line<'_>,
        inner: &Line<'_>,
        line: &[u8],
        origin: &Origin,
    ) -> Result<Option<Call>, BadLine> {
        // A field of the line itself takes precedence over the same field of its attributes.
        let either = |field: Field| field(read).or(field(inner));
        let usage = if read.usage.is_absent() { &inner.usage } else { &read.usage };
        let (tokens, is_split_guessed) = tokens(read, inner, usage)?;
        let quoted = read.cost.or(&inner.cost).0.or_else(|| usage.quoted());
        let web_searches = usage.web_searches()?;
        if tokens.is_zero() && quoted.is_none() && web_searches == 0 && !read.kept.is_ours() {
            return Ok(None);
        }
        let mut label = |field: Field| self.labels.find(either(field).get());
        let from = Attribution {
            session: label(|line| &line.session),
            agent: label(|line| &line.agent),
            project: label(|line| &line.project),
            branch: label(|line| &line.branch),
            user: label(|line| &line.user),
            team: label(|line| &line.team),
            feature: label(|line| &line.feature),
            org: label(|line| &line.org),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            ..Attribution::new(read.at.or(&inner.at).0.unwrap_or(origin.modified), Label::new(NAME))
        };
        let model = label(|line| &line.model);
        let request = either(|line| &line.request).get();
        let id = either(|line| &line.id).get().or(request);
        // The vendor's request id, by which transcripts and telemetry also know the answer.
        let vendors = [request, id].into_iter().flatten().find(|id| id.starts_with("req_"));
        let is_guessed = is_split_guessed || model.is_none();
        let call = Call {
            tier: usage.tier(read.service_tier.or(&inner.service_tier)),
            parts: usage.parts(&tokens)?,
            web_searches,
            quoted,
            latency: either(|line| &line.latency).milliseconds(),
            fidelity: if is_guessed { Fidelity::Guessed } else { Fidelity::Final },
            alias: vendors.map(request_key),
            ..Call::new(
                id.map_or_else(
                    || content_key(NAME, line),
                    |id| answer_key(id).unwrap_or_else(|| CallKey::from_parts(&[NAME, id])),
                ),
                from,
                model,
                tokens,
            )
        };
        read.kept.restore(call).map(Some)
    }
}

/// The counts of the line or its attributes, or of its usage object, in disjoint classes. The flag is true for a guess.
///
/// Where both are there, those with more tokens count, then those that are no guess, then those that say what was
/// cached. Loggers write a usage object and also a bare total, one of the counts, or zeros. Counts that cannot be right
/// do not spoil those that can.
fn tokens(read: &Line<'_>, inner: &Line<'_>, usage: &Usage<'_>) -> Result<(Tokens, bool), BadLine> {
    let own = if read.has_flat_counts() || !inner.has_flat_counts() { read } else { inner };
    if !own.has_flat_counts() {
        return Ok(usage.counts()?.split());
    }
    let flat = own.flat_counts().map(Counts::split);
    if !usage.has_counts() {
        return flat;
    }
    let (flat, object) = match (flat, usage.counts().map(Counts::split)) {
        (Ok(flat), Ok(object)) => (flat, object),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => return Ok(one),
        (Err(error), Err(_)) => return Err(error),
    };
    let rank = |(tokens, is_guessed): &(Tokens, bool)| {
        (tokens.total(), !is_guessed, tokens.cache_read + tokens.cache_write(), tokens.reasoning)
    };
    Ok(if rank(&object) > rank(&flat) { object } else { flat })
}
