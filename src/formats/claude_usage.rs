//! The usage object of an Anthropic answer, as Claude Code writes it to a transcript.

use super::BadLine;
use super::count::Count;
use super::fields::fields;
use super::json::{List, Text};
use super::usage::{CacheSplit, Iteration, ServerTools, cache_writes, is_lifetime_guessed, tier};
use crate::domain::{Tier, Tokens};

fields! {
    /// Input, cache reads and cache writes are disjoint. Thinking is part of the output.
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

/// Usage charged for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) tokens: Tokens,
    pub(super) tier: Tier,
    pub(super) web_searches: u32,
    /// True if the lifetime of some cache writes is neither given nor implied.
    pub(super) is_guessed: bool,
}

impl Booked {
    /// True for placeholders before an answer, and for lines without a model.
    pub(super) fn is_nothing(&self) -> bool {
        self.tokens.is_zero() && self.web_searches == 0
    }
}

impl Usage<'_> {
    /// True when input or output is given.
    pub(super) fn has_counts(&self) -> bool {
        self.input.is_given() || self.output.is_given()
    }

    /// The charged usage, without the advisors' part.
    ///
    /// # Errors
    /// When a count of tokens or searches is invalid or implausible.
    pub(super) fn booked(&self) -> Result<Booked, BadLine> {
        let output = self.output.tokens("output_tokens")?;
        let (cache_write_5m, cache_write_1h) = cache_writes(&self.cache_creation, &self.cache_split)?;
        // An invalid part of the output must not discard it.
        let thinking = self.output_details.thinking.tokens("thinking_tokens").unwrap_or(0);
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
            web_searches: self.server_tools.web_searches.searches("web_search_requests")?,
            is_guessed: is_lifetime_guessed(&self.cache_creation, &self.cache_split),
        })
    }

    /// Rounds that are charged on top, see [`charged_beside`].
    pub(super) fn beside(&self, booked: &Booked) -> Vec<(u64, &Iteration<'_>)> {
        charged_beside(&self.iterations.0, &booked.tokens)
    }
}

/// Rounds that are charged on top of `whole`, the usage object's counts, with their positions among all rounds: advice
/// from other models, and attempts by a model that wrote something and then declined.
///
/// All other rounds repeat the usage object's counts or are free, as attempts without output are (Claude Code 2.1.220,
/// August 2026).
pub(super) fn charged_beside<'r, 'a>(rounds: &'r [Iteration<'a>], whole: &Tokens) -> Vec<(u64, &'r Iteration<'a>)> {
    let is_advice = |round: &&Iteration<'_>| round.kind.get() == Some("advisor_message");
    match rounds {
        [] => return Vec::new(),
        // Only one round: the declined attempt had no output.
        [round] if !is_advice(&round) => return Vec::new(),
        _ => {}
    }
    let classes = |tokens: &Tokens| [tokens.input, tokens.cache_read, tokens.cache_write(), tokens.output];
    let counts = |round: &Iteration<'_>| classes(&round.tokens().unwrap_or_default());
    let whole = classes(whole);
    let rounds: Vec<_> = (0..).zip(rounds).collect();
    // The answering attempt is the shortest suffix of rounds that adds up to the whole.
    let mut answer: Option<u64> = None;
    let mut sum = [0_u64; 4];
    for (place, round) in rounds.iter().rev().filter(|(_, round)| !is_advice(round)) {
        for (sum, count) in sum.iter_mut().zip(counts(round)) {
            *sum = sum.saturating_add(count);
        }
        if sum == whole {
            answer = Some(*place);
            break;
        }
    }
    let is_declined = |place: u64, round: &Iteration<'_>| {
        let counts = counts(round);
        answer.is_some_and(|answer| place < answer) && counts[3] > 0 && counts != whole
    };
    rounds.into_iter().filter(|(place, round)| is_advice(round) || is_declined(*place, round)).collect()
}

/// The tokens of a round. Cache writes without a lifetime get that of the whole.
///
/// # Errors
/// When a token count is invalid or implausible.
pub(super) fn round_tokens(round: &Iteration<'_>, whole: &Tokens) -> Result<Tokens, BadLine> {
    let mut tokens = round.tokens()?;
    let is_stated = round.cache_split.five_minutes.is_given() || round.cache_split.one_hour.is_given();
    if !is_stated && whole.cache_write_1h > 0 && whole.cache_write_5m == 0 {
        (tokens.cache_write_5m, tokens.cache_write_1h) = (0, tokens.cache_write());
    }
    Ok(tokens)
}
