//! Whether numbers that are kept up to date by changes are still exact.

/// Whether a number that took in a change is still exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Freshness {
    /// It is.
    Exact,
    /// It is not: the ledger must be queried again.
    Stale,
}

impl Freshness {
    pub(crate) const fn stale_if(is_stale: bool) -> Self {
        if is_stale { Self::Stale } else { Self::Exact }
    }

    /// Exact only if both are.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self::stale_if(self.is_stale() || other.is_stale())
    }

    pub(crate) const fn is_stale(self) -> bool {
        matches!(self, Self::Stale)
    }
}
