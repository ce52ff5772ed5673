//! The ledger is a function of the set of records.

use proptest::prelude::*;
use tokmeter::testing::domain::{Call, CallKey, Dimension, Fidelity, Filter, Label, Matcher, Record, Span, Usd, Zone};
use tokmeter::testing::ledger::{Change, FactKind, Grain, Ledger, Memory, Order, PeriodKey, Query, Sqlite, Sums};
use tokmeter::testing::pricing::Pricer;

use super::common::{
    Prices, a_telling_and_a_retelling, add_up, any_records, at, batch_of, call, calls, descends, key, prices, query,
    questions, rows, total,
};
use super::durable::assert_alike;
use super::stores::every_store;

fn memory() -> Memory {
    Memory::new(prices())
}

/// A law of every ledger, whatever its store.
fn on_every_ledger(law: impl Fn(&mut dyn Ledger)) {
    for mut books in every_store() {
        law(&mut *books);
    }
    law(&mut Sqlite::temporary(memory(), prices()).map_err(|failed| failed.0).unwrap());
}

proptest! {
    #[test]
    fn order_repetition_and_batches_of_a_first_reading_do_not_matter((told, retold) in a_telling_and_a_retelling()) {
        let mut once = memory();
        once.post(&batch_of(told)).unwrap();
        on_every_ledger(|books| {
            for batch in &retold {
                books.absorb(batch).unwrap();
            }
            books.flush().unwrap();
            assert_alike(&once, books).unwrap();
        });
    }

    #[test]
    fn who_adds_up_what_a_posting_says_has_the_books_total(told in any_records()) {
        on_every_ledger(|books| {
            let mut sums = Sums::default();
            for record in &told {
                let is_call = matches!(record, Record::Call(_));
                let said = books.post(&batch_of([record.clone()])).unwrap();
                let answers =
                    said.iter().filter(|said| matches!(said, Change::New(_) | Change::Grown(_) | Change::Repeat));
                assert_eq!(answers.count(), usize::from(is_call));
                add_up(&said, &mut sums);
                assert_eq!(sums, total(books));
            }
        });
    }

    #[test]
    fn every_row_costs_what_the_prices_of_its_time_say(told in any_records()) {
        on_every_ledger(|books| {
            books.absorb(&batch_of(told.clone())).unwrap();
            books.flush().unwrap();
            for row in rows(books) {
                assert_eq!(&row.cost, &Prices { factor: 1 }.cost(&row.call));
            }
        });
    }

    #[test]
    fn every_split_of_a_report_sums_to_the_same_total(told in any_records(), zone in prop::sample::select(Zone::all().collect::<Vec<_>>())) {
        on_every_ledger(|books| {
            books.absorb(&batch_of(told.clone())).unwrap();
            books.flush().unwrap();
            for question in questions() {
                let report = books.report(&Query { zone, ..question }).unwrap();
                let mut sum = Sums::default();
                report.rows.iter().for_each(|row| sum.add(&row.sums));
                assert_eq!(sum, report.total);
                assert_eq!(report.total, total(books));
            }
        });
    }
}

#[test]
fn b16_a_streamed_answer_is_replaced_and_never_added() {
    on_every_ledger(|books| {
        let said: Vec<Change> =
            [1, 427, 3].iter().flat_map(|output| books.post(&calls([call("a", 10, *output)])).unwrap()).collect();
        assert!(matches!(&said[..], [Change::New(_), Change::Grown(_), Change::Repeat]), "{said:?}");
        assert_eq!((total(books).calls, total(books).tokens.output), (1, 427));
    });
}

#[test]
fn b17_an_answer_copied_into_a_forked_session_counts_once_for_the_first() {
    on_every_ledger(|books| {
        let mut copy = call("a", 20, 5);
        copy.from.session = Some(Label::new("fork"));
        books.post(&calls([copy, call("a", 10, 5)])).unwrap();
        assert_eq!(rows(books)[0].call, call("a", 10, 5));
    });
}

#[test]
fn a_forks_replay_counts_once_whichever_is_read_first() {
    on_every_ledger(|books| {
        let in_session = |session: &str| {
            let mut call = call("10,20", 5, 7);
            call.lineage = Some(Label::new(session));
            call.from.session = call.lineage.clone();
            call
        };
        let mut sums = Sums::default();
        for record in [
            Record::Call(in_session("fork")),
            Record::Call(in_session("root")),
            Record::Call(in_session("stranger")),
            descends("fork", "middle"),
            descends("middle", "root"),
        ] {
            add_up(&books.post(&batch_of([record])).unwrap(), &mut sums);
        }
        assert_eq!((total(books).calls, sums), (2, total(books)));
        let keys: Vec<CallKey> = rows(books).iter().map(|row| row.call.key).collect();
        assert!(keys.contains(&key("10,20").under("root")) && keys.contains(&key("10,20").under("stranger")));
    });
}

#[test]
fn telemetry_and_transcript_of_one_request_are_one_call() {
    let request = key("request");
    let transcript = || {
        let mut call = call("msg", 10, 40);
        call.alias = Some(request);
        call
    };
    let telemetry = |output| {
        let mut call = call("-", 12, output);
        (call.key, call.alias) = (request, Some(request));
        call
    };
    for (told, says) in [
        ([transcript(), telemetry(40)], "Repeat"),
        ([telemetry(40), transcript()], "Grown"),
        ([transcript(), telemetry(90)], "Grown"),
        ([telemetry(90), transcript()], "Grown"),
    ] {
        let most = told[0].tokens.output.max(told[1].tokens.output);
        on_every_ledger(|books| {
            let mut sums = Sums::default();
            for call in told.clone() {
                let said = books.post(&calls([call])).unwrap();
                add_up(&said, &mut sums);
                if total(books).calls == 1 && sums.tokens.output == most && !matches!(said[0], Change::New(_)) {
                    assert!(format!("{:?}", said[0]).starts_with(says), "{said:?}");
                }
            }
            assert_eq!((total(books).calls, total(books).tokens.output, sums), (1, most, total(books)));
            assert_eq!((rows(books)[0].call.key, rows(books)[0].call.at()), (key("msg"), at(10)));
            assert_eq!(books.call(request).unwrap(), books.call(key("msg")).unwrap());
        });
    }
}

#[test]
fn all_attempts_at_one_call_are_one_call_in_every_order() {
    let attempts = CallKey::of_attempts(&["attempts"]);
    let attempt = |name: &str, output| Call { alias: Some(attempts), ..call(name, 10, output) };
    let without_id = Call { key: attempts, fidelity: Fidelity::Guessed, ..attempt("-", 900) };
    let refused = Call { fidelity: Fidelity::Refused, ..attempt("refused", 0) };
    let mut told = vec![attempt("one", 40), without_id, attempt("two", 20), refused, attempt("three", 30)];
    for _ in 0..told.len() {
        told.rotate_left(1);
        on_every_ledger(|books| {
            let mut sums = Sums::default();
            for call in told.iter().chain(&told) {
                add_up(&books.post(&calls([call.clone()])).unwrap(), &mut sums);
            }
            assert_eq!((total(books).calls, total(books).tokens.output, sums), (1, 40, total(books)));
            let host = ["one", "two", "three"].map(key).into_iter().min().unwrap();
            assert_eq!(rows(books)[0].call.key, host);
            for name in [key("one"), key("two"), key("three"), attempts] {
                assert_eq!(books.call(name).unwrap().unwrap().call.key, host);
            }
        });
    }
}

#[test]
fn a_request_named_by_two_answers_is_counted_into_one_of_them() {
    on_every_ledger(|books| {
        let request = key("request");
        let named = |name: &str, output| {
            let mut call = call(name, 10, output);
            call.alias = Some(request);
            call
        };
        let mut telemetry = call("-", 12, 90);
        (telemetry.key, telemetry.alias) = (request, Some(request));
        books.post(&calls([named("a", 1), named("b", 2), telemetry])).unwrap();
        let mut outputs: Vec<u64> = rows(books).iter().map(|row| row.call.tokens.output).collect();
        outputs.sort_unstable();
        assert_eq!(outputs, if key("a") < key("b") { [2, 90] } else { [1, 90] });
    });
}

#[test]
fn b25_calls_with_equal_counts_are_matched_one_to_one_with_those_of_telemetry() {
    let alias = key("counts");
    let aliased = |own: CallKey, at| {
        let mut call = call("-", at, 10);
        (call.key, call.alias) = (own, Some(alias));
        call
    };
    let logged = |number: u8| aliased(key(&format!("msg {number}")), 10 + i64::from(number));
    let sent = |number: u8| aliased(alias.named(&[[number]]), 11 + i64::from(number));
    let unnamed = || aliased(alias, 500);
    let cases = [
        (vec![sent(1), sent(2)], 2),
        (vec![sent(1), logged(1), sent(2), logged(2)], 2),
        (vec![logged(1), logged(2), sent(2), sent(1), unnamed()], 2),
        (vec![sent(1), sent(2), sent(3), logged(1)], 3),
        (vec![logged(1), logged(2), logged(3), sent(1)], 3),
        (vec![unnamed(), sent(1), sent(2)], 2),
        (vec![unnamed(), logged(1)], 1),
    ];
    for (told, wanted) in cases {
        for backwards in [false, true] {
            let mut told = told.clone();
            if backwards {
                told.reverse();
            }
            on_every_ledger(|books| {
                let mut sums = Sums::default();
                for call in told.iter().chain(&told) {
                    add_up(&books.post(&calls([call.clone()])).unwrap(), &mut sums);
                }
                assert_eq!((total(books).calls, sums), (wanted, total(books)), "{told:?}");
                for call in &told {
                    assert!(books.call(call.key).unwrap().is_some(), "{call:?}");
                }
            });
        }
    }
}

#[test]
fn the_time_of_a_call_is_its_first_and_so_is_its_price() {
    on_every_ledger(|books| {
        books.post(&calls([call("a", 90_000, 7)])).unwrap();
        books.post(&calls([call("a", 80_000, 7)])).unwrap();
        assert_eq!(rows(books)[0].cost, Prices { factor: 1 }.cost(&call("a", 80_000, 7)));
    });
}

#[test]
fn e7_an_old_call_that_comes_late_lands_on_its_own_day() {
    on_every_ledger(|books| {
        books.post(&calls([call("new", 60 * 86_400, 1)])).unwrap();
        books.post(&calls([call("old", 0, 1)])).unwrap();
        let days: Vec<String> =
            books.report(&query(Grain::Day, &[])).unwrap().rows.iter().map(|row| format!("{:?}", row.period)).collect();
        assert_eq!(days, ["Day(1970-01-01)", "Day(1970-03-02)"]);
    });
}

#[test]
fn a_session_is_told_by_its_first_calls_and_its_models_dearest_first() {
    on_every_ledger(|books| {
        let mut first = call("a", 100, 1);
        (first.from.user, first.model) = (Some(Label::new("alice")), Some(Label::new("haiku")));
        let mut second = call("b", 200, 50);
        (second.from.user, second.from.project) = (Some(Label::new("bob")), Some(Label::new("/b")));
        second.from.agent = Some(Label::new("agent-1"));
        let mut third = call("c", 300, 9);
        third.from.project = Some(Label::new("/c"));
        third.model = None;
        books.post(&calls([third, second, first])).unwrap();
        let report = books.report(&query(Grain::Session, &[])).unwrap();
        let session = report.rows[0].session.as_ref().unwrap();
        assert_eq!(report.rows[0].period, PeriodKey::Session(at(100), Some(Label::new("s"))));
        assert_eq!((session.started, session.ended), (at(100), at(300)));
        assert_eq!((session.user.as_deref(), session.project.as_deref()), (None, Some("/b")), "two users");
        let models: Vec<_> = session.models.iter().map(|(model, _)| model.as_deref()).collect();
        assert_eq!(models, [Some("opus"), Some("haiku"), None]);
        assert_eq!((session.in_agents.tokens.output, session.sums.tokens.output), (50, 60));
    });
}

#[test]
fn rows_come_in_order_without_a_name_last_and_the_total_is_of_all() {
    on_every_ledger(|books| {
        let by_model = |name: &str, seconds, model: Option<&str>| {
            let mut call = call(name, seconds, 1);
            call.model = model.map(Label::new);
            call
        };
        books
            .post(&calls([
                by_model("a", 0, None),
                by_model("b", 0, Some("b")),
                by_model("c", 0, Some("a")),
                by_model("d", 86_400, Some("a")),
            ]))
            .unwrap();
        let named = |order, limit| {
            let question = Query { order, limit, ..query(Grain::Day, &[Dimension::Model]) };
            let report = books.report(&question).unwrap();
            assert_eq!(report.total.calls, 4);
            report
                .rows
                .iter()
                .map(|row| format!("{:?} {}", row.period, row.by[0].as_deref().unwrap_or("-")))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            named(Order::Ascending, None),
            ["Day(1970-01-01) a", "Day(1970-01-01) b", "Day(1970-01-01) -", "Day(1970-01-02) a"]
        );
        assert_eq!(
            named(Order::Descending, None),
            ["Day(1970-01-02) a", "Day(1970-01-01) b", "Day(1970-01-01) a", "Day(1970-01-01) -"]
        );
        assert_eq!(named(Order::Ascending, Some(1)), ["Day(1970-01-01) a"]);
    });
}

#[test]
fn filters_choose_by_name_and_by_time_to_the_nanosecond() {
    on_every_ledger(|books| {
        let mut alice = call("a", 100, 1);
        alice.from.user = Some(Label::new("alice"));
        books.post(&calls([alice, call("b", 101, 2), call("c", 102, 4)])).unwrap();
        let output = |filter: &Filter| books.sums(filter).unwrap().tokens.output;
        let since = Filter { since: Some(at(101)), ..Filter::default() };
        assert_eq!(output(&since), 6);
        assert_eq!(output(&Filter { since: Some(at(101) + chrono::Duration::nanoseconds(1)), ..since.clone() }), 4);
        assert_eq!(output(&Filter { until: Some(at(102)), ..since.clone() }), 2);
        let only = Filter { only: vec![(Dimension::User, Matcher::new("al*"))], ..Filter::default() };
        assert_eq!(output(&only), 1);
        let newest: Vec<u64> =
            books.calls(&Filter::default(), 2).unwrap().iter().map(|row| row.call.tokens.output).collect();
        assert_eq!(newest, [4, 2]);
        let spans = [Span { from: at(0), until: at(101) }, Span { from: at(101), until: at(200) }];
        let bars: Vec<u64> =
            books.spans(&spans, &Filter::default()).unwrap().iter().map(|sums| sums.tokens.output).collect();
        assert_eq!(bars, [1, 6]);
    });
}

#[test]
fn b14_a_call_without_a_price_is_counted_and_never_free() {
    on_every_ledger(|books| {
        let mut unheard = call("a", 0, 7);
        unheard.model = Some(Label::new("unheard-of"));
        books.post(&calls([unheard])).unwrap();
        let sums = total(books);
        assert_eq!((sums.cost, sums.unpriced_tokens, sums.is_lower_bound()), (Usd::ZERO, 10, true));
    });
}

#[test]
fn an_alert_is_claimed_once_until_it_is_forgotten() {
    on_every_ledger(|books| {
        let claims = [(); 2].map(|()| books.claim(FactKind::Alert, "day 80 2026-11-22", at(0)).unwrap());
        assert_eq!(claims, [true, false]);
        books.remove(FactKind::Alert, "day 80 2026-11-22").unwrap();
        assert!(books.claim(FactKind::Alert, "day 80 2026-11-22", at(0)).unwrap());
    });
}
