//! Shares of a whole, in whole per cent.

use std::cmp::Reverse;
use std::fmt;

use crate::domain::{Usd, sort_by_key};
use crate::ledger::Sums;

/// A part's share of a whole in whole per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All prices are known, or none is and tokens are compared, or the part has no calls.
    Exact(u8),
    /// Other parts also used models without a price.
    AtMost(u8),
    /// This part also used models without a price.
    About(u8),
    /// This part used only models without a price.
    Unknown,
}

impl Default for Share {
    fn default() -> Self {
        Self::Exact(0)
    }
}

impl Share {
    fn new(part: &Sums, whole: &Sums, percent: u8) -> Self {
        // Nothing is no part of anything, whatever that costs.
        if whole.cost <= Usd::ZERO || whole.unpriced_tokens == 0 || *part == Sums::default() {
            Self::Exact(percent)
        } else if part.unpriced_tokens == 0 {
            // A bound is rounded up.
            let (size, all) = weights(part, whole);
            let bound = size.max(0).saturating_mul(100).saturating_add(all - 1) / all;
            Self::AtMost(u8::try_from(bound.min(100)).unwrap_or(100))
        } else if part.cost > Usd::ZERO {
            Self::About(percent)
        } else {
            Self::Unknown
        }
    }

    /// The number, if there is one.
    pub const fn percent(self) -> Option<u8> {
        match self {
            Self::Exact(percent) | Self::AtMost(percent) | Self::About(percent) => Some(percent),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(percent) => out.pad(&format!("{percent}%")),
            Self::AtMost(percent) => out.pad(&format!("≤{percent}%")),
            Self::About(percent) => out.pad(&format!("~{percent}%")),
            Self::Unknown => out.pad("?"),
        }
    }
}

/// The parts' shares of a whole, in whole per cent of its cost (of tokens if no cost is known). The shares add up to
/// the share of all parts together, so if the parts make up the whole they add up to 100. The rounding difference goes
/// to the parts with the largest remainders.
pub(crate) fn shares<'a>(parts: impl Iterator<Item = &'a Sums>, whole: &Sums) -> Vec<Share> {
    let all: Vec<&Sums> = parts.collect();
    let percents = percents(&all.iter().map(|part| weights(part, whole)).collect::<Vec<_>>());
    all.into_iter().zip(percents).map(|(part, percent)| Share::new(part, whole, percent)).collect()
}

fn percents(parts: &[(i128, i128)]) -> Vec<u8> {
    let Some(whole) = parts.first().map(|(_, whole)| *whole).filter(|whole| *whole > 0) else {
        return vec![0; parts.len()];
    };
    let hundredths: Vec<i128> = parts.iter().map(|(part, _)| part.max(&0).saturating_mul(100)).collect();
    let mut shares: Vec<i128> = hundredths.iter().map(|part| part / whole).collect();
    let all = hundredths.iter().fold(0, |all: i128, part| all.saturating_add(*part)) / whole;
    let left = usize::try_from(all - shares.iter().sum::<i128>()).unwrap_or(0);
    let mut by_rest: Vec<usize> = (0..shares.len()).collect();
    sort_by_key(&mut by_rest, |at| Reverse(hundredths[*at] % whole));
    for at in by_rest.into_iter().take(left) {
        shares[at] += 1;
    }
    shares.into_iter().map(|share| u8::try_from(share.min(100)).unwrap_or(100)).collect()
}

/// A part and its whole, as cost, or as tokens if no cost is known.
fn weights(part: &Sums, whole: &Sums) -> (i128, i128) {
    if whole.cost > Usd::ZERO {
        (part.cost.pico(), whole.cost.pico())
    } else {
        (part.tokens.total().into(), whole.tokens.total().into())
    }
}

/// A part's share of a whole in whole per cent of the cost, or of the tokens if no cost is known.
pub(crate) fn share(part: &Sums, whole: &Sums) -> Share {
    let (size, all) = weights(part, whole);
    let percent = size.max(0).saturating_mul(100).checked_div(all).unwrap_or(0);
    Share::new(part, whole, u8::try_from(percent.min(100)).unwrap_or(100))
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
            let expected: Vec<Share> = expected.into_iter().map(Share::Exact).collect();
            assert_eq!(shares(parts.iter(), &whole), expected);
        }
        assert_eq!(shares([cost(1), cost(1)].iter(), &cost(4)), [Share::Exact(25); 2]);
    }

    #[test]
    fn a_share_of_a_cost_that_is_not_known_whole_says_so() {
        let priced = cost(300);
        let unpriced = Sums { unpriced_tokens: 7, ..Sums::default() };
        let both = Sums { unpriced_tokens: 7, ..cost(100) };
        let whole = Sums { unpriced_tokens: 14, ..cost(400) };
        let of_all = shares([priced, unpriced, both].iter(), &whole);
        assert_eq!(of_all, [Share::AtMost(75), Share::Unknown, Share::About(25)]);
        let texts: Vec<String> = of_all.iter().map(|share| format!("{share:>4}")).collect();
        assert_eq!(texts, ["≤75%", "   ?", "~25%"]);
        assert_eq!(share(&unpriced, &whole), Share::Unknown);
        // A bound is never below what is known, and no calls are no share.
        let whole_but = |micro| Sums { unpriced_tokens: 7, ..cost(micro) };
        assert_eq!(share(&cost(1), &whole_but(400)), Share::AtMost(1));
        assert_eq!(share(&cost(99_006), &whole_but(100_000)), Share::AtMost(100));
        assert_eq!(
            shares([cost(99_006), cost(994)].iter(), &whole_but(100_000)),
            [Share::AtMost(100), Share::AtMost(1)]
        );
        assert_eq!(share(&Sums::default(), &whole), Share::Exact(0));
        // Where no cost is known, tokens are compared.
        assert_eq!(share(&unpriced, &unpriced), Share::Exact(0));
    }
}
