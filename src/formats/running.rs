//! Running totals: counters that an agent reports again and again, and that are reset now and then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Attribution, Bill, Billed, CallKey, Counter, Instant, Tokens};

/// The counters of one log, by name. Part of a reader's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running(BTreeMap<String, Seen>);

/// A counter as it was last read, and the sum of its values before each of its resets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    last: [u64; 6],
    before: [u64; 6],
}

impl Running {
    /// True when no counter has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads a counter. If it is smaller than before, it was reset, and its previous value is kept.
    pub(super) fn read(&mut self, counter: &str, now: Tokens) {
        let seen = self.0.entry(counter.to_owned()).or_default();
        let last = Tokens::from_fields(seen.last);
        if now.total() < last.total() {
            seen.before = Tokens::from_fields(seen.before).saturating_add(last).fields();
        }
        seen.last = now.fields();
    }

    /// All counters, each with its total over all resets.
    pub(super) fn totals(&self) -> impl Iterator<Item = (&str, Tokens)> {
        let whole = |seen: &Seen| Tokens::from_fields(seen.before).saturating_add(Tokens::from_fields(seen.last));
        self.0.iter().map(move |(name, seen)| (name.as_str(), whole(seen)))
    }
}

/// Seconds within which a total may grow several times and still be one snapshot.
const APART: i64 = 60;

/// The bill with a session's totals as they were at this time, when they had last grown; `None` if nothing was used.
/// `from` is dated by the session's start. What the totals grow by from one snapshot to the next is dated by the later.
pub(super) fn snapshot<'m>(
    source: &str,
    from: Attribution,
    seen: Instant,
    models: impl IntoIterator<Item = (&'m str, Tokens)>,
) -> Option<Bill> {
    let since = from.at;
    let models = models.into_iter().map(|(model, tokens)| Billed::new(model, tokens)).collect();
    dated(source, Attribution { at: seen.max(since), ..from }, Some(since), models)
}

/// The bill with a session's totals as the log dates them (`from.at`); `None` if nothing was used. If `from` names a
/// sub-agent or a feature, they are the totals of that alone. The first one is dated by `since`, or else by its own
/// time.
pub(super) fn dated(source: &str, from: Attribution, since: Option<Instant>, mut models: Vec<Billed>) -> Option<Bill> {
    let session = from.session.as_deref()?;
    let minute = from.at.timestamp().div_euclid(APART).to_string();
    let scope = [&from.agent, &from.feature].map(|label| label.as_deref().unwrap_or_default());
    let id = match scope {
        ["", ""] => CallKey::from_parts(&[source, "total", session, &minute]),
        [agent, feature] => CallKey::from_parts(&[source, "total", session, &minute, agent, feature]),
    };
    models.retain(|billed| !billed.tokens.is_zero() || billed.quoted.is_some());
    (!models.is_empty()).then_some(Bill { id, from, counter: Counter::Snapshot { since }, models })
}

/// The bill with a session's totals; `None` if nothing was used.
pub(super) fn bill<'m>(
    source: &str,
    from: Attribution,
    models: impl IntoIterator<Item = (&'m str, Tokens)>,
) -> Option<Bill> {
    let session = from.session.clone()?;
    let models: Vec<Billed> = models
        .into_iter()
        .filter(|(_, tokens)| !tokens.is_zero())
        .map(|(model, tokens)| Billed::new(model, tokens))
        .collect();
    (!models.is_empty()).then(|| Bill {
        id: CallKey::from_parts(&[source, "total", session.as_str()]),
        from,
        counter: Counter::Session { started: None, since: None },
        models,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h3_a_counter_that_falls_was_reset_and_what_it_had_come_to_stays() {
        let mut running = Running::default();
        let tokens = |input| Tokens { input, ..Tokens::default() };
        for now in [10, 30, 30, 5, 7] {
            running.read("m", tokens(now));
        }
        assert_eq!(running.totals().collect::<Vec<_>>(), [("m", tokens(37))]);
    }
}
