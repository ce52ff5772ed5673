//! The usage object of an Anthropic answer, as Claude Code writes it into a transcript.

use super::BadLine;
use super::count::Count;
use super::fields::fields;
use super::json::{List, Text};
use super::usage::{CacheSplit, Iteration, ServerTools, cache_writes, is_lifetime_guessed, tier};
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
    /// The lifetime of some cache writes is not stated, and not clear from the others.
    pub(super) is_guessed: bool,
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
            is_guessed: is_lifetime_guessed(&self.cache_creation, &self.cache_split),
        })
    }

    /// The rounds that are charged beside what the usage object says, see [`charged_beside`].
    pub(super) fn beside(&self, booked: &Booked) -> Vec<(u64, &Iteration<'_>)> {
        charged_beside(&self.iterations.0, &booked.tokens)
    }
}

/// The rounds that are charged beside `whole`, which the usage object says, by their places among all rounds: those in
/// which another model was asked for advice, and attempts of a model that wrote something and then declined.
///
/// All other rounds repeat what the usage object itself says, or are free: an attempt that wrote nothing is
/// (Claude Code 2.1.220, August 2026).
pub(super) fn charged_beside<'r, 'a>(rounds: &'r [Iteration<'a>], whole: &Tokens) -> Vec<(u64, &'r Iteration<'a>)> {
    let is_advice = |round: &&Iteration<'_>| round.kind.get() == Some("advisor_message");
    match rounds {
        [] => return Vec::new(),
        // Before the round that answered nothing was declined.
        [round] if !is_advice(&round) => return Vec::new(),
        _ => {}
    }
    let classes = |tokens: &Tokens| [tokens.input, tokens.cache_read, tokens.cache_write(), tokens.output];
    let counts = |round: &Iteration<'_>| classes(&round.tokens().unwrap_or_default());
    let whole = classes(whole);
    let rounds: Vec<_> = (0..).zip(rounds).collect();
    // The attempt that answered is the shortest tail of the rounds that adds up to the whole.
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

/// The tokens of a round; cache writes whose lifetime it does not state live as long as those of the whole.
///
/// # Errors
/// When a count of tokens is none, or cannot be true.
pub(super) fn round_tokens(round: &Iteration<'_>, whole: &Tokens) -> Result<Tokens, BadLine> {
    let mut tokens = round.tokens()?;
    let is_stated = round.cache_split.five_minutes.is_given() || round.cache_split.one_hour.is_given();
    if !is_stated && whole.cache_write_1h > 0 && whole.cache_write_5m == 0 {
        (tokens.cache_write_5m, tokens.cache_write_1h) = (0, tokens.cache_write());
    }
    Ok(tokens)
}
