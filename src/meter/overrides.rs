//! Overrides: lift limits for one session, with a reason. They are stored in the ledger, apply to every gate, and can
//! be revoked.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::domain::{Instant, Label, Zone, rfc3339_seconds, sort_by_key};
use crate::ledger::{Fact, FactKind, Ledger, LedgerError};

/// Prefix of the value of an override, followed by its reason. A fact without it is a revocation.
const LIFTED: &str = "lifted\t";
const REVOKED: &str = "revoked";

/// An override of a session's limits, in force or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Override {
    pub(crate) session: Label,
    pub(crate) reason: Label,
    /// Start.
    #[serde(serialize_with = "time")]
    pub(crate) at: Instant,
    /// End, once revoked.
    #[serde(serialize_with = "time_if_any", skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Instant>,
}

fn time<S: Serializer>(at: &Instant, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339_seconds(*at, Zone::UTC))
}

#[expect(clippy::ref_option, reason = "serde hands the field in so")]
fn time_if_any<S: Serializer>(at: &Option<Instant>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, to),
        None => to.serialize_none(),
    }
}

/// Overrides the limits of a session. Returns false if they are already overridden for the same reason.
///
/// # Errors
/// When the ledger cannot be written.
pub(crate) fn lift(books: &mut dyn Ledger, session: &Label, reason: &Label, now: Instant) -> Result<bool, LedgerError> {
    let known = entries(books, session)?;
    if still_lifted(&known).is_some_and(|lifted| lifted.reason == *reason) {
        return Ok(false);
    }
    add(books, session, known.len(), format!("{LIFTED}{reason}"), now)
}

/// Revokes a session's override. Returns false if there was none.
///
/// # Errors
/// When the ledger cannot be written.
pub(crate) fn revoke(books: &mut dyn Ledger, session: &Label, now: Instant) -> Result<bool, LedgerError> {
    let known = entries(books, session)?;
    if still_lifted(&known).is_none() {
        return Ok(false);
    }
    add(books, session, known.len(), REVOKED.to_owned(), now)
}

/// Adds an entry. If another process has added one for this turn first, that one counts.
fn add(books: &mut dyn Ledger, session: &Label, turn: usize, value: String, now: Instant) -> Result<bool, LedgerError> {
    let fact = Fact { at: now, value };
    let key = format!("{session}\t{turn:06}");
    books.update(FactKind::Override, &key, &|known| known.is_none().then(|| fact.clone()))
}

/// The override in force for a session, if any.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn override_of(books: &dyn Ledger, session: &Label) -> Result<Option<Override>, LedgerError> {
    Ok(still_lifted(&entries(books, session)?))
}

/// All overrides, oldest first, for `audit`.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn all(books: &dyn Ledger) -> Result<Vec<Override>, LedgerError> {
    Ok(history(&read(books, "")?))
}

/// The sessions whose limits are overridden now.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn in_force(books: &dyn Ledger) -> Result<BTreeSet<Label>, LedgerError> {
    Ok(all(books)?.into_iter().filter(|lifted| lifted.until.is_none()).map(|lifted| lifted.session).collect())
}

/// One entry in the ledger: an override or a revocation.
struct Entry {
    session: Label,
    /// Reason of an override; `None` for a revocation.
    reason: Option<Label>,
    at: Instant,
}

/// Entries of a session, ordered by turn because two may share a second. Labels contain no control characters, so a tab
/// ends the session's name.
fn entries(books: &dyn Ledger, session: &Label) -> Result<Vec<Entry>, LedgerError> {
    read(books, &format!("{session}\t"))
}

fn read(books: &dyn Ledger, prefix: &str) -> Result<Vec<Entry>, LedgerError> {
    let facts = books.facts(FactKind::Override, prefix)?;
    let entry = |(key, Fact { at, value }): (String, Fact)| {
        let (session, _) = key.split_once('\t')?;
        Some(Entry { session: Label::new(session), reason: value.strip_prefix(LIFTED).map(Label::new), at })
    };
    Ok(facts.into_iter().filter_map(entry).collect())
}

/// The last override in a session's entries, unless it was revoked.
fn still_lifted(entries: &[Entry]) -> Option<Override> {
    history(entries).pop().filter(|lifted| lifted.until.is_none())
}

fn history(entries: &[Entry]) -> Vec<Override> {
    let mut sessions: BTreeMap<Label, Vec<Override>> = BTreeMap::new();
    for Entry { session, reason, at } in entries {
        let known = sessions.entry(session.clone()).or_default();
        match reason {
            Some(reason) => {
                known.push(Override { session: session.clone(), reason: reason.clone(), at: *at, until: None });
            }
            None => known.iter_mut().filter(|known| known.until.is_none()).for_each(|known| known.until = Some(*at)),
        }
    }
    let mut all: Vec<Override> = sessions.into_values().flatten().collect();
    sort_by_key(&mut all, |lifted| lifted.at);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Memory;
    use crate::pricing::{CostMode, PriceBook};
    use std::sync::Arc;

    fn books() -> Memory {
        Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)))
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_session_is_lifted_by_its_whole_name_only_and_the_latest_reason_holds() {
        let mut books = books();
        let (one, longer) = (Label::new("s1"), Label::new("s1 b"));
        assert_eq!(override_of(&books, &one).unwrap(), None);
        assert!(lift(&mut books, &longer, &Label::new("a release"), at(1)).unwrap());
        assert_eq!(override_of(&books, &one).unwrap(), None);
        assert!(lift(&mut books, &one, &Label::new("z: first"), at(2)).unwrap());
        assert!(lift(&mut books, &one, &Label::new("a: second"), at(3)).unwrap());
        assert!(!lift(&mut books, &one, &Label::new("a: second"), at(4)).unwrap());
        let found = override_of(&books, &one).unwrap().unwrap();
        assert_eq!((found.reason.as_str(), found.at), ("a: second", at(3)));
        let all: Vec<String> = all(&books).unwrap().iter().map(|lifted| lifted.session.to_string()).collect();
        assert_eq!(all, ["s1 b", "s1", "s1"]);
    }

    #[test]
    fn a_revoked_session_is_stopped_again_and_can_be_lifted_anew_within_one_second() {
        let mut books = books();
        let (session, reason) = (Label::new("s1"), Label::new("release"));
        assert!(!revoke(&mut books, &session, at(1)).unwrap());
        for _ in 0..3 {
            assert!(lift(&mut books, &session, &reason, at(2)).unwrap());
            assert_eq!(override_of(&books, &session).unwrap().unwrap().until, None);
            assert!(revoke(&mut books, &session, at(2)).unwrap());
            assert_eq!(override_of(&books, &session).unwrap(), None);
            assert!(!revoke(&mut books, &session, at(3)).unwrap());
        }
        let until: Vec<_> = all(&books).unwrap().iter().map(|lifted| lifted.until).collect();
        assert_eq!(until, [Some(at(2)); 3]);
    }
}
