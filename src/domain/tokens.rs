//! Token counts in disjoint classes, and the join that makes two sightings of one answer one.

use std::cmp::Ordering;

/// What one answer consumed, in tokens, split into classes that never overlap.
///
/// Vendors who count cached tokens inside the input are split apart by the format that reads them.
/// `reasoning` alone is a part: it is contained in `output` and is never added to a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tokens {
    /// Input that was neither read from nor written to a cache.
    pub input: u64,
    /// Input served from a prompt cache.
    pub cache_read: u64,
    /// Input written to a cache of the shorter lifetime (five minutes at Anthropic, half an hour at OpenAI), or whose
    /// lifetime the vendor does not price apart.
    pub cache_write_5m: u64,
    /// Input written to a cache of the longer lifetime: one hour at Anthropic, twelve hours at OpenAI. The reports
    /// keep the name of the first.
    pub cache_write_1h: u64,
    /// Everything the model wrote, reasoning included.
    pub output: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// More tokens of one class than one answer can consume: a greater count is an error of the log.
    pub const MOST: u64 = 1_000_000_000;
    /// No tokens at all.
    pub const ZERO: Self =
        Self { input: 0, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 0, reasoning: 0 };

    /// All tokens; a sum beyond `u64` stays at `u64::MAX`.
    pub fn total(&self) -> u64 {
        self.prompt().saturating_add(self.output)
    }

    /// The whole input side: plain, read from a cache and written to one.
    ///
    /// Long-context tiers are decided by this number.
    pub fn prompt(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write())
    }

    /// Tokens written to a cache of either lifetime.
    pub fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }

    /// The classes in the order of the fields.
    pub fn fields(&self) -> [u64; 6] {
        [self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output, self.reasoning]
    }

    /// The counts whose classes stand in the order of [`Tokens::fields`].
    pub fn from_fields(fields: [u64; 6]) -> Self {
        let [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning] = fields;
        Self { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning }
    }

    /// True when nothing was consumed.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// How one sighting of an answer ranks against another: the greatest is the whole truth.
    ///
    /// Of two of one size, the one that knows what the cache served or kept says more than one that calls it input.
    pub fn rank(&self) -> (u64, u64, u64, [u64; 6]) {
        (self.output, self.total(), self.cache_read.saturating_add(self.cache_write()), self.fields())
    }

    /// Two sightings of one streamed answer become one: the whole greater row, never a mix of two.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if self.rank().cmp(&other.rank()) == Ordering::Less { other } else { self }
    }

    /// Class by class, staying at `u64::MAX` where a sum would overflow.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// Class by class, staying at zero where a difference would be negative.
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
    use proptest::prelude::*;

    fn tokens() -> impl Strategy<Value = Tokens> {
        prop::array::uniform6(0_u64..5).prop_map(Tokens::from_fields)
    }

    proptest! {
        #[test]
        fn join_is_commutative_associative_and_idempotent((a, b, c) in (tokens(), tokens(), tokens())) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
        }

        #[test]
        fn a_join_is_one_of_the_two((a, b) in (tokens(), tokens())) {
            let joined = a.join(b);
            prop_assert!(joined == a || joined == b);
        }
    }

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
