//! The result of decoding a line.

use super::super::BadLine;

/// Result of decoding a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Blank, or without any format's needle. Not parsed.
    Passed,
    /// Valid JSON, but of no known format.
    Other,
    /// Decoded. Its records, if any, were appended.
    Read,
    /// At least part of it cannot be counted. Records from the valid part were appended.
    Bad(BadLine),
}

impl Outcome {
    /// Combines the outcomes of two parts of a line.
    pub(super) fn or(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Other => 1,
            Self::Read => 2,
            Self::Bad(_) => 3,
        }
    }
}
