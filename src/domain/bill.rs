//! Session totals reported by the agents themselves.

use std::cmp::Ordering;

use super::{Attribution, CallKey, Instant, Label, Tokens, Usd};

/// An agent's own running total for one session, per model.
///
/// It is not a call and is never added to a total. The ledger subtracts the calls it knows of for the session. The
/// remainder was used by calls that appear in no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Id of the bill. Repetitions of one bill share it.
    pub id: CallKey,
    /// Time and session. Bills without a session are ignored.
    pub from: Attribution,
    /// The scope of the total.
    pub counter: Counter,
    /// Totals, one per model.
    pub models: Vec<Billed>,
}

/// Scope of a running total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counter {
    /// The whole session, across all runs. Forks inherit their parent's counter and continue it.
    Session {
        /// Start time of the counter, shared by forks that inherited it.
        started: Option<i64>,
        /// Start time of the session, as far as the log shows.
        since: Option<Instant>,
    },
    /// Either the process that printed it or the whole session: this varies between agent versions.
    Run {
        /// Main-thread usage since the previous bill. A total that includes earlier usage is at least the previous
        /// total plus this.
        own: Tokens,
    },
    /// The whole session, as it was at one time. What the total grew by since the previous snapshot was used then. If
    /// the bill names a sub-agent or a feature, it is the whole of that, and adds to what the session used itself.
    ///
    /// A total with one model is counted under the current model: those that it was counted under before keep what they
    /// had.
    Snapshot {
        /// Start time of the session, which dates its first snapshot. Without it, the first one dates itself.
        since: Option<Instant>,
    },
    /// One part of the session. Parts add up, and count only while nothing else is known about the session. Metrics are
    /// such parts, and so are events that repeat a log's calls but share no id with it.
    Piece,
}

/// Running total of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// Name of the model as the agent writes it, without the context-size suffix.
    pub model: Label,
    /// Token counts. Cache writes of unknown lifetime count as five-minute writes.
    pub tokens: Tokens,
    /// True when the lifetimes of cache writes are given.
    pub is_split: bool,
    /// Web searches.
    pub web_searches: u32,
    /// Cost according to the agent, if it gives one.
    pub quoted: Option<Usd>,
    /// True when the split into classes is a guess.
    pub is_guessed: bool,
}

impl Billed {
    /// Model name used for a total that names no model.
    pub const UNNAMED: &str = "unknown";

    /// The total of a model that has counts and nothing else. The lifetimes of its cache writes are not known.
    pub fn new(model: &str, tokens: Tokens) -> Self {
        let model = Label::new(model);
        Self { model, tokens, is_split: false, web_searches: 0, quoted: None, is_guessed: false }
    }

    /// True when the total names no model, so its calls may belong to any model.
    pub fn is_unnamed(&self) -> bool {
        self.model.as_str() == Self::UNNAMED
    }
}

impl Bill {
    /// Sum of the tokens of all models.
    pub fn tokens(&self) -> Tokens {
        self.models.iter().map(|billed| billed.tokens).sum()
    }

    /// Joins two readings of one bill, in either order. Keeps the one with more data; if equal, the one that names its
    /// models, then the one that tells more of its input as cached; if still equal, the earlier. A snapshot keeps the
    /// earlier time, so that its row does not move.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let (mut most, least) = if self.order(&other).is_lt() { (other, self) } else { (self, other) };
        if matches!(most.counter, Counter::Snapshot { .. }) {
            most.from.at = most.from.at.min(least.from.at);
        }
        most
    }

    fn order(&self, other: &Self) -> Ordering {
        let contents = |bill: &Self| {
            let models = bill.models.iter();
            models
                .map(|billed| {
                    let counts = (billed.tokens.fields(), billed.is_split, billed.web_searches);
                    (billed.model.clone(), counts, billed.quoted, billed.is_guessed)
                })
                .collect::<Vec<_>>()
        };
        let counter = |bill: &Self| match bill.counter {
            Counter::Session { started, since } => (true, started, since, [0; 6]),
            Counter::Snapshot { since } => (true, None, since, [0; 6]),
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
            .then_with(|| other.tokens().input.cmp(&self.tokens().input))
            .then_with(|| contents(self).cmp(&contents(other)))
            .then_with(|| counter(self).cmp(&counter(other)))
            .then_with(|| other.from.precedence(&self.from))
    }

    /// Start time of the session, if given.
    pub fn since(&self) -> Option<Instant> {
        match self.counter {
            Counter::Session { since, .. } | Counter::Snapshot { since } => since,
            Counter::Run { .. } | Counter::Piece => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_with_more_data_keeps_the_time_of_the_earlier_one_and_other_totals_their_own() {
        let bill = |seconds, output, counter: &Counter| {
            let from = Attribution::new(Instant::from_timestamp(seconds, 0).unwrap(), Label::new("test"));
            let models = vec![Billed::new("opus", Tokens { output, ..Tokens::ZERO })];
            Bill { id: CallKey::from_parts(&["bill"]), from, counter: counter.clone(), models }
        };
        let snapshot = Counter::Snapshot { since: None };
        let session = Counter::Session { started: None, since: None };
        for (counter, second) in [(snapshot, 100), (session, 200)] {
            let (early, late) = (bill(100, 5, &counter), bill(200, 7, &counter));
            let expected = bill(second, 7, &counter);
            assert_eq!(early.clone().join(late.clone()), expected);
            assert_eq!(late.join(early), expected);
        }
    }
}
