//! Totals that an agent states for a whole session.

use std::cmp::Ordering;

use super::{Attribution, CallKey, Instant, Label, Tokens};

/// An agent's own running total of one session, model by model.
///
/// It is no call and is never added to a total. The books subtract the calls they know of from it: what is left was used
/// by calls that no log lists one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Names this statement: a repetition has the same id.
    pub id: CallKey,
    /// When and for which session it was made. One without a session is not booked.
    pub from: Attribution,
    /// The scope of the total.
    pub counter: Counter,
    /// The totals; each model stands once.
    pub models: Vec<Billed>,
}

/// Scope of a running total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counter {
    /// The whole session, over all its runs. Forks take the counter of their parent over and count on.
    Session {
        /// When the counter began: forks that took it over share this number.
        started: Option<i64>,
        /// When the session itself began, as far as its log says.
        since: Option<Instant>,
    },
    /// The process that printed it, or the whole session: agents of different versions differ.
    Run {
        /// What the main thread used since the statement before: a total that also counts what came before is at least
        /// the total before and this.
        own: Tokens,
    },
}

/// The running total of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// The model's name as the agent writes it, without a mark for its context size.
    pub model: Label,
    /// Its tokens. Where the lifetimes of cache writes are not stated, all stand as five minutes.
    pub tokens: Tokens,
    /// True when the lifetimes of cache writes are stated.
    pub is_split: bool,
    /// Web searches.
    pub web_searches: u32,
}

impl Bill {
    /// The tokens of all models.
    pub fn tokens(&self) -> Tokens {
        self.models.iter().map(|billed| billed.tokens).sum()
    }

    /// Of two readings of one statement the same one, whichever came first: the one that says more, then the earlier.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if self.order(&other).is_lt() { other } else { self }
    }

    fn order(&self, other: &Self) -> Ordering {
        let said = |bill: &Self| {
            let models = bill.models.iter();
            models
                .map(|billed| (billed.model.clone(), billed.tokens.fields(), billed.is_split, billed.web_searches))
                .collect::<Vec<_>>()
        };
        let counter = |bill: &Self| match bill.counter {
            Counter::Session { started, since } => (true, started, since, [0; 6]),
            Counter::Run { own } => (false, None, None, own.fields()),
        };
        let by_size = self.tokens().total().cmp(&other.tokens().total());
        by_size
            .then_with(|| said(self).cmp(&said(other)))
            .then_with(|| counter(self).cmp(&counter(other)))
            .then_with(|| other.from.precedence(&self.from))
    }

    /// When the session began, as far as the statement says.
    pub fn since(&self) -> Option<Instant> {
        match self.counter {
            Counter::Session { since, .. } => since,
            Counter::Run { .. } => None,
        }
    }
}
