//! Limits lifted for one session: said once with a reason, kept in the ledger, respected by every gate.

use chrono::SecondsFormat;
use serde::Serialize;

use crate::domain::{Instant, Label};
use crate::ledger::{BooksError, Ledger};

/// What begins the name of every such entry in the books.
const BEGINNING: &str = "override:";

/// Limits do not stop this session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Lifted {
    /// The session.
    pub(crate) session: Label,
    /// Why.
    pub(crate) reason: Label,
    /// Since when.
    pub(crate) at: String,
}

/// Lifts limits for a session. False when it was lifted for the same reason before.
///
/// # Errors
/// When the books cannot be written.
pub(crate) fn lift(books: &mut dyn Ledger, session: &Label, reason: &Label, now: Instant) -> Result<bool, BooksError> {
    // A label holds no control character, so that a tab parts the two for certain.
    books.claim_alert(&format!("{BEGINNING}{session}\t{reason}"), now)
}

/// Whether limits are lifted for a session: the latest time that was said.
///
/// # Errors
/// When the books cannot be read.
pub(crate) fn of(books: &dyn Ledger, session: &Label) -> Result<Option<Lifted>, BooksError> {
    let mut entries = books.alerts(&format!("{BEGINNING}{session}\t"))?;
    entries.sort_by_key(|(_, at)| *at);
    Ok(entries.into_iter().next_back().and_then(|(id, at)| read(&id, at)))
}

/// Every lifted session, oldest first: what `limits show` and `audit` list.
///
/// # Errors
/// When the books cannot be read.
pub(crate) fn all(books: &dyn Ledger) -> Result<Vec<Lifted>, BooksError> {
    let mut entries = books.alerts(BEGINNING)?;
    entries.sort_by_key(|(_, at)| *at);
    Ok(entries.into_iter().filter_map(|(id, at)| read(&id, at)).collect())
}

fn read(id: &str, at: Instant) -> Option<Lifted> {
    let (session, reason) = id.strip_prefix(BEGINNING)?.split_once('\t')?;
    Some(Lifted {
        session: Label::new(session),
        reason: Label::new(reason),
        at: at.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Memory;
    use crate::pricing::{CostMode, PriceBook};
    use std::sync::Arc;

    #[test]
    fn a_session_is_lifted_by_its_whole_name_only_and_the_latest_reason_holds() {
        let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
        let at = |seconds| Instant::from_timestamp(seconds, 0).unwrap();
        let (one, longer) = (Label::new("s1"), Label::new("s1 b"));
        assert_eq!(of(&books, &one).unwrap(), None);
        assert!(lift(&mut books, &longer, &Label::new("a release"), at(1)).unwrap());
        assert_eq!(of(&books, &one).unwrap(), None);
        assert!(lift(&mut books, &one, &Label::new("z: first"), at(2)).unwrap());
        assert!(lift(&mut books, &one, &Label::new("a: second"), at(3)).unwrap());
        assert!(!lift(&mut books, &one, &Label::new("a: second"), at(4)).unwrap());
        let found = of(&books, &one).unwrap().unwrap();
        assert_eq!((found.reason.as_str(), found.at.as_str()), ("a: second", "1970-01-01T00:00:03Z"));
        let all: Vec<String> = all(&books).unwrap().iter().map(|lifted| lifted.session.to_string()).collect();
        assert_eq!(all, ["s1 b", "s1", "s1"]);
    }
}
