//! Rates of one service tier, as whole numbers that can be halved.

use super::sheet::Class;
use crate::domain::{Ratio, Tokens, Usd};

/// Upper bound for rates, in half pico-dollars per token (over $500), so that no sum can overflow.
const MOST: u64 = 1 << 50;
pub(super) const HALF: Ratio = Ratio { num: 1, den: 2 };

/// One rate per class, in half pico-dollars per token, so half of a rate is still an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TierRates {
    pub(super) rates: [u64; 6],
    /// Marks rates that are half of a standard rate, because the list has no batch rate.
    pub(super) halved: [bool; 6],
}

impl TierRates {
    /// Rate of a text class, and whether it is half of a standard rate.
    pub(super) fn count_of(&self, class: Class) -> (u64, bool) {
        let at = match class {
            Class::Input | Class::AudioInput => 0,
            Class::CacheRead | Class::AudioCacheRead => 1,
            Class::CacheWrite5m => 2,
            Class::CacheWrite1h => 3,
            Class::Output | Class::AudioOutput => 4,
            Class::Reasoning => 5,
        };
        (self.rates[at], self.halved[at])
    }
}

/// Half pico-dollars for this fraction of a rate.
pub(super) fn halves(rate: Usd, part: Ratio) -> u64 {
    let times = if part == HALF { 1 } else { 2 };
    u64::try_from(rate.pico().max(0).saturating_mul(times)).unwrap_or(MOST).min(MOST)
}

/// Tokens in the order of [`Class::ALL`], with reasoning subtracted from the output that includes it.
pub(crate) fn counts(tokens: &Tokens) -> [u64; 6] {
    let reasoning = tokens.reasoning.min(tokens.output);
    [
        tokens.input,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.output - reasoning,
        reasoning,
    ]
}
