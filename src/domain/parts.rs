//! Parts of a call's counts that are priced separately.

use super::Tokens;

/// Parts of a call's counts that some vendors price separately.
///
/// Every part is already included in a class of [`Tokens`] and is never added to a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parts {
    /// Audio within plain input.
    pub audio_input: u64,
    /// Audio within cache reads.
    pub audio_cache_read: u64,
    /// Audio within output.
    pub audio_output: u64,
    /// Cache writes of unknown lifetime, included in `cache_write_5m`. Where a vendor charges the two lifetimes
    /// differently, their price is a guess.
    pub write_of_unstated_lifetime: u64,
}

impl Parts {
    /// No such parts.
    pub const NONE: Self = Self { audio_input: 0, audio_cache_read: 0, audio_output: 0, write_of_unstated_lifetime: 0 };

    /// True when all are zero.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The parts in field order.
    pub fn fields(&self) -> [u64; 4] {
        [self.audio_input, self.audio_cache_read, self.audio_output, self.write_of_unstated_lifetime]
    }

    /// Converts from the order of [`Parts::fields`].
    pub fn from_fields(fields: [u64; 4]) -> Self {
        let [audio_input, audio_cache_read, audio_output, write_of_unstated_lifetime] = fields;
        Self { audio_input, audio_cache_read, audio_output, write_of_unstated_lifetime }
    }

    /// Clamps each part to the count that includes it.
    #[must_use]
    pub fn within(self, tokens: &Tokens) -> Self {
        Self {
            audio_input: self.audio_input.min(tokens.input),
            audio_cache_read: self.audio_cache_read.min(tokens.cache_read),
            audio_output: self.audio_output.min(tokens.output - tokens.reasoning.min(tokens.output)),
            write_of_unstated_lifetime: self.write_of_unstated_lifetime.min(tokens.cache_write_5m),
        }
    }
}
