//! Aider's analytics log, `--analytics-log FILE` or `AIDER_ANALYTICS_LOG`: its only log with token counts.
//!
//! Verified with 0.86.2 against a service with a known bill (2026-11-26). An event `message_send` is one exchange. If
//! the answer was streamed without usage, which is the usual case, its counts are aider's own estimate: 596 tokens
//! where 10,805 were billed. Nothing tells such a call from another, and prompts include cached tokens, which cost
//! less, so a cost may be too low or too high: every call is a guess. Model names are hidden (`openai/REDACTED`) unless
//! aider knows the model. `total_cost` is a running total; `cost` belongs to the exchange.

use super::author::Author;
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, Money, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::{Call, CallKey, Fidelity, Record, Tokens};

/// Aider's analytics log.
pub(super) struct Aider;

const NAME: &str = "aider";
const NEEDLES: [&str; 1] = ["\"message_send\""];

impl Format for Aider {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Estimates]
    }
    fn gaps(&self) -> &'static str {
        "what was billed: where an answer states no usage, which is usual, aider estimates"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        // There is no standard place. People put it next to aider's own files.
        let log = env.path("AIDER_ANALYTICS_LOG").or_else(|| env.home(".aider/analytics.jsonl"));
        log.into_iter().map(Location::tree).collect()
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Events(Author::new(NAME)))
    }
}

fields! {
    Line {
        event: Text<'a> = "event",
        at: Stamp = "time",
        user: Text<'a> = "user_id",
        properties: Properties<'a> = "properties",
    }
}

fields! {
    /// Properties of an exchange.
    Properties {
        model: Text<'a> = "main_model",
        prompt: Count = "prompt_tokens",
        output: Count = "completion_tokens",
        cost: Money = "cost",
    }
}

struct Events(Author);

impl Reader for Events {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if read.event.get() != Some("message_send") || read.properties.is_absent() {
            return Ok(Reading::NotMine);
        }
        let properties = &read.properties;
        let tokens = Tokens {
            input: properties.prompt.tokens("prompt_tokens")?,
            output: properties.output.tokens("completion_tokens")?,
            ..Tokens::default()
        };
        if tokens.is_zero() {
            return Ok(Reading::Mine);
        }
        let from = self.0.attribution(read.at.0, None, None, origin);
        let at = from.at.timestamp_millis().to_string();
        let counts = format!("{:?}", tokens.fields());
        let model = properties.model.get();
        let key =
            CallKey::from_parts(&[NAME, read.user.get().unwrap_or_default(), &at, model.unwrap_or_default(), &counts]);
        let model = self.0.label(model.filter(|model| !model.ends_with("REDACTED")));
        let fidelity = Fidelity::Guessed;
        out.push(Record::Call(Call { quoted: properties.cost.0, fidelity, ..Call::new(key, from, model, tokens) }));
        Ok(Reading::Mine)
    }
}
