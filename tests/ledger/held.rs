//! Calls that cannot be written are still counted: answers are those of a ledger that holds everything, and after a
//! later write nothing is missing and nothing counts twice.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;
use tokmeter::testing::domain::{
    Attribution, Bill, Billed, Call, CallKey, Claim, Counter, Fidelity, Filter, Label, Record, Span, Tokens, Zone,
};
use tokmeter::testing::ledger::{Ledger, LedgerError, Memory, Options, Order, Sqlite, open};

use super::common::{add_up, any_records, at, batch_of, call, calls, decided_records, file, key, prices, rows, total};
use super::durable::{assert_alike, some_filter};
use super::stores::every_store;

fn hurried(folder: &tempfile::TempDir) -> Sqlite {
    let options = Options { busy: Duration::ZERO, ..Options::new(at(0)) };
    open(&folder.path().join("ledger.db"), options, prices()).unwrap().books
}

/// Another process that is writing, until it is dropped.
fn writer(folder: &tempfile::TempDir) -> Connection {
    let conn = Connection::open(folder.path().join("ledger.db")).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

fn everything(books: &dyn Ledger, order: Order) -> Vec<tokmeter::testing::ledger::Row> {
    let mut all = Vec::new();
    books
        .each(&Filter::default(), order, &mut |row| {
            all.push((**row).clone());
            true
        })
        .unwrap();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn j2_books_that_cannot_be_written_answer_like_books_that_hold_everything(
        // On a tie the stored sighting is kept, and a ledger in memory has stored nothing.
        booked in decided_records(),
        waiting in decided_records(),
        later in decided_records(),
        filter in some_filter(),
        elsewhere in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut memory, mut disk) = (Memory::new(prices()), hurried(&folder));
        memory.post(&batch_of(booked.clone())).unwrap();
        disk.post(&batch_of(booked)).unwrap();
        let lock = writer(&folder);
        memory.post(&batch_of(waiting.clone())).unwrap();
        disk.absorb(&batch_of(waiting.clone())).unwrap();
        if !waiting.is_empty() {
            let busy = matches!(disk.flush(), Err(LedgerError::Busy { .. }));
            prop_assert!(busy);
        }
        // Batches added while it is held report their changes.
        let mut sums = total(&disk);
        for record in &later {
            memory.post(&batch_of([record.clone()])).unwrap();
            add_up(&disk.hold(&batch_of([record.clone()])).unwrap(), &mut sums);
        }
        prop_assert_eq!(sums, total(&disk));
        assert_alike(&memory, &disk)?;
        prop_assert_eq!(memory.sums(&filter).unwrap(), disk.sums(&filter).unwrap());
        prop_assert_eq!(memory.calls(&filter, 3).unwrap(), disk.calls(&filter, 3).unwrap());
        let days: Vec<Span> = (-2..3).map(|day| Span::day(at(day * 86_400), Zone::UTC)).collect();
        prop_assert_eq!(memory.spans(&days, &filter).unwrap(), disk.spans(&days, &filter).unwrap());
        for order in [Order::Ascending, Order::Descending] {
            prop_assert_eq!(everything(&memory, order), everything(&disk, order));
        }
        for row in rows(&memory) {
            prop_assert_eq!(memory.call(row.call.key).unwrap(), disk.call(row.call.key).unwrap());
        }
        drop(lock);
        if elsewhere {
            // Another process books the same calls first.
            hurried(&folder).post(&batch_of(waiting)).unwrap();
            assert_alike(&memory, &disk)?;
        }
        disk.flush().unwrap();
        assert_alike(&memory, &disk)?;
        prop_assert_eq!(disk.unbooked(), 0);
        prop_assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
        assert_alike(&memory, &hurried(&folder))?;
    }

    #[test]
    fn calls_come_one_by_one_in_the_order_of_time(told in any_records(), filter in some_filter()) {
        for mut books in every_store() {
            books.post(&batch_of(told.clone())).unwrap();
            let mut each = Vec::new();
            books.each(&filter, Order::Descending, &mut |row| { each.push(Arc::clone(row)); true }).unwrap();
            prop_assert_eq!(&each, &books.calls(&filter, usize::MAX).unwrap());
            let mut first = 0;
            books.each(&filter, Order::Ascending, &mut |_| { first += 1; first < 2 }).unwrap();
            prop_assert_eq!(first, each.len().min(2));
        }
    }
}

#[test]
fn j2_how_far_logs_were_read_is_known_while_it_cannot_be_booked() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = hurried(&folder);
    let read = |to: u64| tokmeter::testing::ledger::Batch {
        records: vec![Record::Call(call(&format!("{to}"), i64::try_from(to).unwrap(), 1))],
        files: vec![file("/log", to)],
    };
    disk.post(&read(1)).unwrap();
    let lock = writer(&folder);
    disk.hold(&read(2)).unwrap();
    disk.hold(&read(3)).unwrap();
    assert_eq!(disk.files().unwrap(), [file("/log", 3)]);
    assert_eq!(disk.file("/log".as_ref()).unwrap(), Some(file("/log", 3)));
    assert_eq!(hurried(&folder).files().unwrap(), [file("/log", 1)]);
    drop(lock);
    disk.flush().unwrap();
    assert_eq!((total(&disk).calls, disk.files().unwrap()), (3, vec![file("/log", 3)]));
}

#[test]
fn j2_the_first_telemetry_finds_its_transcript_while_it_cannot_be_booked() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = hurried(&folder);
    let request = key("request");
    let mut answer = call("answer", 1000, 5);
    answer.alias = Some(request);
    disk.post(&calls([answer])).unwrap();
    let lock = writer(&folder);
    let mut telemetry = call("-", 1001, 9);
    (telemetry.key, telemetry.alias) = (request, Some(request));
    disk.hold(&calls([telemetry])).unwrap();
    assert_eq!((total(&disk).calls, total(&disk).tokens.output), (1, 9));
    drop(lock);
    disk.flush().unwrap();
    assert_eq!((total(&disk).calls, total(&disk).tokens.output), (1, 9));
}

#[test]
fn j2_an_answer_held_after_other_telemetry_is_still_joined_with_the_booked_one_of_its_request() {
    let telemetry = |name: &str| {
        let request = key(name);
        Call { key: request, alias: Some(request), ..call(name, 1001, 90) }
    };
    let answer = |name: &str, output| Call { alias: Some(key("request")), ..call(name, 1000, output) };
    for [first, second] in [["a", "b"], ["b", "a"]] {
        let folder = tempfile::tempdir().unwrap();
        let (mut memory, mut disk) = (Memory::new(prices()), hurried(&folder));
        let booked = calls([answer(first, 1)]);
        memory.post(&booked).unwrap();
        disk.post(&booked).unwrap();
        let _lock = writer(&folder);
        for held in [telemetry("another"), answer(second, 2), telemetry("request")] {
            memory.post(&calls([held.clone()])).unwrap();
            disk.hold(&calls([held])).unwrap();
            assert_alike(&memory, &disk).unwrap();
        }
    }
}

#[test]
fn j2_books_without_room_for_a_file_at_all_hold_everything_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    // No ledger can be created where a file is in place of its folder.
    let path = folder.path().join("data");
    std::fs::create_dir(&path).unwrap();
    let options = Options { as_draft: true, ..Options::new(at(0)) };
    let mut disk = open(&path.join("ledger.db"), options, prices()).unwrap().books;
    disk.absorb(&calls((0..50).map(|number| call(&format!("{number}"), number, 2)))).unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::write(&path, "a file").unwrap();
    assert!(disk.flush().is_err());
    assert!(disk.is_nowhere());
    assert_eq!(total(&disk.into_memory()).calls, 50);
}

#[test]
fn j13_books_in_a_temporary_file_answer_like_books_in_memory() {
    let told = || calls((0..300).map(|number| call(&format!("{number}"), number * 700, 2)));
    let (mut memory, mut first) = (Memory::new(prices()), Memory::new(prices()));
    memory.post(&told()).unwrap();
    first.absorb(&told()).unwrap();
    let mut temporary = Sqlite::temporary(first, prices()).ok().unwrap();
    temporary.flush().unwrap();
    for more in [told(), calls([call("more", 5, 9)])] {
        memory.post(&more).unwrap();
        temporary.absorb(&more).unwrap();
        temporary.flush().unwrap();
    }
    assert_alike(&memory, &temporary).unwrap();
    assert_eq!(temporary.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn j2_a_joined_call_that_belongs_to_no_session_any_more_is_a_lower_bound_in_every_store() {
    let session = Some(Label::new("t"));
    let (alias, own) = (key("alias"), key("own"));
    let bill = Bill {
        id: key("bill"),
        from: Attribution { session: session.clone(), ..Attribution::new(at(0), Label::new("test")) },
        counter: Counter::Session { started: None, since: None },
        models: vec![Billed::new("opus", Tokens::ZERO)],
    };
    let sighting = |key: CallKey, alias: Option<CallKey>, claim, output| {
        let from = Attribution { claim, ..Attribution::new(at(1), Label::new("test")) };
        Call { alias, fidelity: Fidelity::Guessed, ..Call::new(key, from, None, Tokens { output, ..Tokens::ZERO }) }
    };
    let mut of_session = sighting(alias, Some(alias), Claim::Copy, 3);
    of_session.fidelity = Fidelity::Unlisted;
    (of_session.from.session, of_session.from.at) = (session, at(2));
    let booked = [Record::Bill(bill), Record::Call(of_session), Record::Call(sighting(own, None, Claim::Copy, 0))];
    // Earlier sightings, without a session.
    let waiting = [sighting(own, Some(alias), Claim::Copy, 0), sighting(alias, Some(alias), Claim::Copy, 0)];
    let later = sighting(own, None, Claim::Parent, 0);
    let seen = |books: &dyn Ledger| {
        let of = |row: tokmeter::testing::ledger::Row| (row.call.key, row.call.from.session, row.call.fidelity);
        rows(books).into_iter().map(of).collect::<Vec<_>>()
    };
    let expected = [(own, None, Fidelity::Unlisted)];
    for mut books in every_store() {
        books.post(&batch_of(booked.clone())).unwrap();
        assert!(seen(&*books).contains(&(alias, Some(Label::new("t")), Fidelity::Settled)));
        books.post(&calls(waiting.clone())).unwrap();
        assert_eq!(seen(&*books), expected);
        books.post(&calls([later.clone()])).unwrap();
        assert_eq!(seen(&*books), expected);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut disk = hurried(&folder);
    disk.post(&batch_of(booked)).unwrap();
    let lock = writer(&folder);
    disk.absorb(&calls(waiting)).unwrap();
    assert!(matches!(disk.flush(), Err(LedgerError::Busy { .. })));
    disk.hold(&calls([later])).unwrap();
    assert_eq!(seen(&disk), expected);
    drop(lock);
    disk.flush().unwrap();
    assert_eq!(seen(&disk), expected);
}
