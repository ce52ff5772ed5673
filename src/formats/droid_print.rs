//! Totals that Droid prints at the end of a run: `droid exec --output-format stream-json` and `json`.
//!
//! Verified with 0.225.1 against a service with a known bill (2026-11-29), and in its program: the counts are those of
//! the session's `inclusiveTokenUsage`, which goes on over runs and includes child sessions. They are in disjoint
//! classes. So a session is one total, the largest one, and it counts only while nothing else is known about the
//! session: the session's own settings have the same total, and those of its children theirs. Only a stream names the
//! model, in its first line; children may have used another one, so after a sub-agent was called the model is a guess.

use serde::{Deserialize, Serialize};

use super::author::Author;
use super::count::Count;
use super::fields::{Seen, fields};
use super::json::{self, Text};
use super::time::Stamp;
use super::{BadLine, Origin, Reading};
use crate::domain::{Bill, Billed, CallKey, Counter, Record, Tokens};

/// Strings of which every printed line that is read contains one.
pub(super) const NEEDLES: [&str; 4] = ["\"init\"", "\"finalText\"", "\"factory_credits\"", TASK];
/// The tool that calls a sub-agent.
const TASK: &str = "\"Task\"";

fields! {
    /// A printed line.
    Line {
        kind: Text<'a> = "type",
        subtype: Text<'a> = "subtype",
        session: Text<'a> = "session_id",
        at: Stamp = "timestamp",
        cwd: Text<'a> = "cwd",
        model: Text<'a> = "model",
        tool: Text<'a> = "toolName",
        said: Seen = "finalText",
        usage: Usage<'a> = "usage",
        others: Seen = "uuid" | "mcp_servers" | "permissionMode" | "apiKeySource" | "total_cost_usd",
    }
}

fields! {
    /// Input, cache reads and cache writes are disjoint.
    Usage {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_input_tokens",
        cache_write: Count = "cache_creation_input_tokens",
        thinking: Count = "thinking_tokens",
        credits: Seen = "factory_credits",
    }
}

/// The facts that a stream has given about its session so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Run {
    session: String,
    model: Option<String>,
    cwd: Option<String>,
    has_children: bool,
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
        let Some(session) = read.session.get().filter(|_| read.others.is_none()) else { return Ok(Reading::NotMine) };
        let is_known = self.session == session;
        match (read.kind.get(), read.subtype.get()) {
            (Some("system"), Some("init")) => {
                let owned = |text: &Text<'_>| text.get().map(str::to_owned);
                *self = Self {
                    session: session.to_owned(),
                    model: owned(&read.model),
                    cwd: owned(&read.cwd),
                    has_children: false,
                };
            }
            (Some("tool_call"), _) if is_known => self.has_children |= read.tool.get() == Some("Task"),
            (Some("completion"), _) if read.said.is_some() => out.extend(self.total(&read, session, author, origin)?),
            (Some("result"), _) if read.usage.credits.is_some() => {
                out.extend(self.total(&read, session, author, origin)?);
            }
            (Some(_) | None, _) => return Ok(Reading::NotMine),
        }
        Ok(Reading::Mine)
    }

    /// The session's total; `None` if nothing was used.
    fn total(
        &self,
        read: &Line<'_>,
        session: &str,
        author: &mut Author,
        origin: &Origin,
    ) -> Result<Option<Record>, BadLine> {
        let tokens = read.usage.tokens()?;
        if tokens.is_zero() {
            return Ok(None);
        }
        let is_known = self.session == session;
        let model = self.model.as_deref().filter(|_| is_known).unwrap_or(Billed::UNNAMED);
        let model = model.strip_prefix("custom:").unwrap_or(model);
        let is_guessed = model == Billed::UNNAMED || self.has_children;
        let cwd = self.cwd.as_deref().filter(|_| is_known);
        Ok(Some(Record::Bill(Bill {
            id: CallKey::from_parts(&["droid exec", session]),
            from: author.attribution(read.at.0, Some(session), cwd, origin),
            counter: Counter::Piece,
            models: vec![Billed { is_guessed, ..Billed::new(model, tokens) }],
        })))
    }
}

impl Usage<'_> {
    fn tokens(&self) -> Result<Tokens, BadLine> {
        let output = self.output.total("output_tokens")?;
        Ok(Tokens {
            input: self.input.total("input_tokens")?,
            cache_read: self.cache_read.total("cache_read_input_tokens")?,
            cache_write_5m: self.cache_write.total("cache_creation_input_tokens")?,
            cache_write_1h: 0,
            output,
            reasoning: self.thinking.total("thinking_tokens")?.min(output),
        })
    }
}
