//! The seam below the ledger: any store that keeps what it is given passes the laws, also one that fails.

use proptest::prelude::*;
use tokmeter::testing::domain::{Label, Quota, Record, Span, Status, Zone};
use tokmeter::testing::ledger::{Batch, Change, Fact, FactKind, KeyValue, Ledger, LedgerError, Memory};

use super::common::{add_up, at, batch_of, call, calls, decided_records, file, prices, questions, rows, total};
use super::durable::{assert_alike, books, some_filter};
use super::faults::{in_memory, life, told};
use super::shaky::Shaky;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn two_ledgers_on_one_store_add_up_to_one(told in decided_records(), turns in any::<Vec<bool>>()) {
        let (mut memory, store) = (Memory::new(prices()), Shaky::new());
        let mut both = [store.books(), store.books()];
        memory.post(&batch_of(told.clone())).unwrap();
        for (record, turn) in told.into_iter().zip(turns.into_iter().chain(std::iter::repeat(true))) {
            both[usize::from(turn)].post(&batch_of([record])).unwrap();
        }
        for books in &both {
            assert_alike(&memory, books)?;
        }
    }

    #[test]
    fn what_a_third_store_refuses_is_counted_and_written_later(booked in decided_records(), waiting in decided_records(), later in decided_records(), filter in some_filter()) {
        let (mut memory, store) = (Memory::new(prices()), Shaky::new());
        let mut books = store.books();
        for batch in [&booked, &waiting, &later] {
            memory.post(&batch_of(batch.clone())).unwrap();
        }
        books.post(&batch_of(booked)).unwrap();
        let kept = store.data();
        books.absorb(&batch_of(waiting.clone())).unwrap();
        store.fail_at(1);
        prop_assert_eq!(books.flush().is_err(), !waiting.is_empty());
        store.holds();
        let mut sums = total(&books);
        add_up(&books.hold(&batch_of(later)).unwrap(), &mut sums);
        prop_assert_eq!(sums, total(&books));
        assert_alike(&memory, &books)?;
        prop_assert_eq!(memory.sums(&filter).unwrap(), books.sums(&filter).unwrap());
        prop_assert_eq!(memory.calls(&filter, 3).unwrap(), books.calls(&filter, 3).unwrap());
        let days: Vec<Span> = (-2..3).map(|day| Span::day(at(day * 86_400), Zone::UTC)).collect();
        prop_assert_eq!(memory.spans(&days, &filter).unwrap(), books.spans(&days, &filter).unwrap());
        prop_assert_eq!(kept, store.data(), "nothing of it is written");
        books.flush().unwrap();
        assert_alike(&memory, &books)?;
        assert_alike(&memory, &store.books())?;
    }
}

/// Writes one part of a life.
fn write(books: &mut dyn Ledger, part: usize, quietly: bool, records: &[Record]) -> Result<Vec<Change>, LedgerError> {
    if quietly {
        books.absorb(&told(part, records))?;
        books.flush().map(|()| Vec::new())
    } else {
        books.post(&told(part, records))
    }
}

#[test]
fn d1_a_store_that_fails_at_any_operation_is_unchanged_and_the_next_attempt_succeeds() {
    let mut tried = 0;
    for (part, (quietly, records)) in life().iter().enumerate() {
        for operation in 1.. {
            let store = Shaky::new();
            for (before, (quietly, records)) in life().iter().enumerate().take(part) {
                write(&mut store.books(), before, *quietly, records).unwrap();
            }
            let (mut books, kept) = (store.books(), store.data());
            store.fail_at(operation);
            let first = write(&mut books, part, *quietly, records);
            if store.holds() {
                first.unwrap();
                break;
            }
            tried += 1;
            assert!(first.unwrap_err().to_string().ends_with("it failed on purpose"));
            assert_eq!(store.data(), kept, "part {part} failed at operation {operation}");
            if *quietly {
                books.flush().unwrap();
            } else {
                books.post(&told(part, records)).unwrap();
            }
            for books in [&books, &store.books()] {
                assert_eq!(rows(books), in_memory(part + 1), "part {part} after operation {operation} failed");
                assert_eq!(books.files().unwrap(), [file("/log", u64::try_from(part).unwrap() + 1)]);
            }
        }
    }
    assert!(tried > 100, "only {tried} failures were tried");
}

#[test]
fn a_query_that_fails_is_an_error_and_the_next_one_is_answered() {
    let store = Shaky::new();
    let mut books = store.books();
    books.post(&calls([call("a", 10, 5)])).unwrap();
    for question in questions() {
        store.fail_at(2);
        assert!(books.report(&question).is_err());
        assert_eq!(books.report(&question).unwrap().total.calls, 1);
    }
}

#[test]
fn d2_while_another_ledger_writes_the_store_is_busy() {
    let store = Shaky::new();
    let mut books = store.books();
    let other = store.another();
    tokmeter::testing::ledger::Store::begin(&other, tokmeter::testing::ledger::Access::Write).unwrap();
    assert!(matches!(books.post(&calls([call("a", 10, 5)])), Err(LedgerError::Busy { .. })));
    tokmeter::testing::ledger::Store::roll_back(&other);
    assert!(matches!(books.post(&calls([call("a", 10, 5)])).unwrap()[..], [Change::New(_)]));
}

#[test]
fn a_fact_is_changed_by_one_ledger_at_a_time_and_a_failure_leaves_it() {
    let store = Shaky::new();
    let (mut one, mut other) = (store.books(), store.books());
    let claim = |books: &mut dyn Ledger| books.claim(FactKind::Warning, "s", at(1)).unwrap();
    assert_eq!((claim(&mut one), claim(&mut other)), (true, false));
    let add = |fact: Option<&Fact>| fact.map(|fact| Fact { value: format!("{}+", fact.value), ..fact.clone() });
    for books in [&mut one, &mut other] {
        store.fail_at(6);
        books.update(FactKind::Warning, "s", &add).unwrap_err();
        assert!(books.update(FactKind::Warning, "s", &add).unwrap());
        assert!(!books.update(FactKind::Warning, "nobody", &add).unwrap());
    }
    let fact = Fact { at: at(1), value: "++".to_owned() };
    assert_eq!(one.facts(FactKind::Warning, "").unwrap(), [("s".to_owned(), fact)]);
    assert_eq!(one.facts(FactKind::Alert, "").unwrap(), []);
    one.remove(FactKind::Warning, "s").unwrap();
    assert!(claim(&mut other));
}

#[test]
fn the_newest_statement_counts_in_any_store_also_before_it_is_written() {
    let state = |minutes, used, second| {
        let (source, name) = (Label::new("codex"), Label::new("codex"));
        let quota = Quota { source, name, minutes, used, resets_at: Some(at(9_000)), seen: at(second) };
        batch_of([Record::Status(Status::Quota(quota))])
    };
    let (folder, store) = (tempfile::tempdir().unwrap(), Shaky::new());
    let (mut memory, mut disk, mut third) = (Memory::new(prices()), books(&folder), store.books());
    for batch in [state(300, 10, 20), state(300, 30, 40), state(300, 20, 30), state(10_080, 5, 10)] {
        memory.post(&batch).unwrap();
        assert_eq!((disk.post(&batch).unwrap(), third.post(&batch).unwrap()), (Vec::new(), Vec::new()));
    }
    for batch in [state(10_080, 7, 50), state(300, 25, 35)] {
        memory.post(&batch).unwrap();
        assert_eq!((disk.hold(&batch).unwrap(), third.hold(&batch).unwrap()), (Vec::new(), Vec::new()));
    }
    let known = memory.statuses().unwrap();
    let used: Vec<u32> = Status::quotas(&known).iter().map(|quota| quota.used).collect();
    assert_eq!(used, [30, 7]);
    assert_eq!((disk.statuses().unwrap(), third.statuses().unwrap()), (known.clone(), known.clone()));
    assert_ne!((books(&folder).statuses().unwrap(), store.books().statuses().unwrap()), (known.clone(), known.clone()));
    disk.flush().unwrap();
    third.flush().unwrap();
    assert_eq!((books(&folder).statuses().unwrap(), store.books().statuses().unwrap()), (known.clone(), known));
}

#[test]
fn a_batch_of_nothing_writes_nothing() {
    let store = Shaky::new();
    let mut books = store.books();
    let before = store.data();
    assert_eq!(books.post(&Batch::default()).unwrap(), []);
    assert_eq!(store.data(), before);
}
