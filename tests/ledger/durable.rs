//! The durable ledger answers like the one in memory, for any records in any order.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tokmeter::testing::domain::{Call, Claim, Dimension, Filter, Label, Matcher, Record, Span, Usd, Zone};
use tokmeter::testing::ledger::{
    Batch, FactKind, Grain, KeyValue, Ledger, Memory, Opened, Options, Order, Query, ReportRow, Sqlite, Sums, open,
};
use tokmeter::testing::pricing::Pricer;

use super::common::{
    Prices, a_decided_telling_and_a_retelling, add_up, at, batch_of, call, calls, decided_records, descends, file, key,
    prices, query, questions, rows, total,
};
use super::stores::every_store;

/// Converts today's tables to those of schema 4.
pub const TO_SCHEMA_4: &str = "CREATE TABLE without_branches(
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, session INTEGER NOT NULL, agent INTEGER NOT NULL,
  first INTEGER, first_ns INTEGER, last INTEGER, last_ns INTEGER, UNIQUE(session, agent, kind)
) STRICT;
INSERT INTO without_branches SELECT id, kind, session, agent, first, first_ns, last, last_ns FROM sessions;
DROP TABLE sessions; ALTER TABLE without_branches RENAME TO sessions;
CREATE INDEX sessions_first ON sessions(first); CREATE INDEX sessions_last ON sessions(last);
CREATE VIEW readable AS SELECT session, kind FROM sessions;
DELETE FROM meta WHERE name = 'readable';
DROP TABLE facts;
DROP INDEX IF EXISTS bills_total; DROP INDEX IF EXISTS bills_rest;
ALTER TABLE bills DROP COLUMN total; ALTER TABLE bills DROP COLUMN rest;
CREATE TABLE alerts(id TEXT PRIMARY KEY, fired INTEGER NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA user_version = 4;";

/// Converts today's tables to those of schema 3.
pub fn to_schema_3() -> String {
    format!("{TO_SCHEMA_4} DROP TABLE bills; DROP TABLE spent; PRAGMA user_version = 3;")
}

pub fn opened(path: &Path) -> Opened {
    open(path, Options::new(at(0)), prices()).unwrap()
}

pub fn books(folder: &tempfile::TempDir) -> Sqlite {
    let opened = opened(&folder.path().join("ledger.db"));
    assert_eq!(opened.notes, []);
    opened.books
}

/// Checks that both hold the same calls and answer every query alike.
pub fn assert_alike(one: &dyn Ledger, other: &dyn Ledger) -> Result<(), TestCaseError> {
    prop_assert_eq!(rows(one), rows(other));
    for question in questions() {
        prop_assert_eq!(one.report(&question).unwrap(), other.report(&question).unwrap());
    }
    Ok(())
}

fn sound(books: &Sqlite) -> Result<(), TestCaseError> {
    prop_assert_eq!(books.verify().unwrap().problems, Vec::<String>::new());
    Ok(())
}

pub fn some_filter() -> impl Strategy<Value = Filter> {
    let moment = prop::option::of((-100_000_i64..200_000, 0_u32..2))
        .prop_map(|time| time.map(|(second, nano)| at(second) + chrono::Duration::nanoseconds(nano.into())));
    let only = prop::sample::select(vec![
        vec![],
        vec![(Dimension::Session, "s")],
        vec![(Dimension::Session, "nobody")],
        vec![(Dimension::User, "alice")],
        vec![(Dimension::Model, "o*"), (Dimension::Model, "haiku")],
        vec![(Dimension::Agent, "agent-1"), (Dimension::User, "*")],
        vec![(Dimension::Branch, "m*"), (Dimension::Project, "/a")],
    ]);
    (moment.clone(), moment, only).prop_map(|(since, until, only)| Filter {
        only: only.into_iter().map(|(dimension, pattern)| (dimension, Matcher::new(pattern))).collect(),
        since,
        until,
    })
}

fn a_month_later(mut record: Record) -> Record {
    if let Record::Call(call) = &mut record {
        call.from.at += chrono::Duration::days(30);
    }
    record
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_store_agrees_after_any_postings((told, retold) in a_decided_telling_and_a_retelling(), quietly in any::<Vec<bool>>()) {
        let mut once = Memory::new(prices());
        once.post(&batch_of(told)).unwrap();
        for mut books in every_store() {
            let mut quietly = quietly.iter().copied();
            for batch in &retold {
                if quietly.next().unwrap_or(false) {
                    books.absorb(batch).unwrap();
                } else {
                    books.flush().unwrap();
                    let mut sums = total(&*books);
                    add_up(&books.post(batch).unwrap(), &mut sums);
                    prop_assert_eq!(sums, total(&*books));
                }
            }
            books.flush().unwrap();
            assert_alike(&once, &*books)?;
            books.sound()?;
            books.restart();
            assert_alike(&once, &*books)?;
        }
    }

    #[test]
    fn every_store_agrees_on_any_filter(told in decided_records(), filter in some_filter(), limit in 0_usize..6) {
        let [mut memory, mut disk, mut third] = every_store();
        for books in [&mut memory, &mut disk, &mut third] {
            books.absorb(&batch_of(told.clone())).unwrap();
            books.flush().unwrap();
        }
        for disk in [&disk, &third] {
            for question in questions() {
                let whole = Query { filter: filter.clone(), ..question.clone() };
                let all = disk.report(&whole).unwrap().rows.len();
                for (order, limit) in [(Order::Ascending, None), (Order::Ascending, Some(limit)), (Order::Descending, Some(limit))] {
                    let question = Query { filter: filter.clone(), order, limit, ..question.clone() };
                    let report = disk.report(&question).unwrap();
                    let is_cut = limit.is_some_and(|limit| limit < all);
                    prop_assert_eq!(report.all_rows, is_cut.then(|| u64::try_from(all).unwrap()));
                    prop_assert_eq!(memory.report(&question).unwrap(), report);
                }
            }
            prop_assert_eq!(memory.sums(&filter).unwrap(), disk.sums(&filter).unwrap());
            prop_assert_eq!(memory.calls(&filter, limit).unwrap(), disk.calls(&filter, limit).unwrap());
            for width in [900, 86_400, 100_001] {
                let spans: Vec<Span> = (-2..4).map(|n| Span { from: at(n * width), until: at((n + 1) * width) }).collect();
                prop_assert_eq!(memory.spans(&spans, &filter).unwrap(), disk.spans(&spans, &filter).unwrap());
            }
            for row in rows(&*memory) {
                prop_assert_eq!(memory.call(row.call.key).unwrap(), disk.call(row.call.key).unwrap());
            }
        }
    }

    #[test]
    fn two_machines_merged_hold_what_one_that_read_everything_holds(told in decided_records(), turn in any::<prop::sample::Index>()) {
        // No log has calls from before 1970, and an import refuses them.
        let told: Vec<Record> = told.into_iter().map(a_month_later).collect();
        // Part of it is on both machines.
        let cut = turn.index(told.len() + 1);
        let mut both = Memory::new(prices());
        both.post(&batch_of(told.clone())).unwrap();
        // Also between two kinds of store.
        let others = every_store().into_iter().rev();
        for (mut one, mut other) in every_store().into_iter().zip(others) {
            one.post(&batch_of(told[..cut].to_vec())).unwrap();
            other.post(&batch_of(told[cut / 2..].to_vec())).unwrap();
            let (ones, others) = (one.exported(), other.exported());
            one.import_lines(&others).unwrap();
            other.import_lines(&ones).unwrap();
            assert_alike(&*one, &both)?;
            assert_alike(&*other, &both)?;
            one.sound()?;
            prop_assert_eq!(one.import_lines(&others), Ok(0), "an export imported twice changes nothing");
            assert_alike(&*one, &both)?;
        }
    }

    #[test]
    fn pruning_takes_out_what_is_older_and_nothing_else(told in decided_records(), cut in prop::sample::select(vec![-90_000_i64, 0, 450, 86_400, 999_999])) {
        let is_late = |record: &Record| matches!(record, Record::Call(call) if call.at() < at(cut));
        let late: Vec<Record> = told.iter().filter(|record| is_late(record)).cloned().collect();
        for mut books in every_store() {
            books.post(&batch_of(told.clone())).unwrap();
            let kept: Vec<_> = rows(&*books).into_iter().filter(|row| row.call.at() >= at(cut)).collect();
            let (before, gone) = (total(&*books).calls, books.prune_before(at(cut)));
            prop_assert_eq!(before - gone.calls, total(&*books).calls);
            prop_assert_eq!(&rows(&*books), &kept);
            books.sound()?;
            // Pruned calls stay pruned, even when the logs are read again from the beginning.
            books.post(&batch_of(late.clone())).unwrap();
            prop_assert_eq!(&rows(&*books), &kept);
            books.sound()?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_waits_to_be_written_counts_in_every_store(booked in decided_records(), waiting in decided_records()) {
        let mut once = Memory::new(prices());
        once.post(&batch_of(booked.clone())).unwrap();
        once.post(&batch_of(waiting.clone())).unwrap();
        for mut books in every_store() {
            books.post(&batch_of(booked.clone())).unwrap();
            let mut sums = total(&*books);
            add_up(&books.hold_batch(&batch_of(waiting.clone())), &mut sums);
            prop_assert_eq!(sums, total(&*books));
            assert_alike(&once, &*books)?;
            books.flush().unwrap();
            assert_alike(&once, &*books)?;
            books.sound()?;
        }
    }

    #[test]
    fn books_in_memory_move_to_a_file_whether_they_are_flushed_or_not(read in decided_records(), later in decided_records()) {
        let (mut once, mut memory) = (Memory::new(prices()), Memory::new(prices()));
        once.post(&batch_of(read.clone())).unwrap();
        once.post(&batch_of(later.clone())).unwrap();
        memory.post(&batch_of(read)).unwrap();
        memory.absorb(&batch_of(later)).unwrap();
        let mut moved = Sqlite::temporary(memory, prices()).map_err(|failed| failed.0).unwrap();
        moved.flush().unwrap();
        assert_alike(&once, &moved)?;
        sound(&moved)?;
    }
}

#[test]
fn the_books_may_move_to_their_owner_thread() {
    fn is_send<T: Send>() {}
    is_send::<Sqlite>();
    is_send::<Memory>();
}

#[test]
fn offsets_and_rows_are_booked_together() {
    for mut disk in every_store() {
        let read = Batch { files: vec![file("/b", 5), file("/a", u64::MAX)], ..calls([call("a", 1, 1)]) };
        disk.post(&read).unwrap();
        disk.restart();
        assert_eq!(disk.files().unwrap(), [file("/a", u64::MAX), file("/b", 5)]);
        assert_eq!(disk.file(Path::new("/b")).unwrap(), Some(file("/b", 5)));
        assert_eq!(disk.file(Path::new("/c")).unwrap(), None);
        assert_eq!(total(&*disk).calls, 1);
    }
}

#[test]
fn e8_counts_beyond_the_integers_of_sqlite_are_kept() {
    for mut disk in every_store() {
        let mut huge = call("a", 1, u64::MAX);
        huge.quoted = Some(tokmeter::testing::domain::Usd::from_pico(i128::MAX));
        huge.latency = Some(std::time::Duration::MAX);
        huge.model = None;
        disk.post(&calls([huge.clone()])).unwrap();
        assert_eq!(rows(&*disk)[0].call, huge);
        assert_eq!((total(&*disk).tokens.output, total(&*disk).cost), (u64::MAX, huge.quoted.unwrap()));
    }
}

#[test]
fn e8_sums_that_hit_their_ceiling_come_down_from_it_again() {
    for mut disk in every_store() {
        let unpriced =
            [("a", 1, u64::MAX), ("b", 1_000, u64::MAX - 9), ("c", 90_000, 5)].map(|(name, second, output)| {
                let mut call = call(name, second, output);
                call.model = None;
                call
            });
        disk.post(&calls(unpriced)).unwrap();
        assert_eq!(total(&*disk).tokens.output, u64::MAX);
        disk.sound().unwrap();
        disk.prune_before(at(900));
        assert_eq!(total(&*disk).tokens.output, u64::MAX - 4);
        disk.sound().unwrap();
        disk.prune_before(at(80_000));
        assert_eq!(total(&*disk).tokens.output, 5);
        disk.sound().unwrap();
    }
}

#[test]
fn e8_money_that_hits_its_ceiling_comes_down_from_it_again() {
    for mut disk in every_store() {
        let most = i128::MAX;
        let quoted = [("a", 1, most), ("b", 1_000, most - 9), ("c", 90_000, 5)].map(|(name, second, pico)| {
            let mut call = call(name, second, 1);
            (call.model, call.quoted) = (None, Some(Usd::from_pico(pico)));
            call
        });
        disk.post(&calls(quoted)).unwrap();
        assert_eq!(total(&*disk).cost.pico(), most);
        disk.sound().unwrap();
        disk.prune_before(at(900));
        assert_eq!(total(&*disk).cost.pico(), most - 4);
        disk.prune_before(at(80_000));
        assert_eq!(total(&*disk).cost.pico(), 5);
        disk.sound().unwrap();
    }
}

/// Name, first and last second, and number of calls of each session within these seconds.
fn sessions_of(books: &dyn Ledger, seconds: std::ops::Range<i64>) -> Vec<(String, i64, i64, u64)> {
    let filter = Filter { since: Some(at(seconds.start)), until: Some(at(seconds.end)), ..Filter::default() };
    let report = books.report(&Query { filter, ..query(Grain::Session, &[]) }).unwrap();
    let of = |row: &ReportRow| {
        let session = row.session.as_ref().unwrap();
        let name = session.session.as_ref().unwrap().to_string();
        (name, session.started.timestamp(), session.ended.timestamp(), row.sums.calls)
    };
    report.rows.iter().map(of).collect()
}

#[test]
fn a_session_that_a_period_cuts_begins_and_ends_with_its_calls_within() {
    for mut disk in every_store() {
        // Three calls in the first quarter of an hour, two in the second.
        let seconds = [100, 400, 800, 1_000, 1_200];
        disk.post(&calls(seconds.map(|second| call(&second.to_string(), second, 1)))).unwrap();
        for (period, first, last, count) in [
            (0..9_999, 100, 1_200, 5),
            (400..1_200, 400, 1_000, 3),
            (401..1_000, 800, 800, 1),
            (101..1_001, 400, 1_000, 3),
            (900..1_800, 1_000, 1_200, 2),
            (0..900, 100, 800, 3),
        ] {
            assert_eq!(
                sessions_of(&*disk, period.clone()),
                [("s".to_owned(), first, last, count)],
                "{} {period:?}",
                disk.name()
            );
        }
        assert_eq!(sessions_of(&*disk, 401..800), []);
    }
}

#[test]
fn a_session_that_loses_its_first_and_last_call_to_another_begins_and_ends_with_the_rest() {
    for is_held in [false, true] {
        for mut disk in every_store() {
            let by = |session: &str, claim: Claim| {
                [100, 300, 400].map(|second| {
                    let mut call = call(&second.to_string(), second, 1);
                    (call.from.session, call.from.claim) = (Some(Label::new(session)), claim);
                    call
                })
            };
            disk.post(&calls(by("s", Claim::Copy))).unwrap();
            let mut others = call("350", 350, 1);
            others.from.session = Some(Label::new("u"));
            disk.post(&calls([call("200", 200, 1), others])).unwrap();
            // The log of the session that made them.
            let made = calls(by("t", Claim::Own));
            if is_held {
                disk.hold_batch(&made);
            } else {
                disk.post(&made).unwrap();
            }
            let expected = [("s", 200, 200, 1), ("t", 100, 400, 3), ("u", 350, 350, 1)]
                .map(|(name, first, last, count)| (name.to_owned(), first, last, count));
            let mut found = sessions_of(&*disk, 0..9_999);
            found.sort();
            assert_eq!(found, expected, "{} {is_held}", disk.name());
        }
    }
}

#[test]
fn what_was_told_apart_of_a_call_is_pruned_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = books(&folder);
    for (name, second) in [("early", 10), ("late", 50_000)] {
        let request = key(&format!("request of {name}"));
        let (mut transcript, mut telemetry) = (call(name, second, 40), call("-", second + 1, 40));
        transcript.alias = Some(request);
        (telemetry.key, telemetry.alias) = (request, Some(request));
        disk.post(&calls([transcript, telemetry])).unwrap();
    }
    let unmerged = || -> i64 {
        let conn = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
        conn.query_row("SELECT count(*) FROM apart", [], |row| row.get(0)).unwrap()
    };
    assert_eq!((total(&disk).calls, unmerged()), (2, 4));
    assert_eq!(disk.prune(at(10_000)).unwrap().calls, 1);
    assert_eq!((total(&disk).calls, unmerged()), (1, 2));
    sound(&disk).unwrap();
}

#[test]
fn what_was_pruned_stays_so_when_less_is_pruned_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = books(&folder);
    let told = || calls([call("a", 1, 5), call("b", 1_000, 5), call("c", 90_000, 5)]);
    disk.post(&told()).unwrap();
    for (cut, gone) in [(80_000, 2), (900, 0)] {
        assert_eq!(disk.prune(at(cut)).unwrap().calls, gone);
        disk.post(&told()).unwrap();
        assert_eq!(total(&disk).calls, 1, "{cut}");
    }
    assert_eq!(disk.info(at(100_000)).unwrap().pruned_before, Some(at(80_000)));
}

#[test]
fn e6_years_one_and_9999_and_a_thousand_calls_in_one_second_are_booked() {
    for mut disk in every_store() {
        let ends = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"].map(|time| {
            let mut call = call(time, 0, 1);
            call.from.at = time.parse().unwrap();
            call
        });
        let crowd = (0..1000).map(|number| call(&format!("crowd {number}"), 7, 1));
        disk.post(&calls(ends.clone().into_iter().chain(crowd))).unwrap();
        assert_eq!(total(&*disk).calls, 1002);
        let all = rows(&*disk);
        assert_eq!((&all[0].call, &all[1001].call), (&ends[0], &ends[1]));
        assert_eq!(disk.report(&query(Grain::Day, &[])).unwrap().rows.len(), 3);
        assert_eq!(disk.problems(), Vec::<String>::new());
    }
}

#[test]
fn a_cold_start_of_many_calls_is_booked_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (mut memory, mut disk) = (Memory::new(prices()), books(&folder));
    for part in 0..5_i64 {
        let part = calls((0..1000).map(|number| call(&format!("{}", part * 900 + number), number * 777, 3)));
        memory.post(&part).unwrap();
        disk.absorb(&part).unwrap();
    }
    assert_eq!(total(&disk).calls, 0, "nothing is booked before it is flushed");
    disk.flush().unwrap();
    assert_alike(&memory, &disk).unwrap();
    assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
    // Repeating the same changes nothing.
    disk.absorb(&calls((0..4600).map(|number| call(&format!("{number}"), 5_000_000, 1)))).unwrap();
    disk.flush().unwrap();
    assert_alike(&memory, &disk).unwrap();
}

#[test]
fn an_import_with_a_broken_line_imports_nothing_and_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = books(&folder);
    disk.post(&calls([call("a", 1, 1)])).unwrap();
    let mut lines = Vec::new();
    disk.export(&mut lines).unwrap();
    lines.extend(b"{\"key\":\"oops\"}\n");
    let (folder, before) = (tempfile::tempdir().unwrap(), total(&disk));
    let mut other = books(&folder);
    let error = other.import(&mut &lines[..]).unwrap_err().to_string();
    assert!(error.starts_with("line 2: not a line of an export"), "{error}");
    assert_eq!((total(&other).calls, before.calls), (0, 1));
}

#[test]
fn imported_calls_keep_their_machine_and_their_booked_cost() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut one = books(&folders[0]);
    one.post(&calls([call("a", 1, 1)])).unwrap();
    let machine = one.info(at(9)).unwrap().machine;
    let mut lines = Vec::new();
    one.export(&mut lines).unwrap();
    let dearer = std::sync::Arc::new(super::common::Prices { factor: 3 });
    let mut other = open(&folders[1].path().join("ledger.db"), Options::new(at(0)), dearer).unwrap().books;
    other.import(&mut &lines[..]).unwrap();
    assert_eq!(rows(&other), rows(&one));
    assert_eq!(other.info(at(9)).unwrap().imported, [(Label::new(&machine), 1)]);
    let mut passed_on = Vec::new();
    other.export(&mut passed_on).unwrap();
    assert_eq!(passed_on, lines, "passed on, it still names where it came from");
}

fn times(factor: u64) -> Arc<dyn Pricer> {
    Arc::new(Prices { factor })
}

#[test]
fn d16_a_booked_cost_stays_until_the_call_grows_or_is_repriced_on_request() {
    for mut books in every_store() {
        books.post(&calls([call("a", 1_001, 1), call("b", 1_002, 1)])).unwrap();
        let booked = total(&*books).cost;
        books.restart_with(times(2));
        books.post(&calls([call("a", 1_001, 1)])).unwrap();
        assert_eq!(total(&*books).cost, booked, "seen again, but nothing new");
        let mut grown = call("b", 1_002, 1);
        grown.tokens.output = 5;
        books.post(&calls([grown])).unwrap();
        let now = rows(&*books);
        let alone = |factor, call| times(factor).cost(call).usd().unwrap();
        assert_eq!(now[0].cost.usd(), Some(alone(1, &now[0].call)));
        let grown = "what grew is priced with today's book, at its own time";
        assert_eq!(now[1].cost.usd(), Some(alone(2, &now[1].call)), "{grown}");

        let would = books.price_changes_by(&*times(2));
        assert_eq!((would.calls, would.after), (1, alone(2, &now[0].call)));
        let repriced = books.report_at(&query(Grain::Total, &[]), times(2));
        assert_eq!(repriced.total.cost, alone(2, &now[0].call) + alone(2, &now[1].call));
        assert_eq!(rows(&*books), now, "a question changes nothing");

        let did = books.reprice_all();
        assert_eq!((did.calls, total(&*books).cost), (1, repriced.total.cost));
        books.sound().unwrap();
        if let Some(backup) = did.backup {
            assert!(backup.to_string_lossy().ends_with("ledger.db.before-reprice-19700101T000003Z"), "{backup:?}");
            assert_eq!(rows(&opened(&backup).books), now);
        }
    }
}

#[test]
fn b21_without_a_price_book_what_was_booked_keeps_its_cost() {
    struct Nothing;
    impl Pricer for Nothing {
        fn cost(&self, _: &Call) -> tokmeter::testing::pricing::Cost {
            tokmeter::testing::pricing::Cost::Unpriced
        }
    }
    for mut books in every_store() {
        books.post(&calls([call("a", 1_001, 1)])).unwrap();
        let before = rows(&*books);
        books.restart_with(Arc::new(Nothing));
        books.post(&calls([call("a", 1_001, 1), call("b", 1_002, 1)])).unwrap();
        assert_eq!(rows(&*books)[0], before[0]);
        assert_eq!(total(&*books).unpriced_tokens, 4, "what is new has no price, and says so");
    }
}

#[test]
fn e1_a_changed_time_zone_changes_days_and_no_totals() {
    for mut disk in every_store() {
        disk.post(&calls((0..190).map(|hour| call(&format!("{hour}"), hour * 3600 + 59, 1)))).unwrap();
        let days = |zone| {
            let report = disk.report(&Query { zone, ..query(Grain::Day, &[]) }).unwrap();
            assert_eq!(report.total.calls, 190);
            report.rows.len()
        };
        assert_eq!(
            [
                days(Zone::UTC),
                days(Zone::named("Asia/Kolkata").unwrap()),
                days(Zone::named("America/Los_Angeles").unwrap())
            ],
            [8, 9, 9]
        );
    }
}

#[test]
fn two_open_ledgers_claim_an_alert_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (books(&folder), books(&folder));
    let claim = |books: &mut Sqlite, second| books.claim(FactKind::Alert, "day", at(second)).unwrap();
    assert_eq!((claim(&mut one, 0), claim(&mut other, 0)), (true, false));
    other.remove(FactKind::Alert, "day").unwrap();
    assert!(claim(&mut other, 1));
}

#[test]
fn what_another_process_books_is_joined_with_and_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (books(&folder), books(&folder));
    let in_session = |session: &str| {
        let mut call = call("10,20", 5, 7);
        call.lineage = Some(Label::new(session));
        call
    };
    one.post(&calls([in_session("fork")])).unwrap();
    other.post(&batch_of([super::common::descends("fork", "root"), Record::Call(in_session("root"))])).unwrap();
    one.post(&calls([in_session("fork")])).unwrap();
    assert_eq!((total(&one).calls, total(&other).calls), (1, 1));
    assert_eq!(one.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_call_that_moves_twice_in_one_posting_still_meets_the_one_booked_before() {
    for mut disk in every_store() {
        let in_session = |session: &str| {
            let mut call = call("10,20", 5, 7);
            call.lineage = Some(Label::new(session));
            Record::Call(call)
        };
        disk.post(&batch_of([in_session("top")])).unwrap();
        let descends = super::common::descends;
        disk.post(&batch_of([in_session("child"), descends("child", "middle"), descends("middle", "top")])).unwrap();
        assert_eq!(total(&*disk).calls, 1);
        assert_eq!(disk.problems(), Vec::<String>::new());
    }
}

#[test]
fn descents_of_a_first_fill_are_known_to_books_that_were_asked_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut memory, mut disk) = (Memory::new(prices()), books(&folder));
    let descends = super::common::descends;
    let mut fork = call("10,20", 5, 7);
    fork.lineage = Some(Label::new("fork"));
    let told = batch_of([Record::Call(fork), descends("fork", "root")]);
    // Asks for the families, and books nothing.
    disk.post(&batch_of([descends("fork", "fork")])).unwrap();
    for books in [&mut memory as &mut dyn Ledger, &mut disk] {
        books.absorb(&told).unwrap();
        books.flush().unwrap();
        books.post(&batch_of([descends("fork", "root")])).unwrap();
    }
    assert_alike(&memory, &disk).unwrap();
}

#[test]
fn a_call_that_an_older_version_booked_under_another_key_is_not_counted_again() {
    for flushed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut books = books(&folder);
        let lineage = Label::new("thread");
        let old = Call { lineage: Some(lineage.clone()), ..call("totals", 5, 7) };
        let mut sums = Sums::default();
        let descent = descends("thread", "root");
        add_up(&books.post(&batch_of([Record::Call(old.clone()), descent])).unwrap(), &mut sums);
        let rekeyed = |to| Record::Rekeyed { from: old.key, lineage: lineage.clone(), to, in_family: false };
        let new = call("response", 4, 7);
        let told =
            batch_of([rekeyed(new.key), Record::Call(new.clone()), rekeyed(new.key), Record::Call(call("b", 9, 1))]);
        if flushed {
            books.absorb(&told).unwrap();
            books.flush().unwrap();
        } else {
            add_up(&books.post(&told).unwrap(), &mut sums);
            assert_eq!(sums, total(&books), "what was said is what is booked");
        }
        let rows = rows(&books);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(rows.iter().any(|row| row.call.key == new.key && row.call.at() == new.at()), "{rows:?}");
        assert_eq!(books.verify().unwrap().problems, Vec::<String>::new());
    }
}
