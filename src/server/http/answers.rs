//! Questions that clients can ask. The commands write the answers, so that both give the same.

use crate::engine::BooksView;

/// A question to the books.
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
    /// The arithmetic of the call with this `key`.
    Call,
    /// The limits with their use.
    Limits,
    /// State of sources, ledger and prices.
    Health,
    /// Whether a call may be made.
    Gate,
    /// Metrics in this form.
    Metrics(Exposition),
}

/// Form of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// Prometheus' text format.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

/// Parameters of a query, in their order.
pub(crate) type Params = Vec<(String, String)>;

/// Media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON.
    Json,
    /// CSV.
    Csv,
    /// Metrics in this form.
    Metrics(Exposition),
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its media type.
    pub(crate) kind: Kind,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

/// Why there is none.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The question is wrong.
    Question(String),
    /// There is nothing of that name.
    Nothing(String),
    /// The books cannot be read now.
    Books(String),
}

/// Answers a question.
pub(crate) type AnswerFn = fn(Topic, &Params, &BooksView<'_>) -> Result<Answer, Refusal>;
