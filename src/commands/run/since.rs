//! The calls since the start of a run, also of logs that date them in whole seconds.

use std::sync::Arc;

use chrono::{Duration, SubsecRound as _};

use super::own::Started;
use crate::domain::{Filter, Instant, Span, Zone};
use crate::ledger::{Grain, Ledger, LedgerError, Query, SessionRow};

/// Times at most this far into a second are taken for whole seconds.
const WHOLE: Duration = Duration::milliseconds(1);

impl Started {
    /// The whole second of the start: a log without fractions gives it to the calls that follow at once.
    pub(super) fn second(&self) -> Span {
        let from = self.at.trunc_subsecs(0);
        Span { from, until: from.checked_add_signed(WHOLE).unwrap_or(from) }
    }

    /// Selects the calls from that second on.
    pub(super) fn filter(&self) -> Filter {
        Filter { since: Some(self.second().from), ..Filter::default() }
    }

    /// The sessions with calls since the start or on its whole second, and those calls. Calls between the two were made
    /// before the start.
    pub(super) fn sessions(&self, books: &dyn Ledger) -> Result<Vec<SessionRow>, LedgerError> {
        let ask = |since: Instant, until: Option<Instant>| -> Result<Vec<SessionRow>, LedgerError> {
            let filter = Filter { since: Some(since), until, ..Filter::default() };
            let query = Query { filter, ..Query::new(Grain::Session, Zone::UTC) };
            let rows = books.report(&query)?.rows.into_iter().filter_map(|row| row.session);
            Ok(rows.map(Arc::unwrap_or_clone).collect())
        };
        let second = self.second();
        let mut sessions = ask(self.at.max(second.until), None)?;
        for row in ask(second.from, Some(second.until))? {
            let is_same = |known: &&mut SessionRow| (&known.session, &known.source) == (&row.session, &row.source);
            match sessions.iter_mut().find(is_same) {
                Some(known) => known.add(&row),
                None => sessions.push(row),
            }
        }
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, Call, CallKey, Label, Record, Tokens};
    use crate::ledger::{Batch, Memory};
    use crate::pricing::{CostMode, PriceBook};

    #[test]
    fn calls_in_the_second_of_the_start_count_where_their_log_writes_whole_seconds() {
        let at = |millis: i64| Instant::from_timestamp_millis(1_795_000_000_000 + millis).unwrap();
        let started = Started { at: at(500), words: Vec::new() };
        let calls = [
            ("whole seconds", vec![0, 0, 1000]),
            ("whole seconds, before", vec![-1000, 0, 1000]),
            ("milliseconds", vec![500, 600]),
            ("milliseconds, before", vec![499, 600]),
            ("over", vec![0, 499]),
            ("long over", vec![-1, 499]),
        ];
        let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
        let records = calls.iter().flat_map(|(session, times)| {
            times.iter().enumerate().map(|(nth, millis)| {
                let mut from = Attribution::new(at(*millis), Label::new("native"));
                from.session = Some(Label::new(session));
                let key = CallKey::from_parts(&[*session, &nth.to_string()]);
                Record::Call(Call::new(key, from, None, Tokens { output: 1, ..Tokens::ZERO }))
            })
        });
        books.post(&Batch { records: records.collect(), files: Vec::new() }).unwrap();
        let mut found: Vec<(String, u64, bool)> = Vec::new();
        for row in started.sessions(&books).unwrap() {
            let is_own = started.is_own(&books, &row, false).unwrap();
            found.push((row.session.unwrap().to_string(), row.sums.calls, is_own));
        }
        found.sort();
        let expected = [
            ("milliseconds", 2, true),
            ("milliseconds, before", 1, false),
            ("over", 1, false),
            ("whole seconds", 3, true),
            ("whole seconds, before", 2, false),
        ];
        assert_eq!(found, expected.map(|(name, calls, is_own)| (name.to_owned(), calls, is_own)));
    }
}
