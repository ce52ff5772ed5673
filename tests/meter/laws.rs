//! The law of the meter: its numbers are sums over the merged rows, after any sequence of changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use proptest::prelude::*;
use tokmeter::testing::domain::{Call, Dimension, Instant, Label, Matcher, Span, Usd, Zone};
use tokmeter::testing::ledger::{Row, Sums};
use tokmeter::testing::meter::{Amount, Limit, Meter, Rules, Scope, SessionId, Snapshot, Verdict, Window};
use tokmeter::testing::pricing::Rates;

use crate::books::{Books, Told, at, call};

/// Limits of every window and kind of scope, all large enough never to matter.
fn rules() -> Rules {
    let amount = Amount { usd: Some(Usd::ONE), tokens: Some(1_000), output_tokens: Some(1_000) };
    let limit = |window, only: &[(Dimension, &str)], each| Limit {
        scope: Scope { only: only.iter().map(|(dimension, name)| (*dimension, Matcher::new(*name))).collect(), each },
        window,
        amount,
        warn_at: vec![80],
    };
    let mut limits = Vec::new();
    for window in [
        Window::Call,
        Window::Session,
        Window::Run,
        Window::Hour,
        Window::Day,
        Window::Week,
        Window::Month,
        Window::Total,
        Window::Rolling(Duration::hours(5)),
        Window::Rolling(Duration::days(2)),
        Window::Block,
    ] {
        limits.push(limit(window, &[], false));
        limits.push(limit(window, &[(Dimension::Model, "o*")], false));
        limits.push(limit(window, &[(Dimension::User, "*"), (Dimension::Model, "*s")], true));
    }
    limits.push(limit(Window::Day, &[(Dimension::User, "*")], true));
    limits.push(limit(Window::Day, &[(Dimension::User, "ann")], false));
    let fallback = Rates { input: Usd::from_micro(3), output: Usd::from_micro(7), ..Rates::default() };
    Rules { limits, fallback: Some(fallback), ..Rules::new(Zone::named("Europe/Rome").unwrap()) }
}

#[derive(Clone, Debug)]
enum Step {
    Told { id: u8, minutes: i64, names: [u8; 4], counts: [u64; 2] },
    Lost(u8),
    Waited(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let minutes = prop_oneof![4 => -10_i64..2, 2 => -400_i64..0, 1 => -4_000_i64..400];
    prop_oneof![
        8 => (0_u8..12, minutes, prop::array::uniform4(0_u8..3), prop::array::uniform2(0_u64..4))
            .prop_map(|(id, minutes, names, counts)| Step::Told { id, minutes, names, counts }),
        1 => (0_u8..12).prop_map(Step::Lost),
        2 => prop_oneof![3 => 0_i64..400, 2 => 0_i64..100_000, 1 => -10_000_i64..0].prop_map(Step::Waited),
    ]
}

fn told(id: u8, when: Instant, names: [u8; 4], counts: [u64; 2]) -> Told {
    let pick = |from: [&'static str; 3], at: u8| from[usize::from(at)];
    let mut told = call(&format!("call {id}"), when)
        .input(counts[0])
        .output(counts[1])
        .model(pick(["opus", "haiku", "free-s"], names[0]))
        .session(pick(["s1", "s2", "s3"], names[1]));
    if names[2] > 0 {
        told = told.user(pick(["", "ann", "bob"], names[2]));
    }
    if names[3] > 0 {
        told = told.agent(pick(["", "explore", "plan"], names[3]));
    }
    told
}

/// The current block of a call's subject: from its first call, five hours, and again from the next call. One that
/// begins within five hours is current already, because its call was made.
fn block_of(books: &Books, limit: &Limit, of: &Call, now: Instant) -> Option<Span> {
    let is_same = |call: &Call| limit.scope.covers(call) && (!limit.scope.each || call.from.user == of.from.user);
    let mut times: Vec<Instant> =
        books.rows.values().filter(|row| is_same(&row.call)).map(|row| row.call.at()).collect();
    times.sort_unstable();
    let mut blocks: Vec<Span> = Vec::new();
    for at in times {
        if blocks.last().is_none_or(|block| at >= block.until) {
            blocks.push(Span { from: at, until: at + Duration::hours(5) });
        }
    }
    blocks.into_iter().find(|block| block.until > now).filter(|block| block.from <= now + Duration::hours(5))
}

/// Usage of a limit's subjects according to the rows.
type Uses = BTreeMap<(usize, Option<String>), (Usd, u64, u64)>;

fn uses(books: &Books, rules: &Rules, now: Instant) -> Uses {
    let mut all = Uses::new();
    let last = |id: &SessionId| {
        let of_it = books.rows.values().filter(|row| SessionId::from_call(&row.call) == *id);
        of_it.map(|row| row.call.at()).max().unwrap()
    };
    let ids: BTreeSet<SessionId> = books.rows.values().map(|row| SessionId::from_call(&row.call)).collect();
    let near = |id: &SessionId| last(id) - now <= Duration::minutes(5);
    let followed = ids.iter().max_by_key(|id| (near(id), last(id)));
    for (number, limit) in rules.limits.iter().enumerate() {
        for row in books.rows.values() {
            let (call, when) = (&row.call, row.call.at());
            let inside = match limit.window {
                Window::Session | Window::Run | Window::Total => true,
                Window::Rolling(length) => when >= now - length,
                Window::Block => block_of(books, limit, call, now).is_some_and(|block| block.contains(when)),
                Window::Call | Window::Day => Span::day(now, rules.zone).contains(when),
                Window::Hour => Span::hour(now, rules.zone).contains(when),
                Window::Week => Span::week(now, rules.zone, rules.week_start).contains(when),
                Window::Month => Span::month(now, rules.zone).contains(when),
            };
            let id = SessionId::from_call(call);
            let shown = match limit.window {
                Window::Session => followed == Some(&id) || (now - last(&id)).abs() < Duration::minutes(5),
                Window::Run => {
                    call.from.agent.is_some()
                        && (followed == Some(&id) || (now - last(&id)).abs() < Duration::minutes(5))
                }
                Window::Call
                | Window::Hour
                | Window::Day
                | Window::Week
                | Window::Month
                | Window::Total
                | Window::Block
                | Window::Rolling(_) => true,
            };
            if !inside || !shown || !limit.scope.covers(call) {
                continue;
            }
            let mut words: Vec<&str> = Vec::new();
            if limit.scope.each {
                let user = call.from.user.as_ref().unwrap().as_str();
                if limit.scope.only.len() == 1 && user == "ann" {
                    continue;
                }
                words.push(user);
            }
            match limit.window {
                Window::Session => words.push(call.from.session.as_ref().unwrap()),
                Window::Run => words.push(call.from.agent.as_ref().unwrap()),
                Window::Call
                | Window::Hour
                | Window::Day
                | Window::Week
                | Window::Month
                | Window::Total
                | Window::Block
                | Window::Rolling(_) => {}
            }
            // Two sessions may have runs with the same name; the meter distinguishes them, this test need not.
            let key = (number, (!words.is_empty()).then(|| words.join(", ")));
            let rate = |input: i64, output: i64| {
                Usd::from_micro(input).times(call.tokens.input) + Usd::from_micro(output).times(call.tokens.output)
            };
            let usd = if call.model == Some("free-s".into()) { rate(3, 7) } else { rate(1, 5) };
            let used = all.entry(key).or_default();
            if limit.window == Window::Call {
                *used = (used.0.max(usd), used.1.max(call.tokens.total()), used.2.max(call.tokens.output));
            } else {
                *used = (used.0 + usd, used.1 + call.tokens.total(), used.2 + call.tokens.output);
            }
        }
    }
    all
}

fn metered(meter: &mut Meter, books: &Books, rules: &Rules, now: Instant) -> Uses {
    let mut all = Uses::new();
    let followed = meter.summary(now).session.map(|session| session.id());
    // Limits of sessions that only wait are shown if they are near or reached: `limits.rs` tests those.
    let waits = |id: &SessionId| {
        let of_it = books.rows.values().filter(|row| SessionId::from_call(&row.call) == *id);
        let last = of_it.map(|row| row.call.at()).max().unwrap();
        followed.as_ref() != Some(id) && (now - last).abs() >= Duration::minutes(5)
    };
    for state in meter.limits(now) {
        if state.session.as_ref().is_some_and(|session| waits(&session.id)) {
            assert_ne!(state.verdict, Verdict::Under);
            continue;
        }
        let number = rules.limits.iter().position(|limit| *limit == state.limit).unwrap();
        let used = all.entry((number, state.subject)).or_default();
        used.0 += state.used.usd.unwrap();
        used.1 += state.used.tokens.unwrap();
        used.2 += state.used.output_tokens.unwrap();
    }
    all
}

/// Drops limits without usage, which the rows do not have.
fn some(uses: Uses) -> Uses {
    uses.into_iter().filter(|(_, used)| *used != Default::default()).collect()
}

fn sums<'a>(rows: impl Iterator<Item = &'a std::sync::Arc<Row>>) -> Sums {
    let mut all = Sums::default();
    rows.for_each(|row| all.add(&Sums::from_row(row)));
    all
}

fn agrees(meter: &mut Meter, books: &Books, now: Instant) -> Result<(), TestCaseError> {
    let rules = meter.rules().clone();
    let summary = meter.summary(now);
    let rows = || books.rows.values();
    let within = |span: Span| sums(rows().filter(|row| span.contains(row.call.at())));
    prop_assert_eq!(summary.all, sums(rows()));
    prop_assert_eq!(summary.today, within(Span::day(now, rules.zone)));
    prop_assert_eq!(summary.month, within(Span::month(now, rules.zone)));
    prop_assert_eq!(summary.week, within(Span::week(now, rules.zone, rules.week_start)));
    for line in &summary.fleet {
        let of_today = |row: &&std::sync::Arc<Row>| summary.day.contains(row.call.at());
        let of_it = || rows().filter(|row| SessionId::from_call(&row.call) == line.id).filter(of_today);
        prop_assert_eq!(line.today, sums(of_it()));
        for agent in &line.agents {
            prop_assert_eq!(agent.today, sums(of_it().filter(|row| row.call.from.agent.as_ref() == Some(&agent.name))));
        }
    }
    let anew = Snapshot::ask(books, &rules, &summary.follow, now).unwrap();
    prop_assert_eq!(&summary.fleet, &Meter::open(rules.clone(), anew).summary(now).fleet);
    let ids: BTreeSet<SessionId> = rows().map(|row| SessionId::from_call(&row.call)).collect();
    // A summary lists the latest of them.
    prop_assert_eq!(summary.sessions.len(), ids.len().min(200));
    for line in &summary.sessions {
        let of_it = || rows().filter(|row| SessionId::from_call(&row.call) == line.id());
        prop_assert_eq!(line.row.sums, sums(of_it()));
        prop_assert_eq!(line.row.in_agents, sums(of_it().filter(|row| row.call.from.agent.is_some())));
        prop_assert_eq!(Some(line.row.started), of_it().map(|row| row.call.at()).min());
        prop_assert_eq!(Some(line.row.ended), of_it().map(|row| row.call.at()).max());
        for (model, of_model) in &line.row.models {
            prop_assert_eq!(*of_model, sums(of_it().filter(|row| row.call.model == *model)));
        }
    }
    if let Some(session) = &summary.session {
        prop_assert_eq!(&summary.sessions.iter().find(|line| line.id() == session.id()).unwrap(), &session);
        let of_models: Sums = summary.models.iter().fold(Sums::default(), |mut all, model| {
            all.add(&model.sums);
            all
        });
        prop_assert_eq!(of_models, session.row.sums);
        let listed: Vec<_> = summary.calls.iter().map(|line| line.row.call.key).collect();
        let mut of_it: Vec<_> = rows().filter(|row| SessionId::from_call(&row.call) == session.id()).collect();
        of_it.sort_by_key(|row| std::cmp::Reverse((row.call.at(), row.call.key)));
        prop_assert_eq!(listed, of_it.iter().map(|row| row.call.key).collect::<Vec<_>>());
    } else {
        prop_assert!(ids.is_empty());
    }
    prop_assert_eq!(some(metered(meter, books, &rules, now)), some(uses(books, &rules, now)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_meter_shows_the_sums_of_the_joined_rows_after_any_changes(
        told_before in prop::collection::vec(step(), 0..12),
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let mut now = at("2026-10-24T21:30:00Z");
        let mut books = Books::default();
        for step in told_before {
            if let Step::Told { id, minutes, names, counts } = step {
                books.tell(told(id, now + Duration::minutes(minutes), names, counts));
            }
        }
        let snapshot = Snapshot::ask(&books, &rules(), &tokmeter::testing::meter::Follow::Latest, now).unwrap();
        let mut meter = Meter::open(rules(), snapshot);
        agrees(&mut meter, &books, now)?;
        for step in steps {
            match step {
                Step::Told { id, minutes, names, counts } => {
                    let posted = books.tell(told(id, now + Duration::minutes(minutes), names, counts));
                    meter.apply(&posted, now);
                }
                Step::Lost(id) => {
                    let key = tokmeter::testing::domain::CallKey::from_parts(&[format!("call {id}")]);
                    if let Some(posted) = books.lose(key) {
                        meter.apply(&posted, now);
                    }
                }
                Step::Waited(seconds) => now += Duration::seconds(seconds),
            }
            meter.refresh(&books, now).unwrap();
            prop_assert!(!meter.needs_refresh(now));
            agrees(&mut meter, &books, now)?;
        }
    }

    /// If the ledger were queried at every change, the law above would not test the changes.
    #[test]
    fn calls_that_grow_in_known_sessions_are_followed_without_asking_again(
        calls in prop::collection::vec((0_u8..8, 0_i64..60, prop::array::uniform4(0_u8..3), 1_u64..100), 1..60),
    ) {
        let mut now = at("2026-11-22T13:00:10Z");
        let mut books = Books::default();
        for name in ["s1", "s2", "s3"] {
            books.tell(call(name, now).session(name).input(1));
        }
        let snapshot = Snapshot::ask(&books, &rules(), &tokmeter::testing::meter::Follow::Latest, now).unwrap();
        let mut meter = Meter::open(rules(), snapshot);
        for (number, (id, wait, names, count)) in calls.into_iter().enumerate() {
            now += Duration::seconds(wait / 4);
            let number = u64::try_from(number).unwrap();
            // The same answer reports more and more, always under its first time and names.
            let known = books.rows.get(&tokmeter::testing::domain::CallKey::from_parts(&[format!("call {id}")])).cloned();
            let told = match known {
                Some(row) => {
                    let tokens = row.call.tokens;
                    Told(row.call.clone()).input(tokens.input + count).output(tokens.output + number + 1)
                }
                None => told(id, now, names, [count, number]),
            };
            meter.apply(&books.tell(told), now);
            prop_assert!(!meter.needs_refresh(now), "asked again at step {number}");
        }
        agrees(&mut meter, &books, now)?;
    }
}

#[test]
fn a_session_with_a_past_is_not_taken_for_a_new_one() {
    let mut books = Books::default();
    let now = at("2026-11-22T13:00:00Z");
    for number in 0..300 {
        let when = now - Duration::days(2) + Duration::minutes(number);
        books.tell(call(&format!("old {number}"), when).session(&format!("old {number}")).input(10));
    }
    books.tell(call("first", now - Duration::days(9)).session("resumed").input(7));
    let rules = Rules::new(Zone::UTC);
    let snapshot = Snapshot::ask(&books, &rules, &tokmeter::testing::meter::Follow::Latest, now).unwrap();
    let mut meter = Meter::open(rules, snapshot);
    meter.apply(&books.tell(call("second", now).session("resumed").input(5)), now);
    assert!(meter.refresh(&books, now).unwrap());
    let session = meter.summary(now).session.unwrap();
    assert_eq!(session.row.session, Some(Label::new("resumed")));
    assert_eq!((session.row.sums.tokens.input, session.duration), (12, Duration::days(9)));
    assert!(!meter.refresh(&books, now).unwrap());
}

#[test]
fn a_session_that_begins_is_followed_without_a_new_snapshot() {
    // With so many sessions the meter does not know them all, and asks the ledger for this one.
    for old in [0, 300] {
        let mut books = Books::default();
        let mut now = at("2026-11-22T13:00:00Z");
        for number in 0..old {
            let when = now - Duration::days(2) + Duration::minutes(number);
            books.tell(call(&format!("old {number}"), when).session(&format!("old {number}")).input(10));
        }
        let snapshot = Snapshot::ask(&books, &rules(), &tokmeter::testing::meter::Follow::Latest, now).unwrap();
        let mut meter = Meter::open(rules(), snapshot);
        for number in 0..3 {
            now += Duration::seconds(10);
            meter.apply(&books.tell(call(&format!("new {number}"), now).session("new").input(5)), now);
            meter.confirm(&books).unwrap();
            assert!(!meter.needs_refresh(now), "asked again after call {number} with {old} sessions");
            agrees(&mut meter, &books, now).unwrap();
        }
        let session = meter.summary(now).session.unwrap();
        assert_eq!((session.row.session, session.row.sums.calls), (Some(Label::new("new")), 3));
    }
}
