//! Queries that clients can make. The commands produce the answers, so that both give the same results.

use crate::engine::QueryContext;

/// A query to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The report of `tokmeter report`, as JSON or CSV.
    Usage,
    /// The numbers of the live screen.
    Summary,
    /// The report by session.
    Sessions,
    /// The latest calls.
    Calls,
    /// The explanation of the call with this `key`.
    Call,
    /// The limits and their usage.
    Limits,
    /// State of sources, ledger and prices.
    Health,
    /// Whether a call may be made.
    Gate,
    /// Metrics in this format.
    Metrics(Exposition),
}

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// Prometheus's text format.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

/// Parameters of a query, in order.
pub(crate) type Params = Vec<(String, String)>;

/// Media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Csv,
    /// Metrics in this format.
    Metrics(Exposition),
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its media type.
    pub(crate) kind: Kind,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The query is invalid.
    Question(String),
    /// Nothing with that name exists.
    Nothing(String),
    /// The ledger cannot be read now.
    Books(String),
}

/// Answers a query.
pub(crate) type AnswerFn = fn(Topic, &Params, &QueryContext<'_>) -> Result<Answer, Refusal>;
