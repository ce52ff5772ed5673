//! The simulated work shown by `demo`: two agents, one of them with sub-agents, four models, ninety days of history,
//! and a limit that is reached within a minute.
//!
//! Its numbers come from a fixed sequence, so every demo and every screenshot of it is the same.

use chrono::{Datelike, Duration};

use crate::domain::{Attribution, Call, CallKey, Instant, Label, Span, Tokens, Usd, Zone, day_of, day_start, sort_by};
use crate::meter::{Amount, Limit, Scope, Window};

/// One call, and its delay after the previous one.
pub(crate) struct Step {
    /// Delay after the previous call.
    pub(crate) after: Duration,
    /// The call. Its time is set during playback.
    pub(crate) call: Call,
}

/// The calls made before the demo starts, and those that it plays.
pub(crate) struct Scene {
    /// Ninety days of history, and today until now, oldest first.
    pub(crate) before: Vec<Call>,
    /// The calls to come.
    pub(crate) after: Vec<Step>,
}

/// Days of history before today.
const DAYS: i64 = 90;
/// Number of calls made today before the demo starts, including those of the last minutes.
const TODAY: u64 = 104;
const LATELY: u64 = 40;
/// Number of calls played.
const PLAYED: u64 = 400;
/// The daily limit in dollars. It reaches 80 and 100 per cent within a minute of a demo that runs at twenty times
/// normal speed.
const DAY_LIMIT: i64 = 10;

/// The limits of the demo.
pub(crate) fn limits() -> Vec<Limit> {
    let limit = |window, usd: i64| Limit {
        scope: Scope::default(),
        window,
        amount: Amount { usd: Some(Usd::from_micro(usd.saturating_mul(1_000_000))), ..Amount::default() },
        warn_at: vec![80],
    };
    vec![limit(Window::Day, DAY_LIMIT), limit(Window::Month, 400)]
}

/// Deterministic pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, from: u64, to: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from + (self.0 >> 33) % (to - from + 1)
    }
}

/// An agent working in one session. Its context grows until it is compacted.
struct Agent<'a> {
    source: &'static str,
    project: &'static str,
    session: String,
    user: &'a Label,
    context: u64,
}

impl<'a> Agent<'a> {
    fn claude(session: String, project: &'static str, user: &'a Label) -> Self {
        Self { source: "claude-code", project, session, user, context: 18_000 }
    }

    fn codex(session: String, project: &'static str, user: &'a Label) -> Self {
        Self { source: "codex", project, session, user, context: 12_000 }
    }

    /// Its next call.
    fn call(&mut self, dice: &mut Dice, number: usize, at: Instant) -> Call {
        let is_claude = self.source == "claude-code";
        let (model, agent) = match (is_claude, dice.roll(0, 19)) {
            (false, _) => ("gpt-5.6-sol", None),
            (true, 0..=5) => ("claude-haiku-4-5", Some("explore")),
            (true, 6..=7) => ("claude-sonnet-5", Some("review")),
            (true, _) => ("claude-opus-5", None),
        };
        let is_small = agent == Some("explore");
        let output = dice.roll(60, if is_small { 400 } else { 1_900 });
        let written = dice.roll(200, 4_800);
        let tokens = Tokens {
            input: if is_claude { dice.roll(2, 14) } else { written },
            cache_read: self.context,
            cache_write_5m: if is_claude && is_small { written } else { 0 },
            cache_write_1h: if is_claude && !is_small { written } else { 0 },
            output,
            reasoning: output / 3,
        };
        self.context = if self.context > 150_000 { 24_000 } else { self.context + written + output };
        let from = Attribution {
            session: Some(Label::new(&self.session)),
            agent: agent.map(Label::new),
            project: Some(Label::new(&format!("/home/alice/{}", self.project))),
            user: Some(self.user.clone()),
            ..Attribution::new(at, Label::new(self.source))
        };
        let key = CallKey::from_parts(&["demo", &self.session, &number.to_string()]);
        Call::new(key, from, Some(Label::new(model)), tokens)
    }
}

/// The demo at this time.
pub(crate) fn scene(now: Instant, zone: Zone, user: &Label) -> Scene {
    let mut before = history(&mut Dice(90), now, zone, user);
    // Today looks the same on every day, whatever the days before it were.
    let mut dice = Dice(2_026);
    let mut agents = [
        Agent::claude("3f2a91c0-demo".to_owned(), "api-server", user),
        Agent::codex("0192f7c4-demo".to_owned(), "web-frontend", user),
    ];
    let mut next = |dice: &mut Dice, number: u64, at: Instant| {
        // Two out of three calls are made by the first agent.
        let agent = &mut agents[usize::from(dice.roll(0, 2) == 0)];
        agent.call(dice, usize::try_from(number).unwrap_or(0), at)
    };
    // The morning, as far as there has been one, and then the last minutes without a pause.
    let midnight = day_start(day_of(now, zone), zone);
    let lately = (now - Duration::minutes(9)).max(midnight);
    let morning = Span { from: (now - Duration::hours(5)).max(midnight), until: lately };
    for (span, first, count) in
        [(morning, 0, TODAY - LATELY), (Span { from: lately, until: now }, TODAY - LATELY, LATELY)]
    {
        let mut times: Vec<i64> = (0..count).map(|_| seconds_in(span, &mut dice)).collect();
        sort_by(&mut times, Ord::cmp);
        for (number, seconds) in (first..).zip(times) {
            before.push(next(&mut dice, number, span.from + Duration::seconds(seconds)));
        }
    }
    let after = (TODAY..TODAY + PLAYED).map(|number| {
        // Bursts of work with pauses in between.
        let pause = if dice.roll(0, 11) == 0 { dice.roll(40, 80) } else { dice.roll(3, 18) };
        let call = next(&mut dice, number, now);
        Step { after: Duration::seconds(i64::try_from(pause).unwrap_or(5)), call }
    });
    let after = after.collect();
    Scene { before, after }
}

fn seconds_in(span: Span, dice: &mut Dice) -> i64 {
    let whole = u64::try_from((span.until - span.from).num_seconds()).unwrap_or(0);
    i64::try_from(dice.roll(0, whole)).unwrap_or(0)
}

/// Working days of nine hours, quiet weekends, and a holiday.
fn history(dice: &mut Dice, now: Instant, zone: Zone, user: &Label) -> Vec<Call> {
    let today = day_of(now, zone);
    let mut calls = Vec::new();
    for back in (1..=DAYS).rev() {
        let Some(day) = today.checked_sub_signed(Duration::days(back)) else { continue };
        let is_holiday = (35..44).contains(&back);
        let busy = match day.weekday().num_days_from_monday() {
            _ if is_holiday => 0,
            0 | 4 => 46,
            1..=3 => 72,
            5 => 9,
            _ => 4,
        };
        let midnight = day_start(day, zone);
        let mut agents = [
            Agent::claude(format!("{back:08x}-demo"), if back % 5 == 0 { "infra" } else { "api-server" }, user),
            Agent::codex(
                format!("{:08x}-demo", back + 4096),
                if back % 3 == 0 { "docs" } else { "web-frontend" },
                user,
            ),
        ];
        let count = if busy == 0 { 0 } else { busy + dice.roll(0, 22) };
        let mut times: Vec<i64> = (0..count)
            .map(|_| {
                // Mostly between nine and half past twelve, and between two and six.
                let hour =
                    if dice.roll(0, 9) < 4 { dice.roll(9 * 60, 12 * 60 + 30) } else { dice.roll(14 * 60, 18 * 60) };
                i64::try_from(hour * 60 + dice.roll(0, 59)).unwrap_or(0)
            })
            .collect();
        sort_by(&mut times, Ord::cmp);
        for (number, seconds) in times.into_iter().enumerate() {
            let at = midnight + Duration::seconds(seconds);
            let agent = &mut agents[usize::from(dice.roll(0, 2) == 0)];
            calls.push(agent.call(dice, number, at));
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Filter;
    use crate::pricing::{CostMode, PriceBook, Pricer as _};

    fn now() -> Instant {
        "2026-11-22T13:02:09Z".parse().unwrap()
    }

    #[test]
    fn the_scene_is_always_the_same_and_has_two_agents_and_a_sub_agent() {
        let user = Label::new("alice");
        let (one, two) = (scene(now(), Zone::UTC, &user), scene(now(), Zone::UTC, &user));
        assert_eq!(one.before, two.before);
        assert!(one.before.len() > 3_000 && one.before.iter().all(|call| call.at() <= now()));
        assert!(one.before.windows(2).all(|pair| pair[0].at() <= pair[1].at()));
        let mut keys: Vec<_> =
            one.before.iter().chain(one.after.iter().map(|step| &step.call)).map(|call| call.key).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "no call is counted for another");
        let of = |find: fn(&Call) -> Option<Label>| {
            let lately = one.before.iter().rev().take(40).filter_map(find).collect::<std::collections::BTreeSet<_>>();
            lately.len()
        };
        assert_eq!(of(|call| Some(call.from.source.clone())), 2);
        assert!(of(|call| call.model.clone()) >= 3 && of(|call| call.from.agent.clone()) >= 1);
        let days: std::collections::BTreeSet<_> = one.before.iter().map(|call| day_of(call.at(), Zone::UTC)).collect();
        assert!(days.len() > 75, "{}", days.len());
    }

    #[test]
    fn the_days_limit_passes_eighty_and_a_hundred_per_cent_within_a_minute() {
        let prices = PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto);
        for now in [now(), "2026-11-22T00:00:30Z".parse().unwrap(), "2026-11-22T23:10:00Z".parse().unwrap()] {
            let scene = scene(now, Zone::UTC, &Label::new("alice"));
            let day = Span::day(now, Zone::UTC);
            let cost = |call: &Call| prices.cost(call).usd().unwrap();
            let today = Filter { only: Vec::new(), since: Some(day.from), until: Some(day.until) };
            let mut spent: Usd = scene.before.iter().filter(|call| today.admits(call)).map(cost).sum();
            let limit = Usd::from_micro(DAY_LIMIT * 1_000_000);
            let share = |spent: Usd| spent.pico() * 100 / limit.pico();
            let begins = share(spent);
            let (mut seconds, mut passed) = (0.0, Vec::new());
            for step in &scene.after {
                seconds += f64::from(u32::try_from(step.after.num_seconds()).unwrap()) / 20.0;
                let before = share(spent);
                spent += cost(&step.call);
                passed.extend([80, 100].into_iter().filter(|at| before < *at && share(spent) >= *at).map(|_| seconds));
            }
            assert!((50..78).contains(&begins), "begins at {begins}%: {passed:?}");
            assert!(passed.len() == 2 && passed[0] > 5.0 && passed[1] < 60.0, "{begins}% {passed:?}");
        }
    }
}
