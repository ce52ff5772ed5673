//! Token counts in disjoint classes.

/// Token counts of one call, in disjoint classes.
///
/// Vendors' inclusive counts are split when a log is decoded. The exception is `reasoning`: it is part of `output` and
/// is never added to a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tokens {
    /// Input that was neither read from nor written to a cache.
    pub input: u64,
    /// Input served from a prompt cache.
    pub cache_read: u64,
    /// Input written to a cache with the shorter lifetime (five minutes at Anthropic, half an hour at OpenAI), and all
    /// writes at vendors that have a single price for them.
    pub cache_write_5m: u64,
    /// Input written to a cache with the longer lifetime: one hour at Anthropic, twelve hours at OpenAI. Reports call
    /// it the one-hour write.
    pub cache_write_1h: u64,
    /// Output, including reasoning.
    pub output: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Upper bound for each class. A larger count is an error in the log.
    pub const MOST: u64 = 1_000_000_000;
    /// Zero tokens in every class.
    pub const ZERO: Self =
        Self { input: 0, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 0, reasoning: 0 };

    /// Sum of all classes, saturating.
    pub fn total(&self) -> u64 {
        self.prompt().saturating_add(self.output)
    }

    /// All input: plain, cache reads and cache writes.
    ///
    /// This is the length that selects long-context rates.
    pub fn prompt(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write())
    }

    /// Cache writes of either lifetime.
    pub fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }

    /// The counts in field order.
    pub fn fields(&self) -> [u64; 6] {
        [self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output, self.reasoning]
    }

    /// Converts from the order of [`Tokens::fields`].
    pub fn from_fields(fields: [u64; 6]) -> Self {
        let [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning] = fields;
        Self { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning }
    }

    /// True when all counts are zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// Rank among the sightings of one call: the greatest is the most complete.
    ///
    /// Of two sightings with equal totals, the one with more cached tokens has more detail.
    pub fn rank(&self) -> (u64, u64, u64, [u64; 6]) {
        (self.output, self.total(), self.cache_read.saturating_add(self.cache_write()), self.fields())
    }

    /// Adds class by class, saturating.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// Subtracts class by class, saturating at zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let (mine, theirs) = (self.fields(), other.fields());
        Self::from_fields(std::array::from_fn(|class| combine(mine[class], theirs[class])))
    }
}

impl std::iter::Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Self::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_is_not_added_to_the_total() {
        let tokens = Tokens { input: 1, cache_read: 2, cache_write_5m: 3, cache_write_1h: 4, output: 5, reasoning: 5 };
        assert_eq!((tokens.prompt(), tokens.total()), (10, 15));
    }

    #[test]
    fn e8_a_sum_beyond_u64_stays_at_the_greatest_number() {
        let most = Tokens { input: u64::MAX, output: u64::MAX, ..Tokens::ZERO };
        assert_eq!(most.saturating_add(most).total(), u64::MAX);
    }
}
