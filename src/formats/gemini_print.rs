//! Totals that Gemini CLI prints at the end of a run: `gemini -p … --output-format stream-json` and `json`.
//!
//! Verified with 0.61.0 against a service with a known bill (2026-11-29), and in its source (`json-formatter.ts`,
//! `stream-json-formatter.ts`, `uiTelemetry.ts`). Both have the totals of the run's own calls by model, including
//! those of sub-agents and the router's, which are in no chat. A resumed session's next run starts at zero, so runs add
//! up; what the session's chat lists is not added again. The counts are those of the chats: input includes cached
//! tokens, output excludes thoughts. The JSON document has all of them. The last line of a stream only has the total,
//! from which the thoughts follow if no tool's prompt is in it, so what is left of it is output, marked as a guess.
//! That line names neither session nor, in older versions, model: the first line does.

use serde::{Deserialize, Serialize};

use super::author::Author;
use super::count::Count;
use super::fields::{Seen, Slot, fields};
use super::json::{self, Text};
use super::keyed::Keyed;
use super::keys::content_key;
use super::split::Counts;
use super::time::Stamp;
use super::{BadLine, Origin, Reading};
use crate::domain::{Bill, Billed, Counter, Record, Tokens};

/// Strings of which every printed line that is read contains one.
pub(super) const FIRST: &str = "\"init\"";
pub(super) const STATS: &str = "\"stats\"";

fields! {
    /// The first or last line of a stream, or a document.
    Line {
        kind: Text<'a> = "type",
        subtype: Seen = "subtype",
        session: Text<'a> = "session_id",
        at: Stamp = "timestamp",
        model: Text<'a> = "model",
        status: Seen = "status",
        stats: Stats<'a> = "stats",
    }
}

fields! {
    /// The totals of a run.
    Stats {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cached: Count = "cached",
        total: Count = "total_tokens",
        models: Keyed<Model<'a>> = "models",
    }
}

fields! {
    /// The totals of one model, in a stream or in a document.
    Model {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cached: Count = "cached",
        total: Count = "total_tokens",
        tokens: Classes<'a> = "tokens",
    }
}

fields! {
    /// The totals of one model by class.
    Classes {
        prompt: Count = "prompt",
        output: Count = "candidates",
        cached: Count = "cached",
        thoughts: Count = "thoughts",
        tool: Count = "tool",
        total: Count = "total",
    }
}

/// The facts in the first line of a stream that its last line lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Run {
    session: String,
    model: String,
}

impl Run {
    /// True before the first line.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a line of a stream, or a document.
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
        let text = |text: &Text<'_>| text.get().unwrap_or_default().to_owned();
        let session = match read.kind.get() {
            Some("init") if read.subtype.is_none() && !read.session.is_absent() && !read.model.is_absent() => {
                *self = Self { session: text(&read.session), model: text(&read.model) };
                return Ok(Reading::Mine);
            }
            Some("result") if read.status.is_some() && read.subtype.is_none() && !read.stats.is_absent() => {
                self.session.clone()
            }
            // Only a document has the classes apart.
            None if read.stats.models.0.iter().any(|(_, model)| !model.tokens.is_absent()) => text(&read.session),
            Some(_) | None => return Ok(Reading::NotMine),
        };
        let models = self.models(&read.stats)?;
        // Old documents name no session.
        let session = if session.is_empty() { origin.stem() } else { &session };
        let own = models.iter().map(|billed| billed.tokens).sum::<Tokens>();
        if !own.is_zero() {
            let from = author.attribution(read.at.0, Some(session), None, origin);
            let id = content_key(author.source(), line);
            out.push(Record::Bill(Bill { id, from, counter: Counter::Run { own }, models }));
        }
        Ok(Reading::Mine)
    }

    /// The totals by model.
    fn models(&self, stats: &Stats<'_>) -> Result<Vec<Billed>, BadLine> {
        if stats.models.0.is_empty() {
            // The model in use; others may have helped.
            let model =
                if self.model.is_empty() || self.model.starts_with("auto") { Billed::UNNAMED } else { &self.model };
            let (tokens, _) = rest_is_output([&stats.input, &stats.output, &stats.cached, &stats.total])?;
            return Ok(vec![Billed { is_guessed: true, ..Billed::new(model, tokens) }]);
        }
        let mut models = Vec::new();
        for (name, model) in &stats.models.0 {
            let (tokens, is_guessed) = if model.tokens.is_absent() {
                rest_is_output([&model.input, &model.output, &model.cached, &model.total])?
            } else {
                model.tokens.split()?
            };
            if !tokens.is_zero() {
                models.push(Billed { is_guessed, is_split: true, ..Billed::new(name, tokens) });
            }
        }
        Ok(models)
    }
}

/// Input, output, cached tokens and the total in disjoint classes, and whether there were thoughts or tools' prompts.
fn rest_is_output([input, output, cached, total]: [&Count; 4]) -> Result<(Tokens, bool), BadLine> {
    let (prompt, said) = (input.total("input_tokens")?, output.total("output_tokens")?);
    let rest = total.total("total_tokens")?.saturating_sub(prompt.saturating_add(said));
    let (output, cache_read) = (Some(said + rest), cached.total("cached")?);
    let (tokens, is_guessed) = Counts { prompt: Some(prompt), output, cache_read, ..Counts::default() }.split();
    Ok((tokens, is_guessed || rest > 0))
}

impl Classes<'_> {
    /// The counts in disjoint classes, and whether the split is a guess.
    fn split(&self) -> Result<(Tokens, bool), BadLine> {
        let thoughts = self.thoughts.total("thoughts")?;
        let counts = Counts {
            prompt: Some(self.prompt.total("prompt")? + self.tool.total("tool")?),
            output: Some(self.output.total("candidates")? + thoughts),
            total: Some(self.total.total("total")?).filter(|total| *total > 0),
            cache_read: self.cached.total("cached")?,
            reasoning: thoughts,
            ..Counts::default()
        };
        Ok(counts.split())
    }
}
