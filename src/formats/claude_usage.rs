//! The usage object of an Anthropic answer, as Claude Code writes it into a transcript.

use super::BadLine;
use super::count::Count;
use super::fields::fields;
use super::json::{List, Text};
use super::usage::{CacheSplit, Iteration, ServerTools, cache_writes, tier};
use crate::domain::{Tier, Tokens};

fields! {
    /// Input, cache reads and cache writes are disjoint here; thinking is a part of the output.
    Usage {
        input: Count = "input_tokens",
        cache_creation: Count = "cache_creation_input_tokens",
        cache_read: Count = "cache_read_input_tokens",
        output: Count = "output_tokens",
        cache_split: CacheSplit<'a> = "cache_creation",
        output_details: OutputDetails<'a> = "output_tokens_details",
        server_tools: ServerTools<'a> = "server_tool_use",
        service_tier: Text<'a> = "service_tier",
        geo: Text<'a> = "inference_geo",
        speed: Text<'a> = "speed",
        iterations: List<Iteration<'a>> = "iterations",
    }
}

fields! {
    /// Parts of the output.
    OutputDetails {
        thinking: Count = "thinking_tokens",
    }
}

/// What a usage object charges for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) tokens: Tokens,
    pub(super) tier: Tier,
    pub(super) web_searches: u32,
}

impl Booked {
    /// True for the placeholder before an answer, and for what no model answered.
    pub(super) fn is_nothing(&self) -> bool {
        self.tokens.is_zero() && self.web_searches == 0
    }
}

impl Usage<'_> {
    /// True when it says what was read or written.
    pub(super) fn has_counts(&self) -> bool {
        self.input.is_given() || self.output.is_given()
    }

    /// What it charges for; what the advisors consumed is not in it.
    ///
    /// # Errors
    /// When a count of tokens is none, or cannot be true.
    pub(super) fn booked(&self) -> Result<Booked, BadLine> {
        let output = self.output.tokens("output_tokens")?;
        let (cache_write_5m, cache_write_1h) = cache_writes(&self.cache_creation, &self.cache_split)?;
        // A wrong number beside the tokens must not lose the tokens.
        let thinking = self.output_details.thinking.tokens("thinking_tokens").unwrap_or(0);
        let searches = self.server_tools.web_searches.tokens("web_search_requests").unwrap_or(0);
        Ok(Booked {
            tokens: Tokens {
                input: self.input.tokens("input_tokens")?,
                cache_read: self.cache_read.tokens("cache_read_input_tokens")?,
                cache_write_5m,
                cache_write_1h,
                output,
                reasoning: thinking.min(output),
            },
            tier: tier(self.speed.get(), self.service_tier.get(), self.geo.get()),
            web_searches: u32::try_from(searches).unwrap_or(0),
        })
    }

    /// The rounds in which another model was asked for advice, by their places among all rounds. All
    /// other rounds repeat what the usage object itself says.
    pub(super) fn advisors(&self) -> impl Iterator<Item = (u64, &Iteration<'_>)> {
        (0..).zip(&self.iterations.0).filter(|(_, round)| round.kind.get() == Some("advisor_message"))
    }
}
