//! Clocks, calendars and counters that misbehave.

use chrono::Duration;
use tokmeter::testing::domain::{Instant, Tokens, Usd, Zone};
use tokmeter::testing::meter::{Amount, Follow, Limit, Meter, Rules, Scope, Snapshot, Verdict, Window};

use crate::books::{Books, at, call};

fn rules(zone: Zone, limits: &[(Window, u64)]) -> Rules {
    let limit = |(window, tokens): &(Window, u64)| Limit {
        scope: Scope::default(),
        window: *window,
        amount: Amount { tokens: Some(*tokens), ..Amount::default() },
        warn_at: vec![80],
    };
    Rules { limits: limits.iter().map(limit).collect(), ..Rules::new(zone) }
}

fn open(books: &Books, rules: &Rules, now: Instant) -> Meter {
    let snapshot = Snapshot::ask(books, rules, &Follow::Latest, now).unwrap();
    Meter::open(rules.clone(), snapshot)
}

#[test]
fn e1_at_local_midnight_today_and_its_limit_begin_anew_without_a_restart() {
    let before = at("2026-11-22T22:59:59.900Z");
    let after = at("2026-11-22T23:00:00.100Z");
    let rules = rules(Zone::named("Europe/Rome").unwrap(), &[(Window::Day, 100), (Window::Month, 1_000)]);
    let mut books = Books::default();
    let mut meter = open(&books, &rules, before);
    meter.apply(&books.tell(call("late", before).input(90)), before);
    let summary = meter.summary(before);
    assert_eq!((summary.today.tokens.input, summary.limits[0].verdict), (90, Verdict::Near));
    let midnight = at("2026-11-22T23:00:00Z");
    assert!(summary.changes_at.unwrap() <= midnight);
    // The answer that began before midnight goes on after it: it stays in its day.
    meter.apply(&books.tell(call("late", before).input(95)), after);
    meter.refresh(&books, after).unwrap();
    meter.apply(&books.tell(call("early", after).input(7)), after);
    meter.refresh(&books, after).unwrap();
    let summary = meter.summary(after);
    assert_eq!((summary.today.tokens.input, summary.month.tokens.input), (7, 102));
    let day = summary.limits.iter().find(|limit| limit.limit.window == Window::Day).unwrap();
    assert_eq!((day.used.tokens, day.verdict, day.span.unwrap().from), (Some(7), Verdict::Under, midnight));
}

#[test]
fn e2_windows_last_as_long_as_their_zone_says() {
    let cases = [
        (Zone::named("Europe/Rome").unwrap(), "2026-03-29T10:00:00Z", 23.0),
        (Zone::named("Europe/Rome").unwrap(), "2026-10-25T10:00:00Z", 25.0),
        (Zone::named("Australia/Lord_Howe").unwrap(), "2026-04-05T03:00:00Z", 24.5),
        // Midnight does not exist: these days begin at one o'clock.
        (Zone::named("Africa/Cairo").unwrap(), "2026-04-24T10:00:00Z", 23.0),
        (Zone::named("America/Havana").unwrap(), "2026-03-08T15:00:00Z", 23.0),
    ];
    for (zone, noon, hours) in cases {
        let now = at(noon);
        let span = Window::Day.span(now, zone, chrono::Weekday::Mon).unwrap();
        let long = (span.until - span.from).num_minutes() as f64 / 60.0;
        assert!((long - hours).abs() < 0.01, "{zone}: {long}");
        // One call in each quarter hour around the day; exactly the day's own are counted.
        let rules = rules(zone, &[(Window::Day, 1_000)]);
        let mut books = Books::default();
        let mut meter = open(&books, &rules, now);
        for quarter in -40..200 {
            let when = span.from + Duration::minutes(15 * quarter);
            meter.apply(&books.tell(call(&format!("{quarter}"), when).input(1)), now);
        }
        let of_day = (hours * 4.0).round();
        let summary = meter.summary(now);
        assert!((summary.today.calls as f64 - of_day).abs() < 0.01, "{zone}");
        assert_eq!(summary.limits[0].used.tokens, Some(summary.today.calls));
    }
}

#[test]
fn e3_a_clock_that_jumps_back_or_ahead_never_gives_a_negative_rate_or_a_wrong_sum() {
    let start = at("2026-11-22T13:00:00Z");
    let rules =
        rules(Zone::UTC, &[(Window::Day, 1_000), (Window::Hour, 1_000), (Window::Rolling(Duration::hours(5)), 1_000)]);
    let mut books = Books::default();
    let mut meter = open(&books, &rules, start);
    meter.apply(&books.tell(call("a", start).input(600)), start);
    for hours in [-1, 1, -14, 30, 0, -24 * 40, 24 * 400] {
        let now = start + Duration::hours(hours);
        meter.refresh(&books, now).unwrap();
        let summary = meter.summary(now);
        assert!(!summary.cost_per_hour.is_negative());
        assert_eq!(summary.all.tokens.input, 600);
        let same_day = now.date_naive() == start.date_naive();
        assert_eq!(summary.today.tokens.input, if same_day { 600 } else { 0 }, "{hours}");
        let fresh = open(&books, &rules, now).summary(now);
        let used = |summary: &tokmeter::testing::meter::Summary| -> Vec<_> {
            summary.limits.iter().map(|limit| (limit.name.clone(), limit.used)).collect()
        };
        assert_eq!(used(&summary), used(&fresh), "{hours}");
        if hours != 0 {
            assert_eq!(summary.tokens_per_min, 0, "{hours}");
        }
    }
}

#[test]
fn e4_after_a_suspend_of_eight_hours_there_is_no_peak() {
    let start = at("2026-11-22T08:00:00Z");
    let rules = rules(Zone::UTC, &[(Window::Day, 1_000_000)]);
    let mut books = Books::default();
    let mut meter = open(&books, &rules, start);
    let mut now = start;
    for number in 0..60 {
        now = start + Duration::seconds(30 * number);
        meter.apply(&books.tell(call(&format!("{number}"), now).input(1_000)), now);
    }
    let working = meter.summary(now).tokens_per_min;
    assert!((1_700..=2_300).contains(&working), "{working}");
    now += Duration::hours(8);
    meter.refresh(&books, now).unwrap();
    let asleep = meter.summary(now);
    assert_eq!((asleep.tokens_per_min, asleep.cost_per_hour, asleep.limits[0].projected), (0, Usd::ZERO, None));
    assert!(asleep.models.iter().all(|model| model.trend.tokens.iter().all(|bar| *bar == 0)));
    meter.apply(&books.tell(call("awake", now).input(1_000)), now);
    let awake = meter.summary(now);
    assert!(awake.tokens_per_min <= working, "{}", awake.tokens_per_min);
    assert_eq!(awake.models[0].trend.tokens.last(), Some(&1_000));
}

#[test]
fn the_rate_is_that_of_the_last_five_minutes_and_nothing_after_them() {
    let start = at("2026-11-22T08:00:00Z");
    let mut books = Books::default();
    let mut meter = open(&books, &rules(Zone::UTC, &[]), start);
    for number in 0..20 {
        let now = start + Duration::minutes(number);
        meter.apply(&books.tell(call(&format!("{number}"), now).input(1_000)), now);
    }
    let last = start + Duration::minutes(19);
    let rates: Vec<u64> = (0..10).map(|idle| meter.summary(last + Duration::minutes(idle)).tokens_per_min).collect();
    // A minute's usage leaves the rate over the course of a minute.
    assert_eq!(rates, [1_200, 1_000, 800, 600, 400, 200, 0, 0, 0, 0]);
    let seconds: Vec<u64> = (0..420).map(|idle| meter.summary(last + Duration::seconds(idle)).tokens_per_min).collect();
    assert!(seconds.windows(2).all(|pair| pair[1] <= pair[0]), "{seconds:?}");
    assert_eq!((seconds[359] > 0, seconds[360]), (true, 0));
}

#[test]
fn time_alone_never_makes_the_rate_rise() {
    let start = at("2026-11-22T08:00:00Z");
    let mut books = Books::default();
    let mut meter = open(&books, &rules(Zone::UTC, &[]), start);
    // Little, then much, then a pause as long as the rate looks back.
    for (nth, (second, count)) in [(3, 10), (71, 20), (230, 90_000), (233, 40), (540, 7_000)].into_iter().enumerate() {
        let now = start + Duration::seconds(second);
        meter.apply(&books.tell(call(&format!("{nth}"), now).input(count)), now);
        let until = [71, 230, 233, 540, 1_000][nth];
        let rates: Vec<u64> =
            (second..until).map(|at| meter.summary(start + Duration::seconds(at)).tokens_per_min).collect();
        assert!(rates.windows(2).all(|pair| pair[1] <= pair[0]), "{nth}: {rates:?}");
    }
}

#[test]
fn the_rate_is_shown_anew_while_it_falls_and_not_after() {
    let start = at("2026-11-22T08:00:00Z");
    let mut books = Books::default();
    let mut meter = open(&books, &rules(Zone::UTC, &[]), start);
    meter.apply(&books.tell(call("one", start).input(1_000)), start);
    let (mut now, mut shown) = (start, vec![meter.summary(start).tokens_per_min]);
    while let Some(next) = meter.changes_at(now).filter(|next| *next <= start + Duration::minutes(6)) {
        now = next;
        shown.push(meter.summary(now).tokens_per_min);
    }
    assert_eq!((now, shown.last()), (start + Duration::minutes(6), Some(&0)), "{shown:?}");
    assert!((8..=28).contains(&shown.len()), "{shown:?}");
    let next = meter.changes_at(now).unwrap();
    assert!(next - now >= Duration::minutes(1), "{next}");
}

#[test]
fn what_grows_dearer_is_in_the_rate_within_five_minutes_and_work_that_begins_within_two() {
    let start = at("2026-11-22T08:00:00Z");
    let mut books = Books::default();
    let mut meter = open(&books, &rules(Zone::UTC, &[]), start);
    let mut spend = |minute: i64, count: u64| {
        let now = start + Duration::minutes(minute) + Duration::seconds(59);
        meter.apply(&books.tell(call(&format!("{minute}"), now).input(count)), now);
        meter.summary(now).tokens_per_min
    };
    let begun: Vec<u64> = (0..3).map(|minute| spend(minute, 1_000)).collect();
    assert!((480..=510).contains(&begun[0]) && begun[1..].iter().all(|rate| (990..=1_020).contains(rate)), "{begun:?}");
    for minute in 3..20 {
        spend(minute, 1_000);
    }
    let dearer: Vec<u64> = (20..25).map(|minute| spend(minute, 10_000)).collect();
    assert!((9_990..=10_050).contains(&dearer[4]), "{dearer:?}");
    // After a pause the new work alone counts, from its own beginning.
    let again: Vec<u64> = (40..42).map(|minute| spend(minute, 1_000)).collect();
    assert!((990..=1_020).contains(&again[1]), "{again:?}");
}

#[test]
fn e7_late_and_unordered_calls_change_the_day_they_belong_to() {
    let now = at("2026-11-22T13:00:00Z");
    let rules = rules(Zone::UTC, &[(Window::Day, 1_000), (Window::Month, 10_000)]);
    let mut books = Books::default();
    let mut meter = open(&books, &rules, now);
    for (id, back, count) in [("c", 0, 1), ("old", 60, 2), ("a", 3, 4), ("b", 1, 8), ("d", 0, 16)] {
        meter.apply(&books.tell(call(id, now - Duration::days(back)).input(count)), now);
    }
    // An answer of today turns out to have begun yesterday, and to be larger.
    meter.apply(&books.tell(call("d", now - Duration::days(1)).input(32)), now);
    meter.refresh(&books, now).unwrap();
    let summary = meter.summary(now);
    assert_eq!(
        (summary.today.tokens.input, summary.month.tokens.input, summary.all.tokens.input),
        (1, 1 + 4 + 8 + 32, 1 + 2 + 4 + 8 + 32)
    );
    let used = |window| summary.limits.iter().find(|limit| limit.limit.window == window).unwrap().used.tokens;
    assert_eq!((used(Window::Day), used(Window::Month)), (Some(1), Some(45)));
}

#[test]
fn e8_sums_stay_at_the_greatest_number_and_judge_without_panic() {
    let now = at("2026-11-22T13:00:00Z");
    let most = Tokens { input: u64::MAX, output: u64::MAX, ..Tokens::ZERO };
    let mut rules = rules(Zone::UTC, &[(Window::Day, u64::MAX), (Window::Session, u64::MAX - 1)]);
    rules.limits[0].amount.usd = Some(Usd::from_pico(i128::MAX));
    let mut books = Books::default();
    let mut meter = open(&books, &rules, now);
    for id in ["a", "b", "c"] {
        meter.apply(&books.tell(call(id, now).tokens(most)), now);
        meter.refresh(&books, now).unwrap();
        let summary = meter.summary(now + Duration::seconds(1));
        assert_eq!(summary.today.tokens.total(), u64::MAX);
        assert!(summary.limits.iter().all(|limit| limit.verdict == Verdict::Over));
        assert!(summary.tokens_per_min > 0);
    }
}

#[test]
fn e11_weeks_begin_on_the_configured_day_and_a_month_from_the_31st_is_that_month() {
    let now = at("2026-01-31T12:00:00Z");
    for (first, begins) in
        [(chrono::Weekday::Mon, "2026-01-26T00:00:00Z"), (chrono::Weekday::Sun, "2026-01-25T00:00:00Z")]
    {
        let rules = Rules { week_start: first, ..rules(Zone::UTC, &[(Window::Week, 100), (Window::Month, 100)]) };
        let mut books = Books::default();
        books.tell(call("in", at(begins)).input(1));
        books.tell(call("before", at(begins) - Duration::seconds(1)).input(2));
        let limits = open(&books, &rules, now).limits(now);
        let week = limits.iter().find(|limit| limit.limit.window == Window::Week).unwrap();
        assert_eq!((week.used.tokens, week.span.unwrap().from), (Some(1), at(begins)));
        let month = limits.iter().find(|limit| limit.limit.window == Window::Month).unwrap();
        assert_eq!((month.used.tokens, month.span.unwrap().until), (Some(3), at("2026-02-01T00:00:00Z")));
    }
}

#[test]
fn e12_a_limit_crossed_by_a_call_is_over_for_the_next_one() {
    let now = at("2026-11-22T13:00:00Z");
    let rules = rules(Zone::UTC, &[(Window::Day, 1_000)]);
    let mut books = Books::default();
    let mut made = 0;
    // An agent that asks before each call of 300 tokens is stopped with an overshoot of one call at most.
    for number in 0..10 {
        let states = tokmeter::testing::meter::states(&books, &rules, None, now).unwrap();
        if states.iter().any(tokmeter::testing::meter::LimitState::stops_work) {
            break;
        }
        books.tell(call(&format!("{number}"), now).input(300));
        made += 1;
    }
    assert_eq!(made, 4);
}

#[test]
fn e6_calls_from_the_ends_of_time_do_no_harm() {
    let now = at("2026-11-22T13:00:00Z");
    let rules = rules(
        Zone::named("Europe/Rome").unwrap(),
        &[(Window::Day, 10), (Window::Total, 10), (Window::Rolling(Duration::days(30)), 10)],
    );
    let mut books = Books::default();
    let mut meter = open(&books, &rules, now);
    for (id, when) in
        [("first", "0001-01-01T00:00:00Z"), ("last", "9999-12-31T23:59:59Z"), ("now", "2026-11-22T13:00:00Z")]
    {
        meter.apply(&books.tell(call(id, at(when)).session(id).input(1)), now);
        meter.refresh(&books, now).unwrap();
    }
    let summary = meter.summary(now);
    assert_eq!((summary.all.calls, summary.today.calls), (3, 1));
    // A session in the far future does not stay the latest for ever.
    assert_eq!(summary.session.unwrap().row.session.unwrap().as_str(), "now");
    // Nor does an extreme clock.
    for extreme in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        meter.refresh(&books, at(extreme)).unwrap();
        assert_eq!(meter.summary(at(extreme)).today.calls, 1);
    }
}

#[test]
fn h8_nothing_changes_by_itself_once_everything_has_come_to_rest() {
    let start = at("2026-11-22T13:00:20Z");
    let rules = rules(Zone::UTC, &[(Window::Session, 100), (Window::Total, 100)]);
    let mut books = Books::default();
    let mut meter = open(&books, &rules, start);
    assert_eq!(meter.changes_at(start), None);
    meter.apply(&books.tell(call("a", start - Duration::days(40)).input(9)), start);
    meter.refresh(&books, start).unwrap();
    assert!(meter.summary(start).growing);
    assert_eq!(meter.changes_at(start), Some(start + Duration::seconds(3)));
    assert_eq!(meter.changes_at(start + Duration::seconds(3)), None);
    // Current activity moves the bars, once a minute, until they have left the screen.
    meter.apply(&books.tell(call("b", start).session("s2").input(9)), start);
    meter.refresh(&books, start).unwrap();
    let (mut now, mut wakes) = (start, Vec::new());
    while let Some(next) = meter.changes_at(now) {
        assert!(next > now);
        let before = meter.summary(now);
        meter.refresh(&books, next).unwrap();
        let after = meter.summary(next);
        wakes.push(next);
        let same = tokmeter::testing::meter::Summary { now, changes_at: before.changes_at, ..after };
        assert!(same != before || meter.changes_at(next).is_some(), "woken at {next} for nothing");
        now = next;
        assert!(wakes.len() < 60, "{wakes:?}");
    }
    // When the session turns quiet, when it waits and when it has ended, fifteen bars, the quarters of the minutes in
    // which its rate falls, midnight, the end of the month. No arrow: what is counted is another session's.
    assert_eq!(wakes.len(), 3 + 15 + 17 + 1 + 1, "{wakes:?}");
}
