//! Forecasts when a limit will be reached, as a likely time with a band, and the spending by the end of the day or
//! month.
//!
//! The near future continues the rate of the last quarter hour, with the latest minutes weighted most. Further ahead
//! the rate returns to the average of the last hours, halving the difference every ten minutes, because the last half
//! hour alone overreacts. The rate that the screen shows is within the band. Work is expected only during usual hours
//! or, while these are unknown, for as long again as it has lasted today. Ten minutes after the last call less of it is
//! expected with each minute, and after a quarter of an hour none.

use std::collections::BTreeSet;

use chrono::{Duration, Timelike};

use super::amount::Measure;
use super::curve::Ahead;
use super::limit::{LimitState, Rules};
use super::rate::{KEPT, Minutes, Spent};
use super::recent::minute_of;
use super::window::Window;
use crate::domain::{Day, Filter, Instant, Span, Usd, Zone, day_of, day_start};
use crate::ledger::{Grain, Ledger, LedgerError, PeriodKey, Query};

/// Days of history used to derive the usual hours.
const DAYS: Duration = Duration::days(7);
/// Minimum number of days with usage needed for that.
const ENOUGH_DAYS: usize = 3;
/// Minutes without usage after which there is no forecast.
const IDLE: i64 = 15;
/// Minutes without usage from which on less and less work is expected.
const PAUSE: i64 = 10;
/// Step size in minutes for the near future. Beyond a day, steps are hours.
const STEP: i64 = 5;
/// Upper bound for spending per minute, to prevent overflow: a trillion dollars.
const MOST: i128 = 1 << 80;
/// One, in the fixed point of rates and weights.
const ONE: i128 = 1 << 20;
/// 2^(-5/10): the part of the difference between near and long-term rate that remains after one step.
const FADE_STEP: i128 = 741_455;

/// Usual working hours in the local day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Habits {
    /// Activity in each hour, in per cent of a busy hour; `None` while too little is known.
    usual: Option<[u8; 24]>,
}

impl Habits {
    /// Derives the hours from the last days in the ledger.
    pub(crate) fn ask(books: &dyn Ledger, rules: &Rules, now: Instant) -> Result<Self, LedgerError> {
        let today = day_start(day_of(now, rules.zone), rules.zone);
        let query = Query {
            filter: Filter { only: Vec::new(), since: today.checked_sub_signed(DAYS), until: Some(today) },
            ..Query::new(Grain::Hour, rules.zone)
        };
        let used = books.report(&query)?.rows.into_iter().filter_map(|row| {
            let PeriodKey::Hour(from) = row.period else { return None };
            Some((from, row.sums.calls))
        });
        Ok(Self::from_use(used, rules.zone))
    }

    /// Derives the hours from the number of calls per hour.
    fn from_use(used: impl Iterator<Item = (Instant, u64)>, zone: Zone) -> Self {
        let (mut days, mut calls) = (BTreeSet::new(), [0_u64; 24]);
        for (hour, count) in used.filter(|(_, count)| *count > 0) {
            days.insert(day_of(hour, zone));
            if let Some(there) = calls.get_mut(hour_of(hour, zone)) {
                *there = there.saturating_add(count);
            }
        }
        if days.len() < ENOUGH_DAYS {
            return Self::default();
        }
        // A busy hour is at least half as busy as the busiest one. The average of these is the reference.
        let most = calls.iter().copied().max().unwrap_or(0);
        let busy: Vec<u64> = calls.iter().copied().filter(|calls| calls.saturating_mul(2) >= most).collect();
        let whole = busy.iter().map(|calls| u128::from(*calls)).sum::<u128>().max(1);
        let hours = u128::try_from(busy.len()).unwrap_or(1);
        let per_cent = |calls: u64| u8::try_from((u128::from(calls) * 100 * hours / whole).min(100)).unwrap_or(100);
        Self { usual: Some(calls.map(per_cent)) }
    }
}

fn hour_of(at: Instant, zone: Zone) -> usize {
    usize::try_from(at.with_timezone(&zone).hour()).unwrap_or(0)
}

/// Inputs to a forecast.
pub(crate) struct Outlook<'a> {
    pub(crate) minutes: &'a Minutes,
    pub(crate) habits: &'a Habits,
    pub(crate) zone: Zone,
    pub(crate) now: Instant,
}

/// Spending rate in units per minute, in fixed point (see [`ONE`]).
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// The rate shown to people: that of the last minutes.
    shown: i128,
    near: i128,
    sustained: i128,
    /// Minutes since the last call.
    idle: i64,
    /// The part of this work that is still expected, in fixed point (see [`ONE`]).
    going_on: i128,
    /// Minutes since the work began.
    lasted: i64,
    /// How much ten-minute intervals vary: standard deviation over mean, in fixed point (see [`ONE`]).
    variation: i128,
    /// Number of ten-minute intervals observed.
    seen: i128,
}

impl Outlook<'_> {
    /// When this limit will be reached, with a band; `None` when idle, or if it resets first.
    pub(crate) fn projected(&self, state: &LimitState) -> Option<(Instant, Span)> {
        let kinds = Measure::ALL.into_iter().filter(|measure| measure.amount_of(&state.limit.amount).is_some());
        kinds.filter_map(|measure| self.hit_of(state, measure)).min_by_key(|(likely, _)| *likely)
    }

    /// Like [`projected`](Self::projected), but only if it is before `until`, and based on the current rate alone: no
    /// long-run average fills hours about which nothing is known.
    pub(crate) fn projected_before(&self, state: &LimitState, until: Instant) -> Option<(Instant, Span)> {
        let kinds = Measure::ALL.into_iter().filter(|measure| measure.amount_of(&state.limit.amount).is_some());
        kinds.filter_map(|measure| self.hit_before(state, measure, None, until)).min_by_key(|(likely, _)| *likely)
    }

    fn hit_of(&self, state: &LimitState, measure: Measure) -> Option<(Instant, Span)> {
        let used = measure.amount_of(&state.used)?;
        let until = match state.limit.window {
            Window::Call => return None,
            // Usage that will leave a rolling window is not forecast. Look ahead by the length of the window, at most a
            // day.
            Window::Rolling(length) => self.now.checked_add_signed(length.min(Duration::days(1)))?,
            Window::Session | Window::Run => self.now.checked_add_signed(Duration::days(1))?,
            Window::Total => self.now.checked_add_signed(Duration::days(31))?,
            Window::Hour | Window::Day | Window::Week | Window::Month | Window::Block => state.span?.until,
        };
        let long_run = state.span.and_then(|span| long_run(used, span.from, self.now));
        self.hit_before(state, measure, long_run, until)
    }

    fn hit_before(
        &self,
        state: &LimitState,
        measure: Measure,
        long_run: Option<i128>,
        until: Instant,
    ) -> Option<(Instant, Span)> {
        let (allowed, used) = (measure.amount_of(&state.limit.amount)?, measure.amount_of(&state.used)?);
        let left = allowed.checked_sub(used).filter(|left| *left > 0)?;
        let pace = self.pace(measure)?;
        let when = |scale: i128| self.reaches(left, pace, scale, long_run, until);
        let likely = when(ONE)?;
        let minutes_to = |at: Instant| at.signed_duration_since(self.now).num_minutes();
        // If the shown rate is already zero, do not name a time that would keep moving with the clock, which is any
        // time closer than the pause has been long if the work went on.
        if pace.shown == 0 {
            let if_it_went_on = self.reaches(left, Rate { going_on: ONE, ..pace }, ONE, long_run, until)?;
            if minutes_to(if_it_went_on) < pace.idle {
                return None;
            }
        }
        let ahead = minutes_to(likely);
        let spread = spread(pace, ahead);
        let early = when(ONE + spread).unwrap_or(likely).min(likely);
        let late = when(ONE * ONE / (ONE + spread)).unwrap_or(until).max(likely);
        // The band also includes the time at which the shown rate, if constant, would reach the limit.
        let straight = self.straight(left, pace.shown).filter(|at| *at < until).unwrap_or(until);
        let (early, late) = (early.min(straight), late.max(straight));
        Some((likely, Span { from: early, until: late }))
    }

    /// Expected spending until a time, at the likely rate.
    pub(crate) fn expected(&self, until: Instant, long_run: Option<i128>) -> Usd {
        Usd::from_pico(self.expected_of(Measure::Usd, until, long_run))
    }

    /// Like [`expected`](Self::expected), for any unit.
    pub(crate) fn expected_of(&self, measure: Measure, until: Instant, long_run: Option<i128>) -> i128 {
        let Some(pace) = self.pace(measure) else {
            let minutes = i128::from(until.signed_duration_since(self.now).num_minutes().max(0));
            return long_run.unwrap_or(0).saturating_mul(minutes) / ONE;
        };
        let mut spent = 0_i128;
        self.walk(pace, ONE, long_run, until, |_, _, amount| {
            spent = spent.saturating_add(amount);
            true
        });
        spent / ONE
    }

    /// Forecast from now until a time, in steps, with a band. Empty when idle.
    pub(crate) fn ahead(&self, until: Instant) -> Vec<Ahead> {
        let Some(pace) = self.pace(Measure::Usd) else { return Vec::new() };
        let (mut all, mut likely, mut most) = (Vec::new(), 0_i128, 0_i128);
        self.walk(pace, ONE, None, until, |at, seconds, amount| {
            likely = likely.saturating_add(amount / ONE);
            let end = at.checked_add_signed(Duration::seconds(seconds)).unwrap_or(until).min(until);
            let width = ONE + spread(pace, end.signed_duration_since(self.now).num_minutes());
            most = most.max(likely.saturating_mul(width) / ONE);
            let least = likely.saturating_mul(ONE) / width;
            let [least, likely, most] = [least, likely, most].map(Usd::from_pico);
            all.push(Ahead { at: end, least, likely, most });
            true
        });
        all
    }

    /// The rate of the last hours; `None` when idle.
    fn pace(&self, measure: Measure) -> Option<Rate> {
        let this = minute_of(self.now);
        let spent = |spent: &Spent| match measure {
            Measure::Usd => spent.usd.pico(),
            Measure::Tokens => i128::from(spent.tokens),
            Measure::OutputTokens => i128::from(spent.output),
        };
        let minutes: Vec<(i64, i128)> = self
            .minutes
            .iter()
            .map(|(minute, amount)| (this - minute, spent(amount).clamp(0, MOST)))
            .filter(|(age, amount)| (0..KEPT).contains(age) && *amount > 0)
            .collect();
        let (oldest, newest) = (minutes.first()?.0, minutes.last()?.0);
        if newest >= IDLE {
            return None;
        }
        let lasted = oldest + 1;
        let total: i128 = minutes.iter().map(|(_, amount)| amount).sum();
        let blocks = i128::from(lasted.max(30).div_euclid(10));
        let mut stretches = vec![0_i128; usize::try_from(blocks).unwrap_or(1).max(1)];
        for (age, amount) in &minutes {
            let last = stretches.len() - 1;
            let at = usize::try_from(age.div_euclid(10)).unwrap_or(0).min(last);
            stretches[at] += amount;
        }
        let mean = (total / blocks).max(1);
        let squares: i128 = stretches
            .iter()
            .map(|amount| {
                let off = ((amount - mean).saturating_mul(1024) / mean).clamp(-1 << 20, 1 << 20);
                off * off
            })
            .sum();
        let deviation = u128::try_from(squares / blocks).unwrap_or(0).isqrt();
        Some(Rate {
            shown: self.minutes.rate_of(self.now, ONE, |amount| spent(amount).clamp(0, MOST)),
            near: self.minutes.fading_rate_of(self.now, ONE, |amount| spent(amount).clamp(0, MOST)),
            sustained: total.saturating_mul(ONE) / i128::from(lasted.max(30)),
            idle: newest,
            going_on: i128::from((IDLE - newest).min(IDLE - PAUSE)) * ONE / i128::from(IDLE - PAUSE),
            lasted,
            variation: i128::try_from(deviation).unwrap_or(0) * (ONE / 1024),
            seen: blocks,
        })
    }

    /// When this much more will have been used at a constant rate.
    fn straight(&self, left: i128, rate: i128) -> Option<Instant> {
        let seconds = left.saturating_mul(ONE).saturating_mul(60).checked_div(rate)?;
        self.now.checked_add_signed(i64::try_from(seconds).ok().and_then(Duration::try_seconds)?)
    }

    /// When this much more will have been used, if that is before `until`.
    fn reaches(&self, left: i128, pace: Rate, scale: i128, long_run: Option<i128>, until: Instant) -> Option<Instant> {
        let (mut sum, left, mut found) = (0_i128, left.saturating_mul(ONE), None);
        self.walk(pace, scale, long_run, until, |at, seconds, amount| {
            let before = sum;
            sum = sum.saturating_add(amount);
            if sum < left {
                return true;
            }
            let seconds = i128::from(seconds).saturating_mul(left - before) / amount.max(1);
            let seconds = i64::try_from(seconds).unwrap_or(0);
            found = at.checked_add_signed(Duration::seconds(seconds)).filter(|at| *at < until);
            false
        });
        found
    }

    /// Steps through the time until `until`. Calls `each` with the start, seconds and expected usage of each step,
    /// until it returns false. The last step ends at `until`.
    fn walk(
        &self,
        pace: Rate,
        scale: i128,
        long_run: Option<i128>,
        until: Instant,
        mut each: impl FnMut(Instant, i64, i128) -> bool,
    ) {
        let today_ends = self.now.checked_add_signed(Duration::hours(24)).unwrap_or(until);
        let (mut at, mut apart) = (self.now, pace.near - pace.sustained);
        let today = day_of(self.now, self.zone);
        while at < until {
            let near = at < today_ends;
            let minutes = if near { STEP } else { 60 };
            let next = at.checked_add_signed(Duration::minutes(minutes)).unwrap_or(until).min(until);
            let length = (next - at).num_seconds().max(1);
            let ahead = (at - self.now).num_minutes();
            let working = pace.sustained.saturating_add(apart);
            let a_minute = match self.works(at, today, ahead, pace.lasted) {
                Some(per_cent) => working.saturating_mul(per_cent) / 100 * pace.going_on / ONE,
                None => long_run.unwrap_or(0).min(pace.sustained),
            };
            apart = apart.saturating_mul(FADE_STEP) / ONE;
            let amount = (a_minute.saturating_mul(length.into()) / 60).saturating_mul(scale >> 10) / (ONE >> 10);
            if !each(at, length, amount) {
                return;
            }
            at = next;
        }
    }

    /// Expected activity at a time, in per cent of the rate; `None` if only the long-run rate is known.
    fn works(&self, at: Instant, today: Day, ahead: i64, lasted: i64) -> Option<i128> {
        match self.habits.usual {
            Some(usual) if ahead < 60 || day_of(at, self.zone) == today => {
                let usual = i128::from(usual.get(hour_of(at, self.zone)).copied().unwrap_or(0));
                // Someone who is working now will not stop within minutes just because it is late.
                let going_on = i128::from((100 - ahead * 100 / lasted.clamp(30, 60)).max(0));
                Some(usual.max(going_on))
            }
            None if ahead < lasted.max(60) => Some(100),
            Some(_) | None => None,
        }
    }
}

/// A period's average rate in units per minute, in fixed point (see [`ONE`]), nights included; `None` within its first
/// day.
fn long_run(used: i128, from: Instant, now: Instant) -> Option<i128> {
    let minutes = now.signed_duration_since(from).num_minutes();
    (minutes >= 1440).then(|| used.max(0).saturating_mul(ONE) / i128::from(minutes))
}

/// Uncertainty of the rate, in fixed point (see [`ONE`]). It grows with the variation and shrinks with the time over
/// which that averages out.
fn spread(pace: Rate, ahead: i64) -> i128 {
    let blocks = i128::from(ahead / 10).max(1);
    // The square root of 1/blocks + 1/seen, in fixed point.
    let inverse = ONE * ONE / blocks + ONE * ONE / pace.seen.max(1);
    let root = i128::try_from(u128::try_from(inverse).unwrap_or(0).isqrt()).unwrap_or(ONE);
    (pace.variation.saturating_mul(root) / ONE * 16 / 10).clamp(ONE / 5, ONE * 4)
}
