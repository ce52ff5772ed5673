//! Shared parts of the agents' readers: an answer's attribution, key and fidelity.

use serde::{Deserialize, Serialize};

use super::author::Author;
use super::count::Count;
use super::keys::content_key;
use super::split::Counts;
use super::{BadLine, Origin};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Instant, Tokens};

/// Builds the calls of one agent's log.
pub(super) struct CallBuilder {
    name: &'static str,
    author: Author,
}

/// The session and place in which an answer was given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Where<'a> {
    pub(super) session: Option<&'a str>,
    /// Sub-agent.
    pub(super) agent: Option<&'a str>,
    pub(super) project: Option<&'a str>,
}

/// Facts that some lines of a log give for the lines that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Head {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
}

impl Head {
    /// Updates a fact if the line gives one.
    pub(super) fn learn(of: &mut Option<String>, said: Option<&str>) {
        if let Some(said) = said {
            *of = Some(said.to_owned());
        }
    }
}

/// A reader's state as text; empty if the reader has no state.
pub(super) fn save<T: Default + PartialEq + Serialize>(state: &T) -> String {
    if *state == T::default() { String::new() } else { serde_json::to_string(state).unwrap_or_default() }
}

/// Restores the output of [`save`]. Invalid text gives the default state.
pub(super) fn load<T: Default + for<'a> Deserialize<'a>>(state: &str) -> T {
    serde_json::from_str(state).unwrap_or_default()
}

impl CallBuilder {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, author: Author::new(name) }
    }

    /// The attribution of an answer. If it has no time of its own, the file's time is used.
    pub(super) fn from(&mut self, at: Option<Instant>, place: Where<'_>, origin: &Origin) -> Attribution {
        Attribution {
            agent: self.author.label(place.agent),
            ..self.author.attribution(at, place.session, place.project, origin)
        }
    }

    /// A call whose key is made of the agent's name and these parts; `None` if it has no tokens.
    pub(super) fn call(
        &mut self,
        key: &[&str],
        from: Attribution,
        model: Option<&str>,
        (tokens, is_guessed): (Tokens, bool),
    ) -> Option<Call> {
        if tokens.is_zero() {
            return None;
        }
        let key = CallKey::from_parts(&[&[self.name], key].concat());
        let model = self.author.label(model);
        let fidelity = if is_guessed || model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        Some(Call { fidelity, ..Call::new(key, from, model, tokens) })
    }

    /// A sighting of a call in a log without ids, where the line itself identifies it.
    pub(super) fn call_of_line(
        &mut self,
        line: &[u8],
        from: Attribution,
        model: Option<&str>,
        counts: (Tokens, bool),
    ) -> Option<Call> {
        let key = content_key(self.name, line);
        self.call(&[], from, model, counts).map(|call| Call { key, ..call })
    }
}

/// Counts of an answer as most agents write them. Whether the input includes the cache depends on the agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stated<'a> {
    pub(super) input: &'a Count,
    pub(super) output: &'a Count,
    pub(super) cache_read: &'a Count,
    pub(super) cache_write: &'a Count,
    pub(super) reasoning: &'a Count,
    pub(super) total: &'a Count,
}

/// A count that a log does not have.
pub(super) const NONE: &Count = &Count::Absent;

impl Stated<'_> {
    /// Converts counts whose input excludes cache reads and writes.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
    pub(super) fn exclusive(self) -> Result<(Tokens, bool), BadLine> {
        let (input, counts) = self.read(Count::MOST)?;
        Ok(Counts { input, total: None, ..counts }.split())
    }

    /// Converts counts whose input includes cache reads and writes.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
    pub(super) fn inclusive(self) -> Result<(Tokens, bool), BadLine> {
        let (prompt, counts) = self.read(Count::MOST)?;
        Ok(Counts { prompt, ..counts }.split())
    }

    /// Like [`Stated::inclusive`], for a session's total.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
    pub(super) fn inclusive_total(self) -> Result<Tokens, BadLine> {
        let (prompt, counts) = self.read(Count::MOST_TOTAL)?;
        Ok(Counts { prompt, ..counts }.split().0)
    }

    /// The input, and all other counts.
    fn read(self, most: u64) -> Result<(Option<u64>, Counts), BadLine> {
        let read = |count: &Count, name| if most == Count::MOST { count.tokens(name) } else { count.total(name) };
        let total = read(self.total, "total tokens")?;
        let counts = Counts {
            output: Some(read(self.output, "output tokens")?),
            total: Some(total).filter(|total| *total > 0),
            cache_read: read(self.cache_read, "cache reads")?,
            cache_write_5m: read(self.cache_write, "cache writes")?,
            reasoning: read(self.reasoning, "reasoning tokens")?,
            ..Counts::default()
        };
        Ok((Some(read(self.input, "input tokens")?), counts))
    }
}
