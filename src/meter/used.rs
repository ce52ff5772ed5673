//! Usage in the units of limits.

use std::cmp::Reverse;

use super::amount::Amount;
use crate::domain::{Tokens, Usd, sort_by_key};
use crate::ledger::Sums;
use crate::pricing::Rates;

/// Usage in the units of limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Dollars, including unpriced tokens at the fallback rates, if there are any.
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
            // Fallback rates only guess the price.
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

    /// True when this is at most the other, in every unit.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.usd <= other.usd && self.tokens <= other.tokens && self.output <= other.output
    }

    /// True when this equals the other in any unit.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.usd == other.usd || self.tokens == other.tokens || self.output == other.output
    }

    /// Usage in the units that a limit sets.
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
/// Sums hold the number of unpriced tokens but not their classes. If all of the model's tokens are unpriced, the
/// classes are known. Otherwise (a price was added later) the most expensive classes are assumed, so that a limit is
/// reached too early rather than too late.
fn unpriced_cost(sums: &Sums, rates: &Rates) -> Usd {
    let mut left = sums.unpriced_tokens;
    let mut classes = classes(&sums.tokens, rates);
    sort_by_key(&mut classes, |(_, rate)| Reverse(*rate));
    let mut cost = Usd::ZERO;
    for (count, rate) in classes {
        let taken = count.min(left);
        left -= taken;
        cost += rate.times(taken);
    }
    cost
}

/// Each class with its cost per token. Missing rates default to the usual multiples of the input rate.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(used: &Used) -> (bool, bool) {
        (used.lower_bound, used.guessed)
    }

    #[test]
    fn a_limits_usage_is_a_lower_bound_or_a_guess_if_one_call_of_it_is() {
        let rates = Rates {
            input: Usd::from_micro(2),
            output: Usd::from_micro(8),
            cache_read: None,
            cache_write_5m: None,
            cache_write_1h: None,
            web_search: None,
        };
        let sums = Sums { tokens: Tokens { input: 10, ..Tokens::ZERO }, ..Sums::default() };
        let exact = Used::from_sums(&sums, None);
        let least = Used::from_sums(&Sums { lower_bound_calls: 1, ..sums }, None);
        let guess = Used::from_sums(&Sums { guessed_calls: 1, ..sums }, None);
        assert_eq!([&exact, &least, &guess].map(marks), [(false, false), (true, false), (false, true)]);
        for sum in [exact.and(least), least.and(exact), exact.max(least), least.max(exact)] {
            assert_eq!(marks(&sum), (true, false));
        }
        for sum in [exact.and(guess), guess.and(exact), exact.max(guess), guess.max(exact)] {
            assert_eq!(marks(&sum), (false, true));
        }
        // Without a price it is at least what the others cost; at the fallback rates, ten times $0.000002.
        let unpriced = Sums { unpriced_tokens: 10, ..sums };
        assert_eq!(marks(&Used::from_sums(&unpriced, None)), (true, false));
        let fallback = Used::from_sums(&unpriced, Some(&rates));
        assert_eq!((fallback.usd, marks(&fallback)), (Usd::from_micro(20), (false, true)));
    }

    #[test]
    fn what_is_within_an_amount_is_within_it_in_every_unit() {
        let used = |usd, tokens, output| Used { usd: Usd::from_micro(usd), tokens, output, ..Used::default() };
        let most = used(5, 50, 5);
        assert!(most.is_within(&most) && used(4, 49, 4).is_within(&most));
        for more in [used(6, 50, 5), used(5, 51, 5), used(5, 50, 6)] {
            assert!(!more.is_within(&most), "{more:?}");
        }
    }
}
