//! Shares of a whole, in whole per cent.

use std::cmp::Reverse;

use crate::domain::{Usd, sort_by_key};
use crate::ledger::Sums;

/// The parts' shares of a whole, in whole per cent of its cost (of tokens if no cost is known). The shares add up to
/// the share of all parts together, so if the parts make up the whole they add up to 100. The rounding difference goes
/// to the parts with the largest remainders.
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
