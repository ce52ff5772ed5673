//! Simulated days: false alarms, error and band of the forecast.

use std::collections::BTreeSet;

use chrono::Duration;
use tokmeter::testing::domain::{Instant, Zone};
use tokmeter::testing::meter::{Amount, Follow, Limit, Meter, Rules, Scope, Snapshot, Verdict, Window};

use crate::books::{Books, Told, at, call};

/// A pattern of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Evenly from nine to six, with a lunch break.
    Steady,
    /// In bursts of ten to twenty-five minutes with longer pauses between them.
    Bursty,
    /// Evenly until lunch, and nothing after it.
    IdleAfterLunch,
}

const KINDS: [Kind; 3] = [Kind::Steady, Kind::Bursty, Kind::IdleAfterLunch];

/// Random numbers that are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + i64::try_from(self.0 >> 33).unwrap() % (high - low + 1)
    }
}

/// The calls of a day, by the second since midnight, with their tokens.
fn day(kind: Kind, dice: &mut Dice) -> Vec<(i64, u64)> {
    let minute = |hour: i64, minutes: i64| (hour * 60 + minutes) * 60;
    let begin = minute(9, dice.between(-40, 40));
    let lunch = minute(12, dice.between(0, 60));
    let back = lunch + dice.between(30, 75) * 60;
    let end = if kind == Kind::IdleAfterLunch { lunch } else { minute(18, dice.between(-60, 60)) };
    let mut calls = Vec::new();
    let (mut second, mut burst_ends) = (begin, begin + dice.between(10, 25) * 60);
    while second < end {
        if (lunch..back).contains(&second) {
            second = back;
            continue;
        }
        if kind == Kind::Bursty && second >= burst_ends {
            second += dice.between(15, 50) * 60;
            burst_ends = second + dice.between(10, 25) * 60;
            continue;
        }
        calls.push((second, u64::try_from(dice.between(500, 6_000)).unwrap()));
        second += if kind == Kind::Bursty { dice.between(5, 40) } else { dice.between(15, 90) };
    }
    calls
}

/// Results of the forecasts of many days.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    /// Number of forecasts.
    given: u32,
    /// Those for limits that were not reached that day.
    false_alarms: u32,
    /// Those with the true time inside the band.
    in_band: u32,
    /// Times within the last hour before the limit was reached, and those with a forecast.
    last_hour: u32,
    warned: u32,
}

impl Score {
    fn per_cent(part: u32, whole: u32) -> u32 {
        (part * 100 + whole / 2) / whole.max(1)
    }
}

/// Limits in per cent of the day's total.
const LIMITS: [u64; 6] = [50, 75, 90, 110, 140, 200];

fn simulate(kind: Kind, with_habits: bool, naive: bool) -> (Score, Vec<i64>) {
    let (mut score, mut errors) = (Score::default(), Vec::new());
    for seed in 1..=8_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let midnight = at("2026-11-18T00:00:00Z");
        let mut books = Books::default();
        let told = |id: String, when: Instant, count: u64| -> Told { call(&id, when).input(count) };
        if with_habits {
            for back in 1..=5 {
                // Idle after lunch today, but usually not.
                let usual = if kind == Kind::IdleAfterLunch && back % 2 == 0 { Kind::Steady } else { kind };
                for (number, (second, count)) in day(usual, &mut dice).into_iter().enumerate().step_by(9) {
                    let when = midnight - Duration::days(back) + Duration::seconds(second);
                    books.tell(told(format!("{back} {number}"), when, count));
                }
            }
        }
        let calls = day(kind, &mut dice);
        let total: u64 = calls.iter().map(|(_, count)| count).sum();
        let limits = LIMITS.map(|per_cent| Limit {
            scope: Scope::default(),
            window: Window::Day,
            amount: Amount { tokens: Some(total * per_cent / 100), ..Amount::default() },
            warn_at: vec![80],
        });
        let rules = Rules { limits: limits.to_vec(), ..Rules::new(Zone::UTC) };
        let start = midnight + Duration::hours(7);
        let snapshot = Snapshot::ask(&books, &rules, &Follow::Latest, start).unwrap();
        let mut meter = Meter::open(rules, snapshot);
        let reached = limits.clone().map(|limit| {
            let mut sum = 0;
            let last = calls.iter().find(|(_, count)| {
                sum += count;
                sum >= limit.amount.tokens.unwrap()
            });
            last.map(|(second, _)| midnight + Duration::seconds(*second))
        });
        let mut told_until = 0;
        let mut now = start;
        while now < midnight + Duration::hours(20) {
            while let Some((second, count)) = calls.get(told_until) {
                let when = midnight + Duration::seconds(*second);
                if when > now {
                    break;
                }
                meter.apply(&books.tell(told(format!("{told_until}"), when, *count)), when);
                told_until += 1;
            }
            for state in meter.limits(now) {
                let place = limits.iter().position(|limit| *limit == state.limit).unwrap();
                if state.verdict == Verdict::Over {
                    continue;
                }
                let hit = if naive {
                    // Straight on as in the last half hour.
                    let since = now - Duration::minutes(30);
                    let spent: u64 = calls[..told_until]
                        .iter()
                        .filter(|(second, _)| midnight + Duration::seconds(*second) > since)
                        .map(|(_, count)| count)
                        .sum();
                    let left = state.limit.amount.tokens.unwrap() - state.used.tokens.unwrap();
                    let minutes = i64::try_from(left * 30 / spent.max(1)).unwrap();
                    let likely = now + Duration::minutes(minutes.min(10_000));
                    (likely < midnight + Duration::days(1)).then_some((likely, likely, likely))
                } else {
                    state.projected.map(|(likely, band)| (likely, band.from, band.until))
                };
                if let Some(when) = reached[place].filter(|when| *when - now <= Duration::hours(1)) {
                    let working = calls.iter().any(|(second, _)| {
                        let ago = now - (midnight + Duration::seconds(*second));
                        Duration::zero() <= ago && ago < Duration::minutes(10)
                    });
                    if working && when > now {
                        score.last_hour += 1;
                        score.warned += u32::from(hit.is_some());
                    }
                }
                let Some((likely, from, until)) = hit else { continue };
                assert!(from <= likely && likely <= until && now <= from);
                score.given += 1;
                match reached[place] {
                    None => score.false_alarms += 1,
                    Some(when) => {
                        score.in_band += u32::from(from <= when && when <= until);
                        errors.push((likely - when).num_minutes().abs());
                    }
                }
            }
            now += Duration::minutes(5);
        }
    }
    errors.sort_unstable();
    (score, errors)
}

/// Prints the figures of `benches/README.md`; the bounds are a little wider than the figures.
#[test]
fn the_forecast_seldom_cries_wolf_and_its_band_usually_holds() {
    println!("kind            habits   given  false%  band%  median-min  p90-min  warned-in-last-hour%");
    for kind in KINDS {
        let (mut rates, mut naive_false, mut naive_error) = (Vec::new(), 0, 0);
        for (name, habits, naive) in [("unknown", false, false), ("known", true, false), ("naive", false, true)] {
            let (score, errors) = simulate(kind, habits, naive);
            let true_ones = score.given - score.false_alarms;
            let at_rank = |per_cent: usize| errors.get(errors.len() * per_cent / 100).copied().unwrap_or(0);
            let false_rate = Score::per_cent(score.false_alarms, score.given);
            let band = Score::per_cent(score.in_band, true_ones);
            let warned = Score::per_cent(score.warned, score.last_hour);
            println!(
                "{:<15} {name:<8} {:>5} {false_rate:>6} {band:>6} {:>11} {:>8} {warned:>6}",
                format!("{kind:?}"),
                score.given,
                at_rank(50),
                at_rank(90)
            );
            if naive {
                naive_false = false_rate;
                naive_error = at_rank(50);
            } else {
                rates.push((false_rate, at_rank(50)));
                let most = match (kind, habits) {
                    (Kind::IdleAfterLunch, _) => 55,
                    (Kind::Bursty, _) | (Kind::Steady, false) => 28,
                    (Kind::Steady, true) => 12,
                };
                assert!(false_rate <= most, "{kind:?} {name}: {false_rate}% false alarms");
                assert!(band >= 68, "{kind:?} {name}: the band held in {band}%");
                assert!(warned >= 95, "{kind:?} {name}: {warned}% warned in the last hour");
            }
        }
        for (false_rate, error) in rates {
            assert!(false_rate < naive_false && error < naive_error, "{kind:?}: no better than the last half hour");
        }
    }
}

#[test]
fn nothing_is_forecast_while_nothing_happens() {
    let noon = at("2026-11-18T12:00:00Z");
    let mut books = Books::default();
    let limit = Limit {
        scope: Scope::default(),
        window: Window::Day,
        amount: Amount { tokens: Some(130_000), ..Amount::default() },
        warn_at: vec![80],
    };
    let rules = Rules { limits: vec![limit], ..Rules::new(Zone::UTC) };
    let mut meter = Meter::new(rules.clone(), noon);
    for number in 0..=120 {
        let when = noon - Duration::minutes(120 - number);
        meter.apply(&books.tell(call(&format!("{number}"), when).input(1_000)), when);
    }
    // 9,000 tokens are left, at a thousand a minute.
    let (likely, band) = meter.limits(noon)[0].projected.unwrap();
    assert!((7..=11).contains(&(likely - noon).num_minutes()), "{likely}");
    assert!(band.from <= likely && likely <= band.until && (band.until - band.from).num_minutes() <= 8, "{band:?}");
    // A second limit has room for a minute more: once no rate is shown, no time is named that moves on with the clock.
    let shown = |meter: &mut Meter, after: i64| {
        let summary = meter.summary(noon + Duration::minutes(after));
        let rate = summary.tokens_per_min;
        (rate > 0, summary.limits.iter().map(|limit| limit.projected.is_some()).collect::<Vec<_>>())
    };
    let near = Limit { amount: Amount { tokens: Some(122_000), ..Amount::default() }, ..rules.limits[0].clone() };
    let rules = Rules { limits: vec![near, rules.limits[0].clone()], ..rules };
    let mut meter = Meter::open(rules.clone(), Snapshot::ask(&books, &rules, &Follow::Latest, noon).unwrap());
    assert_eq!(shown(&mut meter, 5), (true, vec![true, true]));
    for after in 6..15 {
        assert_eq!(shown(&mut meter, after), (false, vec![false, true]), "{after}");
    }
    assert_eq!(shown(&mut meter, 15), (false, vec![false, false]));
}

#[test]
fn the_ends_of_day_and_month_are_forecast_from_what_was_spent() {
    let now = at("2026-11-18T12:00:00Z");
    let rules = Rules::new(Zone::UTC);
    // A dollar a day, in one call at noon, since the month began, and this many millionths today: no current activity.
    let with_today = |micros: u64| {
        let mut books = Books::default();
        for back in 0..18 {
            let input = if back == 0 { micros } else { 1_000_000 };
            books.tell(call(&format!("{back}"), now - Duration::days(back) - Duration::hours(1)).input(input));
        }
        Meter::open(rules.clone(), Snapshot::ask(&books, &rules, &Follow::Latest, now).unwrap()).summary(now)
    };
    let dollars = |usd: Option<tokmeter::testing::domain::Usd>| usd.unwrap().rounded(0);
    let summary = with_today(1_000_000);
    assert_eq!(dollars(summary.by_day_end), 1);
    // A dollar on each of seventeen whole days, today's, and twelve days to go.
    assert_eq!(dollars(summary.by_month_end), 30);
    // A quiet morning does not lower the month: today counts as an average day.
    let quiet = with_today(100_000);
    assert_eq!((dollars(quiet.by_day_end), dollars(quiet.by_month_end)), (0, 30));
    let begun = Meter::new(rules, now).summary(now);
    assert_eq!((begun.by_day_end, begun.by_month_end), (None, None));
}

#[test]
fn the_days_forecast_falls_little_by_little_after_the_last_call() {
    let noon = at("2026-11-18T12:00:00Z");
    let mut books = Books::default();
    for minute in 0..120 {
        books.tell(call(&format!("{minute}"), noon - Duration::minutes(minute)).input(1_000_000));
    }
    let rules = Rules::new(Zone::UTC);
    let mut meter = Meter::open(rules.clone(), Snapshot::ask(&books, &rules, &Follow::Latest, noon).unwrap());
    let expected: Vec<i128> = (10..=15)
        .map(|after| {
            let summary = meter.summary(noon + Duration::minutes(after));
            (summary.by_day_end.unwrap() - summary.today.cost).rounded(0)
        })
        .collect();
    assert!(expected[0] > 100 && expected[5] == 0, "{expected:?}");
    for pair in expected.windows(2) {
        assert!(pair[1] < pair[0] && (pair[0] - pair[1]) * 4 < expected[0], "{expected:?}");
    }
}

#[test]
fn a_month_is_never_forecast_below_one_of_its_days() {
    let now = at("2026-11-18T12:00:00Z");
    let mut books = Books::default();
    for back in 1..18 {
        books.tell(call(&format!("{back}"), now - Duration::days(back)).input(1_000_000));
    }
    // Since an hour ago a dollar every minute.
    for minute in 0..60 {
        books.tell(call(&format!("today{minute}"), now - Duration::minutes(minute)).input(1_000_000));
    }
    let rules = Rules::new(Zone::UTC);
    let summary = Meter::open(rules.clone(), Snapshot::ask(&books, &rules, &Follow::Latest, now).unwrap()).summary(now);
    let (day, month) = (summary.by_day_end.unwrap(), summary.by_month_end.unwrap());
    assert!(month >= day, "{day:?} today, {month:?} in the month");
    // It includes the cost of the seventeen days before, and the same for each of the twelve days to come.
    assert_eq!((month - day).rounded(0), 17 + 12);
}

#[test]
fn a_limit_that_is_full_in_minutes_is_full_at_the_rate_that_is_shown() {
    let now = at("2026-11-18T12:00:30Z");
    let limit = Limit {
        scope: Scope::default(),
        window: Window::Day,
        amount: Amount { usd: Some(tokmeter::testing::domain::Usd::from_micro(70_000_000)), ..Amount::default() },
        warn_at: vec![80],
    };
    let rules = Rules { limits: vec![limit], ..Rules::new(Zone::UTC) };
    let mut meter = Meter::new(rules, now);
    let mut books = Books::default();
    // Five dollars a minute for ten minutes: twenty are left.
    for second in (0..600).step_by(12) {
        let when = now - Duration::seconds(second);
        meter.apply(&books.tell(call(&format!("{second}"), when).input(1_000_000)), when);
    }
    let summary = meter.summary(now);
    let (likely, _) = summary.limits[0].projected.unwrap();
    let left = summary.limits[0].limit.amount.usd.unwrap().pico() - summary.today.cost.pico();
    let at_this_rate = left * 3600 / summary.cost_per_hour.pico();
    let forecast = i128::from((likely - now).num_seconds());
    assert!((forecast - at_this_rate).abs() * 4 <= at_this_rate, "{forecast} s, {at_this_rate} s at the rate shown");
}

#[test]
fn the_months_end_is_forecast_once_a_whole_day_is_known() {
    let now = at("2026-11-18T12:00:00Z");
    let rules = Rules::new(Zone::UTC);
    for (minutes, is_forecast) in [(12 * 60, false), (12 * 60 + 1, true)] {
        let mut books = Books::default();
        books.tell(call("first", now - Duration::minutes(minutes)).input(1_000_000));
        let snapshot = Snapshot::ask(&books, &rules, &Follow::Latest, now).unwrap();
        let summary = Meter::open(rules.clone(), snapshot).summary(now);
        assert_eq!(summary.by_month_end.is_some(), is_forecast, "after {minutes} minutes");
    }
}

#[test]
fn a_months_limit_is_full_before_the_months_end_exactly_if_the_forecast_of_the_month_says_so() {
    let now = at("2026-11-18T12:00:00Z");
    let mut books = Books::default();
    for back in 1..18 {
        books.tell(call(&format!("{back}"), now - Duration::days(back)).input(1_000_000));
    }
    // Thirty dollars within an hour: their rate would fill anything before the evening.
    for minute in 0..30 {
        books.tell(call(&format!("today{minute}"), now - Duration::minutes(2 * minute)).input(1_000_000));
    }
    let mut seen = BTreeSet::new();
    for allowed in [48, 50, 56, 59, 60, 90, 400, 2_000] {
        let amount =
            Amount { usd: Some(tokmeter::testing::domain::Usd::from_micro(allowed * 1_000_000)), ..Amount::default() };
        let limit = Limit { scope: Scope::default(), window: Window::Month, amount, warn_at: vec![80] };
        let rules = Rules { limits: vec![limit], ..Rules::new(Zone::UTC) };
        let snapshot = Snapshot::ask(&books, &rules, &Follow::Today, now).unwrap();
        let summary = Meter::open(rules, snapshot).summary(now);
        let state = &summary.limits[0];
        let is_full = summary.by_month_end.unwrap() >= amount.usd.unwrap();
        assert_eq!(state.projected.is_some(), is_full, "{allowed}: {:?} {:?}", state.projected, summary.by_month_end);
        seen.insert(is_full);
        if let Some((likely, band)) = state.projected {
            assert!(band.from <= likely && likely <= band.until && now < likely, "{allowed}: {likely} {band:?}");
            let is_today = likely < at("2026-11-19T00:00:00Z");
            let by_midnight = summary.month.cost - summary.today.cost + summary.by_day_end.unwrap();
            assert_eq!(is_today, by_midnight >= amount.usd.unwrap(), "{allowed}: {likely}");
        }
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn the_rate_that_is_shown_leads_to_a_time_within_the_band() {
    let now = at("2026-11-18T12:00:30Z");
    let mut books = Books::default();
    // Two quiet hours, and ten times as much in each of the last minutes.
    for minute in 0..120 {
        let input = if minute < 4 { 1_000_000 } else { 100_000 };
        books.tell(call(&format!("{minute}"), now - Duration::minutes(minute)).input(input));
    }
    for allowed in [16, 20, 40, 80] {
        let amount =
            Amount { usd: Some(tokmeter::testing::domain::Usd::from_micro(allowed * 1_000_000)), ..Amount::default() };
        let limit = Limit { scope: Scope::default(), window: Window::Day, amount, warn_at: vec![80] };
        let rules = Rules { limits: vec![limit], ..Rules::new(Zone::UTC) };
        let snapshot = Snapshot::ask(&books, &rules, &Follow::Today, now).unwrap();
        let summary = Meter::open(rules, snapshot).summary(now);
        let Some((_, band)) = summary.limits[0].projected else { continue };
        let left = amount.usd.unwrap().pico() - summary.today.cost.pico();
        let seconds = i64::try_from(left * 3600 / summary.cost_per_hour.pico()).unwrap();
        let straight = now + Duration::seconds(seconds);
        let slack = Duration::seconds(2);
        assert!(band.from - slack <= straight && straight <= band.until + slack, "{allowed}: {straight} {band:?}");
    }
}

#[test]
fn a_months_limit_without_work_is_full_at_a_time_that_does_not_move_with_the_clock() {
    let midnight = at("2026-11-18T00:00:00Z");
    let mut books = Books::default();
    for back in 1..18 {
        books.tell(call(&format!("{back}"), midnight - Duration::days(back) + Duration::hours(12)).input(1_000_000));
    }
    // A quarter of a day's dollar is left.
    let amount = Amount { usd: Some(tokmeter::testing::domain::Usd::from_micro(17_250_000)), ..Amount::default() };
    let limit = Limit { scope: Scope::default(), window: Window::Month, amount, warn_at: vec![80] };
    let rules = Rules { limits: vec![limit], ..Rules::new(Zone::UTC) };
    let likely = |minutes: i64| {
        let now = midnight + Duration::minutes(minutes);
        let snapshot = Snapshot::ask(&books, &rules, &Follow::Today, now).unwrap();
        Meter::open(rules.clone(), snapshot).summary(now).limits[0].projected.unwrap().0
    };
    for minutes in [1, 60, 240, 359] {
        assert_eq!(likely(minutes), midnight + Duration::hours(6), "{minutes}");
    }
    for minutes in [361, 720, 1080, 1380, 1430, 1439] {
        assert_eq!(likely(minutes), midnight + Duration::hours(30), "{minutes}");
    }
}

#[test]
fn a_rate_has_the_marks_of_the_calls_that_it_counts_and_not_those_of_the_day() {
    let midnight = at("2026-11-18T00:00:00Z");
    let rules = Rules::new(Zone::UTC);
    let summary = |calls: Vec<Told>, now: Instant| {
        let mut books = Books::default();
        for call in calls {
            books.tell(call);
        }
        Meter::open(rules.clone(), Snapshot::ask(&books, &rules, &Follow::Today, now).unwrap()).summary(now)
    };
    let before = || call("a", midnight - Duration::minutes(1)).input(100).model("free-of-a-price");
    // Yesterday's call without a price makes the rate unknown, although today has no call at all.
    let begun = summary(vec![before()], midnight + Duration::minutes(1));
    assert_eq!((begun.today.calls, begun.of_rate.calls, begun.of_rate.unpriced_tokens), (0, 1, 100));
    assert!(begun.of_rate.is_unpriced() && begun.fleet.iter().all(|line| line.of_rate.is_unpriced()));
    // A call with a price, hours earlier today, does not make it known.
    let noon = midnight + Duration::hours(12);
    let priced = call("b", midnight + Duration::hours(1)).input(1_000_000);
    let later =
        summary(vec![priced.clone(), call("c", noon).input(7).model("free-of-a-price")], noon + Duration::minutes(1));
    assert!(!later.today.is_unpriced() && later.of_rate.is_unpriced());
    // And one without, hours ago, marks no rate of today's priced calls.
    let mixed = summary(vec![before(), call("d", noon).input(1_000_000)], noon + Duration::minutes(1));
    assert_eq!((mixed.of_rate.calls, mixed.of_rate.unpriced_tokens), (1, 0));
    let idle = summary(vec![before(), priced], noon);
    assert_eq!(idle.of_rate, tokmeter::testing::ledger::Sums::default());
}
