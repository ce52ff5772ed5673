//! Tests that memory use is bounded by the number of buffered calls.

use super::*;
use crate::config::{Env, Settings};
use crate::domain::{Attribution, Call, Instant, Record, Tokens};

fn batch_of(numbers: std::ops::Range<i64>) -> Batch {
    let call = |number: i64| {
        let at = Instant::from_timestamp(number * 60, 0).unwrap_or_default();
        let key = CallKey::from_parts(&["test", &number.to_string()]);
        let from = Attribution::new(at, Label::new("test"));
        Record::Call(Call::new(key, from, None, Tokens { input: 1, ..Tokens::ZERO }))
    };
    Batch { records: numbers.map(call).collect(), files: Vec::new() }
}

#[test]
fn j11_books_hold_no_more_calls_in_memory_than_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::empty(Instant::default());
    let settings = Settings::defaults(&env);
    let prices = Arc::new(PriceBook::new(settings.prices, settings.aliases, settings.cost));
    let options = || Options { as_draft: true, together: 50, ..Options::new(Instant::default()) };
    let ledger = |name: &str| AnyLedger::ledger(&folder.path().join(name), options(), &prices).unwrap().0;
    let whole = {
        let mut any_ledger = AnyLedger::memory(&prices);
        any_ledger.post(&batch_of(0..1000)).unwrap();
        any_ledger.report(&Query::new(crate::ledger::Grain::Day, crate::domain::Zone::UTC)).unwrap()
    };
    for mut any_ledger in [AnyLedger::memory(&prices), ledger("one.db")] {
        any_ledger.most = 100;
        for part in 0..20 {
            // Every call appears twice, in different batches.
            any_ledger.absorb(&batch_of(part * 50..(part * 50 + 50).min(1000))).unwrap();
            any_ledger.absorb(&batch_of((part * 50 - 25).max(0)..part * 50 + 25)).unwrap();
            assert!(any_ledger.sqlite().map_or(0, |books| books.unbooked()) <= 100 || any_ledger.most == NEXT);
        }
        assert!(any_ledger.sqlite().is_some(), "they are in a file by now");
        assert_eq!(any_ledger.most, NEXT);
        any_ledger.flush().unwrap();
        assert_eq!(any_ledger.unbooked(), 0);
        let query = Query::new(crate::ledger::Grain::Day, crate::domain::Zone::UTC);
        assert_eq!(any_ledger.report(&query).unwrap(), whole);
    }
}
