//! Printed output of Qwen Code: `qwen -p … --output-format stream-json`, and `json`, which is a list of the same lines.
//!
//! Verified with 0.24.4 against a service with a known bill (2026-11-29). The lines look like Claude Code's, but their
//! input includes cached tokens, and the id of an answer is that of its line, so nothing but the session joins an
//! answer with its twin in the session's chat. So a run is one bill: what its answers used so far, and at its end the
//! total of the whole session, which also has the calls of sub-agents and of earlier runs. What the chat lists is not
//! added again. Only `json` has the total by model; elsewhere the model is a guess where the total has more than the
//! answers. No line has a time.

use serde::{Deserialize, Serialize};

use super::author::Author;
use super::count::Count;
use super::fields::{Seen, fields};
use super::json::{self, Text};
use super::keyed::Keyed;
use super::split::Counts;
use super::{BadLine, Origin, Reading};
use crate::domain::{Bill, Billed, CallKey, Counter, Record, Tokens};

/// Strings of which every printed line that is read contains one.
pub(super) const NEEDLES: [&str; 3] = ["\"qwen_code_version\"", "\"parent_tool_use_id\"", "\"permission_denials\""];

fields! {
    /// A printed line.
    Line {
        kind: Text<'a> = "type",
        subtype: Text<'a> = "subtype",
        uuid: Text<'a> = "uuid",
        session: Text<'a> = "session_id",
        version: Seen = "qwen_code_version",
        cwd: Text<'a> = "cwd",
        model: Text<'a> = "model",
        message: Message<'a> = "message",
        usage: Usage<'a> = "usage",
        stats: Stats<'a> = "stats",
        claudes: Seen = "total_cost_usd" | "cost_usd" | "modelUsage",
    }
}

fields! {
    /// An answer.
    Message {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// Input includes cached tokens.
    Usage {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_input_tokens",
        cache_write: Count = "cache_creation_input_tokens",
        total: Count = "total_tokens",
    }
}

fields! {
    /// The totals of a session.
    Stats {
        models: Keyed<Model<'a>> = "models",
    }
}

fields! {
    /// The totals of a model.
    Model {
        tokens: Classes<'a> = "tokens",
    }
}

fields! {
    /// Thoughts are part of the output if the total says so.
    Classes {
        prompt: Count = "prompt",
        output: Count = "candidates",
        cached: Count = "cached",
        thoughts: Count = "thoughts",
        total: Count = "total",
    }
}

/// A run, as far as it has been printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Run {
    session: String,
    model: String,
    cwd: Option<String>,
    /// The run's first answer, by which it is known, and the last one.
    first: String,
    last: String,
    /// The usage of the main thread's answers, by model.
    used: Vec<(String, [u64; 6])>,
}

impl Run {
    /// Reads a printed line.
    ///
    /// # Errors
    /// When a count is implausible.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        author: &mut Author,
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let Some(session) = read.session.get() else { return Ok(Reading::NotMine) };
        let text = |text: &Text<'_>| text.get().unwrap_or_default().to_owned();
        if read.subtype.get() == Some("init") && read.version.is_some() {
            let cwd = read.cwd.get().map(str::to_owned);
            *self = Self { session: session.to_owned(), model: text(&read.model), cwd, ..Self::default() };
            return Ok(Reading::Mine);
        }
        let uuid = text(&read.uuid);
        let is_known = self.session == session;
        match read.kind.get() {
            Some("assistant") if is_known || (!uuid.is_empty() && read.message.id.get() == Some(&uuid)) => {
                if !is_known {
                    *self = Self { session: session.to_owned(), ..Self::default() };
                }
                let tokens = read.message.usage.tokens()?;
                if tokens.is_zero() || self.last == uuid {
                    return Ok(Reading::Mine);
                }
                self.add(uuid, read.message.model.get().unwrap_or(Billed::UNNAMED), tokens);
                let models = self.used().collect();
                out.push(Record::Bill(self.bill(models, author, origin)));
            }
            Some("result") if is_known || (read.claudes.is_none() && read.usage.total.is_given()) => {
                if !is_known {
                    *self = Self { session: session.to_owned(), ..Self::default() };
                }
                if self.first.is_empty() {
                    self.first = uuid;
                }
                let models = self.total(&read)?;
                if models.iter().any(|billed| !billed.tokens.is_zero()) {
                    out.push(Record::Bill(self.bill(models, author, origin)));
                }
            }
            Some(_) if is_known => {}
            Some(_) | None => return Ok(Reading::NotMine),
        }
        Ok(Reading::Mine)
    }

    fn add(&mut self, uuid: String, model: &str, tokens: Tokens) {
        if self.first.is_empty() {
            self.first.clone_from(&uuid);
        }
        self.last = uuid;
        match self.used.iter_mut().find(|(name, _)| name == model) {
            Some((_, used)) => *used = Tokens::from_fields(*used).saturating_add(tokens).fields(),
            None => self.used.push((model.to_owned(), tokens.fields())),
        }
    }

    /// The usage of the answers so far.
    fn used(&self) -> impl Iterator<Item = Billed> + '_ {
        self.used.iter().map(|(model, tokens)| Billed::new(model, Tokens::from_fields(*tokens)))
    }

    /// The totals by model at the end of the run.
    fn total(&self, read: &Line<'_>) -> Result<Vec<Billed>, BadLine> {
        let mut models = Vec::new();
        for (name, model) in &read.stats.models.0 {
            let (tokens, is_guessed) = model.tokens.split()?;
            models.push(Billed { is_guessed, ..Billed::new(name, tokens) });
        }
        if !models.is_empty() {
            return Ok(models);
        }
        let tokens = read.usage.tokens()?;
        let used: Vec<Billed> = self.used().collect();
        if used.iter().map(|billed| billed.tokens).sum::<Tokens>() == tokens {
            return Ok(used);
        }
        let model = if self.model.is_empty() { Billed::UNNAMED } else { &self.model };
        Ok(vec![Billed { is_guessed: true, ..Billed::new(model, tokens) }])
    }

    fn bill(&self, models: Vec<Billed>, author: &mut Author, origin: &Origin) -> Bill {
        Bill {
            id: CallKey::from_parts(&["qwen-code run", &self.session, &self.first]),
            from: author.attribution(None, Some(&self.session), self.cwd.as_deref(), origin),
            counter: Counter::Run { own: self.used().map(|billed| billed.tokens).sum() },
            models,
        }
    }
}

impl Usage<'_> {
    fn tokens(&self) -> Result<Tokens, BadLine> {
        let counts = Counts {
            prompt: Some(self.input.total("input_tokens")?),
            output: Some(self.output.total("output_tokens")?),
            total: Some(self.total.total("total_tokens")?).filter(|total| *total > 0),
            cache_read: self.cache_read.total("cache_read_input_tokens")?,
            cache_write_5m: self.cache_write.total("cache_creation_input_tokens")?,
            ..Counts::default()
        };
        Ok(counts.split().0)
    }
}

impl Classes<'_> {
    /// The counts in disjoint classes, and whether the split is a guess.
    fn split(&self) -> Result<(Tokens, bool), BadLine> {
        let counts = Counts {
            prompt: Some(self.prompt.total("prompt")?),
            output: Some(self.output.total("candidates")?),
            total: Some(self.total.total("total")?).filter(|total| *total > 0),
            cache_read: self.cached.total("cached")?,
            reasoning: self.thoughts.total("thoughts")?,
            ..Counts::default()
        };
        Ok(counts.split())
    }
}
