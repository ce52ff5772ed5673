//! Finds a call by a prefix of its key.

use std::collections::HashSet;
use std::sync::Arc;

use crate::commands::{Exit, Failure};
use crate::domain::{CallKey, Filter};
use crate::ledger::{Ledger, Row};

/// Number of calls per page, which bounds memory.
pub(super) const AT_A_TIME: usize = 20_000;
/// Stands for the call with the latest time.
pub(super) const LATEST: &str = "latest";
/// Number of keys listed when a prefix is ambiguous.
const SEVERAL: usize = 8;

/// The one call whose key has this prefix, or the latest one for [`LATEST`]. Pages contain `at_a_time` calls.
pub(super) fn find(books: &dyn Ledger, wanted: &str, at_a_time: usize) -> Result<Arc<Row>, Failure> {
    let none = || {
        Failure::new(Exit::NoInput, format!("no call's key begins with {wanted}; `tokmeter report call` lists them"))
    };
    if wanted == LATEST {
        let none = || Failure::new(Exit::NoInput, "no calls yet");
        return books.calls(&Filter::default(), 1)?.into_iter().next().ok_or_else(none);
    }
    if wanted.len() == 32 {
        let key: CallKey = wanted.parse().map_err(|_| none())?;
        return books.call(key)?.ok_or_else(none);
    }
    let mut found: Vec<Arc<Row>> = Vec::new();
    let mut seen: HashSet<CallKey> = HashSet::new();
    let (mut filter, mut limit) = (Filter::default(), at_a_time);
    loop {
        let rows = books.calls(&filter, limit)?;
        let before = seen.len();
        for row in &rows {
            if seen.insert(row.call.key) && row.call.key.to_string().starts_with(wanted) {
                found.push(Arc::clone(row));
            }
        }
        let Some(oldest) = rows.last().filter(|_| rows.len() == limit) else { break };
        // The next page starts with the calls at this page's last moment. They are not counted twice.
        filter.until = oldest.call.at().checked_add_signed(chrono::Duration::nanoseconds(1));
        if seen.len() == before {
            limit *= 2;
        } else {
            seen = rows.iter().map(|row| row.call.key).collect();
        }
    }
    match found.as_slice() {
        [] => Err(none()),
        [one] => Ok(Arc::clone(one)),
        several => {
            let keys: Vec<String> = several.iter().take(SEVERAL).map(|row| format!("  {}", row.call.key)).collect();
            let more = if several.len() > SEVERAL { "\n  …" } else { "" };
            let message = format!("{} calls' keys begin with {wanted}:\n{}{more}", several.len(), keys.join("\n"));
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, Call, Instant, Label, Record, Tokens};
    use crate::ledger::{Batch, Memory};
    use crate::pricing::{CostMode, PriceBook};

    #[test]
    fn a_call_is_found_by_its_beginning_however_few_are_looked_through_at_a_time() {
        let call = |number: i64| {
            Call::new(
                CallKey::from_parts(&[number.to_string()]),
                // Runs of calls with the same timestamp that are longer than a page.
                Attribution::new(Instant::from_timestamp(number / 7, 0).unwrap(), Label::new("test")),
                None,
                Tokens { input: 1, ..Tokens::ZERO },
            )
        };
        let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto));
        let mut books = Memory::new(prices);
        let calls: Vec<Call> = (0..40).map(call).collect();
        let records = calls.iter().cloned().map(Record::Call).collect();
        books.post(&Batch { records, files: Vec::new() }).unwrap();
        for at_a_time in [1, 2, 3, 7, 40, 100] {
            for call in &calls {
                let key = call.key.to_string();
                for beginning in [&key[..20], &key[..]] {
                    assert_eq!(find(&books, beginning, at_a_time).unwrap().call.key, call.key, "{at_a_time}");
                }
            }
            // Five of the calls have the latest time.
            assert_eq!(find(&books, LATEST, at_a_time).unwrap().call.at().timestamp(), 5);
            let digit = &calls[0].key.to_string()[..1];
            let fits = calls.iter().filter(|call| call.key.to_string().starts_with(digit)).count();
            let outcome = find(&books, digit, at_a_time);
            match fits {
                1 => assert!(outcome.is_ok()),
                several => assert!(outcome.unwrap_err().message.starts_with(&format!("{several} calls"))),
            }
        }
    }
}
