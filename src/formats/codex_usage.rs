//! Running totals reported by Codex, and their differences.

use serde::{Deserialize, Serialize};

use super::BadLine;
use super::count::Count;
use super::fields::fields;
use crate::domain::Tokens;

fields! {
    /// Token counts as Codex writes them: input includes cached and written input, output includes reasoning. The fork
    /// `TraeX` has another name for cache writes (from one of its logs in agentsview's tests, read 2026-11-27).
    Usage {
        input: Count = "input_tokens",
        cached: Count = "cached_input_tokens",
        written: Count = "cache_write_input_tokens" | "cache_creation_input_tokens",
        output: Count = "output_tokens",
        reasoning: Count = "reasoning_output_tokens",
        total: Count = "total_tokens",
    }
}

impl Usage<'_> {
    /// The counts.
    ///
    /// # Errors
    /// When a count is invalid or implausible.
    pub(super) fn totals(&self) -> Result<Totals, BadLine> {
        Ok(Totals([
            self.input.total("input_tokens")?,
            self.cached.total("cached_input_tokens")?,
            self.written.total("cache_write_input_tokens")?,
            self.output.total("output_tokens")?,
            self.reasoning.total("reasoning_output_tokens")?,
            self.total.total("total_tokens")?,
        ]))
    }
}

/// Input, cached input, written input, output, reasoning and total, of a thread or of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals([u64; 6]);

impl Totals {
    /// The difference from `before`. If any count fell, counting was restarted and all of it is new.
    pub(super) fn since(self, before: Self) -> Self {
        if self.is_below(before) {
            return self;
        }
        Self(std::array::from_fn(|at| self.0[at] - before.0[at]))
    }

    /// The sum with other totals.
    pub(super) fn and(self, more: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_add(more.0[at])))
    }

    /// True when any count is lower than before.
    pub(super) fn is_below(self, before: Self) -> bool {
        self.0.iter().zip(before.0).any(|(now, before)| *now < before)
    }

    /// The sum. It distinguishes a first answer from one that continues another thread's totals.
    pub(super) fn sum(self) -> u64 {
        let [input, _, _, output, _, total] = self.0;
        total.max(input + output)
    }

    /// The counts as bytes for a key.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.map(u64::to_le_bytes).concat()
    }

    /// Converts to disjoint classes. A part larger than its whole is reduced to it.
    ///
    /// # Errors
    /// When a count exceeds the amount that one answer can use.
    pub(super) fn tokens(self) -> Result<Tokens, BadLine> {
        let [input, _, _, output, _, _] = self.0;
        Count::Whole(input).tokens("input_tokens")?;
        Count::Whole(output).tokens("output_tokens")?;
        Ok(self.whole_tokens())
    }

    /// Converts a whole thread's counts to disjoint classes, without an upper bound.
    pub(super) fn whole_tokens(self) -> Tokens {
        let [input, cached, written, output, reasoning, _] = self.0;
        let cache_read = cached.min(input);
        let cache_write_5m = written.min(input - cache_read);
        Tokens {
            input: input - cache_read - cache_write_5m,
            cache_read,
            cache_write_5m,
            cache_write_1h: 0,
            output,
            reasoning: reasoning.min(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_larger_than_their_whole_are_cut_and_never_underflow() {
        let tokens = Totals([10, 30, 5, 3, 9, 13]).tokens().unwrap();
        assert_eq!(tokens, Tokens { cache_read: 10, output: 3, reasoning: 3, ..Tokens::ZERO });
        let tokens = Totals([10, 6, 30, 3, 0, 13]).tokens().unwrap();
        assert_eq!(tokens, Tokens { cache_read: 6, cache_write_5m: 4, output: 3, ..Tokens::ZERO });
    }

    #[test]
    fn a_fall_in_any_count_begins_anew() {
        let before = Totals([100, 50, 0, 10, 5, 110]);
        assert_eq!(Totals([120, 60, 0, 15, 5, 135]).since(before), Totals([20, 10, 0, 5, 0, 25]));
        assert_eq!(Totals([120, 40, 0, 15, 5, 135]).since(before), Totals([120, 40, 0, 15, 5, 135]));
        assert_eq!(before.since(before), Totals::default());
    }

    #[test]
    fn b12_more_than_one_answer_can_consume_is_put_aside() {
        assert!(matches!(Totals([2_000_000_000, 0, 0, 0, 0, 0]).tokens(), Err(BadLine::Absurd { .. })));
    }
}
