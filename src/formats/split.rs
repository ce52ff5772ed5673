//! Splits a log's counts into disjoint classes.

use crate::domain::{Parts, Tokens};

/// Counts of one answer, as a log gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Input without cache reads and writes.
    pub(super) input: Option<u64>,
    /// Input including cache reads and writes.
    pub(super) prompt: Option<u64>,
    /// Output, usually including reasoning.
    pub(super) output: Option<u64>,
    /// Total, if given.
    pub(super) total: Option<u64>,
    pub(super) cache_read: u64,
    /// Cache writes with a lifetime that is five minutes or unknown.
    pub(super) cache_write_5m: u64,
    /// Cache writes with a lifetime of one hour.
    pub(super) cache_write_1h: u64,
    /// Reasoning, usually included in the output.
    pub(super) reasoning: u64,
}

impl Counts {
    /// Converts to disjoint classes. The flag is true if the split is a guess.
    ///
    /// The total resolves an ambiguous count. Without a total, a part larger than its whole cannot be included in it.
    pub(super) fn split(self) -> (Tokens, bool) {
        let cached = self.cache_read + self.cache_write_5m + self.cache_write_1h;
        let (output, reasoning_was_apart) = self.output_with_reasoning();
        let (input, guessed) = match (self.input, self.prompt) {
            // Some programs write the whole prompt under our name for plain input. Their total then leaves no room for
            // a separate cache count.
            (Some(input), None) if (1..=input).contains(&cached) && self.total == Some(input + output) => {
                (input - cached, false)
            }
            (Some(input), None) => (input, false),
            (Some(input), Some(prompt)) if prompt == input + cached => (input, false),
            (_, Some(prompt)) => {
                let is_exclusive = cached > prompt
                    || (cached > 0 && self.total == Some(prompt + cached + output) && self.input.is_none());
                let input = if is_exclusive { prompt } else { prompt - cached };
                let is_in_doubt = match self.input {
                    Some(input) => input != prompt || self.total != Some(prompt + output),
                    None => is_exclusive && self.total.is_none(),
                };
                (input, is_in_doubt)
            }
            (None, None) => {
                let rest = self.total.map_or(0, |total| total.saturating_sub(output + cached));
                (rest, rest > 0)
            }
        };
        let prompt = input + cached;
        let (output, output_guessed) = match (self.output, self.total) {
            (None, Some(total)) if self.input.is_some() || self.prompt.is_some() => {
                (total.saturating_sub(prompt), total > prompt)
            }
            _ => (output, false),
        };
        let tokens = Tokens {
            input,
            cache_read: self.cache_read,
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            output,
            reasoning: self.reasoning.min(output),
        };
        (tokens, guessed || output_guessed || (reasoning_was_apart && self.total.is_none()))
    }

    /// Output including reasoning. The flag is true if the log counts reasoning separately.
    fn output_with_reasoning(&self) -> (u64, bool) {
        let output = self.output.unwrap_or(0);
        let input = self.prompt.or(self.input).unwrap_or(0);
        let is_total_told = self.output.is_some() && self.cache_read <= input;
        let is_apart = self.reasoning > output
            || (self.reasoning > 0 && is_total_told && self.total == Some(input + output + self.reasoning));
        if is_apart { (output + self.reasoning, true) } else { (output, false) }
    }
}

/// Marks cache writes whose lifetime no log gives.
pub(super) fn unstated_lifetime(tokens: &Tokens) -> Parts {
    Parts { write_of_unstated_lifetime: tokens.cache_write_5m, ..Parts::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_total_of_input_and_output_shows_that_the_cache_is_inside() {
        let counts = |input, output, cache_read, reasoning, total| Counts {
            input: Some(input),
            output: Some(output),
            total,
            cache_read,
            reasoning,
            ..Counts::default()
        };
        let split = |counts: Counts| (counts.split().0.fields(), counts.split().1);
        assert_eq!(split(counts(100, 30, 80, 12, Some(130))), ([20, 80, 0, 0, 30, 12], false));
        assert_eq!(split(counts(100, 30, 100, 0, Some(130))), ([0, 100, 0, 0, 30, 0], false));
        // Thoughts are separate from the output, as Gemini counts them.
        assert_eq!(split(counts(100, 30, 80, 12, Some(142))), ([20, 80, 0, 0, 42, 12], false));
        // With our own meaning: with a total that includes the cache, with one that does not, and without a total.
        assert_eq!(split(counts(100, 30, 80, 0, Some(210))), ([100, 80, 0, 0, 30, 0], false));
        assert_eq!(split(counts(100, 30, 180, 0, Some(130))), ([100, 180, 0, 0, 30, 0], false));
        assert_eq!(split(counts(100, 30, 80, 0, None)), ([100, 80, 0, 0, 30, 0], false));
        let both = Counts { prompt: Some(100), ..counts(100, 30, 80, 0, Some(130)) };
        assert_eq!(split(both), ([20, 80, 0, 0, 30, 0], false));
    }

    proptest! {
        #[test]
        fn a_stated_total_is_the_total(prompt in 0_u64..9, cached in 0_u64..9, output in 0_u64..9, reasoning in 0_u64..9) {
            let inclusive = cached <= prompt;
            let total = prompt + output + if inclusive { 0 } else { cached };
            let counts = Counts {
                prompt: Some(prompt), output: Some(output), total: Some(total), cache_read: cached,
                reasoning: reasoning.min(output), ..Counts::default()
            };
            prop_assert_eq!(counts.split().0.total(), total);
        }
    }
}
