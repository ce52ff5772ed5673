//! Telemetry of coding agents: their own events, which do not follow the conventions.

use super::super::BadLine;
use super::super::keys::{answer_key, prompt_key, qwen_key, request_key};
use super::super::time;
use super::super::usage::{Counts, tier};
use super::SignalContext;
use super::gen_ai::attribution;
use super::nesting::span_key;
use super::signal::Signal;
use crate::domain::{Bill, Billed, Call, CallKey, Counter, Fidelity, Label, Record, Tokens, Usd};

/// An agent that sends telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agent {
    Claude,
    Codex,
    Gemini,
    Qwen,
}

/// Attributes of an agent's own event with the service's id of the answer.
const ANSWER: [&str; 2] = ["response_id", "gen_ai.response.id"];

/// The agent that sent a signal, if it was an agent.
pub(super) fn agent_of(signal: &Signal<'_>) -> Option<Agent> {
    let service = signal.resource.text(&["service.name"]).unwrap_or_default();
    let event = |prefix: &str| signal.name.starts_with(prefix) || signal.body.starts_with(prefix);
    if event("claude_code.") || signal.scope.contains("claude_code") || service == "claude-code" {
        Some(Agent::Claude)
    } else if event("codex.") || signal.scope.starts_with("codex") || service.starts_with("codex_") {
        Some(Agent::Codex)
    } else if event("gemini_cli.") || signal.scope == "gemini-cli" || service == "gemini-cli" {
        Some(Agent::Gemini)
    } else if event("qwen-code.") || signal.scope == "qwen-code" || service == "qwen-code" {
        Some(Agent::Qwen)
    } else {
        None
    }
}

impl Agent {
    /// The call reported by an agent's event. Most events report none.
    pub(super) fn record(
        self,
        signal: &Signal<'_>,
        context: &mut SignalContext<'_>,
    ) -> Result<Option<Record>, BadLine> {
        let call = match self {
            Self::Claude if is_event(signal, "claude_code.", &["api_request", "llm_request"]) => {
                claude(signal, context)?
            }
            Self::Codex
                if is_event(signal, "codex.", &["sse_event", "websocket_event"])
                    && signal.attributes.text(&["event.kind"]).as_deref() == Some("response.completed") =>
            {
                let call = codex(signal, context)?;
                // Rollouts contain the same answers but share no id with the events, so the events count only if there
                // is no rollout. If the sending resource declares that there is none, each event is a call of its own.
                if !signal.resource.is_true("tokmeter.count") {
                    return Ok(piece(call).map(Record::Bill));
                }
                call
            }
            Self::Gemini if is_event(signal, "gemini_cli.", &["api_response"]) => gemini(signal, context)?,
            Self::Qwen if is_event(signal, "qwen-code.", &["api_response"]) => qwen(signal, context)?,
            Self::Claude | Self::Codex | Self::Gemini | Self::Qwen => return Ok(None),
        };
        Ok(Some(call).filter(|call| !call.tokens.is_zero()).map(Record::Call))
    }
}

/// Converts a call to a part of its session; `None` without a session, because it could then repeat a
/// logged call.
fn piece(call: Call) -> Option<Bill> {
    call.from.session.as_ref().filter(|_| !call.tokens.is_zero())?;
    let model = call.model.unwrap_or_else(|| Label::new("unknown"));
    let billed = Billed { is_split: true, ..Billed::new(model.as_str(), call.tokens) };
    Some(Bill { id: call.key, from: call.from, counter: Counter::Piece, models: vec![billed] })
}

/// True for one of these events. Agents write the prefix in the name, the body, or both.
fn is_event(signal: &Signal<'_>, prefix: &str, events: &[&str]) -> bool {
    let event = |text: &str| events.contains(&text.strip_prefix(prefix).unwrap_or(text));
    event(&signal.name) || event(&signal.body)
}

/// Claude Code: input excludes cached tokens. Versions since 2.1.332 give the lifetimes of cache writes.
fn claude(signal: &Signal<'_>, context: &mut SignalContext<'_>) -> Result<Call, BadLine> {
    let found = &signal.attributes;
    let count = |name| found.count(&[name]).map(Option::unwrap_or_default);
    let writes = count("cache_creation_tokens")?;
    let short = found.count(&["cache_creation_5m_tokens"])?;
    let long = found.count(&["cache_creation_1h_tokens"])?;
    let is_split = short.zip(long).is_some_and(|(short, long)| short.saturating_add(long) == writes);
    let long = long.filter(|_| is_split).unwrap_or_default();
    let tokens = Tokens {
        input: count("input_tokens")?,
        cache_read: count("cache_read_tokens")?,
        cache_write_5m: writes - long,
        cache_write_1h: long,
        output: count("output_tokens")?,
        reasoning: 0,
    };
    let micros = found.text(&["cost_usd_micros"]).and_then(|micros| micros.parse().ok()).map(Usd::from_micro);
    let speed = found.text(&["speed"]);
    // A transcript identifies the same answer by its message, but also has this id.
    let request = found.text(&["request_id"]).map(|id| request_key(&id));
    let mut call = call(signal, context, tokens, &["user.email", "user.account_uuid", "user.id"], request);
    if request.is_none() {
        (call.key, call.alias) = claudes_names(signal, &call);
    }
    call.tier = tier(speed.as_deref(), None, None);
    // The dollar amount is exact to the float's last digit, while micro-dollars are rounded.
    call.quoted = found.usd(&["cost_usd"]).or_else(|| micros.filter(|usd| *usd > Usd::ZERO));
    // Requests of the main thread have no agent. Background requests name their purpose.
    let errand = found.text(&["query_source"]).filter(|errand| !matches!(&**errand, "main" | "repl_main_thread"));
    match errand.as_deref() {
        Some("subagent") => call.from.agent = call.from.agent.or_else(|| context.labels.find(Some("subagent"))),
        errand => call.from.feature = call.from.feature.or_else(|| context.labels.find(errand)),
    }
    // A guess until derived from the logged cost, see `Pricer::solve_lifetimes`.
    if writes > 0 && !is_split {
        call.fidelity = Fidelity::Guessed;
    }
    Ok(call)
}

/// Key and alias of an answer of Claude Code's whose request has no id: gateways and clouds return none.
///
/// The log record and the span of a request share the client's id, and in older versions only the span. Records of
/// several requests may name one span around them all, so such a record keeps a key of its own, and its span adds
/// nothing to it. A transcript has none of these ids, so the alias is the prompt's, if that is known.
fn claudes_names(signal: &Signal<'_>, call: &Call) -> (CallKey, Option<CallKey>) {
    let clients = signal.attributes.text(&["client_request_id"]);
    let is_span = is_event(signal, "claude_code.", &["llm_request"]);
    let prompt = call.from.session.as_deref().and_then(|session| prompt_key(session, &call.tokens));
    if let Some(alias) = prompt {
        let key = match clients {
            Some(id) => alias.named(&[&*id]),
            None if is_span => alias,
            None => alias.named(&[call.key.bytes()]),
        };
        return (key, Some(alias));
    }
    match clients.map(|id| CallKey::from_parts(&["claude", "client", &*id])) {
        Some(key) => (key, Some(key)),
        None if is_span => (span_key(signal).unwrap_or(call.key), span_key(signal)),
        None => (call.key, span_key(signal)),
    }
}

/// Codex: input includes cached tokens, output includes reasoning.
fn codex(signal: &Signal<'_>, context: &mut SignalContext<'_>) -> Result<Call, BadLine> {
    let found = &signal.attributes;
    let (tokens, is_guessed) = Counts {
        prompt: found.count(&["input_token_count"])?,
        output: found.count(&["output_token_count"])?,
        cache_read: found.count(&["cached_token_count"])?.unwrap_or(0),
        cache_write_5m: found.count(&["cache_write_token_count"])?.unwrap_or(0),
        reasoning: found.count(&["reasoning_token_count"])?.unwrap_or(0),
        ..Counts::default()
    }
    .split();
    let mut call = call(signal, context, tokens, &["user.email", "user.account_id", "user.id"], None);
    if is_guessed {
        call.fidelity = Fidelity::Guessed;
    }
    Ok(call)
}

/// Gemini: input includes cached tokens. Thoughts are added to the output, tool prompts to the input.
fn gemini(signal: &Signal<'_>, context: &mut SignalContext<'_>) -> Result<Call, BadLine> {
    let found = &signal.attributes;
    let count = |name| found.count(&[name]).map(Option::unwrap_or_default);
    let thoughts = count("thoughts_token_count")?;
    let (tokens, is_guessed) = Counts {
        prompt: Some(count("input_token_count")? + count("tool_token_count")?),
        output: Some(count("output_token_count")? + thoughts),
        cache_read: count("cached_content_token_count")?,
        reasoning: thoughts,
        ..Counts::default()
    }
    .split();
    let mut call = call(signal, context, tokens, &["user.email", "user.id"], None);
    if is_guessed {
        call.fidelity = Fidelity::Guessed;
    }
    // The session's chat contains the same answer.
    if let (Some(session), Some(model)) = (&call.from.session, &call.model) {
        let alias = CallKey::of_gemini(session, model, &tokens);
        (call.key, call.alias) = (own_key(signal, alias), Some(alias));
    }
    Ok(call)
}

/// Qwen: input includes cached tokens. Thoughts are part of the output if the total says so.
fn qwen(signal: &Signal<'_>, context: &mut SignalContext<'_>) -> Result<Call, BadLine> {
    let found = &signal.attributes;
    let (tokens, is_guessed) = Counts {
        prompt: found.count(&["input_token_count"])?,
        output: found.count(&["output_token_count"])?,
        total: found.count(&["total_token_count"])?,
        cache_read: found.count(&["cached_content_token_count"])?.unwrap_or(0),
        reasoning: found.count(&["thoughts_token_count"])?.unwrap_or(0),
        ..Counts::default()
    }
    .split();
    let mut call = call(signal, context, tokens, &["user.email", "user.id"], None);
    if is_guessed {
        call.fidelity = Fidelity::Guessed;
    }
    call.from.agent = call.from.agent.or_else(|| context.labels.find(found.text(&["subagent_name"]).as_deref()));
    // The session's chat and the ledger file contain the same answer.
    if let (Some(session), Some(model)) = (&call.from.session, &call.model) {
        let alias = qwen_key(session, model, call.latency, &tokens);
        // The chat and a proxy have the service's id, too.
        let answer = found.text(&ANSWER).and_then(|id| answer_key(&id));
        (call.key, call.alias) = (answer.unwrap_or_else(|| own_key(signal, alias)), Some(alias));
    }
    Ok(call)
}

/// Key of an event whose alias other answers of the session may share: they have another id, or another prompt and
/// time. The alias itself, if nothing tells them apart.
fn own_key(signal: &Signal<'_>, alias: CallKey) -> CallKey {
    let found = &signal.attributes;
    if let Some(id) = found.text(&ANSWER) {
        return alias.named(&[&*id]);
    }
    // Every exporter has this time to the millisecond.
    let stated = found.text(&["event.timestamp"]).and_then(|at| time::parse(&at));
    let Some(at) = stated.or(signal.at) else { return alias };
    let prompt = found.text(&["prompt_id", "prompt.id"]).unwrap_or_default();
    alias.named(&[prompt.as_bytes(), &at.timestamp_millis().to_le_bytes()])
}

/// Fields that all agents' events share. The user's name is the first of `user`. `named` is the answer's key and alias,
/// by which other logs know it.
fn call(
    signal: &Signal<'_>,
    context: &mut SignalContext<'_>,
    tokens: Tokens,
    user: &[&'static str],
    named: Option<CallKey>,
) -> Call {
    let found = &signal.attributes;
    let mut from = attribution(signal, context);
    let person = found.text(user).or_else(|| signal.resource.text(user));
    from.user = context.labels.find(person.as_deref()).or(from.user);
    let model = context.labels.find(found.text(&["model"]).as_deref());
    let key = named.unwrap_or_else(|| event_key(signal, from.session.as_ref(), &tokens, context));
    Call {
        fidelity: if model.is_some() { Fidelity::Final } else { Fidelity::Guessed },
        latency: found.milliseconds(&["duration_ms"]).or(signal.latency),
        alias: named,
        ..Call::new(key, from, model, tokens)
    }
}

/// Key of an event without ids. Session, time, sequence number and counts distinguish events.
fn event_key(signal: &Signal<'_>, session: Option<&Label>, tokens: &Tokens, context: &SignalContext<'_>) -> CallKey {
    let Some(at) = signal.at else { return context.content_key() };
    let session = session.map_or("", Label::as_str);
    let number = signal.attributes.text(&["event.sequence", "prompt_id", "prompt.id"]).unwrap_or_default();
    let counts = format!("{:?}", tokens.fields());
    CallKey::from_parts(&[&*signal.name, session, &at.to_rfc3339(), &*number, &counts])
}
