//! Session totals stated by agents.

use std::cmp::Ordering;

use super::{Attribution, CallKey, Instant, Label, Tokens};

/// An agent's own running total of one session, per model.
///
/// It is not a call and never added to a total. The ledger subtracts the session's known calls: the remainder was used
/// by calls that no log lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Id of the statement: repetitions have the same.
    pub id: CallKey,
    /// Time and session. Statements without a session are ignored.
    pub from: Attribution,
    /// The scope of the total.
    pub counter: Counter,
    /// Totals, one per model.
    pub models: Vec<Billed>,
}

/// Scope of a running total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counter {
    /// The whole session, over all runs. Forks inherit their parent's counter and continue it.
    Session {
        /// Start time of the counter, shared by forks that inherited it.
        started: Option<i64>,
        /// Start time of the session, as far as its log shows.
        since: Option<Instant>,
    },
    /// The process that printed it, or the whole session: agent versions differ.
    Run {
        /// Usage of the main thread since the previous statement: a total that includes earlier usage is at least the
        /// previous total plus this.
        own: Tokens,
    },
    /// A piece of the session: pieces add up, and count only while nothing else is known of the session. Metrics are
    /// such pieces, and events that name the calls of a log without an id in common with it.
    Piece,
}

/// Running total of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// Name of the model as the agent writes it, without a mark for the context size.
    pub model: Label,
    /// Its tokens. Cache writes of unknown lifetime count as five minutes.
    pub tokens: Tokens,
    /// True when the lifetimes of cache writes are stated.
    pub is_split: bool,
    /// Web searches.
    pub web_searches: u32,
}

impl Billed {
    /// Stands for the model of a total that names none.
    pub const UNNAMED: &str = "unknown";

    /// True when the total names no model, so that its calls may be of any.
    pub fn is_unnamed(&self) -> bool {
        self.model.as_str() == Self::UNNAMED
    }
}

impl Bill {
    /// Sum of the tokens of all models.
    pub fn tokens(&self) -> Tokens {
        self.models.iter().map(|billed| billed.tokens).sum()
    }

    /// Joins two readings of one statement, independent of order: keeps the one with more data, of equal ones that
    /// which names its models, then the earlier.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if self.order(&other).is_lt() { other } else { self }
    }

    fn order(&self, other: &Self) -> Ordering {
        let contents = |bill: &Self| {
            let models = bill.models.iter();
            models
                .map(|billed| (billed.model.clone(), billed.tokens.fields(), billed.is_split, billed.web_searches))
                .collect::<Vec<_>>()
        };
        let counter = |bill: &Self| match bill.counter {
            Counter::Session { started, since } => (true, started, since, [0; 6]),
            Counter::Run { own } => (false, None, None, own.fields()),
            Counter::Piece => (false, None, None, [0; 6]),
        };
        let by_size = self.tokens().total().cmp(&other.tokens().total());
        let named = |bill: &Self| {
            let named = bill.models.iter().filter(|billed| !billed.is_unnamed());
            named.map(|billed| billed.tokens).sum::<Tokens>().total()
        };
        by_size
            .then_with(|| named(self).cmp(&named(other)))
            .then_with(|| contents(self).cmp(&contents(other)))
            .then_with(|| counter(self).cmp(&counter(other)))
            .then_with(|| other.from.precedence(&self.from))
    }

    /// Start time of the session, if stated.
    pub fn since(&self) -> Option<Instant> {
        match self.counter {
            Counter::Session { since, .. } => since,
            Counter::Run { .. } | Counter::Piece => None,
        }
    }
}
