//! How reliable the counts of a call are.

/// How reliable a call's counts are, in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fidelity {
    /// The log did not give the model, the split into classes, or the meaning of the service tier.
    Guessed,
    /// Like [`Fidelity::Summed`], but the model or the lifetimes of its cache writes are a guess.
    SumGuessed,
    /// The lifetimes of cache writes were derived from the logged cost and the model's price.
    Solved,
    /// The log does not separate cache writes from plain input. If the model charges more for writes, the cost is a
    /// lower bound; if not, it is complete. The ledger decides which by looking at the price; without a price, the
    /// split is a guess.
    WritesUnlogged,
    /// The writer is known to log less than was used.
    LowerBound,
    /// The call itself is complete, but its session makes other calls that appear in no log: titles, summaries,
    /// permission checks. Sums that include it are lower bounds.
    Unlisted,
    /// Like [`Fidelity::Unlisted`], but the session's [`super::Bill`] is known, so sums are complete.
    Settled,
    /// Several calls known only from a [`super::Bill`], combined in one row. The totals are exact, but individual
    /// prompt lengths are unknown.
    Summed,
    /// Final counts from the log.
    #[default]
    Final,
    /// The model refused before it wrote anything. That is free, whatever earlier sightings say. The ledger remembers
    /// such a call but neither shows nor counts it.
    Refused,
}

impl Fidelity {
    /// Every fidelity with its word in the usage log and in exports. Append only: ledger rows store the position in
    /// this list.
    pub(crate) const STORED: [(Self, &'static str); 10] = [
        (Self::Final, ""),
        (Self::LowerBound, "lower_bound"),
        (Self::Guessed, "guessed"),
        (Self::Solved, "solved"),
        (Self::Unlisted, "unlisted"),
        (Self::Settled, "settled"),
        (Self::Summed, "summed"),
        (Self::Refused, "refused"),
        (Self::WritesUnlogged, "writes_unlogged"),
        (Self::SumGuessed, "sum_guessed"),
    ];

    /// Word in the usage log and in exports; empty for the default.
    pub(crate) fn stored_word(self) -> &'static str {
        Self::STORED.iter().find(|(stored, _)| *stored == self).map_or("", |(_, word)| word)
    }

    /// Name in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Guessed | Self::SumGuessed => "guessed",
            Self::Solved => "solved",
            Self::LowerBound | Self::Unlisted => "lower_bound",
            Self::Summed => "summed",
            Self::WritesUnlogged | Self::Settled | Self::Final => "final",
            Self::Refused => "refused",
        }
    }

    /// True when sums with such a call are lower bounds.
    pub fn is_lower_bound(self) -> bool {
        matches!(self, Self::LowerBound | Self::Unlisted)
    }

    /// The fidelity as the log gives it. Whether a session's bill is known is up to the ledger.
    #[must_use]
    pub fn as_read(self) -> Self {
        if self == Self::Settled { Self::Unlisted } else { self }
    }

    /// True for final counts. They replace an estimate or the interim counts of a stream, whichever is read first.
    /// Solved counts do not qualify: they were an estimate until they were solved.
    pub(crate) fn is_stated(self) -> bool {
        !matches!(self, Self::Guessed | Self::SumGuessed | Self::Solved | Self::LowerBound)
    }

    /// True for several calls in one row, which has no prompt of its own.
    pub fn is_sum(self) -> bool {
        matches!(self, Self::Summed | Self::SumGuessed)
    }

    /// How the split into classes is known: guessed, solved, or given.
    pub(super) fn split(self) -> u8 {
        match self {
            Self::Guessed | Self::SumGuessed => 0,
            Self::Solved => 1,
            Self::WritesUnlogged
            | Self::LowerBound
            | Self::Unlisted
            | Self::Settled
            | Self::Summed
            | Self::Final
            | Self::Refused => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_settled_call_is_read_as_one_whose_bill_is_unknown() {
        for (fidelity, _) in Fidelity::STORED {
            let read = if fidelity == Fidelity::Settled { Fidelity::Unlisted } else { fidelity };
            assert_eq!(fidelity.as_read(), read);
        }
        assert!(Fidelity::Settled.as_read().is_lower_bound() && !Fidelity::Settled.is_lower_bound());
        assert_eq!(Fidelity::Final.as_read(), Fidelity::Final);
    }
}
