//! Questions to the books, and their answers.

use std::sync::Arc;

use super::{Row, Sums};
use crate::domain::{CallKey, Day, Dimension, Filter, Instant, Label, Week, Zone};

/// What a report sums over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// Local clock hours.
    Hour,
    /// Local calendar days.
    Day,
    /// ISO weeks.
    Week,
    /// Calendar months.
    Month,
    /// Conversations.
    Session,
    /// Single calls.
    Call,
    /// Everything.
    Total,
}

/// The order of a report's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Oldest, or first in the alphabet, first.
    #[default]
    Ascending,
    /// The other way round.
    Descending,
}

/// A question to the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What to sum over.
    pub grain: Grain,
    /// What to split by.
    pub by: Vec<Dimension>,
    /// Which calls count.
    pub filter: Filter,
    /// Where days begin.
    pub zone: Zone,
    /// In which order.
    pub order: Order,
    /// No more rows than this, after ordering; the total is of all rows.
    pub limit: Option<usize>,
}

impl Query {
    /// All calls, unsplit, oldest first, without a limit.
    pub fn new(grain: Grain, zone: Zone) -> Self {
        Self { grain, by: Vec::new(), filter: Filter::default(), zone, order: Order::Ascending, limit: None }
    }
}

/// Which period a row stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodKey {
    /// A local clock hour, by its first moment.
    Hour(Instant),
    /// A local day.
    Day(Day),
    /// An ISO week.
    Week(Week),
    /// A month, by its first day.
    Month(Day),
    /// A conversation: when it began, and its name.
    Session(Instant, Option<Label>),
    /// A call: when it was made, and its key.
    Call(Instant, CallKey),
    /// Everything.
    Total,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was asked.
    pub query: Query,
    /// One row for each period and combination of the `by` values, in order.
    pub rows: Vec<ReportRow>,
    /// The sum of all rows, those beyond the limit included.
    pub total: Sums,
    /// Files that may hold more calls and could not be read; the books do not know them, a command that read on does.
    pub unread_files: u64,
}

impl Report {
    /// The answer to a question before anything is known.
    pub fn without_rows(query: &Query) -> Self {
        Self { query: query.clone(), rows: Vec::new(), total: Sums::default(), unread_files: 0 }
    }

    /// The total, marked as the least that it can be where files could not be read.
    pub fn marked_total(&self) -> Sums {
        self.total.marked(self.unread_files)
    }

    /// The report with the mark in every row that sums up calls. Of a single call nothing is missing.
    #[must_use]
    pub fn with_marked_rows(&self) -> Self {
        let mut marked = self.clone();
        for row in marked.rows.iter_mut().filter(|row| row.call.is_none()) {
            row.sums = row.sums.marked(self.unread_files);
        }
        marked
    }
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// The period.
    pub period: PeriodKey,
    /// One value for each dimension asked for; `None` where the log does not say.
    pub by: Vec<Option<Label>>,
    /// The sums.
    pub sums: Sums,
    /// More about the session, in session reports.
    pub session: Option<Arc<SessionRow>>,
    /// The row itself, in call reports.
    pub call: Option<Arc<Row>>,
}

/// What is known of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its name; `None` collects the calls whose log names no session.
    pub session: Option<Label>,
    /// The log format.
    pub source: Label,
    /// Its first call.
    pub started: Instant,
    /// Its last call.
    pub ended: Instant,
    /// Where, by its first call that says so.
    pub project: Option<Label>,
    /// Who, by its first call that says so.
    pub user: Option<Label>,
    /// Its models, dearest first, with what each cost.
    pub models: Vec<(Option<Label>, Sums)>,
    /// Its sub-agents' share.
    pub in_agents: Sums,
    /// All of it.
    pub sums: Sums,
}
