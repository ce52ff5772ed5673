//! A reader for databases in which a row has the running total of a session.

use std::borrow::Cow;

use super::author::Author;
use super::rows::Value;
use super::running::dated;
use super::{BadLine, Origin, Reader, Reading};
use crate::domain::{Attribution, Billed, Instant, Record};

/// A session's total, as a row gives it.
pub(super) struct RowTotal<'a> {
    pub(super) session: Cow<'a, str>,
    /// The sub-agent, if it is the total of one.
    pub(super) agent: Option<Cow<'a, str>>,
    /// The kind of work, if it is the total of one.
    pub(super) feature: Option<Cow<'a, str>>,
    pub(super) project: Option<Cow<'a, str>>,
    /// Start of the session, which dates the total if nothing says when it was last written.
    pub(super) began: Option<Instant>,
    /// Time at which the total was last written.
    pub(super) last: Option<Instant>,
    pub(super) models: Vec<Billed>,
}

/// Reads a row returned by the query at this index; `None` if the row is not a total.
pub(super) type ReadRow = for<'a> fn(usize, &[Value<'a>], &Origin) -> Result<Option<RowTotal<'a>>, BadLine>;

/// A reader for the rows of this format.
pub(super) fn reader(format: &'static str, read: ReadRow) -> Box<dyn Reader> {
    Box::new(Rows { format, author: Author::new(format), read })
}

struct Rows {
    format: &'static str,
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
        let Some(total) = (self.read)(query, row, origin)? else { return Ok(Reading::Mine) };
        let author = &mut self.author;
        let at = total.last.max(total.began);
        let from = Attribution {
            agent: author.label(total.agent.as_deref()),
            feature: author.label(total.feature.as_deref()),
            ..author.attribution(at, Some(&total.session), total.project.as_deref(), origin)
        };
        let since = total.began.filter(|_| total.last.is_none());
        out.extend(dated(self.format, from, since, total.models).map(Record::Bill));
        Ok(Reading::Mine)
    }
}
