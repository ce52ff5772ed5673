//! Evaluates limits in exact integers.

use std::cmp::Reverse;

use super::limit::{Amount, Limit, LimitState, LimitedSession, Measure, Scope, Verdict};
use super::window::Window;
use crate::domain::{Instant, Label, Span, Tokens, Usd};
use crate::ledger::Sums;
use crate::pricing::Rates;

/// Usage in the units of limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Dollars, including unpriced tokens at the fallback rates if there are any.
    pub(crate) usd: Usd,
    /// Tokens of every class.
    pub(crate) tokens: u64,
    /// Output tokens.
    pub(crate) output: u64,
    /// True when the dollars are a lower bound.
    pub(crate) lower_bound: bool,
    /// True when some of the calls are guesses.
    pub(crate) guessed: bool,
}

impl Used {
    /// Usage from the sums of one model.
    pub(crate) fn from_sums(sums: &Sums, fallback: Option<&Rates>) -> Self {
        let unpriced = fallback.map(|rates| unpriced_cost(sums, rates));
        Self {
            usd: sums.cost + unpriced.unwrap_or_default(),
            tokens: sums.tokens.total(),
            output: sums.tokens.output,
            lower_bound: sums.lower_bound_calls > 0 || (sums.unpriced_tokens > 0 && unpriced.is_none()),
            // Fallback rates are a guess at the price.
            guessed: sums.guessed_calls > 0 || (sums.unpriced_tokens > 0 && unpriced.is_some()),
        }
    }

    /// The sum of two usages.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            usd: self.usd + other.usd,
            tokens: self.tokens.saturating_add(other.tokens),
            output: self.output.saturating_add(other.output),
            lower_bound: self.lower_bound || other.lower_bound,
            guessed: self.guessed || other.guessed,
        }
    }

    /// The maximum per unit.
    #[must_use]
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            usd: self.usd.max(other.usd),
            tokens: self.tokens.max(other.tokens),
            output: self.output.max(other.output),
            lower_bound: self.lower_bound || other.lower_bound,
            guessed: self.guessed || other.guessed,
        }
    }

    /// True when the other is at least this much in every unit.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.usd <= other.usd && self.tokens <= other.tokens && self.output <= other.output
    }

    /// True when the other equals this in any unit.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.usd == other.usd || self.tokens == other.tokens || self.output == other.output
    }

    /// Usage in the units that a limit states.
    pub(crate) fn amount(&self, stated: &Amount) -> Amount {
        Amount {
            usd: stated.usd.map(|_| self.usd),
            tokens: stated.tokens.map(|_| self.tokens),
            output_tokens: stated.output_tokens.map(|_| self.output),
        }
    }
}

/// Cost of a model's unpriced tokens at these rates.
///
/// Sums hold the number of unpriced tokens, but not their classes. If all of the model's tokens are unpriced the
/// classes are known; otherwise (a price was added later) the most expensive classes are assumed, so that a limit is
/// reached too early rather than too late.
fn unpriced_cost(sums: &Sums, rates: &Rates) -> Usd {
    let mut left = sums.unpriced_tokens;
    let mut classes = classes(&sums.tokens, rates);
    classes.sort_by_key(|(_, rate)| Reverse(*rate));
    let mut cost = Usd::ZERO;
    for (count, rate) in classes {
        let taken = count.min(left);
        left -= taken;
        cost += rate.times(taken);
    }
    cost
}

/// Each class with its cost per token; missing rates are the usual multiples of the input rate.
fn classes(tokens: &Tokens, rates: &Rates) -> [(u64, Usd); 5] {
    let of_input = |num, den| Usd::from_pico(rates.input.pico().saturating_mul(num) / den);
    [
        (tokens.input, rates.input),
        (tokens.cache_read, rates.cache_read.unwrap_or_else(|| of_input(1, 10))),
        (tokens.cache_write_5m, rates.cache_write_5m.unwrap_or_else(|| of_input(5, 4))),
        (tokens.cache_write_1h, rates.cache_write_1h.unwrap_or_else(|| of_input(2, 1))),
        (tokens.output, rates.output),
    ]
}

/// True when `used × 100 ≥ limit × per_cent` for any amount the limit states. An amount of zero is always reached.
pub(crate) fn reached(limit: &Amount, used: &Amount, per_cent: u8) -> bool {
    pairs(limit, used)
        .any(|(_, limit, used)| limit <= 0 || used.saturating_mul(100) >= limit.saturating_mul(i128::from(per_cent)))
}

/// The unit closest to its limit.
pub(crate) fn leading(limit: &Amount, used: &Amount) -> Option<Measure> {
    // Compared as fractions, never divided: used/limit > best is used × best.limit > best.used × limit.
    let mut best: Option<(Measure, i128, i128)> = None;
    for (measure, limit, used) in pairs(limit, used) {
        let nearer = best.is_none_or(|(_, best_limit, best_used)| {
            used.saturating_mul(best_limit) > best_used.saturating_mul(limit) || (limit <= 0 && best_limit > 0)
        });
        if nearer {
            best = Some((measure, limit, used));
        }
    }
    best.map(|(measure, ..)| measure)
}

/// Whole per cent used, rounded down; 100 for a limit of zero.
pub(crate) fn percent(limit: &Amount, used: &Amount) -> u64 {
    pairs(limit, used)
        .map(|(_, limit, used)| match used.max(0).saturating_mul(100).checked_div(limit) {
            Some(percent) if limit > 0 => u64::try_from(percent).unwrap_or(u64::MAX),
            Some(_) | None => 100,
        })
        .max()
        .unwrap_or(0)
}

pub(crate) fn verdict(limit: &Limit, used: &Amount) -> Verdict {
    if reached(&limit.amount, used, 100) {
        Verdict::Over
    } else if limit.warn_at.iter().any(|per_cent| reached(&limit.amount, used, *per_cent)) {
        Verdict::Near
    } else {
        Verdict::Under
    }
}

fn pairs(limit: &Amount, used: &Amount) -> impl Iterator<Item = (Measure, i128, i128)> {
    let (limit, used) = (*limit, *used);
    Measure::ALL.into_iter().filter_map(move |measure| {
        measure.amount_of(&limit).map(|allowed| (measure, allowed, measure.amount_of(&used).unwrap_or(0)))
    })
}

/// The state of a limit at this usage.
pub(crate) fn state(
    limit: &Limit,
    subject: Option<String>,
    session: Option<LimitedSession>,
    used: Used,
    span: Option<Span>,
) -> LimitState {
    let amount = used.amount(&limit.amount);
    LimitState {
        name: name(limit, subject.as_deref(), session.as_ref()),
        subject,
        session,
        used: amount,
        span,
        percent: percent(&limit.amount, &amount),
        verdict: verdict(limit, &amount),
        hit: None::<(Instant, Span)>,
        lower_bound: used.lower_bound && limit.amount.usd.is_some(),
        guessed: used.guessed,
        lifted: false,
        limit: limit.clone(),
    }
}

/// `daily`, `session api-server`, `alice daily`, `claude-opus-* monthly`, `each user daily` while nobody has used anything.
fn name(limit: &Limit, subject: Option<&str>, session: Option<&LimitedSession>) -> String {
    let Some(session) = session else { return stable_name(limit, subject) };
    let names = if limit.scope.each { Some(session.names.as_str()) } else { None };
    let mut words = stable_name(limit, names.filter(|names| !names.is_empty()));
    words.push(' ');
    words.push_str(&session.words());
    words
}

/// Usage of a budget by calls with these sums by model.
pub(crate) fn budget<'a>(
    amount: Amount,
    models: impl Iterator<Item = &'a Sums>,
    fallback: Option<&Rates>,
) -> LimitState {
    let limit = Limit { scope: Scope::default(), window: Window::Total, amount, warn_at: Vec::new() };
    let used = models.fold(Used::default(), |used, sums| used.and(Used::from_sums(sums, fallback)));
    LimitState { name: "budget".to_owned(), ..state(&limit, None, None, used, None) }
}

/// Tells sessions of one limit apart whose words are the same.
pub(crate) fn tell_apart(states: &mut [LimitState]) {
    let names: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
    for state in states {
        let Some(session) = &mut state.session else { continue };
        session.is_one_of_several = names.iter().filter(|name| **name == state.name).count() > 1;
        state.name = name(&state.limit, state.subject.as_deref(), state.session.as_ref());
    }
}

/// A limit's name by what never changes while it lasts: alerts are remembered by it.
pub(crate) fn stable_name(limit: &Limit, subject: Option<&str>) -> String {
    let mut words: Vec<String> = match subject {
        Some(subject) if limit.scope.each => vec![subject.to_owned()],
        Some(_) | None => (limit.scope.only.iter())
            .map(|(dimension, names)| match names.as_str() {
                "*" if limit.scope.each => format!("each {dimension}"),
                "*" if limit.scope.is_organisation() => dimension.to_string(),
                names => Label::new(names).as_str().to_owned(),
            })
            .collect(),
    };
    words.push(limit.window.adjective());
    words.join(" ")
}

/// Over before near before under, then the most used first; else in the order of the config. Of sessions that have
/// ended, and lifted ones, last.
pub(crate) fn worst_first(states: &mut [LimitState]) {
    states.sort_by_key(|state| Reverse((!state.is_quiet(), state.verdict, state.percent)));
}

/// The shares of the parts of a whole, in whole per cent of its cost (of tokens where no cost is known): together as
/// many as the parts are of the whole, so that all parts make 100. What rounding leaves goes to the largest remainders.
pub(crate) fn shares<'a>(parts: impl Iterator<Item = &'a Sums>, whole: &Sums) -> Vec<u8> {
    let parts: Vec<(i128, i128)> = parts.map(|part| weights(part, whole)).collect();
    let Some(whole) = parts.first().map(|(_, whole)| *whole).filter(|whole| *whole > 0) else {
        return vec![0; parts.len()];
    };
    let hundredths: Vec<i128> = parts.iter().map(|(part, _)| part.max(&0).saturating_mul(100)).collect();
    let mut shares: Vec<i128> = hundredths.iter().map(|part| part / whole).collect();
    let all = hundredths.iter().fold(0, |all: i128, part| all.saturating_add(*part)) / whole;
    let left = usize::try_from(all - shares.iter().sum::<i128>()).unwrap_or(0);
    let mut by_rest: Vec<usize> = (0..shares.len()).collect();
    by_rest.sort_by_key(|at| Reverse(hundredths[*at] % whole));
    for at in by_rest.into_iter().take(left) {
        shares[at] += 1;
    }
    shares.into_iter().map(|share| u8::try_from(share.min(100)).unwrap_or(100)).collect()
}

/// A part and its whole: their cost, or their tokens where no cost is known.
fn weights(part: &Sums, whole: &Sums) -> (i128, i128) {
    if whole.cost > Usd::ZERO {
        (part.cost.pico(), whole.cost.pico())
    } else {
        (part.tokens.total().into(), whole.tokens.total().into())
    }
}

/// A part's share of a whole's cost in whole per cent, or of its tokens where no cost is known.
pub(crate) fn share(part: &Sums, whole: &Sums) -> u8 {
    let (part, whole) = weights(part, whole);
    let percent = part.max(0).saturating_mul(100).checked_div(whole).unwrap_or(0);
    u8::try_from(percent.min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(micro: i64) -> Sums {
        Sums { cost: Usd::from_micro(micro), ..Sums::default() }
    }

    #[test]
    fn shares_add_up_to_a_hundred_and_the_nearest_are_rounded_up() {
        for (parts, expected) in [
            (vec![1, 1, 1], vec![34, 33, 33]),
            (vec![826, 174], vec![83, 17]),
            (vec![995, 4, 1], vec![100, 0, 0]),
            (vec![0, 0], vec![0, 0]),
        ] {
            let whole = cost(parts.iter().sum());
            let parts: Vec<Sums> = parts.into_iter().map(cost).collect();
            assert_eq!(shares(parts.iter(), &whole), expected);
        }
        assert_eq!(shares([cost(1), cost(1)].iter(), &cost(4)), [25, 25]);
    }
}
