//! Decisions on the books that nobody overtakes, and the facts that end with a call.

use tokmeter::testing::domain::{Filter, HoldId, Record};
use tokmeter::testing::ledger::{Fact, FactEdit, FactKind, KeyValue, Ledger, LedgerError, Memory, StoreError};

use super::common::{at, batch_of, call, calls, prices, total};
use super::durable::books;
use super::shaky::Shaky;

fn hold(number: u128) -> FactEdit {
    let fact = Fact { at: at(1), value: String::new() };
    FactEdit { space: FactKind::Hold, key: HoldId::new(number).to_string(), fact: Some(fact) }
}

/// The numbers of the holds that a decision saw, and the calls.
fn decide(books: &mut dyn Ledger, number: u128) -> Result<(usize, u64), LedgerError> {
    let mut seen = (0, 0);
    books.exclusively(&mut |books| {
        seen = (books.facts(FactKind::Hold, "")?.len(), books.sums(&Filter::default())?.calls);
        Ok(vec![hold(number)])
    })?;
    Ok(seen)
}

/// The call with this name is booked, and what was held for it is not held any more.
fn settled(number: u128, name: &str) -> tokmeter::testing::ledger::Batch {
    batch_of([Record::Call(call(name, 10, 5)), Record::Settled(HoldId::new(number))])
}

#[test]
fn every_decision_sees_the_one_before_and_a_call_takes_the_place_of_its_hold() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Shaky::new());
    let pairs: [[Box<dyn Ledger>; 2]; 2] =
        [[Box::new(books(&folder)), Box::new(books(&folder))], [Box::new(store.books()), Box::new(store.books())]];
    for [mut one, mut other] in pairs {
        assert_eq!(decide(&mut *one, 1).unwrap(), (0, 0));
        assert_eq!(decide(&mut *other, 2).unwrap(), (1, 0));
        one.post(&settled(2, "a")).unwrap();
        assert_eq!(decide(&mut *other, 3).unwrap(), (1, 1));
        // Buffered calls are written before.
        other.absorb(&settled(1, "b")).unwrap();
        assert_eq!(decide(&mut *other, 4).unwrap(), (1, 2));
        assert_eq!(decide(&mut *one, 5).unwrap(), (2, 2));
    }
    let mut memory = Memory::new(prices());
    assert_eq!(decide(&mut memory, 1).unwrap(), (0, 0));
    memory.absorb(&settled(1, "a")).unwrap();
    memory.flush().unwrap();
    assert_eq!(decide(&mut memory, 2).unwrap(), (0, 1));
}

#[test]
fn queries_on_one_state_see_nothing_that_another_process_writes_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (books(&folder), books(&folder));
    one.post(&calls([call("a", 10, 5)])).unwrap();
    let mut seen = Vec::new();
    one.on_one_state(&mut || {
        seen.push(total(&one).calls);
        other.post(&calls([call("b", 10, 5)])).unwrap();
        // Also one within the other.
        one.on_one_state(&mut || seen.push(total(&one).calls)).unwrap();
        seen.push(one.calls(&Filter::default(), 9).unwrap().len() as u64);
    })
    .unwrap();
    assert_eq!((seen, total(&one).calls), (vec![1, 1, 1], 2));
    one.post(&calls([call("c", 10, 5)])).unwrap();
    assert_eq!(total(&other).calls, 3);
}

#[test]
fn a_decision_that_fails_at_any_operation_writes_nothing_and_the_next_one_succeeds() {
    let mut tried = 0;
    for operation in 1.. {
        let store = Shaky::new();
        let mut books = store.books();
        books.post(&calls([call("a", 10, 5)])).unwrap();
        let kept = store.data();
        store.fail_at(operation);
        let first = decide(&mut books, 1);
        if store.holds() {
            first.unwrap();
            break;
        }
        tried += 1;
        assert!(first.unwrap_err().to_string().ends_with("it failed on purpose"));
        assert_eq!(store.data(), kept, "operation {operation}");
        assert_eq!(decide(&mut books, 2).unwrap(), (0, 1));
        assert_eq!(total(&store.books()).calls, 1);
    }
    assert!(tried > 4, "only {tried} failures were tried");
}

#[test]
fn a_decision_that_is_refused_writes_nothing_and_lets_others_write() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Shaky::new());
    let pairs: [[Box<dyn Ledger>; 2]; 2] =
        [[Box::new(books(&folder)), Box::new(books(&folder))], [Box::new(store.books()), Box::new(store.books())]];
    for [mut one, mut other] in pairs {
        one.exclusively(&mut |_| Err(StoreError::Other("no".to_owned()).at("x".as_ref()))).unwrap_err();
        other.exclusively(&mut |_| Ok(Vec::new())).unwrap();
        assert_eq!(decide(&mut *one, 1).unwrap(), (0, 0));
        one.exclusively(&mut |_| Ok(vec![FactEdit { fact: None, ..hold(1) }])).unwrap();
        assert_eq!(other.facts(FactKind::Hold, "").unwrap(), []);
    }
}

#[test]
fn a_call_that_waits_to_be_written_is_not_counted_beside_its_hold() {
    let store = Shaky::new();
    let mut books = store.books();
    decide(&mut books, 1).unwrap();
    books.hold(&settled(1, "a")).unwrap();
    assert_eq!((total(&books).calls, books.facts(FactKind::Hold, "").unwrap()), (1, Vec::new()));
    assert_eq!((total(&store.books()).calls, store.books().facts(FactKind::Hold, "").unwrap().len()), (0, 1));
    books.flush().unwrap();
    assert_eq!((total(&store.books()).calls, store.books().facts(FactKind::Hold, "").unwrap()), (1, Vec::new()));
}
