//! Identity of an amount held for a call in progress.

use std::fmt;
use std::str::FromStr;

/// Identifies an amount that is held for a call until the call is booked. It is random, so no other process and no
/// earlier ledger has used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(u128);

impl HoldId {
    /// Converts from a number.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl FromStr for HoldId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}
