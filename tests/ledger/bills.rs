//! Agents' own session totals: usage beyond the calls is booked once, in any reading order.

use std::sync::Arc;

use proptest::prelude::*;
use tokmeter::testing::domain::{
    Attribution, Bill, Billed, Call, CallKey, Counter, Dimension, Fidelity, Filter, Instant, Label, Matcher, Record,
    Tokens, Usd,
};
use tokmeter::testing::ledger::{Ledger, Memory, Options, Row, Sums, open};
use tokmeter::testing::pricing::{Cost, Pricer};

use super::common::{Prices, at, batch_of, call, calls, key, prices, rows, total};
use super::durable::{TO_SCHEMA_4, assert_alike, books, opened, to_schema_3};
use super::stores::{AnyBooks as _, every_store};

fn tokens(input: u64, output: u64) -> Tokens {
    Tokens { input, output, cache_write_1h: input, ..Tokens::ZERO }
}

/// A session's statement at this second.
fn bill(session: &str, seconds: i64, models: &[(&str, Tokens)]) -> Bill {
    let models = models.iter().map(|(model, tokens)| Billed { is_split: true, ..Billed::new(model, *tokens) });
    Bill {
        id: CallKey::from_parts(&[session, &format!("{seconds}")]),
        from: Attribution {
            session: Some(Label::new(session)),
            ..Attribution::new(at(seconds), Label::new("claude-code"))
        },
        counter: Counter::Session { started: Some(7), since: None },
        models: models.collect(),
    }
}

fn made(name: &str, session: &str, seconds: i64, model: &str, tokens: Tokens) -> Call {
    let mut call = Call { tokens, model: Some(Label::new(model)), ..call(name, seconds, 0) };
    call.from.session = Some(Label::new(session));
    call
}

fn background(books: &dyn Ledger) -> Vec<Row> {
    rows(books).into_iter().filter(|row| row.call.from.feature.as_deref() == Some("background")).collect()
}

fn sums(books: &dyn Ledger, dimension: Dimension, value: &str) -> Sums {
    books.sums(&Filter { only: vec![(dimension, Matcher::new(value))], ..Filter::default() }).unwrap()
}

fn memory() -> Memory {
    Memory::new(prices())
}

#[derive(Clone, Debug)]
struct Life {
    /// Listed or not, of which model.
    calls: Vec<(bool, &'static str, Tokens)>,
}

impl Life {
    /// Every listed call, and the agent's statement after each call.
    fn records(&self, session: &str, counter: &Counter) -> Vec<Record> {
        let mut records = Vec::new();
        let mut so_far = [("opus", Tokens::ZERO), ("haiku", Tokens::ZERO)];
        for (seconds, (is_listed, model, tokens)) in (0_i64..).zip(&self.calls) {
            for (name, sum) in &mut so_far {
                if name == model {
                    *sum = sum.saturating_add(*tokens);
                }
            }
            if *is_listed {
                let name = format!("{session} {seconds}");
                records.push(Record::Call(made(&name, session, seconds * 600, model, *tokens)));
            }
            records.push(Record::Bill(Bill { counter: counter.clone(), ..bill(session, seconds * 600, &so_far) }));
        }
        records
    }

    fn used(&self, model: &str) -> Tokens {
        self.calls.iter().filter(|(_, name, _)| *name == model).map(|(_, _, tokens)| *tokens).sum()
    }
}

fn life() -> impl Strategy<Value = Life> {
    let model = prop::sample::select(vec!["opus", "haiku"]);
    let tokens = prop::array::uniform6(0_u64..50).prop_map(|fields| {
        let tokens = Tokens::from_fields(fields);
        Tokens { reasoning: 0, output: tokens.output + 1, ..tokens }
    });
    prop::collection::vec((any::<bool>(), model, tokens), 1..8).prop_map(|calls| Life { calls })
}

#[test]
fn what_a_total_grew_by_is_dated_by_the_snapshot_that_shows_it() {
    let day = 86_400;
    let snapshot = |seconds, input, since: i64| {
        let models = [("opus", tokens(input, 10))];
        Bill { counter: Counter::Snapshot { since: Some(at(since)) }, ..bill("s", seconds, &models) }
    };
    // The total of the last one fell: its state was lost.
    let all = [snapshot(300, 100, 0), snapshot(900, 150, 0), snapshot(day + 5, 400, 60), snapshot(day + 9, 20, 0)];
    let dated = |books: &dyn Ledger| {
        let mut rows: Vec<_> = background(books).iter().map(|row| (row.call.at(), row.call.tokens.input)).collect();
        rows.sort_unstable();
        rows
    };
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        for mut disk in every_store() {
            for which in order {
                disk.post(&batch_of([Record::Bill(all[which].clone())])).unwrap();
                disk.restart();
            }
            assert_eq!(dated(&*disk), [(at(0), 100), (at(900), 50), (at(day + 5), 250)], "{order:?}");
            assert_eq!(disk.problems(), Vec::<String>::new());
            // Seen again within the same minute, it has grown: its row keeps its time.
            let mut again = snapshot(day + 5, 450, 0);
            again.from.at = at(day + 40);
            disk.post(&batch_of([Record::Bill(again)])).unwrap();
            assert_eq!(dated(&*disk)[2..], [(at(day + 5), 300)]);
            assert_eq!(disk.problems(), Vec::<String>::new());
        }
    }
    // A ledger that knows the total from before there were snapshots keeps it where it is.
    for mut disk in every_store() {
        let whole = Bill { counter: Counter::Session { started: None, since: None }, ..snapshot(30, 120, 0) };
        disk.post(&batch_of([Record::Bill(whole)])).unwrap();
        disk.post(&batch_of(all[..3].iter().cloned().map(Record::Bill))).unwrap();
        assert_eq!(dated(&*disk), [(at(30), 120), (at(900), 30), (at(day + 5), 250)]);
        assert_eq!(disk.problems(), Vec::<String>::new());
    }
}

/// A snapshot of a total with a cost, in cents.
fn quoted(seconds: i64, model: &str, tokens: Tokens, cents: i64) -> Bill {
    let mut bill = Bill { counter: Counter::Snapshot { since: None }, ..bill("s", seconds, &[(model, tokens)]) };
    bill.models[0].quoted = Some(Usd::from_micro(cents * 10_000));
    bill
}

/// Rows by day: tokens and cents.
type Days = Vec<(i64, u64, i128)>;

#[test]
fn a_cost_is_shared_among_what_its_total_grew_by() {
    let day = 86_400;
    let cents = |books: &dyn Ledger| {
        let mut rows: Vec<_> = rows(books)
            .iter()
            .map(|row| (row.call.at(), row.call.tokens.input, row.call.quoted.unwrap_or_default()))
            .collect();
        rows.sort_unstable();
        rows.into_iter().map(|(at, input, usd)| (at.timestamp() / day, input, usd.pico() / 10_000_000_000)).collect()
    };
    let none = Tokens::ZERO;
    let cases: [([Bill; 3], Days); 4] = [
        // Without tokens there is only the cost.
        (
            [quoted(9, "unknown", none, 10), quoted(day, "unknown", none, 25), quoted(2 * day, "unknown", none, 30)],
            vec![(0, 0, 10), (1, 0, 15), (2, 0, 5)],
        ),
        (
            [
                quoted(9, "opus", tokens(5, 1), 10),
                quoted(day, "opus", tokens(7, 1), 25),
                quoted(2 * day, "opus", tokens(8, 1), 30),
            ],
            vec![(0, 5, 10), (1, 2, 15), (2, 1, 5)],
        ),
        // The cost of tokens is known later, or turns out to be lower.
        (
            [
                quoted(9, "opus", tokens(5, 1), 10),
                quoted(day, "opus", tokens(7, 1), 10),
                quoted(2 * day, "opus", tokens(7, 1), 30),
            ],
            vec![(0, 5, 10), (1, 2, 20)],
        ),
        (
            [
                quoted(9, "opus", tokens(5, 1), 10),
                quoted(day, "opus", tokens(7, 1), 25),
                quoted(2 * day, "opus", tokens(8, 1), 20),
            ],
            vec![(0, 5, 5), (1, 2, 15), (2, 1, 0)],
        ),
    ];
    for (bills, expected) in cases {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            for mut disk in every_store() {
                for which in order {
                    disk.post(&batch_of([Record::Bill(bills[which].clone())])).unwrap();
                    disk.restart();
                }
                let found: Days = cents(&*disk);
                assert_eq!(found, expected, "{order:?}");
                assert_eq!(disk.problems(), Vec::<String>::new());
                let mut copy = memory();
                copy.import_lines(&disk.exported()).unwrap();
                assert_alike(&copy, &*disk).unwrap();
            }
        }
    }
}

#[test]
fn a_total_that_an_older_version_recorded_as_a_call_is_part_of_the_bill() {
    let day = 86_400;
    let old = |model: Option<&str>, tokens, cents: i64, fidelity| Call {
        model: model.map(Label::new),
        quoted: Some(Usd::from_micro(cents * 10_000)),
        fidelity,
        ..made("row", "s", 10, "opus", tokens)
    };
    for (call, bills) in [
        (
            old(Some("opus"), tokens(5, 1), 10, Fidelity::Summed),
            [quoted(day, "opus", tokens(7, 1), 25), quoted(2 * day, "opus", tokens(10, 2), 40)],
        ),
        (
            old(None, Tokens::ZERO, 10, Fidelity::LowerBound),
            [quoted(day, "unknown", Tokens::ZERO, 25), quoted(2 * day, "unknown", Tokens::ZERO, 40)],
        ),
    ] {
        for mut disk in every_store() {
            disk.post(&calls([call.clone()])).unwrap();
            for bill in &bills {
                disk.restart();
                disk.post(&batch_of([Record::Bill(bill.clone())])).unwrap();
                let whole = total(&*disk);
                let quoted: Usd = rows(&*disk).iter().filter_map(|row| row.call.quoted).sum();
                assert_eq!((whole.tokens, Some(quoted)), (bill.tokens(), bill.models[0].quoted));
                assert_eq!(disk.problems(), Vec::<String>::new());
            }
            assert_eq!(total(&*disk).calls, 3);
        }
    }
}

#[test]
fn a_sum_of_calls_has_no_long_prompt_even_if_its_cache_writes_are_guessed() {
    let mut books = memory();
    let models = [("opus", Tokens { input: 900_000, cache_write_5m: 5, ..Tokens::ZERO })];
    let mut whole = bill("s", 30, &models);
    whole.models[0].is_split = false;
    books.post(&batch_of([Record::Bill(whole)])).unwrap();
    let row = &background(&books)[0];
    assert_eq!((row.call.fidelity, row.trust()), (Fidelity::SumGuessed, Fidelity::Guessed));
    assert!(row.call.fidelity.is_sum());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_sessions_total_is_its_bill_whatever_is_read_first(
        (lives, shuffled, cuts) in (life(), life()).prop_flat_map(|(one, other)| {
            let whole = one.records("s", &Counter::Session { started: None, since: None });
            let snapshots = other.records("t", &Counter::Snapshot { since: Some(at(-60)) });
            let all: Vec<Record> = whole.into_iter().chain(snapshots).collect();
            let twice = all.iter().cloned().chain(all.clone()).collect::<Vec<_>>();
            (Just([("s", one), ("t", other)]), Just(twice).prop_shuffle(), prop::collection::vec(1_usize..9, 6))
        }),
    ) {
        for mut disk in every_store() {
            let mut here = memory();
            let mut rest = &shuffled[..];
            for cut in &cuts {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                here.post(&batch_of(now.to_vec())).unwrap();
                disk.post(&batch_of(now.to_vec())).unwrap();
                // Every batch is followed by a restart.
                disk.restart();
                assert_alike(&here, &*disk)?;
            }
            here.post(&batch_of(rest.to_vec())).unwrap();
            disk.post(&batch_of(rest.to_vec())).unwrap();
            assert_alike(&here, &*disk)?;
            for (session, life) in &lives {
                for model in ["opus", "haiku"] {
                    let filter = Filter {
                        only: vec![(Dimension::Session, Matcher::new(*session)), (Dimension::Model, Matcher::new(model))],
                        ..Filter::default()
                    };
                    prop_assert_eq!(disk.sums(&filter).unwrap().tokens, life.used(model), "{} {}", session, model);
                }
            }
            prop_assert_eq!(disk.problems(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_background_call_grows_with_the_bill_and_shrinks_as_calls_are_found() {
    let mut books = memory();
    let mut telling = Sums::default();
    let mut post = |record: Record| {
        super::common::add_up(&books.post(&batch_of([record])).unwrap(), &mut telling);
        assert_eq!(telling, total(&books));
        (background(&books).iter().map(|row| row.call.tokens.output).sum::<u64>(), telling.tokens.output)
    };
    assert_eq!(post(Record::Call(made("a", "s", 10, "opus", tokens(1, 10)))), (0, 10));
    assert_eq!(post(Record::Bill(bill("s", 20, &[("opus", tokens(3, 14))]))), (4, 14));
    assert_eq!(post(Record::Bill(bill("s", 30, &[("opus", tokens(9, 40))]))), (30, 40));
    // A sub-agent's file is read later; telemetry brings the rest, one call after the other, and once more.
    assert_eq!(post(Record::Call(made("b", "s", 15, "opus", tokens(2, 6)))), (24, 40));
    let mut seen = made("request", "s", 25, "opus", tokens(6, 20));
    (seen.key, seen.alias) = (key("request"), Some(key("request")));
    assert_eq!(post(Record::Call(seen.clone())), (4, 40));
    assert_eq!(post(Record::Call(seen)), (4, 40));
    // Calls after the last statement are not in it yet.
    assert_eq!(post(Record::Call(made("c", "s", 40, "opus", tokens(5, 50)))), (0, 86));
}

#[test]
fn a_background_call_says_what_it_is_and_stands_where_its_bill_first_named_the_model() {
    let mut books = memory();
    books
        .post(&batch_of(
            [bill("s", 900, &[("opus", tokens(9, 40))]), bill("s", 100, &[("opus", tokens(1, 4))])].map(Record::Bill),
        ))
        .unwrap();
    let [row] = &background(&books)[..] else { panic!("one call") };
    assert_eq!(
        (row.call.at(), row.call.fidelity, row.call.from.session.as_deref()),
        (at(100), Fidelity::Summed, Some("s"))
    );
    assert_eq!(row.call.tokens, tokens(9, 40));
    assert_eq!((total(&books).lower_bound_calls, total(&books).guessed_calls), (0, 0));
}

#[test]
fn a_persons_session_is_a_lower_bound_until_its_bill_is_known() {
    let listed = |name: &str, session: &str| Call {
        fidelity: Fidelity::Unlisted,
        ..made(name, session, 10, "opus", tokens(1, 10))
    };
    let records = [
        Record::Call(listed("a", "s")),
        Record::Call(listed("b", "s")),
        Record::Call(listed("c", "t")),
        Record::Bill(bill("s", 20, &[("opus", tokens(2, 20))])),
    ];
    for mut disk in every_store() {
        disk.post(&batch_of(records[..3].to_vec())).unwrap();
        assert_eq!(total(&*disk).lower_bound_calls, 3);
        disk.restart();
        disk.post(&batch_of([records[3].clone()])).unwrap();
        let mut turned = memory();
        turned.post(&batch_of(records.iter().rev().cloned())).unwrap();
        for books in [&*disk as &dyn Ledger, &turned] {
            assert_eq!(sums(books, Dimension::Session, "s").lower_bound_calls, 0);
            assert_eq!(sums(books, Dimension::Session, "t").lower_bound_calls, 1);
            assert_eq!(total(books).calls, 3);
        }
        // A call that is read again is still settled.
        disk.post(&calls([listed("a", "s"), listed("d", "s")])).unwrap();
        assert_eq!(sums(&*disk, Dimension::Session, "s").lower_bound_calls, 0);
        assert_eq!(disk.problems(), Vec::<String>::new());
    }
}

#[test]
fn a_fork_that_took_its_parents_counter_over_is_charged_for_its_own_part_only() {
    let since = |bill: Bill, seconds: Option<i64>| Bill {
        counter: Counter::Session { started: Some(7), since: seconds.map(at) },
        ..bill
    };
    // The parent has a title made and continues after the fork; the fork has one made as well.
    let records = |fork_since: Option<i64>, maker: &str| {
        vec![
            Record::Call(made("p1", maker, 10, "opus", tokens(1, 10))),
            Record::Bill(since(bill("p", 20, &[("opus", tokens(3, 13))]), Some(10))),
            Record::Call(made("p2", "p", 90, "opus", tokens(1, 20))),
            Record::Bill(since(bill("p", 100, &[("opus", tokens(4, 33))]), Some(10))),
            Record::Call(made("f1", "f", 50, "opus", tokens(2, 50))),
            Record::Bill(since(bill("f", 60, &[("opus", tokens(8, 70))]), fork_since)),
        ]
    };
    // Its first own call is known, or the copy of its parent's is taken for one; the copy may belong to the wrong one.
    for fork_since in [Some(50), Some(10), None] {
        for maker in ["p", "f"] {
            let told = records(fork_since, maker);
            let mut once = memory();
            once.post(&batch_of(told.clone())).unwrap();
            for mut books in every_store() {
                for record in told.iter().rev() {
                    books.post(&batch_of([record.clone()])).unwrap();
                }
                assert_alike(&once, &*books).unwrap();
                assert_eq!(total(&*books).tokens, tokens(9, 90), "since {fork_since:?}, booked for {maker}");
                if maker == "p" {
                    assert_eq!(sums(&*books, Dimension::Session, "p").tokens, tokens(4, 33));
                    assert_eq!(sums(&*books, Dimension::Session, "f").tokens, tokens(5, 57));
                }
            }
        }
    }
}

#[test]
fn runs_of_older_versions_add_up_and_those_of_newer_ones_count_on() {
    let run = |name: &str, whole: Tokens, own: Tokens| {
        let mut bill = bill("s", 10, &[("opus", whole)]);
        (bill.id, bill.counter) = (key(name), Counter::Run { own });
        Record::Bill(bill)
    };
    let (first, second) = (tokens(2, 30), tokens(1, 12));
    for (runs, used) in [
        (vec![run("a", first, first), run("b", second, second)], tokens(3, 42)),
        (vec![run("a", first, first), run("b", tokens(3, 42), second)], tokens(3, 42)),
        // The second did something in the background.
        (vec![run("a", first, first), run("b", tokens(5, 50), second)], tokens(5, 50)),
        // The transcript's own state covers both runs, and the second prints the same state.
        (
            vec![
                run("a", first, first),
                Record::Bill(bill("s", 9, &[("opus", tokens(3, 42))])),
                run("b", tokens(3, 42), second),
            ],
            tokens(3, 42),
        ),
    ] {
        for told in [runs.clone(), runs.into_iter().rev().collect()] {
            let mut books = memory();
            books.post(&batch_of(told)).unwrap();
            assert_eq!(total(&books).tokens, used);
        }
    }
}

#[test]
fn a_run_that_counts_on_without_lifetimes_has_those_of_the_run_before_it_and_its_own() {
    let writes =
        |cache_write_5m, cache_write_1h, output| Tokens { cache_write_5m, cache_write_1h, output, ..Tokens::ZERO };
    let run = |name: &str, is_split: bool, whole: Tokens, own: Tokens| {
        let mut bill = bill("s", 10, &[("opus", whole)]);
        bill.models[0].is_split = is_split;
        (bill.id, bill.counter) = (key(name), Counter::Run { own });
        Record::Bill(bill)
    };
    let (first, second) = (writes(4, 6, 10), writes(3, 7, 20));
    for (whole, expected) in [
        // 4 + 6 + 3 + 7 are 20: all of them are known.
        (writes(20, 0, 30), (writes(7, 13, 30), Fidelity::Summed)),
        // One more was written in the background, for nobody knows how long.
        (writes(21, 0, 30), (writes(21, 0, 30), Fidelity::SumGuessed)),
    ] {
        let runs = [run("a", true, first, first), run("b", false, whole, second)];
        for told in [runs.to_vec(), runs.iter().rev().cloned().collect()] {
            for mut disk in every_store() {
                disk.post(&batch_of(told.clone())).unwrap();
                let found: Vec<_> = background(&*disk).iter().map(|row| (row.call.tokens, row.call.fidelity)).collect();
                assert_eq!(found, [expected], "{}", disk.name());
                assert_eq!(disk.problems(), Vec::<String>::new());
            }
        }
    }
}

#[test]
fn lifetimes_that_do_not_explain_a_whole_session_explain_none_of_its_models() {
    let writes = |cache_write_5m, cache_write_1h| Tokens { cache_write_5m, cache_write_1h, output: 1, ..Tokens::ZERO };
    let run = |name: &str, models: &[(&str, Tokens)], is_split: bool, own: Tokens| {
        let mut bill = bill("s", 10, models);
        bill.models.iter_mut().for_each(|billed| billed.is_split = is_split);
        (bill.id, bill.counter) = (key(name), Counter::Run { own });
        Record::Bill(bill)
    };
    let first = run("a", &[("opus", writes(4, 6))], true, writes(4, 6));
    // 4 + 6 + 3 + 7 are 20, but 21 were written, and nobody knows which of them for how long.
    let second = run("b", &[("opus", writes(20, 0)), ("haiku", writes(1, 0))], false, writes(3, 7));
    for mut disk in every_store() {
        disk.post(&batch_of([first.clone(), second.clone()])).unwrap();
        let mut found: Vec<_> = background(&*disk)
            .iter()
            .map(|row| (row.call.tokens.cache_write_5m, row.call.tokens.cache_write_1h, row.call.fidelity))
            .collect();
        found.sort_unstable_by_key(|(short, ..)| *short);
        assert_eq!(found, [(1, 0, Fidelity::SumGuessed), (20, 0, Fidelity::SumGuessed)], "{}", disk.name());
    }
}

#[test]
fn growth_from_before_a_prune_does_not_come_back_when_its_snapshots_are_read_again() {
    let day = 86_400;
    let snapshot = |seconds, input| {
        let counter = Counter::Snapshot { since: Some(at(0)) };
        Record::Bill(Bill { counter, ..bill("s", seconds, &[("opus", tokens(input, 10))]) })
    };
    let all = [snapshot(300, 100), snapshot(900, 150), snapshot(day, 190), snapshot(day + 5, 400)];
    for mut disk in every_store() {
        disk.post(&batch_of(all.clone())).unwrap();
        disk.prune_before(at(day));
        disk.restart();
        disk.post(&batch_of(all.clone())).unwrap();
        let mut rows: Vec<_> = background(&*disk).iter().map(|row| (row.call.at(), row.call.tokens.input)).collect();
        rows.sort_unstable();
        assert_eq!(rows, [(at(day), 40), (at(day + 5), 210)], "{}", disk.name());
        assert_eq!(disk.problems(), Vec::<String>::new());
    }
}

#[test]
fn what_a_sub_agent_began_before_a_prune_and_ended_after_it_is_not_dated_before_it() {
    let day = 86_400;
    for (since, expected) in [(10, day + 5), (day - 1, day + 5), (day, day), (day + 1, day + 1)] {
        for mut disk in every_store() {
            disk.post(&batch_of([Record::Call(made("a", "t", 10, "opus", tokens(1, 1)))])).unwrap();
            disk.prune_before(at(day));
            let mut total = bill("s", day + 5, &[("opus", tokens(100, 10))]);
            total.from.agent = Some(Label::new("explore"));
            total.counter = Counter::Snapshot { since: Some(at(since)) };
            disk.post(&batch_of([Record::Bill(total)])).unwrap();
            let rows: Vec<_> = background(&*disk).iter().map(|row| (row.call.at(), row.call.tokens)).collect();
            assert_eq!(rows, [(at(expected), tokens(100, 10))], "{since}, {}", disk.name());
            assert_eq!(disk.problems(), Vec::<String>::new());
        }
    }
}

/// The result that a run printed at its end: its session's total, and what it used itself.
fn result(name: &str, session: &str, whole: Tokens, own: Tokens) -> Record {
    let mut bill = bill(session, 10, &[("opus", whole)]);
    (bill.id, bill.counter) = (key(name), Counter::Run { own });
    Record::Bill(bill)
}

#[test]
fn j29_the_results_of_a_fork_leave_out_its_parents_part_whatever_is_read_first() {
    let told = [
        result("p1", "p", tokens(8, 200), tokens(8, 200)),
        // A fork begins, and goes on; the parent goes on as well.
        result("f1", "f", tokens(19, 290), tokens(11, 90)),
        result("f2", "f", tokens(21, 310), tokens(2, 20)),
        result("p2", "p", tokens(14, 230), tokens(6, 30)),
        // A fork of the fork, and one of the parent that failed before it used anything.
        result("g1", "g", tokens(26, 315), tokens(5, 5)),
        result("h1", "h", tokens(14, 230), tokens(0, 0)),
        // Another session with background calls, which no session's total explains.
        result("o1", "o", tokens(10, 205), tokens(1, 4)),
    ];
    let used = [
        ("p", tokens(14, 230)),
        ("f", tokens(13, 110)),
        ("g", tokens(5, 5)),
        ("h", Tokens::ZERO),
        ("o", tokens(10, 205)),
    ];
    for turn in 0..told.len() {
        for is_turned in [false, true] {
            let mut told = told.to_vec();
            told.rotate_left(turn);
            if is_turned {
                told.reverse();
            }
            let mut once = memory();
            once.post(&batch_of(told.clone())).unwrap();
            for mut books in every_store() {
                for (at, record) in told.iter().enumerate() {
                    if at == 3 {
                        books.restart();
                    }
                    books.post(&batch_of([record.clone()])).unwrap();
                }
                assert_alike(&once, &*books).unwrap();
                for (session, used) in used {
                    let sums = sums(&*books, Dimension::Session, session);
                    assert_eq!(sums.tokens, used, "{session}, {turn}, {is_turned}");
                }
                books.sound().unwrap();
            }
        }
    }
}

#[test]
fn books_of_schema_4_learn_what_the_results_in_them_took_over() {
    for is_fork_first in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut told =
            vec![result("p1", "p", tokens(8, 200), tokens(8, 200)), result("f1", "f", tokens(19, 290), tokens(11, 90))];
        if is_fork_first {
            told.reverse();
        }
        let mut disk = books(&folder);
        disk.post(&batch_of([told.remove(0)])).unwrap();
        drop(disk);
        let old = rusqlite::Connection::open(&path).unwrap();
        old.execute_batch(TO_SCHEMA_4).unwrap();
        drop(old);
        let mut disk = opened(&path).books;
        disk.post(&batch_of(told)).unwrap();
        assert_eq!(total(&disk).tokens, tokens(19, 290), "{is_fork_first}");
    }
}

#[test]
fn a_result_inherits_from_a_transcripts_own_total_and_never_from_its_own_session() {
    let state = |session: &str, whole| Record::Bill(bill(session, 5, &[("opus", whole)]));
    let mut books = memory();
    books.post(&batch_of([result("f", "f", tokens(9, 30), tokens(4, 10)), state("p", tokens(5, 20))])).unwrap();
    assert_eq!((total(&books).tokens, sums(&books, Dimension::Session, "f").tokens), (tokens(9, 30), tokens(4, 10)));
    let mut books = memory();
    books.post(&batch_of([result("b", "s", tokens(9, 30), tokens(4, 10)), state("s", tokens(5, 20))])).unwrap();
    assert_eq!(total(&books).tokens, tokens(9, 30));
    // The parent's total is of another model, so that the fork cannot have taken it over.
    let other = Record::Bill(bill("p", 5, &[("haiku", tokens(5, 20))]));
    let mut books = memory();
    books.post(&batch_of([result("f", "f", tokens(9, 30), tokens(4, 10)), other])).unwrap();
    assert_eq!(total(&books).tokens, tokens(14, 50));
}

#[test]
fn a_total_that_very_many_sessions_state_is_nobodys_inheritance() {
    let (mut once, mut stores) = (memory(), every_store());
    let fork = result("f", "f", tokens(9, 30), tokens(4, 10));
    let parent = |number: u64| result(&format!("p{number}"), &format!("p{number}"), tokens(5, 20), tokens(5, 20));
    let told: Vec<Record> = (0..64).map(parent).chain([fork]).collect();
    once.post(&batch_of(told.clone())).unwrap();
    for books in &mut stores {
        for record in &told {
            books.post(&batch_of([record.clone()])).unwrap();
        }
        assert_eq!(sums(&**books, Dimension::Session, "f").tokens, tokens(4, 10));
    }
    for number in 64..67 {
        once.post(&batch_of([parent(number)])).unwrap();
        for books in &mut stores {
            books.post(&batch_of([parent(number)])).unwrap();
            assert_alike(&once, &**books).unwrap();
            assert_eq!(sums(&**books, Dimension::Session, "f").tokens, tokens(9, 30));
        }
    }
}

#[test]
fn a_bill_names_models_as_its_agent_does() {
    let mut books = memory();
    let records = [
        Record::Call(made("a", "s", 1, "claude-opus-5-20260801", tokens(1, 10))),
        Record::Call(made("b", "s", 2, "my-gateways-model", tokens(2, 20))),
        Record::Bill(bill(
            "s",
            3,
            &[("us.anthropic.claude-opus-5-v1:0", tokens(1, 11)), ("claude-haiku-5", tokens(2, 22))],
        )),
    ];
    books.post(&batch_of(records)).unwrap();
    let rest: Vec<u64> = background(&books).iter().map(|row| row.call.tokens.output).collect();
    assert_eq!((total(&books).tokens, rest), (tokens(3, 33), vec![2, 1]));
}

#[test]
fn k4_a_call_or_a_total_without_a_model_may_be_of_any() {
    let nameless = || Record::Call(Call { model: None, ..made("a", "s", 1, "opus", tokens(1, 10)) });
    let named = |name: &str, model: &str| Record::Call(made(name, "s", 2, model, tokens(2, 20)));
    let cases = [
        // The log named its model after its first answer.
        (vec![nameless(), named("b", "opus")], bill("s", 3, &[("opus", tokens(3, 30))]), vec![]),
        (vec![nameless(), named("b", "opus")], bill("s", 3, &[("opus", tokens(5, 34))]), vec![4]),
        // A part of the total is of other models.
        (
            vec![named("b", "opus"), named("c", "haiku")],
            bill("s", 3, &[("opus", tokens(2, 20)), ("unknown", tokens(2, 20))]),
            vec![],
        ),
        // More calls than their own model's total: the rest of them is a part of the other one.
        (
            vec![named("b", "opus"), named("c", "opus")],
            bill("s", 3, &[("opus", tokens(2, 20)), ("unknown", tokens(3, 25))]),
            vec![5],
        ),
        (vec![nameless()], bill("s", 3, &[("opus", tokens(2, 20)), ("unknown", tokens(1, 10))]), vec![20]),
    ];
    for (calls, bill, expected) in cases {
        let mut records = calls.clone();
        records.push(Record::Bill(bill.clone()));
        for _ in 0..records.len() {
            records.rotate_left(1);
            let mut books = memory();
            for record in &records {
                books.post(&batch_of([record.clone()])).unwrap();
            }
            let rest: Vec<u64> = background(&books).iter().map(|row| row.call.tokens.output).collect();
            assert_eq!(rest, expected, "{calls:?}");
        }
    }
}

#[test]
fn k4_what_is_left_of_a_named_total_keeps_its_name_beside_one_without_a_model() {
    // A lead of opus that used 90, which no log lists; its sub-agents used 800 of any model.
    let whole = bill("s", 30, &[("opus", tokens(90, 90)), ("unknown", tokens(800, 800))]);
    for (first, second) in [("opus", "opus"), ("haiku", "haiku"), ("opus", "haiku"), ("haiku", "opus")] {
        let mut records = vec![
            Record::Bill(whole.clone()),
            Record::Call(made("a", "s", 10, first, tokens(300, 300))),
            Record::Call(made("b", "s", 20, second, tokens(500, 500))),
        ];
        for turn in 0..3 {
            records.rotate_left(turn);
            for mut books in every_store() {
                books.post(&batch_of(records.clone())).unwrap();
                let rest = background(&*books);
                let rest: Vec<_> = rest.iter().map(|row| (row.call.model.as_deref(), row.call.tokens)).collect();
                assert_eq!(rest, [(Some("opus"), tokens(90, 90))], "{first}, {second}");
                assert_eq!(total(&*books).tokens.output, 890);
            }
        }
    }
}

#[test]
fn k4_of_two_equal_totals_that_which_names_its_model_stands() {
    let stated = |model| Bill { id: key("total"), ..bill("s", 3, &[(model, tokens(2, 20))]) };
    for models in [["unknown", "opus"], ["opus", "unknown"]] {
        let mut books = memory();
        for model in models {
            books.post(&batch_of([Record::Bill(stated(model))])).unwrap();
        }
        assert_eq!(
            (sums(&books, Dimension::Model, "opus").tokens, total(&books).tokens),
            (tokens(2, 20), tokens(2, 20))
        );
    }
}

#[test]
fn what_was_pruned_does_not_come_back_as_a_background_call() {
    for mut disk in every_store() {
        let day = 86_400;
        disk.post(&batch_of([
            Record::Call(made("a", "s", 10, "opus", tokens(1, 10))),
            Record::Bill(bill("s", 20, &[("opus", tokens(2, 15))])),
            Record::Call(made("b", "s", 2 * day, "opus", tokens(3, 30))),
            Record::Bill(bill("s", 2 * day + 10, &[("opus", tokens(5, 45))])),
        ]))
        .unwrap();
        assert_eq!(disk.prune_before(at(day)).tokens, tokens(2, 15));
        disk.restart();
        assert_eq!(total(&*disk).tokens, tokens(3, 30));
        disk.post(&batch_of([
            Record::Bill(bill("s", 20, &[("opus", tokens(2, 15))])),
            Record::Bill(bill("s", 3 * day, &[("opus", tokens(6, 49))])),
        ]))
        .unwrap();
        let [row] = &background(&*disk)[..] else { panic!("one call") };
        assert_eq!((row.call.tokens, row.call.at()), (tokens(1, 4), at(2 * day + 10)));
        assert_eq!(disk.problems(), Vec::<String>::new());
    }
}

#[test]
fn a_bill_that_is_first_learnt_after_pruning_covers_what_was_pruned() {
    for mut disk in every_store() {
        let day = 86_400;
        disk.post(&calls([
            made("a", "s", 10, "opus", tokens(1, 10)),
            made("b", "s", 20, "opus", tokens(2, 20)),
            made("c", "s", 2 * day, "opus", tokens(3, 30)),
            made("d", "t", 10, "opus", tokens(9, 90)),
        ]))
        .unwrap();
        disk.prune_before(at(15));
        disk.prune_before(at(day));
        disk.restart();
        disk.post(&batch_of([Record::Bill(bill("s", 2 * day + 10, &[("opus", tokens(6, 60))]))])).unwrap();
        assert_eq!((background(&*disk), total(&*disk).tokens), (Vec::new(), tokens(3, 30)));
        // Three more in and four more out are in no call, pruned or not.
        disk.post(&batch_of([Record::Bill(bill("s", 3 * day, &[("opus", tokens(9, 64))]))])).unwrap();
        disk.restart();
        let [row] = &background(&*disk)[..] else { panic!("one call") };
        assert_eq!(row.call.tokens, tokens(3, 4));
        disk.post(&calls([made("e", "s", 2 * day + 5, "opus", tokens(3, 4))])).unwrap();
        assert_eq!(background(&*disk), []);
        assert_eq!(disk.problems(), Vec::<String>::new());
    }
}

#[test]
fn d6_sums_that_bills_are_compared_with_are_verified() {
    for (is_pruned, spoil) in [
        (false, "UPDATE spent SET sums = replace(sums, '10', '11')"),
        (false, "DELETE FROM spent"),
        (true, "DELETE FROM spent"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = books(&folder);
        disk.post(&batch_of([
            Record::Call(made("a", "s", 10, "opus", tokens(1, 10))),
            Record::Bill(bill("s", 20, &[("opus", tokens(2, 15))])),
        ]))
        .unwrap();
        if is_pruned {
            disk.prune(at(5)).unwrap();
        }
        assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
        drop(disk);
        rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap().execute_batch(spoil).unwrap();
        let problems = books(&folder).verify().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains("bills")), "{is_pruned} {spoil}: {problems:?}");
    }
}

#[test]
fn d6_calls_computed_from_bills_are_verified() {
    let stated = |tokens: &str| format!("UPDATE bills SET body = replace(body, '[2,0,0,2,15,0]', '{tokens}')");
    // More, less, and no more than the listed call.
    let spoils = ["[3,0,0,2,15,0]", "[2,0,0,2,14,0]", "[1,0,0,1,10,0]"].map(stated);
    for spoil in spoils {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = books(&folder);
        disk.post(&batch_of([
            Record::Call(made("a", "s", 10, "opus", tokens(1, 10))),
            Record::Bill(bill("s", 20, &[("opus", tokens(2, 15))])),
        ]))
        .unwrap();
        assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
        drop(disk);
        let changed = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
        changed.execute_batch(&spoil).unwrap();
        drop(changed);
        let problems = books(&folder).verify().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains("computed from bills")), "{spoil}: {problems:?}");
    }
}

#[test]
fn an_import_brings_bills_and_not_what_was_computed_from_them() {
    for (mut one, mut other) in every_store().into_iter().zip(every_store().into_iter().rev()) {
        one.post(&batch_of([
            Record::Call(made("a", "s", 10, "opus", tokens(1, 10))),
            Record::Bill(bill("s", 20, &[("opus", tokens(5, 50))])),
        ]))
        .unwrap();
        other.post(&calls([made("b", "s", 15, "opus", tokens(2, 20))])).unwrap();
        let lines = one.exported();
        assert_eq!(std::str::from_utf8(&lines).unwrap().lines().count(), 2, "a bill and a call");
        for _ in 0..2 {
            other.import_lines(&lines).unwrap();
            assert_eq!((total(&*other).tokens, total(&*other).calls), (tokens(5, 50), 3));
        }
        let impossible =
            String::from_utf8(lines).unwrap().replace("[5,0,0,5,50,0]", "[5,0,0,5,18446744073709551615,0]");
        assert!(other.import_lines(impossible.as_bytes()).is_err());
    }
}

#[test]
fn books_of_schema_3_learn_bills_when_their_transcripts_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut disk = books(&folder);
    let transcript = |name: &str, format: &str| tokmeter::testing::ledger::Checkpoint {
        reader: format!("{{\"v\":1,\"on\":\"{format}\"}}"),
        ..super::common::file(name, 10)
    };
    let files = vec![transcript("/a.jsonl", "claude-code"), transcript("/b.jsonl", "codex")];
    disk.post(&tokmeter::testing::ledger::Batch { records: vec![Record::Call(call("a", 1, 1))], files }).unwrap();
    drop(disk);
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&to_schema_3()).unwrap();
    drop(old);
    let disk = opened(&path).books;
    let known: Vec<_> = disk.files().unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(known, [std::path::PathBuf::from("/b.jsonl")]);
    assert_eq!(total(&disk).calls, 1);
}

#[test]
fn a_session_whose_first_statement_changes_gives_and_takes_nothing_of_the_forks_it_was_counted_among() {
    let of_counter = |session: &str, seconds, started, used| {
        let counter = Counter::Session { started, since: None };
        Record::Bill(Bill { counter, ..bill(session, seconds, &[("opus", used)]) })
    };
    // The surplus over its bill is attributed to the other, until its counter turns out to be its own.
    let told = [
        Record::Call(made("t1", "t", 10, "opus", tokens(3, 30))),
        of_counter("t", 20, Some(7), tokens(1, 10)),
        of_counter("u", 30, Some(7), tokens(5, 50)),
        of_counter("t", 5, None, tokens(0, 1)),
    ];
    let mut all: Vec<Vec<Row>> = Vec::new();
    for turn in 0..told.len() {
        for backwards in [false, true] {
            let mut told = told.to_vec();
            told.rotate_left(turn);
            if backwards {
                told.reverse();
            }
            for mut books in every_store() {
                for record in &told {
                    books.post(&batch_of([record.clone()])).unwrap();
                }
                all.push(rows(&*books));
            }
        }
    }
    assert!(all.iter().all(|rows| *rows == all[0]), "{all:?}");
    let rest: Vec<Tokens> =
        all[0].iter().filter(|row| row.call.from.session.as_deref() == Some("u")).map(|row| row.call.tokens).collect();
    assert_eq!(rest, [tokens(4, 40)], "the bill of the one less what it took over from the other's counter");
}

#[test]
fn bills_of_a_first_fill_that_could_not_be_put_into_place_are_booked_with_its_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let draft = Options { as_draft: true, together: 1, ..Options::new(at(0)) };
    let mut disk = open(&path, draft, prices()).unwrap().books;
    for record in [
        Record::Call(made("a", "s", 10, "opus", tokens(1, 10))),
        Record::Bill(bill("s", 20, &[("opus", tokens(5, 50))])),
    ] {
        disk.absorb(&batch_of([record])).unwrap();
    }
    // Another process creates a ledger there that is still empty.
    drop(opened(&path));
    disk.flush().unwrap();
    disk.post(&calls([made("b", "s", 15, "opus", tokens(2, 20))])).unwrap();
    assert_eq!((total(&disk).tokens, background(&disk)[0].call.tokens), (tokens(5, 50), tokens(2, 20)));
}

/// Knows that all cache writes live an hour, once enabled.
struct Solver {
    knows: bool,
}

impl Pricer for Solver {
    fn cost(&self, call: &Call) -> Cost {
        Prices { factor: 1 }.cost(call)
    }

    fn solve_lifetimes(&self, call: &Call) -> Option<Tokens> {
        let long = call.tokens.cache_write();
        self.knows.then_some(Tokens { cache_write_5m: 0, cache_write_1h: long, ..call.tokens })
    }
}

#[test]
fn a_bill_is_compared_with_the_lifetimes_that_a_stated_cost_gives() {
    let unsplit = |cache_write_5m, output| Tokens { cache_write_5m, output, ..Tokens::ZERO };
    let reported = |output| Call {
        fidelity: Fidelity::Guessed,
        quoted: Some(Usd::from_micro(5)),
        ..made("a", "s", 10, "opus", unsplit(10, output))
    };
    let mut whole = bill("s", 20, &[("opus", unsplit(30, 50))]);
    whole.models[0].is_split = false;
    let told = [Record::Call(reported(4)), Record::Bill(whole), Record::Call(reported(6))];
    let rest = |books: &dyn Ledger| {
        let [row] = &background(books)[..] else { panic!("one call") };
        (row.call.tokens, row.call.fidelity)
    };
    let solved = Tokens { cache_write_1h: 20, output: 44, ..Tokens::ZERO };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let known = || Arc::new(Solver { knows: true });
    let mut disk = open(&path, Options::new(at(0)), known()).unwrap().books;
    let mut here = Memory::new(known());
    for record in &told {
        here.post(&batch_of([record.clone()])).unwrap();
        disk.post(&batch_of([record.clone()])).unwrap();
    }
    assert_eq!((rest(&here), rest(&disk)), ((solved, Fidelity::Summed), (solved, Fidelity::Summed)));
    assert_alike(&here, &disk).unwrap();

    // A ledger with unknown prices is repriced.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut disk = open(&path, Options::new(at(0)), Arc::new(Solver { knows: false })).unwrap().books;
    disk.post(&batch_of(told)).unwrap();
    assert_eq!(rest(&disk), (unsplit(20, 44), Fidelity::Summed));
    drop(disk);
    let mut disk = open(&path, Options::new(at(0)), known()).unwrap().books;
    disk.reprice(at(30)).unwrap();
    assert_alike(&here, &disk).unwrap();
    let again = [reported(8)];
    here.post(&calls(again.clone())).unwrap();
    disk.post(&calls(again)).unwrap();
    assert_alike(&here, &disk).unwrap();
    assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn the_cost_of_a_sum_does_not_depend_on_how_long_it_is() {
    use tokmeter::testing::pricing::{CostMode, PriceBook};
    let book = PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto);
    let long = Tokens { input: 300_000, ..Tokens::ZERO };
    let when: Instant = "2026-01-10T00:00:00Z".parse().unwrap();
    let cost = |fidelity: Fidelity, tokens: Tokens| {
        let mut call = Call { fidelity, ..made("a", "s", 0, "claude-sonnet-4-5-20250929", tokens) };
        call.from.at = when;
        book.cost(&call).usd().unwrap()
    };
    let third = cost(Fidelity::Final, Tokens { input: 100_000, ..Tokens::ZERO });
    assert_eq!(cost(Fidelity::Summed, long), third.times(3));
    assert_eq!(cost(Fidelity::SumGuessed, long), third.times(3));
    assert!(cost(Fidelity::Final, long) > third.times(3), "one prompt of this length costs more");
}
