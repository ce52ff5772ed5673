//! Ledger queries and reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Row, Sums};
use crate::domain::{CallKey, Day, Dimension, Filter, Instant, Label, Week, Zone};

/// The unit that each row of a report covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// Quarters of an hour.
    Quarter,
    /// Local clock hours.
    Hour,
    /// Local calendar days.
    Day,
    /// ISO weeks.
    Week,
    /// Calendar months.
    Month,
    /// Sessions.
    Session,
    /// Single calls.
    Call,
    /// Everything in one row.
    Total,
}

/// The order of a report's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Oldest first, or in alphabetical order.
    #[default]
    Ascending,
    /// The reverse.
    Descending,
}

/// A query for a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The unit of rows.
    pub grain: Grain,
    /// Dimensions to split rows by.
    pub by: Vec<Dimension>,
    /// Calls to include.
    pub filter: Filter,
    /// Time zone of calendar periods.
    pub zone: Zone,
    /// Order of rows.
    pub order: Order,
    /// Maximum number of rows, applied after ordering; the total covers all rows.
    pub limit: Option<usize>,
    /// Names that derived dimensions give to the values of their bases. A value without one keeps its own name, except
    /// that a branch without a ticket has none.
    pub renamed: BTreeMap<(Dimension, Label), Label>,
}

impl Query {
    /// A query for all calls, oldest first, not split and without a limit.
    pub fn new(grain: Grain, zone: Zone) -> Self {
        let (by, filter, order) = (Vec::new(), Filter::default(), Order::Ascending);
        Self { grain, by, filter, zone, order, limit: None, renamed: BTreeMap::new() }
    }

    /// The name of this dimension's value in the report.
    pub(crate) fn name_of<'a>(&'a self, by: Dimension, value: &'a Label) -> Option<&'a Label> {
        if by.base() == by {
            return Some(value);
        }
        let own = if by == Dimension::Ticket { None } else { Some(value) };
        self.renamed.get(&(by, value.clone())).or(own)
    }
}

/// The period of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodKey {
    /// Quarter of an hour, by its start.
    Quarter(Instant),
    /// Local clock hour, by its start.
    Hour(Instant),
    /// Local day.
    Day(Day),
    /// ISO week.
    Week(Week),
    /// Month, by its first day.
    Month(Day),
    /// Session: start time and name.
    Session(Instant, Option<Label>),
    /// Call: time and key.
    Call(Instant, CallKey),
    /// Everything.
    Total,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The query it answers.
    pub query: Query,
    /// One row per period and combination of `by` values, in order.
    pub rows: Vec<ReportRow>,
    /// Sum of all rows, including those beyond the limit.
    pub total: Sums,
    /// Number of rows without the limit, if some are left out.
    pub all_rows: Option<u64>,
    /// Files that may contain more calls but could not be read. Set by commands that read logs; always 0 from the
    /// ledger itself.
    pub unread_files: u64,
}

impl Report {
    /// The answer before anything is known.
    pub fn without_rows(query: &Query) -> Self {
        Self { query: query.clone(), rows: Vec::new(), total: Sums::default(), all_rows: None, unread_files: 0 }
    }

    /// True if no call is in it. A limit may leave out all rows of a report that has calls.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.total.calls == 0
    }

    /// The total, marked as a lower bound if files could not be read.
    pub fn marked_total(&self) -> Sums {
        self.total.marked(self.unread_files)
    }

    /// The report with that mark on every row that sums up calls. A single call is never incomplete.
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
    /// Values of the `by` dimensions; `None` where the log has none.
    pub by: Vec<Option<Label>>,
    /// The sums.
    pub sums: Sums,
    /// Session data, in session reports.
    pub session: Option<Arc<SessionRow>>,
    /// The call, in call reports.
    pub call: Option<Arc<Row>>,
}

/// A session's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Name; `None` collects calls without a session.
    pub session: Option<Label>,
    /// The log format.
    pub source: Label,
    /// Its first call.
    pub started: Instant,
    /// Its last call.
    pub ended: Instant,
    /// Project of the first call that has one; without a session, that of all its calls.
    pub project: Option<Label>,
    /// The user, unless its calls have several; without a session, that of all its calls.
    pub user: Option<Label>,
    /// Number of calls by project, without a session.
    pub projects: BTreeMap<Option<Label>, u64>,
    /// Number of calls by user.
    pub users: BTreeMap<Option<Label>, u64>,
    /// Models by descending cost, with their sums.
    pub models: Vec<(Option<Label>, Sums)>,
    /// Sums of its sub-agents.
    pub in_agents: Sums,
    /// Sums of all its calls.
    pub sums: Sums,
}

impl SessionRow {
    /// Adds the calls of another session, or other calls of this one. The models stay in no order.
    pub(crate) fn add(&mut self, other: &Self) {
        self.started = self.started.min(other.started);
        self.ended = self.ended.max(other.ended);
        self.in_agents.add(&other.in_agents);
        self.sums.add(&other.sums);
        for (known, others) in [(&mut self.projects, &other.projects), (&mut self.users, &other.users)] {
            for (name, calls) in others {
                *known.entry(name.clone()).or_default() += calls;
            }
        }
        self.user = common_name(&self.users, self.session.is_some());
        if self.session.is_none() {
            self.project = common_name(&self.projects, false);
        }
        for (name, sums) in &other.models {
            match self.models.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.add(sums),
                None => self.models.push((name.clone(), *sums)),
            }
        }
    }
}

/// The only name among these numbers of calls. Calls without a name prevent it, unless they may have any.
pub(crate) fn common_name(calls: &BTreeMap<Option<Label>, u64>, any_without: bool) -> Option<Label> {
    let mut names = calls.keys().flatten();
    let name = names.next().filter(|_| any_without || !calls.contains_key(&None))?;
    names.next().is_none().then(|| name.clone())
}
