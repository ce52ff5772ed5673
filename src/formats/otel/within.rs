//! Sums of the calls within a span, kept as they come, so that neither their order nor their number matters.

use serde::{Deserialize, Serialize};

use super::seen::Seen;

/// Sums of the calls within a span, with no other call in between.
///
/// They wrap around: what was added can be taken out again, and only equality with a call's counts matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Within {
    pub(super) calls: u64,
    prompt: u64,
    input: u64,
    output: u64,
}

impl Within {
    pub(super) const NOTHING: Self = Self { calls: 0, prompt: 0, input: 0, output: 0 };

    /// The part of a call in the span around it.
    pub(super) fn of(call: &Seen) -> Self {
        Self { calls: 1, prompt: call.prompt, input: call.input, output: call.output }
    }

    /// These sums after something in them has changed.
    pub(super) fn with_change(self, before: Self, after: Self) -> Self {
        let change = |sum: fn(&Self) -> u64| sum(&self).wrapping_sub(sum(&before)).wrapping_add(sum(&after));
        Self {
            calls: change(|sums| sums.calls),
            prompt: change(|sums| sums.prompt),
            input: change(|sums| sums.input),
            output: change(|sums| sums.output),
        }
    }

    /// True when a call's counts are those of several calls within it.
    pub(super) fn add_up_to(self, call: &Seen) -> bool {
        self.calls > 1 && call.output == self.output && (call.prompt == self.prompt || call.prompt == self.input)
    }
}
