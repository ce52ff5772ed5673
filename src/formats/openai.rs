//! OpenAI's chat completions, Responses and embeddings, whether whole, streamed or from a batch, and those of
//! compatible servers.

use serde::de::IgnoredAny;

use super::fields::{Named, Seen, Slot, Within, fields};
use super::json::{List, Object, Text};
use super::keys::{content_key, is_unique_response, response_key};
use super::searches::{self, Item, ToolUsage};
use super::time::Stamp;
use super::usage::Usage;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Place, Record, Service};

/// Responses of OpenAI's API.
#[derive(Debug)]
pub(super) struct OpenAi;

impl Format for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn needles(&self) -> &'static [&'static str] {
        &["\"usage\""]
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Answers::default())
    }
}

#[derive(Default)]
struct Answers {
    labels: Labels,
}

fields! {
    /// An API object, an event that contains one, or a proxy's or batch's wrapper around it.
    Line {
        id: Text<'a> = "id",
        object: Text<'a> = "object",
        kind: Text<'a> = "type",
        created: Stamp = "created" | "created_at",
        at: Stamp = "timestamp" | "time" | "ts" | "at",
        model: Text<'a> = "model",
        choices: Seen = "choices",
        data: Seen = "data",
        usage: Usage<'a> = "usage",
        groq: Within<'a> = "x_groq",
        service_tier: Text<'a> = "service_tier",
        output: List<Item<'a>> = "output",
        tool_usage: ToolUsage<'a> = "tool_usage",
        user: Named<'a> = "user",
        conversation: Conversation<'a> = "conversation",
        metadata: Metadata<'a> = "metadata",
        custom_id: Seen = "custom_id",
        response: Within<'a> = "response" | "answer" | "chunk" | "completion",
        body: Within<'a> = "body",
        // Fields that only occur in other formats.
        message: Object<IgnoredAny> = "message",
        foreign: Seen = "payload" | "sessionId" | "resourceSpans" | "resourceLogs" | "gen_ai.usage.input_tokens"
            | "attributes" | "call_type",
    }
}

fields! {
    /// Groq's own part of a stream's last chunk.
    Groq {
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// The conversation that a response belongs to.
    Conversation {
        id: Named<'a> = "id",
    }
}

fields! {
    /// Metadata set by the caller.
    Metadata {
        session: Named<'a> = "session_id" | "session" | "conversation_id",
        user: Named<'a> = "user_id" | "user",
        project: Named<'a> = "project" | "project_id",
        feature: Named<'a> = "feature",
        team: Named<'a> = "team" | "team_id",
    }
}

impl Reader for Answers {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let Some(line) = super::sse::payload(line) else { return Ok(Reading::NotMine) };
        let Ok(read) = serde_json::from_slice::<Line<'_>>(line) else { return Ok(Reading::NotMine) };
        if read.foreign.is_some() {
            return Ok(Reading::NotMine);
        }
        let carried = if read.is_answer() { None } else { Some(read.carried()) };
        let answer = match &carried {
            None => &read,
            Some(Some(carried)) => carried,
            Some(None) => return Ok(Reading::NotMine),
        };
        out.extend(self.call(&read, answer, line, origin)?.map(Record::Call));
        Ok(Reading::Mine)
    }
}

impl Line<'_> {
    /// The API object inside an event, a proxy's line, or a batch's. Such lines may also wrap events.
    fn carried(&self) -> Option<Self> {
        let within: Self = self.response.object()?;
        if self.is_event() || within.is_answer() {
            return Some(within);
        }
        if within.is_event() {
            return within.response.object();
        }
        within.body.object().filter(Self::is_answer)
    }

    /// True for an event of a streamed response.
    fn is_event(&self) -> bool {
        self.kind.get().is_some_and(|kind| kind.starts_with("response."))
    }

    fn is_answer(&self) -> bool {
        match self.object.get() {
            Some("list") => self.data.is_some() && self.usage.has_counts(),
            Some(object) => {
                ["chat.completion", "text_completion", "response"].iter().any(|known| object.starts_with(known))
            }
            // Compatible servers may omit the object's name.
            None => {
                self.choices.is_some()
                    && self.model.get().is_some()
                    && self.message.is_absent()
                    && self.kind.is_absent()
            }
        }
    }

    /// Web searches, charged on top of the tokens.
    fn web_searches(&self) -> Result<u32, BadLine> {
        Ok(searches::charged(&self.output, &self.tool_usage)?.max(self.usage.web_searches()?))
    }

    fn key(&self, line: &[u8]) -> CallKey {
        match self.id.get() {
            Some(id) if is_unique_response(id) => response_key(id),
            Some(id) => {
                let created = self.created.0.map(|at| at.timestamp().to_string()).unwrap_or_default();
                CallKey::from_parts(&["openai", id, &created, self.model.get().unwrap_or_default()])
            }
            None => content_key("openai", line),
        }
    }
}

impl Answers {
    fn call(
        &mut self,
        read: &Line<'_>,
        answer: &Line<'_>,
        line: &[u8],
        origin: &Origin,
    ) -> Result<Option<Call>, BadLine> {
        // Every chunk of a stream except the last has `"usage": null`.
        let groq = if answer.usage.has_counts() { None } else { answer.groq.object::<Groq<'_>>() };
        let usage = groq.as_ref().map_or(&answer.usage, |groq| &groq.usage);
        let (tokens, is_split_guessed) = usage.counts()?.split();
        if tokens.is_zero() {
            return Ok(None);
        }
        let mut tier = usage.tier(&answer.service_tier);
        if read.custom_id.is_some() {
            tier.service = Service::Batch;
        }
        let at = answer.created.0.or(read.at.0).unwrap_or(origin.modified);
        let notes = &answer.metadata;
        let mut label = |name: &Named<'_>| self.labels.find(name.get());
        let from = Attribution {
            session: label(notes.session.or(&answer.conversation.id)),
            user: label(notes.user.or(&answer.user)),
            project: label(&notes.project),
            feature: label(&notes.feature),
            team: label(&notes.team),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            ..Attribution::new(at, Label::new("openai"))
        };
        let model = self.labels.find(answer.model.get().or(read.model.get()));
        let is_guessed = is_split_guessed || model.is_none();
        Ok(Some(Call {
            tier,
            parts: usage.parts(&tokens)?,
            web_searches: answer.web_searches()?,
            quoted: usage.quoted(),
            fidelity: if is_guessed { Fidelity::Guessed } else { Fidelity::Final },
            ..Call::new(answer.key(line), from, model, tokens)
        }))
    }
}
