//! Exports that are imported after a prune: what comes back counts as pruned no more.

use proptest::prelude::*;
use tokmeter::testing::domain::{Attribution, Bill, Billed, Call, CallKey, Counter, Instant, Label, Record, Tokens};
use tokmeter::testing::ledger::{Ledger, Memory};

use super::common::{at, batch_of, call, calls, prices, rows, total};
use super::shaky::Shaky;
use super::stores::{AnyBooks, every_store};

fn tokens(input: u64, output: u64) -> Tokens {
    Tokens { input, output, ..Tokens::ZERO }
}

fn bill(session: &str, seconds: i64, used: Tokens) -> Record {
    Record::Bill(Bill {
        id: CallKey::from_parts(&[session, &seconds.to_string()]),
        from: Attribution {
            session: Some(Label::new(session)),
            ..Attribution::new(at(seconds), Label::new("claude-code"))
        },
        counter: Counter::Session { started: None, since: None },
        models: vec![Billed { is_split: true, ..Billed::new("opus", used) }],
    })
}

fn made(session: &str, seconds: i64, used: Tokens) -> Record {
    let mut call =
        Call { tokens: used, model: Some(Label::new("opus")), ..call(&format!("{session} {seconds}"), seconds, 0) };
    call.from.session = Some(Label::new(session));
    Record::Call(call)
}

/// Time and counts of every row, whether listed or computed.
fn seen(books: &dyn Ledger) -> Vec<(CallKey, Instant, Tokens)> {
    let mut seen: Vec<_> = rows(books).iter().map(|row| (row.call.key, row.call.at(), row.call.tokens)).collect();
    seen.sort_unstable_by_key(|(key, at, _)| (*key, *at));
    seen
}

fn used(books: &dyn Ledger) -> (u64, u64) {
    let sums = total(books).tokens;
    (sums.input, sums.output)
}

const DAY: i64 = 86_400;

#[test]
fn what_a_bill_has_beyond_the_calls_comes_back_with_them() {
    for mut disk in every_store() {
        disk.post(&batch_of([made("s", 10, tokens(100, 10)), bill("s", 20, tokens(150, 20))])).unwrap();
        let lines = disk.exported();
        disk.prune_before(at(DAY));
        disk.restart();
        disk.post(&batch_of([made("s", 2 * DAY, tokens(1_000, 10)), bill("s", 2 * DAY + 9, tokens(1_250, 40))]))
            .unwrap();
        assert_eq!(used(&*disk), (1_100, 20), "{}", disk.name());
        for _ in 0..2 {
            disk.import_lines(&lines).unwrap();
            assert_eq!((used(&*disk), disk.problems()), ((1_250, 40), Vec::new()), "{}", disk.name());
        }
        disk.restart();
        disk.post(&batch_of([made("s", 3 * DAY, tokens(1, 10)), bill("s", 3 * DAY + 9, tokens(1_300, 60))])).unwrap();
        assert_eq!((used(&*disk), disk.problems()), ((1_300, 60), Vec::new()), "{}", disk.name());
        // Pruned again, it is gone again, also when its log is read once more; and comes back once more.
        disk.prune_before(at(DAY));
        let rest = used(&*disk);
        assert_eq!(rest, (1_001, 20), "a row computed from bills is pruned with the first of them");
        disk.post(&batch_of([made("s", 10, tokens(100, 10)), bill("s", 20, tokens(150, 20))])).unwrap();
        disk.post(&batch_of([bill("s", 3 * DAY + 9, tokens(1_300, 60))])).unwrap();
        assert_eq!((used(&*disk), disk.problems()), (rest, Vec::new()), "{}", disk.name());
        disk.import_lines(&lines).unwrap();
        assert_eq!((used(&*disk), disk.problems()), ((1_300, 60), Vec::new()), "{}", disk.name());
    }
}

#[test]
fn a_session_that_only_its_bill_tells_of_comes_back_and_stays() {
    for mut disk in every_store() {
        disk.post(&batch_of([bill("s", 20, tokens(150, 20)), made("t", 30, tokens(1, 1))])).unwrap();
        let (lines, before) = (disk.exported(), seen(&*disk));
        disk.prune_before(at(DAY));
        assert_eq!(used(&*disk), (0, 0));
        disk.import_lines(&lines).unwrap();
        disk.restart();
        assert_eq!(seen(&*disk), before, "{}", disk.name());
        // Its log is read again.
        disk.post(&batch_of([bill("s", 20, tokens(150, 20))])).unwrap();
        disk.post(&batch_of([bill("s", 2 * DAY, tokens(160, 20))])).unwrap();
        assert_eq!((used(&*disk), disk.problems()), ((161, 21), Vec::new()), "{}", disk.name());
        // A ledger that had pruned other sessions.
        let mut other = Memory::new(prices());
        other.prune_before(at(DAY));
        other.import_lines(&lines).unwrap();
        other.post(&batch_of([bill("s", 20, tokens(150, 20)), bill("s", 2 * DAY, tokens(160, 20))])).unwrap();
        assert_eq!(used(&other), (161, 21));
    }
}

#[test]
fn a_ledgers_own_export_brings_nothing_back_that_was_pruned_before_it() {
    for mut disk in every_store() {
        let first = [made("s", 10, tokens(100, 10)), bill("s", 20, tokens(150, 20))];
        let second = [made("s", 2 * DAY, tokens(1_000, 10)), bill("s", 2 * DAY + 9, tokens(1_250, 40))];
        disk.post(&batch_of(first)).unwrap();
        let oldest = disk.exported();
        disk.prune_before(at(DAY));
        disk.post(&batch_of(second)).unwrap();
        let (lines, before) = (disk.exported(), seen(&*disk));
        assert_eq!(used(&*disk), (1_100, 20));
        disk.import_lines(&lines).unwrap();
        assert_eq!((seen(&*disk), disk.exported()), (before.clone(), lines.clone()), "{}", disk.name());
        disk.prune_before(at(3 * DAY));
        assert_eq!(used(&*disk), (0, 0));
        disk.import_lines(&lines).unwrap();
        assert_eq!((seen(&*disk), disk.problems()), (before.clone(), Vec::new()), "{}", disk.name());
        disk.restart();
        disk.post(&batch_of([bill("s", 4 * DAY, tokens(1_300, 60))])).unwrap();
        assert_eq!(used(&*disk), (1_150, 40), "{}", disk.name());
        disk.import_lines(&oldest).unwrap();
        disk.import_lines(&lines).unwrap();
        assert_eq!((used(&*disk), disk.problems()), ((1_300, 60), Vec::new()), "{}", disk.name());
    }
}

#[test]
fn a_bill_that_is_first_learnt_after_an_import_covers_what_came_back_once() {
    for mut disk in every_store() {
        let all = [("s", 10), ("s", 20), ("s", 30)].map(|(session, seconds)| made(session, seconds, tokens(10, 1)));
        disk.post(&batch_of(all)).unwrap();
        let lines = String::from_utf8(disk.exported()).unwrap();
        disk.prune_before(at(DAY));
        let two: String = lines.split_inclusive('\n').skip(1).collect();
        for _ in 0..2 {
            disk.import_lines(two.as_bytes()).unwrap();
        }
        assert_eq!(used(&*disk), (20, 2));
        disk.restart();
        // One call of ten is still missing, and five in are in no call.
        disk.post(&batch_of([bill("s", 2 * DAY, tokens(35, 3))])).unwrap();
        assert_eq!((used(&*disk), disk.problems()), ((25, 2), Vec::new()), "{}", disk.name());
        disk.import_lines(lines.as_bytes()).unwrap();
        assert_eq!((used(&*disk), disk.problems()), ((35, 3), Vec::new()), "{}", disk.name());
    }
}

/// A total of a session whose growth is dated by its snapshots.
fn snapshot(session: &str, seconds: i64, used: Tokens) -> Record {
    let Record::Bill(bill) = bill(session, seconds, used) else { panic!("a bill") };
    Record::Bill(Bill { counter: Counter::Snapshot { since: Some(at(0)) }, ..bill })
}

/// Sessions with a bill, with snapshots and with nothing but calls, on four days.
fn four_days() -> Vec<Record> {
    (0..4)
        .flat_map(|day| {
            let (count, moment) = (u64::try_from(day).unwrap() + 1, day * DAY + 10);
            [
                made("s", moment, tokens(100, 10)),
                bill("s", moment + 9, tokens(150 * count, 20 * count)),
                snapshot("g", moment, tokens(30 * count, 3 * count)),
                made("t", moment, tokens(7, 1)),
            ]
        })
        .collect()
}

#[test]
fn a_prune_after_an_import_leaves_what_the_exporting_ledger_would_have_left() {
    for (before_export, after) in [(0, 1), (1, 2), (2, 1), (2, 3), (0, 6), (2, 6)] {
        for (mut there, mut here) in every_store().into_iter().zip(every_store()) {
            there.post(&batch_of(four_days())).unwrap();
            here.post(&batch_of(four_days())).unwrap();
            there.prune_before(at(before_export * DAY));
            here.prune_before(at(5 * DAY));
            here.import_lines(&there.exported()).unwrap();
            let what = format!("{before_export}, {after}, {}", there.name());
            assert_eq!((seen(&*here), here.problems()), (seen(&*there), Vec::new()), "{what}");
            for disk in [&mut there, &mut here] {
                disk.prune_before(at(after * DAY));
                disk.restart();
                // Their logs are read again, and go on.
                disk.post(&batch_of(four_days())).unwrap();
                disk.post(&batch_of([bill("s", 9 * DAY, tokens(700, 90)), snapshot("g", 9 * DAY, tokens(200, 30))]))
                    .unwrap();
            }
            assert_eq!((used(&*here), here.problems()), (used(&*there), Vec::new()), "{what}");
            // Calls that neither of them knew, from before and after what each has pruned; and everything else again.
            let mut third = Memory::new(prices());
            let others = (0..12).flat_map(|half| ["s", "t"].map(|of| made(of, half * DAY / 2 + 100, tokens(5, 1))));
            third.post(&batch_of(others)).unwrap();
            let mut whole = Memory::new(prices());
            whole.post(&batch_of(four_days())).unwrap();
            for lines in [third.exported(), whole.exported()] {
                there.import_lines(&lines).unwrap();
                here.import_lines(&lines).unwrap();
                assert_eq!((used(&*here), here.problems()), (used(&*there), Vec::new()), "{what}");
            }
        }
    }
}

#[test]
fn of_two_exports_of_a_session_the_one_that_lacks_less_says_what_is_missing() {
    for mut disk in every_store() {
        disk.post(&batch_of(four_days())).unwrap();
        let (before, whole) = (seen(&*disk), disk.exported());
        disk.prune_before(at(DAY));
        let part = disk.exported();
        for lines in [[&whole[..], &part].concat(), [&part[..], &whole].concat()] {
            disk.prune_before(at(5 * DAY));
            assert_eq!(used(&*disk), (0, 0), "{}", disk.name());
            disk.import_lines(&lines).unwrap();
            assert_eq!((seen(&*disk), disk.problems()), (before.clone(), Vec::new()), "{}", disk.name());
        }
    }
}

#[test]
fn an_import_in_many_turns_that_is_interrupted_and_repeated_brings_everything_back() {
    for mut disk in every_store().into_iter().filter(|disk| disk.name() != "in the third store") {
        let many = (0..4_500).map(|second| made("s", second, tokens(10, 1)));
        disk.post(&batch_of(many.chain([bill("s", 5_000, tokens(45_100, 4_600))]))).unwrap();
        let (lines, before) = (String::from_utf8(disk.exported()).unwrap(), seen(&*disk));
        disk.prune_before(at(DAY));
        for count in [1, 1_000, 2_500, 10_000] {
            let part: String = lines.split_inclusive('\n').take(count).collect();
            disk.import_lines(part.as_bytes()).unwrap();
            // What is not there yet is in the bill.
            assert_eq!((used(&*disk), disk.problems()), ((45_100, 4_600), Vec::new()), "{}", disk.name());
        }
        assert_eq!(seen(&*disk), before, "{}", disk.name());
    }
}

#[test]
fn an_import_that_fails_anywhere_can_be_repeated() {
    let store = Shaky::new();
    let mut books = store.books();
    books.post(&batch_of([made("s", 10, tokens(100, 10)), bill("s", 20, tokens(150, 20))])).unwrap();
    books.post(&calls([])).unwrap();
    books.post(&batch_of([made("t", 10, tokens(7, 7))])).unwrap();
    let (lines, before) = (books.exported(), seen(&books));
    books.prune_before(at(DAY));
    for operation in 1.. {
        books.prune_before(at(DAY));
        assert_eq!(used(&books), (0, 0));
        store.fail_at(operation);
        let failed = books.import_lines(&lines).is_err();
        if store.holds() {
            break;
        }
        assert!(failed, "{operation}");
        books.import_lines(&lines).unwrap();
        assert_eq!((seen(&books), books.problems()), (before.clone(), Vec::new()), "{operation}");
    }
}

/// What a session used, one call after the other: listed or not.
fn life() -> impl Strategy<Value = Vec<(bool, Tokens)>> {
    let tokens = prop::array::uniform6(0_u64..50).prop_map(|fields| {
        let tokens = Tokens::from_fields(fields);
        Tokens { reasoning: 0, output: tokens.output + 1, ..tokens }
    });
    prop::collection::vec((any::<bool>(), tokens), 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_import_after_a_prune_makes_the_ledger_that_was_never_pruned(
        (billed, listed) in (life(), life()),
        (known, cut) in (0_usize..9, 0_i64..9),
        parts in prop::collection::vec((any::<u64>(), any::<bool>()), 0..4),
    ) {
        // After each call of one session comes a bill; the other has one at the end.
        let mut moments: Vec<Vec<Record>> = vec![Vec::new(); 9];
        let mut so_far = Tokens::ZERO;
        for (second, (is_listed, used)) in (0_i64..).zip(&billed) {
            so_far = so_far.saturating_add(*used);
            let call = is_listed.then(|| made("s", second * 600, *used));
            let all = call.into_iter().chain([bill("s", second * 600, so_far)]);
            moments[usize::try_from(second).unwrap()].extend(all);
        }
        for (second, (_, used)) in (0_i64..).zip(&listed) {
            moments[usize::try_from(second).unwrap()].push(made("t", second * 600, *used));
        }
        let whole: Tokens = listed.iter().map(|(_, used)| *used).sum();
        let last = bill("t", 10 * 600, whole.saturating_add(tokens(3, 4)));
        let (early, late) = moments.split_at(known);
        let late: Vec<Record> = late.concat().into_iter().chain([last]).collect();
        let mut never = Memory::new(prices());
        never.post(&batch_of(early.concat())).unwrap();
        never.post(&batch_of(late.clone())).unwrap();
        for mut disk in every_store() {
            disk.post(&batch_of(early.concat())).unwrap();
            let lines = String::from_utf8(disk.exported()).unwrap();
            // Nothing that was used after the export is pruned.
            disk.prune_before(at(600 * cut.min(i64::try_from(known).unwrap())));
            let (own, left) = (disk.exported(), seen(&*disk));
            disk.import_lines(&own).unwrap();
            prop_assert_eq!(seen(&*disk), left, "its own export, {}", disk.name());
            let mut late = Some(late.clone());
            for (chosen, is_late) in &parts {
                if *is_late && let Some(late) = late.take() {
                    disk.post(&batch_of(late)).unwrap();
                }
                let before = total(&*disk).tokens;
                let part = lines.split_inclusive('\n').zip(0..).filter(|(_, number)| chosen >> number & 1 == 1);
                // Some backwards.
                let mut part: Vec<&str> = part.map(|(line, _)| line).collect();
                if chosen >> 63 == 1 {
                    part.reverse();
                }
                disk.import_lines(part.concat().as_bytes()).unwrap();
                disk.restart();
                let after = total(&*disk).tokens;
                let fell = before.fields().iter().zip(after.fields()).any(|(before, after)| *before > after);
                prop_assert!(!fell, "{:?} to {:?}, {}", before, after, disk.name());
                disk.sound()?;
            }
            disk.import_lines(lines.as_bytes()).unwrap();
            if let Some(late) = late {
                disk.post(&batch_of(late)).unwrap();
            }
            prop_assert_eq!(seen(&*disk), seen(&never), "{}", disk.name());
            disk.import_lines(lines.as_bytes()).unwrap();
            prop_assert_eq!(seen(&*disk), seen(&never), "{}", disk.name());
            disk.sound()?;
        }
    }
}
