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
    unpriced_tokens: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
}

impl Amounts {
    /// The amounts in these sums, with their marks.
    pub(crate) fn from_sums(sums: &Sums) -> Self {
        Self {
            calls: sums.calls,
            tokens: sums.tokens.total(),
            cost_usd: cost_cell(sums),
            unpriced_tokens: sums.unpriced_tokens,
            lower_bound_calls: sums.lower_bound_calls,
            guessed_calls: sums.guessed_calls,
        }
    }
}

/// A rate or a forecast that follows from these sums, rounded to the millionth of a dollar. It is unknown, not $0, if
/// nothing in them has a price.
pub(crate) fn derived_cell(usd: Usd, sums: &Sums) -> Cell {
    let rounded = Usd::from_pico(usd.rounded(6).saturating_mul(1_000_000));
    if sums.is_unpriced() { Cell::Unknown } else { Cell::Usd(rounded) }
}
