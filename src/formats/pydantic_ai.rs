//! Message histories of Pydantic AI, as written by `all_messages_json()` or `ModelMessagesTypeAdapter.dump_json`: one
//! list, or one message per line. Its telemetry is read as OpenTelemetry.
//!
//! Based on its source (`pydantic_ai_slim/pydantic_ai/usage.py` and `messages.py`, read 2026-11-27): a message of the
//! kind `response` is one answer. `input_tokens` includes cache reads and writes (`total_tokens` is input plus output).
//! Reasoning is part of the output and is given in `details`. Before 1.0 the counts were `request_tokens` and
//! `response_tokens`, and the answer's id was `vendor_id`. A history is passed from run to run, so later ones repeat
//! its answers. They are identified by the provider's id, or else by their time and counts.

use super::answers::{CallBuilder, Where};
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::keys::{answer_key, timed_key};
use super::split::Counts;
use super::time::Stamp;
use super::usage::has_two_lifetimes;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Call, Parts, Record};

/// Pydantic AI's messages.
pub(super) struct PydanticAi;

const NAME: &str = "pydantic-ai";

impl Format for PydanticAi {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "how long cache writes live"
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"model_name\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Messages(CallBuilder::new(NAME)))
    }
}

fields! {
    /// A message.
    Line {
        kind: Text<'a> = "kind",
        at: Stamp = "timestamp",
        model: Text<'a> = "model_name",
        id: Text<'a> = "provider_response_id" | "vendor_id",
        session: Text<'a> = "conversation_id" | "run_id",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// Counts of an answer.
    Usage {
        input: Count = "input_tokens" | "request_tokens",
        output: Count = "output_tokens" | "response_tokens",
        cache_read: Count = "cache_read_tokens",
        cache_write: Count = "cache_write_tokens",
        audio_input: Count = "input_audio_tokens",
        audio_output: Count = "output_audio_tokens",
        details: Details<'a> = "details",
    }
}

fields! {
    /// Further counts from the provider.
    Details {
        reasoning: Count = "reasoning_tokens" | "thoughts_tokens" | "thinking_tokens",
        cache_read: Count = "cache_read_input_tokens" | "cached_tokens" | "cache_read_tokens" | "cached_content_tokens",
        cache_write: Count = "cache_creation_input_tokens" | "cache_write_tokens",
    }
}

struct Messages(CallBuilder);

impl Reader for Messages {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let usage = &read.usage;
        if read.kind.get() != Some("response") || usage.is_absent() {
            return Ok(Reading::NotMine);
        }
        let either = |count: &Count, detail: &Count, name| Ok(count.tokens(name)?.max(detail.tokens(name)?));
        let (tokens, is_split_guessed) = Counts {
            prompt: Some(usage.input.tokens("input_tokens")?),
            output: Some(usage.output.tokens("output_tokens")?),
            cache_read: either(&usage.cache_read, &usage.details.cache_read, "cache_read_tokens")?,
            cache_write_5m: either(&usage.cache_write, &usage.details.cache_write, "cache_write_tokens")?,
            reasoning: usage.details.reasoning.tokens("reasoning_tokens")?,
            ..Counts::default()
        }
        .split();
        let model = read.model.get();
        let hides_lifetimes = tokens.cache_write() > 0 && model.is_some_and(has_two_lifetimes);
        let place = Where { session: read.session.get(), ..Where::default() };
        let from = self.0.from(read.at.0, place, origin);
        let key = read.id.get().and_then(answer_key).unwrap_or_else(|| timed_key(NAME, read.at.0, model, &tokens));
        let parts = Parts {
            audio_input: usage.audio_input.tokens("input_audio_tokens")?,
            audio_output: usage.audio_output.tokens("output_audio_tokens")?,
            ..Parts::NONE
        };
        let call = self.0.call(&[], from, model, (tokens, is_split_guessed || hides_lifetimes));
        out.extend(call.map(|call| Record::Call(Call { key, parts: parts.within(&tokens), ..call })));
        Ok(Reading::Mine)
    }
}
