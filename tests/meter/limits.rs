//! Limits: exactly when one is near or over, for which subject, and when it alerts.

use chrono::{Duration, NaiveTime};
use tokmeter::testing::domain::{Dimension, Instant, Label, Matcher, Quota, Span, Status, Turn, TurnStatus, Usd, Zone};
use tokmeter::testing::meter::{
    Alerts, Amount, CallContext, Follow, Limit, LimitState, Measure, Meter, QuietHours, Rules, Scope, Snapshot,
    Verdict, Window, states,
};
use tokmeter::testing::pricing::Rates;

use crate::books::{Books, at, call};

fn tokens(count: u64) -> Amount {
    Amount { tokens: Some(count), ..Amount::default() }
}

fn usd(text: &str) -> Amount {
    Amount { usd: Some(Usd::parse(text).unwrap().0), ..Amount::default() }
}

fn limit(window: Window, amount: Amount) -> Limit {
    Limit { scope: Scope::default(), window, amount, warn_at: vec![80] }
}

fn of(dimension: Dimension, name: &str, limit: Limit) -> Limit {
    Limit { scope: Scope { only: vec![(dimension, Matcher::new(name))], each: name == "*" }, ..limit }
}

fn rules(limits: Vec<Limit>) -> Rules {
    Rules { limits, ..Rules::new(Zone::named("Europe/Rome").unwrap()) }
}

fn open(books: &Books, rules: &Rules, now: Instant) -> Meter {
    let snapshot = Snapshot::ask(books, rules, &Follow::Latest, now).unwrap();
    Meter::open(rules.clone(), snapshot)
}

/// The meter's states, which equal those computed from the ledger alone.
fn judged(books: &Books, rules: &Rules, now: Instant) -> Vec<LimitState> {
    let metered = open(books, rules, now).limits(now);
    let asked = states(books, rules, None, now).unwrap();
    let plain = |states: &[LimitState]| -> Vec<LimitState> {
        states.iter().map(|state| LimitState { projected: None, ..state.clone() }).collect()
    };
    assert_eq!(plain(&metered), asked);
    metered
}

#[test]
fn a_limit_that_a_waiting_session_is_near_is_shown_until_the_session_has_ended() {
    let mut books = Books::default();
    books.tell(call("a", at(NOON)).session("over").input(1_200));
    books.tell(call("b", at(NOON)).session("under").input(100));
    books.tell(call("c", at(NOON)).session("near").input(900));
    let rules = rules(vec![limit(Window::Session, tokens(1_000))]);
    let snapshot = Snapshot::ask(&books, &rules, &Follow::Today, at(NOON)).unwrap();
    let meter = Meter::open(rules, snapshot);
    let shown = |minutes: i64| {
        let states = meter.limits(at(NOON) + Duration::minutes(minutes));
        let of_sessions = states.iter().filter_map(|state| Some((state.subject.clone()?, state.is_quiet())));
        of_sessions.collect::<Vec<_>>()
    };
    assert_eq!(shown(4), ["over", "near", "under"].map(|name| (name.to_owned(), false)));
    for minutes in [5, 59] {
        assert_eq!(shown(minutes), ["over", "near"].map(|name| (name.to_owned(), false)));
    }
    assert_eq!(shown(60), []);
    assert_eq!(meter.limits(at(NOON) + Duration::minutes(60)).len(), 1, "the limit itself stays listed");
}

#[test]
fn a_limit_of_a_session_whose_process_has_ended_is_gone_until_the_session_goes_on() {
    let mut books = Books::default();
    books.tell(call("a", at(NOON)).session("over").input(1_200));
    books.tell(call("b", at(NOON)).session("open").input(1_100));
    let rules = rules(vec![limit(Window::Session, tokens(1_000))]);
    let shown = |books: &Books, now: Instant| {
        let names = |states: &[LimitState]| states.iter().filter_map(|state| state.subject.clone()).collect::<Vec<_>>();
        let snapshot = Snapshot::ask(books, &rules, &Follow::Today, now).unwrap();
        let metered = names(&Meter::open(rules.clone(), snapshot).limits(now));
        assert_eq!(metered, names(&states(books, &rules, None, now).unwrap()));
        metered
    };
    let later = |seconds| at(NOON) + Duration::seconds(seconds);
    assert_eq!(shown(&books, later(2)), ["over", "open"]);
    let (source, session) = (Label::new("test"), Label::new("over"));
    books.statuses =
        vec![Status::Turn(TurnStatus { source, session, agent: None, turn: Turn::Closed, seen: later(1) })];
    assert_eq!(shown(&books, later(2)), ["open"]);
    // Its user resumes it.
    books.tell(call("c", later(3)).session("over").input(1));
    assert_eq!(shown(&books, later(4)), ["over", "open"]);
}

#[test]
fn the_worst_of_the_limits_that_are_reached_is_the_one_that_blocks_most_for_longest() {
    let first = |noon: &str, limits: Vec<Limit>| {
        let mut books = Books::default();
        books.tell(call("a", at(noon)).input(1_000).user("alice"));
        judged(&books, &rules(limits), at(noon)).remove(0).name
    };
    let day = limit(Window::Day, tokens(1_000));
    let (week, month) = (limit(Window::Week, tokens(900)), limit(Window::Month, tokens(990)));
    let limits = || vec![day.clone(), week.clone(), month.clone()];
    // The month is the last to end in its middle, but not on its last day, a Monday.
    assert_eq!(first("2026-11-11T11:00:00Z", limits()), "monthly");
    assert_eq!(first("2026-11-30T11:00:00Z", limits()), "weekly");
    // The day and the month end together: the one that is exceeded more.
    assert_eq!(first("2026-11-30T11:00:00Z", vec![day.clone(), month.clone()]), "monthly");
    // Seven days from now are later than the end of the month. What allows nothing never has room.
    let rolling = limit(Window::Rolling(Duration::days(7)), tokens(1_000));
    assert_eq!(first("2026-11-30T11:00:00Z", vec![month.clone(), rolling.clone()]), "7-day");
    assert_eq!(first("2026-11-30T11:00:00Z", vec![rolling, limit(Window::Hour, tokens(0))]), "hourly");
    // A limit that blocks everybody, if only today, before one that blocks some for longer or one session for good.
    let some = of(Dimension::User, "alice", limit(Window::Total, tokens(10)));
    assert_eq!(first(NOON, vec![limit(Window::Session, tokens(10)), some, day.clone()]), "daily");
    // Reached before near, whatever either covers.
    let near = limit(Window::Month, tokens(1_010));
    assert_eq!(first(NOON, vec![near, limit(Window::Session, tokens(1_000))]), "session s1");
}

const NOON: &str = "2026-11-22T11:00:00Z";

fn daily_with(used: u64) -> LimitState {
    let mut books = Books::default();
    books.tell(call("a", at(NOON)).input(used));
    judged(&books, &rules(vec![limit(Window::Day, tokens(500_000))]), at(NOON)).remove(0)
}

#[test]
fn a_limit_at_exactly_its_warning_is_near() {
    let cases = [
        (399_999, 79, Verdict::Under, None),
        (400_000, 80, Verdict::Near, Some(80)),
        (499_999, 99, Verdict::Near, Some(80)),
        (500_000, 100, Verdict::Over, Some(100)),
        (600_000, 120, Verdict::Over, Some(100)),
    ];
    for (used, percent, verdict, threshold) in cases {
        let state = daily_with(used);
        assert_eq!((state.percent, state.verdict, state.threshold()), (percent, verdict, threshold), "{used}");
        assert_eq!((state.name.as_str(), state.used), ("daily", tokens(used)));
    }
}

#[test]
fn e10_a_limit_of_nothing_is_over_from_the_start_and_spend_at_the_limit_is_over() {
    let now = at(NOON);
    let nothing = rules(vec![limit(Window::Day, usd("0")), limit(Window::Session, tokens(0))]);
    for state in judged(&Books::default(), &nothing, now) {
        assert_eq!((state.verdict, state.percent, state.stops_work()), (Verdict::Over, 100, true));
    }
    let mut books = Books::default();
    // 4,000 tokens at a millionth of a dollar: $0.004.
    books.tell(call("a", now).input(4_000));
    let cases =
        [("0", Verdict::Over), ("0.004", Verdict::Over), ("0.005", Verdict::Near), ("0.0050001", Verdict::Under)];
    for (allowed, verdict) in cases {
        assert_eq!(
            judged(&books, &rules(vec![limit(Window::Day, usd(allowed))]), now)[0].verdict,
            verdict,
            "{allowed}"
        );
    }
}

#[test]
fn a_call_that_was_too_large_stops_no_work_unless_no_call_is_allowed_at_all() {
    let now = at(NOON);
    let mut books = Books::default();
    books.tell(call("a", now).input(600));
    for (allowed, stops) in [(500, false), (0, true)] {
        let state = judged(&books, &rules(vec![limit(Window::Call, tokens(allowed))]), now).remove(0);
        assert_eq!((state.verdict, state.stops_work()), (Verdict::Over, stops), "{allowed}");
    }
}

#[test]
fn the_first_amount_reached_decides_and_the_worst_limit_comes_first() {
    let now = at(NOON);
    let mut books = Books::default();
    books.tell(call("a", now).input(100).output(90));
    let both = Amount { tokens: Some(1_000), output_tokens: Some(100), usd: None };
    let all =
        rules(vec![limit(Window::Month, tokens(1_000)), limit(Window::Day, both), limit(Window::Hour, tokens(1))]);
    let states = judged(&books, &all, now);
    let names: Vec<_> = states.iter().map(|state| (state.name.as_str(), state.percent, state.verdict)).collect();
    assert_eq!(
        names,
        [("hourly", 19_000, Verdict::Over), ("daily", 90, Verdict::Near), ("monthly", 19, Verdict::Under)]
    );
    assert_eq!(states[1].leading(), Some(Measure::OutputTokens));
}

#[test]
fn a_users_limit_counts_its_user_only_and_replaces_the_default() {
    let now = at(NOON);
    let mut books = Books::default();
    for (user, used) in [("alice", 90), ("bob", 30), ("eve", 85)] {
        books.tell(call(user, now).user(user).input(used));
    }
    books.tell(call("nobody", now).input(1_000));
    let all = rules(vec![
        of(Dimension::User, "alice", limit(Window::Day, tokens(1_000))),
        of(Dimension::User, "*", limit(Window::Day, tokens(100))),
        of(Dimension::Model, "op*", limit(Window::Day, tokens(2_000))),
    ]);
    let states = judged(&books, &all, now);
    let seen: Vec<_> = states.iter().map(|state| (state.name.as_str(), state.used.tokens.unwrap())).collect();
    assert_eq!(seen, [("eve daily", 85), ("op* daily", 1_205), ("bob daily", 30), ("alice daily", 90)]);
    assert_eq!(states[0].subject.as_deref(), Some("eve"));
}

#[test]
fn the_name_of_a_limit_has_every_name_that_narrows_it() {
    let now = at(NOON);
    let mut books = Books::default();
    books.tell(call("a", now).user("bob").model("m-a").input(10));
    let each = |user: &str, model: &str| {
        let mut limit = limit(Window::Day, tokens(100));
        let only = vec![(Dimension::User, Matcher::new(user)), (Dimension::Model, Matcher::new(model))];
        limit.scope = Scope { only, each: user == "*" || model == "*" };
        limit
    };
    for (user, model, name) in [
        ("*", "m-a", "bob m-a daily"),
        ("*", "m-*", "bob m-* daily"),
        ("bob", "*", "bob m-a daily"),
        ("*", "*", "bob, m-a daily"),
        ("bob", "m-a", "bob m-a daily"),
        ("*", "m-b", "each user m-b daily"),
        ("eve", "*", "eve each model daily"),
    ] {
        assert_eq!(judged(&books, &rules(vec![each(user, model)]), now)[0].name, name, "{user} {model}");
    }
}

#[test]
fn only_the_limits_that_concern_who_asks_are_judged() {
    let now = at(NOON);
    let mut books = Books::default();
    for (user, used) in [("alice", 150), ("bob", 30)] {
        books.tell(call(user, now).user(user).session(user).input(used));
    }
    let all = rules(vec![
        of(Dimension::User, "*", limit(Window::Day, tokens(100))),
        of(Dimension::User, "alice", limit(Window::Month, tokens(100))),
        limit(Window::Session, tokens(60)),
        limit(Window::Day, tokens(1_000)),
    ]);
    let caller = |user: &str| CallContext {
        names: vec![
            (Dimension::User, Label::new(user)),
            (Dimension::Source, Label::new("test")),
            (Dimension::Session, Label::new(user)),
        ],
    };
    let of_asker = |user: &str| -> Vec<(String, Verdict)> {
        let states = states(&books, &all, Some(&caller(user)), now).unwrap();
        states.into_iter().map(|state| (state.name, state.verdict)).collect()
    };
    assert_eq!(
        of_asker("bob"),
        [
            ("session bob".to_owned(), Verdict::Under),
            ("bob daily".to_owned(), Verdict::Under),
            ("daily".to_owned(), Verdict::Under)
        ]
    );
    let alice = of_asker("alice");
    assert_eq!(alice.iter().filter(|(_, verdict)| *verdict == Verdict::Over).count(), 3);
    // The main thread is not blocked by a sub-agent's usage.
    books.tell(call("run", now).user("bob").session("bob").agent("explore").input(5));
    let run = rules(vec![limit(Window::Run, tokens(1))]);
    assert_eq!(states(&books, &run, Some(&caller("bob")), now).unwrap(), []);
    let mut agent = caller("bob");
    agent.names.push((Dimension::Agent, Label::new("explore")));
    assert_eq!(states(&books, &run, Some(&agent), now).unwrap()[0].verdict, Verdict::Over);
}

#[test]
fn a_runs_limit_is_about_one_sub_agent_and_a_call_limit_about_the_largest_call_of_the_day() {
    let now = at(NOON);
    let mut books = Books::default();
    books.tell(call("main", now).input(500));
    books.tell(call("one", now).agent("explore").input(60));
    books.tell(call("two", now).agent("explore").input(60));
    books.tell(call("three", now).agent("plan").input(50));
    books.tell(call("yesterday", now - Duration::days(1)).input(9_999));
    let all = rules(vec![limit(Window::Run, tokens(100)), limit(Window::Call, tokens(1_000))]);
    let seen: Vec<_> = judged(&books, &all, now)
        .into_iter()
        .map(|state| (state.name.clone(), state.subject.clone(), state.used.tokens.unwrap(), state.stops_work()))
        .collect();
    assert_eq!(
        seen,
        [
            ("run explore in s1".to_owned(), Some("explore".to_owned()), 120, true),
            ("run plan in s1".to_owned(), Some("plan".to_owned()), 50, false),
            ("call".to_owned(), None, 500, false),
        ]
    );
}

#[test]
fn a_rolling_window_forgets_each_call_when_it_is_five_hours_old() {
    let start = at(NOON);
    let all = rules(vec![limit(Window::Rolling(Duration::hours(5)), tokens(100))]);
    let mut books = Books::default();
    let mut meter = open(&books, &all, start);
    meter.apply(&books.tell(call("a", start).input(70)), start);
    let later = start + Duration::hours(4);
    meter.apply(&books.tell(call("b", later).input(20)), later);
    let used = |meter: &mut Meter, books: &Books, now: Instant| {
        meter.refresh(books, now).unwrap();
        let state = meter.summary(now).limits.remove(0);
        (state.used.tokens.unwrap(), state.verdict)
    };
    let end = start + Duration::hours(5);
    assert_eq!(used(&mut meter, &books, end), (90, Verdict::Near));
    assert_eq!(used(&mut meter, &books, end + Duration::milliseconds(1)), (20, Verdict::Under));
    assert_eq!(used(&mut meter, &books, later + Duration::hours(5)), (20, Verdict::Under));
    assert_eq!(used(&mut meter, &books, later + Duration::hours(6)), (0, Verdict::Under));
}

#[test]
fn a_block_lasts_five_hours_from_its_first_call_and_the_next_begins_with_a_call() {
    let start = at(NOON);
    let all = rules(vec![limit(Window::Block, tokens(100))]);
    let mut books = Books::default();
    let mut meter = open(&books, &all, start);
    let state = |meter: &mut Meter, books: &Books, now: Instant| {
        meter.refresh(books, now).unwrap();
        let anew = open(books, &all, now).summary(now).limits.remove(0);
        let state = meter.summary(now).limits.remove(0);
        assert_eq!((state.used, state.span), (anew.used, anew.span));
        (state.used.tokens.unwrap(), state.span)
    };
    let five_from = |from: Instant| Some(Span { from, until: from + Duration::hours(5) });
    assert_eq!(state(&mut meter, &books, start), (0, None));
    meter.apply(&books.tell(call("a", start).input(70)), start);
    let later = start + Duration::minutes(4 * 60 + 59);
    meter.apply(&books.tell(call("b", later).input(20)), later);
    assert_eq!(state(&mut meter, &books, later), (90, five_from(start)));
    // Over to the minute, whatever the rolling window still holds.
    let over = start + Duration::hours(5);
    assert_eq!(meter.changes_at(over - Duration::seconds(1)), Some(over));
    assert_eq!(state(&mut meter, &books, over), (0, None));
    let next = start + Duration::hours(7);
    meter.apply(&books.tell(call("c", next).input(5)), next);
    assert!(!meter.needs_refresh(next));
    assert_eq!(state(&mut meter, &books, next), (5, five_from(next)));
    // A call read late moves the beginning, and the block ends earlier.
    let late = start + Duration::hours(6);
    meter.apply(&books.tell(call("d", late).input(1)), next);
    assert_eq!(state(&mut meter, &books, next), (6, five_from(late)));
    // The clock was set back into the block before.
    assert_eq!(state(&mut meter, &books, later), (90, five_from(start)));
}

#[test]
fn a_call_ahead_of_the_clock_hides_no_block_that_is_over() {
    let now = at("2026-10-24T21:09:00Z");
    let all = rules(vec![limit(Window::Block, tokens(100))]);
    let mut books = Books::default();
    // In the present hour, and later than now: the clock was set back.
    books.tell(call("ahead", now + Duration::minutes(20)).input(1));
    let mut meter = open(&books, &all, now);
    for (id, back) in [("first", 310), ("second", 280)] {
        meter.apply(&books.tell(call(id, now - Duration::minutes(back)).input(7)), now);
        meter.refresh(&books, now).unwrap();
        // The block from 15:59 ended at 20:59; the second call is in it and begins none. The call ahead does.
        let state = meter.summary(now).limits.remove(0);
        let from = now + Duration::minutes(20);
        assert_eq!((state.used.tokens, state.span.map(|span| span.from)), (Some(1), Some(from)), "{id}");
    }
}

#[test]
fn d13_a_block_begins_with_a_call_that_another_clock_dates_a_little_ahead() {
    let now = at(NOON);
    let all = rules(vec![limit(Window::Block, tokens(100))]);
    let mut books = Books::default();
    let mut meter = open(&books, &all, now);
    let state = |meter: &mut Meter, books: &Books, now: Instant| {
        meter.refresh(books, now).unwrap();
        let anew = open(books, &all, now).summary(now).limits.remove(0);
        let state = meter.summary(now).limits.remove(0);
        assert_eq!((state.used, state.span), (anew.used, anew.span));
        (state.used.tokens.unwrap(), state.span.map(|span| span.from))
    };
    let ahead = |minutes: i64| now + Duration::minutes(minutes);
    meter.apply(&books.tell(call("tomorrow", ahead(24 * 60)).input(50)), now);
    assert_eq!(state(&mut meter, &books, now), (0, None));
    meter.apply(&books.tell(call("ahead", ahead(2)).input(7)), now);
    meter.apply(&books.tell(call("also", ahead(90)).input(1)), now);
    assert_eq!(state(&mut meter, &books, now), (8, Some(ahead(2))));
    // It began with whatever is first.
    meter.apply(&books.tell(call("first", now).input(2)), now);
    assert_eq!(state(&mut meter, &books, now), (10, Some(now)));
    // The next block begins when this one is over, and tomorrow's five hours before its call.
    meter.apply(&books.tell(call("next", ahead(6 * 60)).input(30)), now);
    assert_eq!(state(&mut meter, &books, ahead(299)), (10, Some(now)));
    assert_eq!(state(&mut meter, &books, ahead(300)), (30, Some(ahead(6 * 60))));
    assert_eq!(state(&mut meter, &books, ahead(18 * 60)), (0, None));
    assert_eq!(state(&mut meter, &books, ahead(19 * 60)), (50, Some(ahead(24 * 60))));
}

#[test]
fn the_block_is_found_after_weeks_without_a_pause_of_five_hours() {
    let all = rules(vec![limit(Window::Block, tokens(1_000_000))]);
    let mut books = Books::default();
    let start = at("2026-09-01T00:07:00Z");
    for call_number in 0..300 {
        books.tell(call(&format!("{call_number}"), start + Duration::minutes(170 * call_number)).input(1));
    }
    // Two calls to a block: its first, the one 170 minutes later; the next begins 340 minutes after it.
    let now = start + Duration::minutes(170 * 299 + 10);
    let state = open(&books, &all, now).summary(now).limits.remove(0);
    let from = start + Duration::minutes(170 * 298);
    assert_eq!((state.used.tokens, state.span.unwrap().from), (Some(2), from));
}

#[test]
fn a_months_rolling_window_stays_exact_for_weeks() {
    let all = rules(vec![limit(Window::Rolling(Duration::days(30)), tokens(10_000))]);
    let mut books = Books::default();
    let mut now = at("2026-09-01T00:00:00Z");
    for hour in 0..24 * 40 {
        if hour % 7 == 0 {
            books.tell(call(&format!("{hour}"), now + Duration::hours(hour)).input(1));
        }
    }
    now += Duration::days(40);
    let mut meter = open(&books, &all, now);
    for hour in 0..24 * 12 {
        now += Duration::hours(1);
        if hour % 5 == 0 {
            meter.apply(&books.tell(call(&format!("new {hour}"), now).input(1)), now);
        }
        meter.refresh(&books, now).unwrap();
        let since = now - Duration::days(30);
        let expected = books.rows.values().filter(|row| row.call.at() >= since).count();
        assert_eq!(meter.limits(now)[0].used.tokens, Some(u64::try_from(expected).unwrap()), "hour {hour}");
    }
}

#[test]
fn work_that_goes_on_is_forecast_alike_before_and_after_a_window_starts_over() {
    for (window, over) in [(Window::Day, "2026-11-22T23:00:00Z"), (Window::Hour, NOON), (Window::Block, NOON)] {
        let (all, over) = (rules(vec![limit(window, tokens(40_000))]), at(over));
        // A thousand tokens every ten seconds; the block has begun five hours before.
        let begin = over - if window == Window::Block { Duration::hours(5) } else { Duration::minutes(20) };
        let mut books = Books::default();
        let mut meter = open(&books, &all, begin);
        meter.apply(&books.tell(call("begin", begin).input(1)), begin);
        for number in -60..=6 {
            let now = over + Duration::seconds(number * 10);
            if number != 0 {
                meter.apply(&books.tell(call(&format!("{number}"), now).input(1_000)), now);
            }
            // Also before the ledger has been asked again.
            let mut states = vec![meter.summary(now).limits.remove(0)];
            meter.refresh(&books, now).unwrap();
            states.extend([&mut meter, &mut open(&books, &all, now)].map(|meter| meter.limits(now).remove(0)));
            let known = states.remove(0);
            for state in states {
                assert_eq!((state.used, state.projected), (known.used, known.projected), "{window:?} {number}");
            }
            // Six thousand a minute; a block begins with a call.
            let is_new = number > 0 || (number == 0 && window != Window::Block);
            let full = known.projected.filter(|_| is_new).map(|(at, _)| (at - now).num_seconds());
            assert!(!is_new || full.is_some_and(|full| (200..1200).contains(&full)), "{window:?} {number}: {full:?}");
        }
    }
}

#[test]
fn a_limit_that_is_reached_shortly_before_it_resets_is_forecast() {
    let over = at(NOON);
    let all = rules(vec![limit(Window::Hour, tokens(10_000))]);
    for before_reset in [280, 200, 120, 100, 70] {
        // A thousand tokens a minute for an hour, and 1,000 left until the limit.
        let now = over - Duration::seconds(before_reset);
        let mut books = Books::default();
        for minute in 0..60 {
            let at = now - Duration::minutes(minute);
            let is_counted = at >= over - Duration::hours(1);
            books.tell(call(&format!("{minute}"), at).input(if is_counted && minute == 0 { 0 } else { 1_000 }));
        }
        let used = judged(&books, &all, now)[0].used.tokens.unwrap();
        let all = rules(vec![limit(Window::Hour, tokens(used + 1_000))]);
        let full = judged(&books, &all, now)[0].projected.map(|(at, _)| (at - now).num_seconds());
        assert!(full.is_some_and(|full| (50..=75).contains(&full)), "{before_reset} s before its reset: {full:?}");
    }
}

#[test]
fn tokens_without_a_price_are_judged_at_the_fallback_rates_or_marked_as_a_lower_bound() {
    let now = at(NOON);
    let mut books = Books::default();
    books.tell(call("a", now).model("free-1").input(1_000).output(100));
    books.tell(call("b", now).input(1_000));
    let mut all = rules(vec![limit(Window::Day, usd("1"))]);
    let unknown = judged(&books, &all, now).remove(0);
    assert_eq!((unknown.used, unknown.lower_bound), (usd("0.001"), true));
    all.fallback = Some(Rates { input: Usd::from_micro(15), output: Usd::from_micro(75), ..Rates::default() });
    let known = judged(&books, &all, now).remove(0);
    assert_eq!((known.used, known.lower_bound), (usd("0.0235"), false));
    // A limit of tokens is exact without any price.
    let counted = judged(&books, &rules(vec![limit(Window::Day, tokens(10_000))]), now).remove(0);
    assert!(!counted.lower_bound);
}

fn alerting(used: u64, warn_at: &[u8]) -> Vec<LimitState> {
    let mut state = daily_with(used);
    state.limit.warn_at = warn_at.to_vec();
    vec![state]
}

fn said(alerts: &mut Alerts, limits: &[LimitState], now: Instant) -> Vec<(u8, String)> {
    alerts.due(limits, &[], now).into_iter().map(|alert| (alert.threshold, alert.title())).collect()
}

#[test]
fn each_threshold_speaks_once_in_a_period_and_several_passed_at_once_speak_as_the_highest() {
    let now = at(NOON);
    let mut alerts = Alerts::new(None, 5);
    let warn_at = [50, 80, 95];
    let at_used = |used| alerting(used, &warn_at);
    assert_eq!(said(&mut alerts, &at_used(200_000), now), []);
    assert_eq!(said(&mut alerts, &at_used(260_000), now), [(50, "52% of daily limit used".to_owned())]);
    assert_eq!(said(&mut alerts, &at_used(270_000), now), []);
    assert_eq!(said(&mut alerts, &at_used(480_000), now), [(95, "96% of daily limit used".to_owned())]);
    assert_eq!(said(&mut alerts, &at_used(500_000), now), [(100, "daily limit reached".to_owned())]);
    assert_eq!(said(&mut alerts, &at_used(900_000), now), []);
    // The next day everything may alert again.
    let mut tomorrow = at_used(410_000);
    let span = tomorrow[0].span.as_mut().unwrap();
    (span.from, span.until) = (span.until, span.until + Duration::days(1));
    let ids: Vec<_> = alerts.due(&tomorrow, &[], now + Duration::days(1)).into_iter().map(|alert| alert.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0].as_str(), "daily tokens=500000 @80 2026-11-22T23:00:00Z");
}

#[test]
fn two_processes_name_one_alert_alike() {
    let now = at(NOON);
    let ids = |offset: u64| {
        let mut alerts = Alerts::new(None, 5);
        alerts.due(&alerting(410_000 + offset, &[80]), &[], now + Duration::minutes(5)).remove(0).id
    };
    assert_eq!(ids(0), ids(1_234));
}

#[test]
fn a_window_that_hovers_around_a_threshold_speaks_again_only_after_it_fell_clearly_below() {
    let now = at(NOON);
    let mut alerts = Alerts::new(None, 5);
    let hover = |used: u64| {
        let mut states = alerting(used, &[80]);
        states[0].limit.window = Window::Rolling(Duration::hours(5));
        states
    };
    assert_eq!(said(&mut alerts, &hover(400_000), now).len(), 1);
    for used in [399_000, 401_000, 376_000, 404_000, 375_000, 400_000] {
        assert_eq!(said(&mut alerts, &hover(used), now), [], "{used}");
    }
    assert_eq!(said(&mut alerts, &hover(374_999), now), []);
    assert_eq!(said(&mut alerts, &hover(400_000), now).len(), 1);
}

#[test]
fn how_far_use_must_fall_before_a_warning_comes_again_is_a_setting() {
    let now = at(NOON);
    for (points, low_enough, too_high) in [(0, 399_999, 400_000), (5, 374_999, 375_000), (30, 249_999, 250_000)] {
        for (fallen, times) in [(low_enough, 1), (too_high, 0)] {
            let mut alerts = Alerts::new(None, points);
            assert_eq!(said(&mut alerts, &alerting(400_000, &[80]), now).len(), 1);
            said(&mut alerts, &alerting(fallen, &[80]), now);
            assert_eq!(said(&mut alerts, &alerting(400_000, &[80]), now).len(), times, "{points} points, {fallen}");
        }
    }
}

#[test]
fn a_rolling_window_is_named_by_the_largest_unit_it_is_a_whole_number_of() {
    for (minutes, name) in [(90, "90-minute"), (5 * 60, "5-hour"), (36 * 60, "36-hour"), (48 * 60, "2-day")] {
        assert_eq!(Window::Rolling(Duration::minutes(minutes)).adjective(), name);
    }
}

#[test]
fn a_lower_threshold_that_is_still_reached_is_not_said_again() {
    let now = at(NOON);
    let mut alerts = Alerts::new(None, 5);
    let at_used = |used| alerting(used, &[50, 80, 95]);
    assert_eq!(said(&mut alerts, &at_used(480_000), now), [(95, "96% of daily limit used".to_owned())]);
    assert_eq!(said(&mut alerts, &at_used(410_000), now), []);
    assert_eq!(said(&mut alerts, &at_used(480_000), now), [(95, "96% of daily limit used".to_owned())]);
}

#[test]
fn quiet_hours_and_a_snooze_hold_alerts_back_and_do_not_lose_them() {
    let zone = Zone::named("Europe/Rome").unwrap();
    let quiet = QuietHours {
        from: NaiveTime::from_hms_opt(22, 0, 0).unwrap(),
        until: NaiveTime::from_hms_opt(7, 30, 0).unwrap(),
    };
    let mut alerts = Alerts::new(Some((quiet, zone)), 5);
    let near = alerting(410_000, &[80]);
    assert_eq!(alerts.changes_at(at("2026-11-22T23:00:00Z")), None);
    assert_eq!(said(&mut alerts, &near, at("2026-11-22T23:00:00Z")), []);
    assert_eq!(alerts.changes_at(at("2026-11-22T23:00:00Z")), Some(at("2026-11-23T06:30:00Z")));
    assert_eq!(said(&mut alerts, &near, at("2026-11-23T06:29:59Z")), []);
    assert_eq!(said(&mut alerts, &near, at("2026-11-23T06:30:00Z")).len(), 1);
    // Within one day, too, they end on time.
    let midday = QuietHours { from: quiet.until, until: quiet.from };
    let mut alerts = Alerts::new(Some((midday, zone)), 5);
    assert_eq!(said(&mut alerts, &near, at("2026-11-23T06:30:00Z")), []);
    assert_eq!(said(&mut alerts, &near, at("2026-11-23T20:59:59Z")), []);
    // A reloaded config may end them.
    let mut changed = alerts.clone();
    changed.set_quiet_hours(None, 5);
    assert_eq!(said(&mut changed, &near, at("2026-11-23T20:59:59Z")).len(), 1);
    assert_eq!(said(&mut alerts, &near, at("2026-11-23T21:00:00Z")).len(), 1);
    let now = at(NOON);
    let mut alerts = Alerts::new(None, 5);
    alerts.snooze_limit("daily", now + Duration::hours(1));
    assert_eq!(said(&mut alerts, &near, now), []);
    assert_eq!(alerts.changes_at(now), Some(now + Duration::hours(1)));
    let mut woken = alerts.clone();
    assert_eq!(said(&mut alerts, &near, now + Duration::hours(1)).len(), 1);
    // Taken back before its end, the alert follows at once.
    woken.unsnooze_limit("daily");
    assert_eq!(woken.changes_at(now), None);
    assert_eq!(said(&mut woken, &near, now).len(), 1);
}

#[test]
fn a_providers_window_alerts_at_80_and_at_100_once_until_it_starts_over() {
    let start = at(NOON);
    let quota = |used: u32, resets_at: Instant, seen: Instant| Quota {
        source: Label::new("codex"),
        name: Label::new("codex"),
        minutes: 300,
        used,
        resets_at: Some(resets_at),
        seen,
    };
    let mut alerts = Alerts::new(None, 5);
    let mut say = |used: u32, resets: Instant, now: Instant| {
        let due = alerts.due(&[], &[quota(used, resets, now)], now);
        due.into_iter().map(|alert| (alert.threshold, alert.title(), alert.id)).collect::<Vec<_>>()
    };
    let resets = start + Duration::hours(2);
    assert_eq!(say(7_999, resets, start), []);
    let first = say(8_000, resets, start).remove(0);
    assert_eq!((first.0, first.1.as_str()), (80, "80% of the codex 5 h window used"));
    // The reset is computed from the seconds left, and varies.
    assert_eq!(say(8_600, resets + Duration::seconds(2), start), []);
    assert_eq!(say(10_000, resets, start).remove(0).0, 100);
    assert_eq!(say(10_000, resets, resets), []);
    let next = say(9_000, resets + Duration::hours(5), resets).remove(0);
    assert_eq!(next.0, 80);
    assert_ne!(next.2, first.2);
    // Another process names it alike.
    let mut other = Alerts::new(None, 5);
    let jittered = quota(8_100, resets + Duration::seconds(1), start);
    assert_eq!(other.due(&[], &[jittered], start).remove(0).id, first.2);
    let whole = QuietHours { from: NaiveTime::MIN, until: NaiveTime::from_hms_opt(23, 59, 59).unwrap() };
    let mut quiet = Alerts::new(Some((whole, Zone::UTC)), 5);
    assert_eq!(quiet.due(&[], &[quota(9_000, resets, start)], start), []);
    assert_eq!(quiet.changes_at(start), Some(at("2026-11-22T23:59:59Z")));
}

#[test]
fn after_a_clock_was_set_back_within_the_day_the_ledger_is_asked_again() {
    let mut books = Books::default();
    books.tell(call("a", at(NOON)).input(10));
    let all = rules(vec![limit(Window::Session, tokens(100))]);
    let now = at(NOON) + Duration::hours(2);
    let mut meter = open(&books, &all, now);
    assert!(!meter.needs_refresh(now));
    assert!(!meter.needs_refresh(now - Duration::milliseconds(500)), "two clocks differ a little");
    assert!(meter.needs_refresh(now - Duration::hours(1)));
    assert!(meter.refresh(&books, now - Duration::hours(1)).unwrap());
    assert!(!meter.needs_refresh(now - Duration::minutes(59)));
}

#[test]
fn what_names_no_session_or_run_counts_in_no_limit_of_one() {
    let mut books = Books::default();
    let nameless = |id: &str| {
        let mut told = call(id, at(NOON)).input(5_000);
        told.0.from.session = None;
        told
    };
    books.tell(nameless("a"));
    books.tell(nameless("b").agent("explore"));
    books.tell(call("c", at(NOON)).session("s").input(100));
    books.tell(call("d", at(NOON)).session("s").agent("explore").input(20));
    let used = |window| {
        let judged = judged(&books, &rules(vec![limit(window, tokens(1_000))]), at(NOON));
        judged.iter().map(|state| state.used.tokens.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(used(Window::Session), [120]);
    assert_eq!(used(Window::Run), [20]);
    assert_eq!(used(Window::Day), [10_120]);
}

#[test]
fn a_default_gives_way_to_a_name_of_its_own_in_every_window_also_before_its_first_call() {
    let windows = [Window::Block, Window::Session, Window::Day, Window::Rolling(Duration::hours(5)), Window::Total];
    for window in windows {
        let mut books = Books::default();
        books.tell(call("a", at(NOON)).session("s").user("alice").input(300));
        books.tell(call("b", at(NOON)).session("t").user("bob").input(200));
        let each = of(Dimension::User, "*", limit(window, tokens(100)));
        let own = |name: &str| of(Dimension::User, name, limit(window, tokens(1_000)));
        let rules = rules(vec![each, own("alice"), own("carol")]);
        let used = |states: Vec<LimitState>| {
            let of = |state: &LimitState| (state.used.tokens.unwrap(), state.limit.amount.tokens.unwrap());
            let mut all: Vec<_> = states.iter().map(of).filter(|(used, _)| *used > 0).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(used(judged(&books, &rules, at(NOON))), [(200, 100), (300, 1_000)], "{window:?}");
        let of_caller = |name: &str| {
            let caller = CallContext { names: vec![(Dimension::User, Label::new(name))] };
            let states = states(&books, &rules, Some(&caller), at(NOON)).unwrap();
            states.iter().map(|state| state.limit.amount.tokens.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((of_caller("carol"), of_caller("dave")), (vec![1_000], vec![100]), "{window:?}");
    }
}
