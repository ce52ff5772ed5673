//! A reader for databases in which each row is a call.

use std::borrow::Cow;
use std::time::Duration;

use super::author::Author;
use super::rows::Value;
use super::{BadLine, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Instant, Record, Tokens, Usd};

/// A call, as a row gives it.
pub(super) struct RowCall<'a> {
    pub(super) key: CallKey,
    pub(super) tokens: Tokens,
    /// Time of the call; the file's time if the row gives none.
    pub(super) at: Option<Instant>,
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) session: Option<Cow<'a, str>>,
    /// The sub-agent.
    pub(super) agent: Option<Cow<'a, str>>,
    pub(super) project: Option<Cow<'a, str>>,
    pub(super) feature: Option<Cow<'a, str>>,
    pub(super) quoted: Option<Usd>,
    pub(super) latency: Option<Duration>,
    pub(super) fidelity: Fidelity,
}

impl RowCall<'_> {
    /// A call that has exact counts and nothing else.
    pub(super) fn new(key: CallKey, tokens: Tokens) -> Self {
        Self {
            key,
            tokens,
            at: None,
            model: None,
            session: None,
            agent: None,
            project: None,
            feature: None,
            quoted: None,
            latency: None,
            fidelity: Fidelity::Final,
        }
    }
}

/// Reads a row returned by the query at this index; `None` if the row is not a call.
pub(super) type ReadRow = for<'a> fn(usize, &[Value<'a>], &Origin) -> Result<Option<RowCall<'a>>, BadLine>;

/// A reader for the rows of this format.
pub(super) fn reader(format: &'static str, read: ReadRow) -> Box<dyn Reader> {
    Box::new(Rows { author: Author::new(format), read })
}

struct Rows {
    author: Author,
    read: ReadRow,
}

impl Reader for Rows {
    fn row(
        &mut self,
        query: usize,
        row: &[Value<'_>],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        let Some(call) = (self.read)(query, row, origin)? else { return Ok(Reading::Mine) };
        if call.tokens.is_zero() && call.quoted.is_none() {
            return Ok(Reading::Mine);
        }
        let author = &mut self.author;
        let from = Attribution {
            agent: author.label(call.agent.as_deref()),
            feature: author.label(call.feature.as_deref()),
            ..author.attribution(call.at, call.session.as_deref(), call.project.as_deref(), origin)
        };
        let model = author.label(call.model.as_deref());
        let fidelity = match (&model, call.fidelity) {
            (None, Fidelity::Final) => Fidelity::Guessed,
            (None, Fidelity::Summed) => Fidelity::SumGuessed,
            (_, fidelity) => fidelity,
        };
        out.push(Record::Call(Call {
            quoted: call.quoted,
            latency: call.latency,
            fidelity,
            ..Call::new(call.key, from, model, call.tokens)
        }));
        Ok(Reading::Mine)
    }
}

/// A duration in milliseconds.
pub(super) fn milliseconds(value: Value<'_>) -> Option<Duration> {
    value.integer().and_then(|count| u64::try_from(count).ok()).map(Duration::from_millis)
}
