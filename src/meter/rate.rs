//! Spending per minute, and the rate over the last minutes.

use std::collections::BTreeMap;

use super::recent::minute_of;
use super::used::Used;
use crate::domain::{Instant, Label, Tokens, Usd};
use crate::ledger::Sums;
use crate::pricing::Rates;

/// Minutes in a trend.
pub(crate) const TREND: usize = 180;
/// Number of minutes remembered.
pub(crate) const KEPT: i64 = 180;
/// Number of minutes over which the displayed rate is taken.
pub(crate) const RATE: i64 = 5;
/// Minimum number of seconds over which a rate is taken, because a single first call has no rate.
const SHORTEST: i64 = 120;
/// Seconds after which a rate that falls without calls is displayed again.
const STEP: i64 = 15;
/// Weight of a minute in a forecast's rate, by age: it halves every five minutes and is zero after fifteen.
const WEIGHTS: [i128; 15] =
    [65536, 57052, 49667, 43238, 37641, 32768, 28526, 24834, 21619, 18820, 16384, 14263, 12417, 10809, 9410];
/// Minutes after the latest call during which the numbers change without calls. After that there is no forecast.
const MOVING: i64 = 15;
/// Minutes by which the clock may be behind the log's before it is considered wrong.
const AHEAD: i64 = 2;

/// The oldest minute that is still complete. Older ones may have been dropped.
fn oldest_of(now: Instant) -> i64 {
    minute_of(now) - i64::try_from(TREND).unwrap_or(i64::MAX) + 1
}

/// Start of the next minute.
pub(crate) fn next_minute(now: Instant) -> Option<Instant> {
    next_of(now, 60)
}

/// When a rate that falls without calls is displayed again.
pub(crate) fn next_rate(now: Instant) -> Option<Instant> {
    next_of(now, STEP)
}

fn next_of(now: Instant, seconds: i64) -> Option<Instant> {
    Instant::from_timestamp(now.timestamp().div_euclid(seconds).saturating_add(1).saturating_mul(seconds), 0)
}

/// The oldest minute of the rate, which only partly counts.
fn first_of_rate(now: Instant) -> i64 {
    minute_of(now) - RATE
}

/// Spending, in the units of limits, and the marks of its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) usd: Usd,
    pub(crate) tokens: u64,
    pub(crate) output: u64,
    calls: u64,
    unpriced_tokens: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
}

impl Spent {
    /// Spending from the sums of one model, with unpriced tokens at the fallback rates, if there are any.
    pub(crate) fn from_sums(sums: &Sums, fallback: Option<&Rates>) -> Self {
        let used = Used::from_sums(sums, fallback);
        Self {
            usd: used.usd,
            tokens: used.tokens,
            output: used.output,
            calls: sums.calls,
            unpriced_tokens: sums.unpriced_tokens,
            lower_bound_calls: sums.lower_bound_calls,
            guessed_calls: sums.guessed_calls,
        }
    }

    fn add(&mut self, other: &Self) {
        self.usd += other.usd;
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.output = self.output.saturating_add(other.output);
        self.calls = self.calls.saturating_add(other.calls);
        self.unpriced_tokens = self.unpriced_tokens.saturating_add(other.unpriced_tokens);
        self.lower_bound_calls = self.lower_bound_calls.saturating_add(other.lower_bound_calls);
        self.guessed_calls = self.guessed_calls.saturating_add(other.guessed_calls);
    }

    fn sub(&mut self, other: &Self) {
        self.usd -= other.usd;
        self.tokens = self.tokens.saturating_sub(other.tokens);
        self.output = self.output.saturating_sub(other.output);
        self.calls = self.calls.saturating_sub(other.calls);
        self.unpriced_tokens = self.unpriced_tokens.saturating_sub(other.unpriced_tokens);
        self.lower_bound_calls = self.lower_bound_calls.saturating_sub(other.lower_bound_calls);
        self.guessed_calls = self.guessed_calls.saturating_sub(other.guessed_calls);
    }
}

/// Spending in each of the last minutes, oldest first. The current minute is last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trend {
    /// Dollars.
    pub usd: Vec<Usd>,
    /// Tokens.
    pub tokens: Vec<u64>,
}

/// Spending over the last minutes, by model.
pub(crate) type Paces = BTreeMap<Option<Label>, Minutes>;

/// Spending per minute for the last three hours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Minutes {
    spent: BTreeMap<i64, Spent>,
}

impl Minutes {
    /// The sum of several.
    pub(crate) fn of_all<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut together = Self::default();
        for minutes in all {
            together.merge(minutes);
        }
        together
    }

    /// Adds a call's spending, unless it is too old.
    pub(crate) fn add(&mut self, at: Instant, spent: &Spent, now: Instant) {
        self.spent.entry(minute_of(at)).or_default().add(spent);
        while let Some(oldest) = self.spent.first_entry() {
            if *oldest.key() > minute_of(now) - KEPT {
                break;
            }
            oldest.remove();
        }
    }

    /// Subtracts a call's spending.
    pub(crate) fn sub(&mut self, at: Instant, spent: &Spent) {
        let minute = minute_of(at);
        if let Some(there) = self.spent.get_mut(&minute) {
            there.sub(spent);
            if *there == Spent::default() {
                self.spent.remove(&minute);
            }
        }
    }

    /// Adds other minutes.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (minute, spent) in &other.spent {
            self.spent.entry(*minute).or_default().add(spent);
        }
    }

    /// Spending in each of the [`TREND`] minutes until a time, as far as they are still remembered.
    pub(crate) fn trend(&self, until: Instant, now: Instant) -> Trend {
        let last = minute_of(until);
        let first = last - i64::try_from(TREND).unwrap_or(i64::MAX) + 1;
        let known = self.spent.range(oldest_of(now)..=last.max(oldest_of(now)));
        if known.clone().next().is_none() {
            return Trend::default();
        }
        let mut trend = Trend { usd: vec![Usd::ZERO; TREND], tokens: vec![0; TREND] };
        for (minute, spent) in known {
            let Ok(at) = usize::try_from(minute - first) else { continue };
            if let (Some(usd), Some(tokens)) = (trend.usd.get_mut(at), trend.tokens.get_mut(at)) {
                (*usd, *tokens) = (spent.usd, spent.tokens);
            }
        }
        trend
    }

    /// The latest minute with any spending.
    pub(crate) fn latest(&self, now: Instant) -> Option<Instant> {
        let last = self.spent.keys().next_back().filter(|last| **last >= oldest_of(now))?;
        Instant::from_timestamp(last.saturating_mul(60), 0)
    }

    /// True while the trend, or a forecast based on it, changes without calls.
    pub(crate) fn is_moving(&self, now: Instant) -> bool {
        self.spent.range(minute_of(now) - MOVING + 1..).next().is_some()
    }

    /// True while the rate is not zero, and therefore falls without calls.
    pub(crate) fn has_rate(&self, now: Instant) -> bool {
        self.spent.range(first_of_rate(now)..).next().is_some()
    }

    /// Tokens per minute and dollars per hour over the last [`RATE`] minutes, or the time since all work
    /// [began](Self::began) in this minute. With one beginning for all, the rates of sessions add up to that of the
    /// day.
    ///
    /// Only the log's own minutes count, so suspending the machine or clock jumps cause no peaks.
    pub(crate) fn rate(&self, began: i64, now: Instant) -> (u64, Usd) {
        let tokens = self.rate_since(began, now, 1, |spent| i128::from(spent.tokens));
        let pico = self.rate_since(began, now, 60, |spent| spent.usd.pico());
        (u64::try_from(tokens.max(0)).unwrap_or(u64::MAX), Usd::from_pico(pico.max(0)))
    }

    /// The calls that the rate counts, of which it has the marks: their number, cost, tokens and marks. The classes of
    /// their tokens and what they saved are not kept.
    pub(crate) fn of_rate(&self, now: Instant) -> Sums {
        let mut all = Spent::default();
        for (_, spent) in self.spent.range(first_of_rate(now)..=minute_of(now) + AHEAD) {
            all.add(spent);
        }
        Sums {
            calls: all.calls,
            tokens: Tokens { input: all.tokens.saturating_sub(all.output), output: all.output, ..Tokens::ZERO },
            cost: all.usd,
            saved: Usd::ZERO,
            unpriced_tokens: all.unpriced_tokens,
            lower_bound_calls: all.lower_bound_calls,
            guessed_calls: all.guessed_calls,
        }
    }

    /// The rate of one unit per minute, times `scale`: the spending over the last [`RATE`] minutes divided by their
    /// length. If the work began within these minutes, only the time since then counts, so that the rate does not start
    /// too low.
    pub(crate) fn rate_of(&self, now: Instant, scale: i128, amount: impl Fn(&Spent) -> i128) -> i128 {
        self.rate_since(self.began(now), now, scale, amount)
    }

    fn rate_since(&self, began: i64, now: Instant, scale: i128, amount: impl Fn(&Spent) -> i128) -> i128 {
        let first = first_of_rate(now);
        // Count only the part of the oldest minute that is still in range, so that the rate never rises without a call.
        let left = 60 - i128::from(now.timestamp().rem_euclid(60));
        let lately = self.spent.range(first..=minute_of(now) + AHEAD);
        let sum = lately.fold(0_i128, |sum, (minute, spent)| {
            let seconds = if *minute == first { left } else { 60 };
            sum.saturating_add(amount(spent).saturating_mul(seconds))
        });
        let since = began.saturating_mul(60);
        let seconds = now.timestamp().saturating_sub(since).clamp(SHORTEST, RATE * 60);
        sum.saturating_mul(scale) / i128::from(seconds)
    }

    /// The rate at which a forecast starts, for one unit per minute, times `scale`. It is weighted towards the last
    /// minutes and zero after fifteen idle ones. It is steadier than the displayed rate.
    pub(crate) fn fading_rate_of(&self, now: Instant, scale: i128, amount: impl Fn(&Spent) -> i128) -> i128 {
        let this = minute_of(now);
        let (mut sum, mut oldest) = (0_i128, None);
        for (minute, spent) in self.spent.range(this - 14..=this + AHEAD) {
            let age = usize::try_from(this - minute).unwrap_or(0);
            let weight = WEIGHTS.get(age).copied().unwrap_or(0);
            oldest = oldest.or(Some(age));
            sum = sum.saturating_add(amount(spent).saturating_mul(weight));
        }
        let Some(oldest) = oldest else { return 0 };
        // The current minute counts as far as it has progressed. A single first call counts as two minutes.
        let running = WEIGHTS[0] * i128::from(now.timestamp().rem_euclid(60)) / 60;
        let whole: i128 = WEIGHTS.iter().skip(1).take(oldest).sum();
        let over = (running + whole).max(WEIGHTS[0] + WEIGHTS[1]);
        sum.saturating_mul(scale) / over
    }

    /// The minute in which the current work began: the first one after a pause as long as the rate's window.
    pub(crate) fn began(&self, now: Instant) -> i64 {
        let (mut began, oldest) = (i64::MAX, first_of_rate(now) - RATE);
        for minute in self.spent.range(oldest..=minute_of(now) + AHEAD).rev().map(|(minute, _)| *minute) {
            if began.saturating_sub(minute) > RATE && began < i64::MAX {
                break;
            }
            began = minute;
        }
        began
    }

    /// The minutes, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &Spent)> {
        self.spent.iter().map(|(minute, spent)| (*minute, spent))
    }
}
