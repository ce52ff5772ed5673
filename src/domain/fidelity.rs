//! How reliable the counts of a call are.

/// Reliability of a call's counts, in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fidelity {
    /// Model, split into classes, or meaning of the service tier were not in the log.
    Guessed,
    /// The lifetimes of cache writes were derived from the stated cost and the model's price.
    Solved,
    /// The log does not tell cache writes from plain input: less than was charged where the model's writes cost more,
    /// and whole where they do not. Books decide that by the price, and show one or the other; without a price the split
    /// is a guess.
    WritesUnlogged,
    /// The writer is known to log less than was used.
    LowerBound,
    /// The call itself is complete, but its session makes other calls that no log lists: titles, summaries, permission
    /// checks. Sums with it are lower bounds.
    Unlisted,
    /// As [`Fidelity::Unlisted`], but the session's [`super::Bill`] is known: sums are complete.
    Settled,
    /// Several calls known only from a [`super::Bill`], as one row: exact, but without individual prompt lengths.
    Summed,
    /// Final counts of the log.
    #[default]
    Final,
    /// The model refused before it wrote anything, which is free, whatever earlier sightings say. Books keep such a
    /// call in mind, and neither show nor count it.
    Refused,
}

impl Fidelity {
    /// Every fidelity and its word in the usage log and in exports. Append only: rows of the ledger store the place in
    /// this list.
    pub(crate) const STORED: [(Self, &'static str); 9] = [
        (Self::Final, ""),
        (Self::LowerBound, "lower_bound"),
        (Self::Guessed, "guessed"),
        (Self::Solved, "solved"),
        (Self::Unlisted, "unlisted"),
        (Self::Settled, "settled"),
        (Self::Summed, "summed"),
        (Self::Refused, "refused"),
        (Self::WritesUnlogged, "writes_unlogged"),
    ];

    /// Word in the usage log and in exports; empty for the usual one.
    pub(crate) fn stored_word(self) -> &'static str {
        Self::STORED.iter().find(|(stored, _)| *stored == self).map_or("", |(_, word)| word)
    }

    /// Name in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Guessed => "guessed",
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

    /// The fidelity given by the log: whether a session's bill is known depends on the ledger.
    #[must_use]
    pub fn as_read(self) -> Self {
        if self == Self::Settled { Self::Unlisted } else { self }
    }

    /// True for final counts. They replace an estimate and the interim counts of a stream, whichever is read first. Solved
    /// counts do not qualify: until they were solved they were an estimate.
    pub(crate) fn is_stated(self) -> bool {
        !matches!(self, Self::Guessed | Self::Solved | Self::LowerBound)
    }

    /// How the split into classes is known: guessed, solved, or stated.
    pub(super) fn split(self) -> u8 {
        match self {
            Self::Guessed => 0,
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
