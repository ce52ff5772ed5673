//! Signals of instrumentation libraries that follow the conventions for generative AI, and their dialects.

use std::borrow::Cow;

use super::super::BadLine;
use super::super::copilot;
use super::super::keys::{answer_key, counted_key, request_key};
use super::super::usage::{Counts, has_two_lifetimes, tier};
use super::SignalContext;
use super::attributes::Attributes;
use super::nesting::span_key;
use super::signal::Signal;
use crate::domain::{Attribution, Call, CallKey, Fidelity, Instant, Label, Parts, Place};

/// Input including cached tokens, as the conventions define it. Libraries that exclude them are detected by the
/// numbers.
const INPUT: [&str; 9] = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.usage.input_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    "llm.tokens.prompt",
];
/// Input without cached tokens.
const PLAIN_INPUT: [&str; 1] = ["llm.tokens.input"];
const OUTPUT: [&str; 9] = [
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.usage.output_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "llm.tokens.output",
    "llm.tokens.completion",
];
const TOTAL: [&str; 5] = [
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "llm.token_count.total",
    "ai.usage.totalTokens",
    "llm.tokens.total",
];
const CACHE_READ: [&str; 13] = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "llm.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cached_tokens",
    "llm.tokens.cached",
    "llm.tokens.cache_read",
];
const CACHE_WRITE: [&str; 10] = [
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.tokens.cache_write",
];
const REASONING: [&str; 10] = [
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "llm.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.details.thinking_tokens",
    "llm.tokens.reasoning",
];
/// Audio within the counts. Only `OpenInference` has it (its semantic conventions 0.1.46, November 2026).
const AUDIO_INPUT: [&str; 1] = ["llm.token_count.prompt_details.audio"];
const AUDIO_OUTPUT: [&str; 1] = ["llm.token_count.completion_details.audio"];

/// The call reported by a signal, if it is a model request and not a sum of several.
pub(super) fn call(signal: &Signal<'_>, context: &mut SignalContext<'_>) -> Result<Option<Call>, BadLine> {
    if !is_leaf(signal) {
        return Ok(None);
    }
    let found = &signal.attributes;
    let (tokens, is_split_guessed) = Counts {
        input: found.count(&PLAIN_INPUT)?,
        prompt: found.count(&INPUT)?,
        output: found.count(&OUTPUT)?,
        total: found.count(&TOTAL)?,
        cache_read: found.count(&CACHE_READ)?.unwrap_or(0),
        cache_write_5m: found.count(&CACHE_WRITE)?.unwrap_or(0),
        cache_write_1h: 0,
        reasoning: found.count(&REASONING)?.unwrap_or(0),
    }
    .split();
    if tokens.is_zero() {
        return Ok(None);
    }
    let model = context.labels.find(
        found
            .text(&[
                "gen_ai.response.model",
                "gen_ai.request.model",
                "ai.response.model",
                "ai.model.id",
                "llm.response.model",
                "llm.request.model",
                "llm.model_name",
                "llm.model",
            ])
            .as_deref(),
    );
    // The conventions have no lifetimes for cache writes.
    let hides_lifetimes = tokens.cache_write() > 0 && model.as_deref().is_some_and(has_two_lifetimes);
    let is_guessed = is_split_guessed || model.is_none() || hides_lifetimes;
    let service = found.text(&["openai.response.service_tier", "gen_ai.openai.response.service_tier"]);
    let request = found.text(&["request_id", "gen_ai.request.id"]).filter(|id| id.starts_with("req_"));
    let mut from = attribution(signal, context);
    from.project = from.project.or_else(|| context.labels.find(signal.resource.text(&["service.name"]).as_deref()));
    // Copilot CLI writes the same answer to its session's events, with its id, and to its database, which has neither
    // that id nor that of the span.
    let is_copilots = signal.resource.text(&["service.name"]).as_deref() == Some("github-copilot");
    let copilots = from
        .session
        .as_deref()
        .filter(|_| is_copilots)
        .map(|session| counted_key(copilot::NAME, session, model.as_deref(), &tokens));
    Ok(Some(Call {
        fidelity: if is_guessed { Fidelity::Guessed } else { Fidelity::Final },
        tier: tier(None, service.as_deref(), None),
        parts: Parts {
            audio_input: found.count(&AUDIO_INPUT)?.unwrap_or(0),
            audio_output: found.count(&AUDIO_OUTPUT)?.unwrap_or(0),
            ..Parts::NONE
        }
        .within(&tokens),
        quoted: found.usd(&[
            "llm.cost_usd",
            "gen_ai.usage.cost",
            "gen_ai.usage.cost_usd",
            "llm.usage.cost",
            "cost.usd",
            // Pydantic's Logfire.
            "operation.cost",
        ]),
        latency: found
            .milliseconds(&["llm.latency_ms", "latency_ms", "duration_ms", "ai.response.msToFinish"])
            .or(signal.latency),
        // The span is the alias. A log record that names the answer and a span that does not thus become one call, in
        // any order and even after a restart.
        alias: copilots.or(request.map(|id| request_key(&id))).or_else(|| span_key(signal)),
        ..Call::new(
            copilots.map_or_else(|| key(signal, context), |alias| copilots_key(signal, alias)),
            from,
            model,
            tokens,
        )
    }))
}

/// True for a single model request. Spans of agents, workflows and tools repeat sums.
fn is_leaf(signal: &Signal<'_>) -> bool {
    let says = |name: &'static str| signal.attributes.text(&[name]);
    // OpenLLMetry's and OpenInference's markers for spans that are not model requests.
    let is_wrapper = says("traceloop.span.kind").is_some_and(|kind| kind == "task")
        || says("openinference.span.kind").is_some_and(|kind| !matches!(&*kind, "LLM" | "EMBEDDING"));
    // Vercel's `ai.generateText` is the sum of its `ai.generateText.doGenerate` spans.
    let is_outer = says("ai.operationId").is_some_and(|operation| !operation.contains(".do"));
    !is_bound(signal) && !is_wrapper && !is_outer
}

/// True for an agent, a workflow or a tool. Its counts are sums, and its model requests are calls of their own.
pub(super) fn is_bound(signal: &Signal<'_>) -> bool {
    let says = |name: &'static str| signal.attributes.text(&[name]);
    let operation = says("gen_ai.operation.name").unwrap_or_else(|| Cow::Borrowed(first_word(&signal.name)));
    ["invoke_agent", "create_agent", "invoke_workflow", "execute_tool", "agent"].contains(&&*operation)
        || signal.name.contains("agent.turn")
        || says("traceloop.span.kind").is_some_and(|kind| matches!(&*kind, "workflow" | "agent" | "tool"))
        || says("openinference.span.kind").is_some_and(|kind| matches!(&*kind, "AGENT" | "TOOL"))
}

fn first_word(name: &str) -> &str {
    name.split(' ').next().unwrap_or_default()
}

/// Attributes with the vendor's id of the answer.
const ANSWER: [&str; 3] = ["gen_ai.response.id", "ai.response.id", "llm.response.id"];

/// Key of an answer of Copilot's whose alias other answers of the session may share. The session's events and a proxy
/// have the id of an answer, too.
fn copilots_key(signal: &Signal<'_>, alias: CallKey) -> CallKey {
    let id = signal.attributes.text(&ANSWER);
    id.map_or(alias, |id| answer_key(&id).unwrap_or_else(|| alias.named(&[&*id])))
}

fn key(signal: &Signal<'_>, context: &SignalContext<'_>) -> CallKey {
    let id = signal.attributes.text(&ANSWER);
    // Ids that are too short to be unique are not used on their own.
    let named = id.and_then(|id| {
        answer_key(&id).or_else(|| (id.len() >= 20).then(|| CallKey::from_parts(&["otel", "response", &*id])))
    });
    named.or_else(|| span_key(signal)).unwrap_or_else(|| context.content_key())
}

/// Attribution from the signal's attributes, or else from its resource's.
pub(super) fn attribution(signal: &Signal<'_>, context: &mut SignalContext<'_>) -> Attribution {
    attribution_of(&signal.attributes, &signal.resource, signal.at, context)
}

/// Attribution from these attributes, or else from the resource's.
pub(super) fn attribution_of(
    attributes: &Attributes<'_>,
    resource: &Attributes<'_>,
    at: Option<Instant>,
    context: &mut SignalContext<'_>,
) -> Attribution {
    let mut label = |names: &[&'static str]| {
        let name = attributes.text(names).or_else(|| resource.text(names));
        context.labels.find(name.as_deref())
    };
    Attribution {
        session: label(&[
            "gen_ai.conversation.id",
            "session.id",
            "conversation.id",
            "cost.session_id",
            "ai.telemetry.metadata.sessionId",
            "traceloop.association.properties.session_id",
        ]),
        agent: label(&["cost.agent", "gen_ai.agent.name", "agent.name"]),
        project: label(&["cost.project", "cost.project_id", "project", "project.id"]),
        branch: label(&["vcs.ref.head.name", "git.branch"]),
        user: label(&[
            "cost.user_id",
            "enduser.id",
            "user.id",
            "user.email",
            "user.name",
            "ai.telemetry.metadata.userId",
            "traceloop.association.properties.user_id",
        ]),
        team: label(&["cost.team_id", "cost.team", "team.id", "team", "department"]),
        feature: label(&["cost.feature", "cost.endpoint", "feature", "ai.telemetry.functionId"]),
        org: label(&["cost.org_id", "cost.org", "organization.id", "org.id", "tenant.id"]),
        place: Some(Place { path: context.origin.path.clone(), offset: context.origin.offset }),
        ..Attribution::new(at.unwrap_or(context.origin.modified), Label::new(context.format))
    }
}
