//! Running totals: counters that an agent reports again and again, and that are reset now and then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Attribution, Bill, Billed, CallKey, Counter, Instant, Label, Tokens};

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

/// Seconds in which a total may be seen to grow several times and still be one snapshot.
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
    let at = seen.max(since);
    let bill = bill(source, Attribution { at, ..from }, models)?;
    let session = bill.from.session.as_deref().unwrap_or_default();
    let minute = at.timestamp().div_euclid(APART).to_string();
    let id = CallKey::from_parts(&[source, "total", session, &minute]);
    Some(Bill { id, counter: Counter::Snapshot { since: Some(since) }, ..bill })
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
        .map(|(model, tokens)| Billed { model: Label::new(model), tokens, is_split: false, web_searches: 0 })
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
