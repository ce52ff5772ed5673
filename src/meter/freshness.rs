//! Tracks whether numbers that are updated by changes are still exact.

/// Whether a number is still exact after applying a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Freshness {
    Exact,
    /// It is not exact: the ledger must be queried again.
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
