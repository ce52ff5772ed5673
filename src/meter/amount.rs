//! Amounts that a limit allows, and how much of them has been used, in exact integers.

use crate::domain::Usd;

/// The allowed amount, in one or more units. The first unit to be used up decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amount {
    /// Dollars.
    pub usd: Option<Usd>,
    /// Tokens of every class.
    pub tokens: Option<u64>,
    /// Output tokens alone.
    pub output_tokens: Option<u64>,
}

/// A unit of amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Dollars.
    Usd,
    /// Tokens of every class.
    Tokens,
    /// Output tokens alone.
    OutputTokens,
}

impl Amount {
    /// True if it is zero in one of its units.
    pub(crate) fn allows_nothing(&self) -> bool {
        Measure::ALL.into_iter().any(|measure| measure.amount_of(self) == Some(0))
    }
}

impl Measure {
    /// All units.
    pub const ALL: [Self; 3] = [Self::Usd, Self::Tokens, Self::OutputTokens];

    /// The amount in this unit's smallest fraction (pico-dollars, tokens), if the limit sets one.
    pub fn amount_of(self, amount: &Amount) -> Option<i128> {
        match self {
            Self::Usd => amount.usd.map(Usd::pico),
            Self::Tokens => amount.tokens.map(i128::from),
            Self::OutputTokens => amount.output_tokens.map(i128::from),
        }
    }
}

/// True when `used × 100 ≥ limit × per_cent` for any amount that the limit sets. An amount of zero is always reached.
pub(crate) fn reached(limit: &Amount, used: &Amount, per_cent: u8) -> bool {
    pairs(limit, used)
        .any(|(_, limit, used)| limit <= 0 || used.saturating_mul(100) >= limit.saturating_mul(i128::from(per_cent)))
}

/// The unit closest to its limit.
pub(crate) fn leading(limit: &Amount, used: &Amount) -> Option<Measure> {
    // Compared by cross-multiplication, without dividing: used/limit > best is used × best.limit > best.used × limit.
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

fn pairs(limit: &Amount, used: &Amount) -> impl Iterator<Item = (Measure, i128, i128)> {
    let (limit, used) = (*limit, *used);
    Measure::ALL.into_iter().filter_map(move |measure| {
        measure.amount_of(&limit).map(|allowed| (measure, allowed, measure.amount_of(&used).unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_which_most_is_used_leads_and_one_of_which_nothing_is_allowed_leads_them_all() {
        let amount = |usd: i64, tokens, output_tokens| Amount {
            usd: Some(Usd::from_micro(usd)),
            tokens: Some(tokens),
            output_tokens: Some(output_tokens),
        };
        // 50%, 60% and 10%; 50%, 40% and 90%; of equals the first.
        assert_eq!(leading(&amount(10, 100, 10), &amount(5, 60, 1)), Some(Measure::Tokens));
        assert_eq!(leading(&amount(10, 100, 10), &amount(5, 40, 9)), Some(Measure::OutputTokens));
        assert_eq!(leading(&amount(10, 100, 10), &amount(5, 50, 5)), Some(Measure::Usd));
        // 80%, and nothing allowed of which nothing is used.
        assert_eq!(leading(&amount(10, 0, 10), &amount(8, 0, 1)), Some(Measure::Tokens));
        assert_eq!(leading(&amount(0, 100, 10), &amount(0, 99, 1)), Some(Measure::Usd));
        assert_eq!(leading(&Amount::default(), &amount(1, 1, 1)), None);
    }
}
