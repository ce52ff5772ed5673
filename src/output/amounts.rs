//! Tokens and cost of some calls with their marks, and amounts that follow from them.

use serde::Serialize;

use super::{Cell, cost_cell};
use crate::domain::Usd;
use crate::ledger::Sums;

/// Tokens and cost of a set of calls.
#[derive(Serialize)]
pub(crate) struct Amounts {
    calls: u64,
    tokens: u64,
    cost_usd: Cell,
    #[serde(flatten)]
    marks: Marks,
}

/// Counts of calls with uncertain numbers.
#[derive(Serialize)]
pub(crate) struct Marks {
    unpriced_tokens: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
}

impl Marks {
    /// The marks of these sums.
    pub(crate) fn from_sums(sums: &Sums) -> Self {
        let Sums { unpriced_tokens, lower_bound_calls, guessed_calls, .. } = *sums;
        Self { unpriced_tokens, lower_bound_calls, guessed_calls }
    }

    /// The marks as cells of a row.
    pub(super) fn cells(sums: &Sums) -> [(&'static str, Cell); 3] {
        let Self { unpriced_tokens, lower_bound_calls, guessed_calls } = Self::from_sums(sums);
        [
            ("unpriced_tokens", Cell::Count(unpriced_tokens)),
            ("lower_bound_calls", Cell::Count(lower_bound_calls)),
            ("guessed_calls", Cell::Count(guessed_calls)),
        ]
    }
}

impl Amounts {
    /// The amounts in these sums, with their marks.
    pub(crate) fn from_sums(sums: &Sums) -> Self {
        Self {
            calls: sums.calls,
            tokens: sums.tokens.total(),
            cost_usd: cost_cell(sums),
            marks: Marks::from_sums(sums),
        }
    }
}

/// A rate or a forecast that follows from these sums, rounded to the millionth of a dollar. It is unknown, not $0, if
/// nothing in them has a price.
pub(crate) fn derived_cell(usd: Usd, sums: &Sums) -> Cell {
    let rounded = Usd::from_pico(usd.rounded(6).saturating_mul(1_000_000));
    if sums.is_unpriced() { Cell::Unknown } else { Cell::Usd(rounded) }
}
