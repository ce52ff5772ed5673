//! Anthropic's Messages API: whole responses, streams and batches.

use serde::{Deserialize, Serialize};

use super::claude_usage::{charged_beside, round_tokens};
use super::count::Count;
use super::fields::{Named, Seen, Slot, Within, fields};
use super::json::Text;
use super::keys::{advisor_key, attempt_key, content_key, message_key, request_key};
use super::time::Stamp;
use super::usage::{Usage, cache_writes};
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{
    Attribution, Call, CallKey, Fidelity, Instant, Label, Labels, Place, Record, Service, Speed, Tier, Tokens,
};

/// Responses of Anthropic's API.
#[derive(Debug)]
pub(super) struct Anthropic;

impl Format for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn needles(&self) -> &'static [&'static str] {
        &["\"usage\""]
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Messages::default())
    }
}

/// Decodes messages. Stream deltas belong to the message that started last.
#[derive(Default)]
struct Messages {
    labels: Labels,
    streaming: Option<Begun>,
}

/// Fields that are only in the first event of a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Begun {
    id: String,
    model: Option<String>,
    session: Option<String>,
    /// Counts in the order of [`Tokens::fields`].
    tokens: [u64; 6],
    /// The counts that were stated first, which are part of the key.
    #[serde(default)]
    first: Option<[u64; 6]>,
    web_searches: u32,
    speed: Option<String>,
    /// True once the lifetimes of cache writes are known.
    #[serde(default)]
    has_lifetimes: bool,
    /// True while only the stream's first event has been read. Its output count is preliminary.
    #[serde(skip)]
    is_partial: bool,
    /// True if refused before anything was written.
    #[serde(skip)]
    is_refused: bool,
    service: Option<String>,
    geo: Option<String>,
}

fields! {
    /// A message, a stream event, or a batch's or proxy's wrapper around one.
    Line {
        kind: Text<'a> = "type",
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        role: Text<'a> = "role",
        usage: Usage<'a> = "usage",
        stop: Text<'a> = "stop_reason",
        delta: Within<'a> = "delta",
        at: Stamp = "timestamp" | "time" | "ts" | "at",
        session: Named<'a> = "session_id",
        request: Text<'a> = "request_id" | "_request_id",
        custom_id: Seen = "custom_id",
        message: Within<'a> = "message",
        event: Within<'a> = "event",
        result: Within<'a> = "result",
        response: Within<'a> = "response" | "answer" | "chunk" | "completion",
        body: Within<'a> = "body",
        // Fields that only occur in other formats.
        transcript: Seen = "sessionId" | "toolUseResult" | "parentUuid",
        foreign: Seen = "payload" | "choices" | "object" | "attributes" | "call_type",
    }
}

/// Kinds of lines.
enum Found<'a> {
    /// A complete message.
    Whole(Line<'a>, Service),
    /// First event of a stream.
    Start(Line<'a>),
    /// Later event, with cumulative counts.
    Delta(Line<'a>),
    /// Last event of a stream.
    Stop,
    /// Recognised, but without counts: a failed batch request, a text delta.
    Nothing,
}

/// Fields around the message.
struct Frame {
    at: Option<Instant>,
    session: Option<String>,
    request: Option<CallKey>,
    place: Place,
}

impl Reader for Messages {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let Some(line) = super::sse::payload(line) else { return Ok(Reading::NotMine) };
        let Ok(read) = serde_json::from_slice::<Line<'_>>(line) else { return Ok(Reading::NotMine) };
        let frame = Frame {
            at: read.at.0,
            session: read.session.get().map(str::to_owned),
            request: read.request.get().map(request_key),
            place: Place { path: origin.path.clone(), offset: origin.offset },
        };
        let Some(found) = read.find_usage() else { return Ok(Reading::NotMine) };
        let at = frame.at.unwrap_or(origin.modified);
        match found {
            Found::Whole(message, service) => {
                let mut begun = Begun::from_message(&message, &frame)?;
                let mut tier = begun.tier();
                if service != Service::Standard {
                    tier.service = service;
                }
                let request = message.request.get().map(request_key).or(frame.request);
                begun.is_refused = begun.is_free_refusal(message.stop.get());
                self.push(&begun, tier, request, (at, frame.place.clone()), line, out);
                self.others(&begun, tier, &message.usage, (at, frame.place), out)?;
            }
            Found::Start(message) => {
                // Later deltas do not belong to the previous message, even if this line is bad.
                self.streaming = None;
                let mut begun = Begun::from_message(&message, &frame)?;
                // A stream that is cut off here has written more than its count says.
                begun.is_partial = true;
                self.push(&begun, begun.tier(), frame.request, (at, frame.place), line, out);
                begun.is_partial = false;
                self.streaming = Some(begun);
            }
            Found::Delta(event) => {
                let begun = self.streaming.as_mut().ok_or(BadLine::Missing("the message's first event"))?;
                begun.grow(&event.usage)?;
                let mut begun = begun.clone();
                let stop = event.delta.object::<Line<'_>>();
                begun.is_refused = begun.is_free_refusal(stop.as_ref().and_then(|delta| delta.stop.get()));
                self.push(&begun, begun.tier(), frame.request, (at, frame.place.clone()), line, out);
                self.others(&begun, begun.tier(), &event.usage, (at, frame.place), out)?;
            }
            Found::Stop => self.streaming = None,
            Found::Nothing => {}
        }
        Ok(Reading::Mine)
    }

    fn state(&self) -> String {
        self.streaming.as_ref().and_then(|begun| serde_json::to_string(begun).ok()).unwrap_or_default()
    }

    fn restore(&mut self, state: &str) {
        self.streaming = serde_json::from_str(state).ok();
    }
}

impl<'a> Line<'a> {
    fn find_usage(self) -> Option<Found<'a>> {
        if self.transcript.is_some() || self.foreign.is_some() {
            return None;
        }
        if self.is_message() {
            return Some(Found::Whole(self, Service::Standard));
        }
        match self.kind.get() {
            Some("message_start") => self.message.object().map(Found::Start),
            Some("message_delta") => Some(if self.usage.has_counts() { Found::Delta(self) } else { Found::Nothing }),
            Some("message_stop") => Some(Found::Stop),
            Some("content_block_start" | "content_block_delta" | "content_block_stop") => Some(Found::Nothing),
            // Headless runs of Claude Code wrap the events that they forward.
            Some("stream_event") => {
                let event: Self = self.event.object()?;
                if event.kind.get() == Some("stream_event") { None } else { event.find_usage() }
            }
            Some(_) => None,
            None if self.custom_id.is_some() => {
                let result: Self = self.result.object()?;
                match result.kind.get()? {
                    "succeeded" => result.message.object().map(|message| Found::Whole(message, Service::Batch)),
                    "errored" | "canceled" | "expired" => Some(Found::Nothing),
                    _ => None,
                }
            }
            None => {
                let response: Self = self.response.object()?;
                // SDK events, each wrapped by the program that logged them.
                if response.kind.get().is_some_and(|kind| kind != "message" && kind != "stream_event") {
                    return response.find_usage();
                }
                let body = if response.is_message() { response } else { response.body.object()? };
                body.is_message().then_some(Found::Whole(body, Service::Standard))
            }
        }
    }

    /// True for a message with usage.
    fn is_message(&self) -> bool {
        let is_answer = self.role.get() == Some("assistant") || self.id.get().is_some_and(|id| id.starts_with("msg_"));
        self.kind.get() == Some("message") && self.message.is_absent() && is_answer && self.usage.has_counts()
    }
}

impl Begun {
    fn from_message(message: &Line<'_>, frame: &Frame) -> Result<Self, BadLine> {
        let usage = &message.usage;
        let mut begun = Self {
            id: message.id.get().unwrap_or_default().to_owned(),
            model: message.model.get().map(str::to_owned),
            session: frame.session.clone(),
            tokens: [0; 6],
            first: None,
            web_searches: 0,
            speed: usage.speed.get().map(str::to_owned),
            has_lifetimes: false,
            is_partial: false,
            is_refused: false,
            service: usage.service_tier.get().map(str::to_owned),
            geo: usage.geo.get().map(str::to_owned),
        };
        begun.grow(usage)?;
        begun.first = Some(begun.tokens);
        Ok(begun)
    }

    /// Applies later usage. Its counts are cumulative, so they replace the earlier ones. A zero replaces a part of the
    /// prompt only if another part has grown: some services fill in zeros for what they stated before.
    fn grow(&mut self, usage: &Usage<'_>) -> Result<(), BadLine> {
        let mut tokens = Tokens::from_fields(self.tokens);
        let written = usage.cache_creation.tokens("cache_creation_input_tokens")?;
        let has_grown = usage.input.tokens("input_tokens")? > tokens.input
            || usage.cache_read.tokens("cache_read_input_tokens")? > tokens.cache_read
            || written > tokens.cache_write();
        let replace = |old: &mut u64, count: &Count, field: &'static str, may_be_zero: bool| {
            let new = count.tokens(field)?;
            if count.is_given() && (new > 0 || may_be_zero) {
                *old = new;
            }
            Ok::<(), BadLine>(())
        };
        replace(&mut tokens.input, &usage.input, "input_tokens", has_grown)?;
        replace(&mut tokens.cache_read, &usage.cache_read, "cache_read_input_tokens", has_grown)?;
        replace(&mut tokens.output, &usage.output, "output_tokens", true)?;
        replace(&mut tokens.reasoning, &usage.output_details.reasoning, "thinking_tokens", true)?;
        self.has_lifetimes |= !usage.cache_split.is_absent();
        if !usage.cache_split.is_absent() || written > tokens.cache_write() {
            (tokens.cache_write_5m, tokens.cache_write_1h) = cache_writes(&usage.cache_creation, &usage.cache_split)?;
        }
        tokens.reasoning = tokens.reasoning.min(tokens.output);
        self.tokens = tokens.fields();
        self.web_searches = self.web_searches.max(usage.web_searches()?);
        Ok(())
    }

    /// Fidelity of the counts. Anthropic sells cache writes with two lifetimes and reports them next to their sum. The
    /// sum alone does not tell the lifetime.
    fn fidelity(&self, model: Option<&Label>) -> Fidelity {
        let hides_lifetimes = Tokens::from_fields(self.tokens).cache_write() > 0 && !self.has_lifetimes;
        if model.is_none() || hides_lifetimes {
            Fidelity::Guessed
        } else if self.is_partial {
            Fidelity::LowerBound
        } else {
            Fidelity::Final
        }
    }

    /// True for a refusal before any output, which is free (Anthropic's documentation of refusals, November 2026).
    fn is_free_refusal(&self, stop: Option<&str>) -> bool {
        stop == Some("refusal") && Tokens::from_fields(self.tokens).output == 0
    }

    fn tier(&self) -> Tier {
        super::usage::tier(self.speed.as_deref(), self.service.as_deref(), self.geo.as_deref())
    }

    /// Key of the message. Gateways repeat or invent ids, so for ids that are not Anthropic's, the input must match
    /// too, as it was first stated: a later event of the stream may correct it.
    fn key(&self, line: &[u8]) -> CallKey {
        if self.id.is_empty() {
            return content_key("anthropic", line);
        }
        if self.id.starts_with("msg_") {
            return message_key(&self.id);
        }
        let first = Tokens::from_fields(self.first.unwrap_or(self.tokens));
        let Tokens { input, cache_read, .. } = first;
        let written = first.cache_write();
        CallKey::from_parts(&["anthropic", &self.id, &input.to_string(), &cache_read.to_string(), &written.to_string()])
    }
}

impl Messages {
    fn push(
        &mut self,
        begun: &Begun,
        tier: Tier,
        alias: Option<CallKey>,
        (at, place): (Instant, Place),
        line: &[u8],
        out: &mut Vec<Record>,
    ) {
        if begun.model.as_deref() == Some("<synthetic>") {
            return;
        }
        // A refusal is only recorded if it has an id: earlier sightings of the same answer may have charged for it.
        let tokens = if begun.is_refused { Tokens::ZERO } else { Tokens::from_fields(begun.tokens) };
        let is_nothing = if begun.is_refused { begun.id.is_empty() } else { tokens.is_zero() };
        if is_nothing {
            return;
        }
        let model = self.labels.find(begun.model.as_deref());
        out.push(Record::Call(Call {
            fidelity: if begun.is_refused { Fidelity::Refused } else { begun.fidelity(model.as_ref()) },
            tier,
            web_searches: if begun.is_refused { 0 } else { begun.web_searches },
            alias,
            ..Call::new(
                begun.key(line),
                Attribution {
                    session: self.labels.find(begun.session.as_deref()),
                    place: Some(place),
                    ..Attribution::new(at, Label::new("anthropic"))
                },
                model,
                tokens,
            )
        }));
    }

    /// Calls to other models that are charged on top of the message's own counts: advice, and declined attempts.
    fn others(
        &mut self,
        begun: &Begun,
        tier: Tier,
        usage: &Usage<'_>,
        (at, location): (Instant, Place),
        out: &mut Vec<Record>,
    ) -> Result<(), BadLine> {
        let whole = Tokens::from_fields(begun.tokens);
        for (place, round) in charged_beside(&usage.iterations.0, &whole) {
            let tokens = round_tokens(round, &whole)?;
            if tokens.is_zero() || begun.id.is_empty() {
                continue;
            }
            let is_advice = round.kind.get() == Some("advisor_message");
            let key = begun.key(&[]);
            let model = self.labels.find(round.model.get());
            out.push(Record::Call(Call {
                fidelity: if model.is_some() { Fidelity::Final } else { Fidelity::Guessed },
                tier: Tier { speed: Speed::Standard, ..tier },
                ..Call::new(
                    if is_advice { advisor_key(key, place) } else { attempt_key(key, place) },
                    Attribution {
                        session: self.labels.find(begun.session.as_deref()),
                        place: Some(location.clone()),
                        ..Attribution::new(at, Label::new("anthropic"))
                    },
                    model,
                    tokens,
                )
            }));
        }
        Ok(())
    }
}
