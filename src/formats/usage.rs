//! The usage objects of the vendors' APIs, and how their counts become disjoint classes.

use super::BadLine;
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{List, Money, Text};
use crate::domain::{Geo, Service, Speed, Tier, Tokens};

fields! {
    /// A `usage` object of OpenAI's chat completions or Responses, or of Anthropic's Messages.
    Usage {
        input: Count = "input_tokens" | "inputTokens",
        output: Count = "output_tokens" | "outputTokens",
        prompt: Count = "prompt_tokens" | "promptTokens",
        completion: Count = "completion_tokens" | "completionTokens",
        total: Count = "total_tokens" | "totalTokens",
        cache_read: Count = "cache_read_input_tokens" | "cacheReadInputTokens",
        cache_creation: Count = "cache_creation_input_tokens" | "cacheCreationInputTokens",
        cache_split: CacheSplit<'a> = "cache_creation" | "cacheCreation",
        prompt_details: InputDetails<'a> = "prompt_tokens_details" | "promptTokensDetails",
        input_details: InputDetails<'a> = "input_tokens_details" | "input_token_details" | "inputTokensDetails",
        completion_details: OutputDetails<'a> = "completion_tokens_details" | "completionTokensDetails",
        output_details: OutputDetails<'a> = "output_tokens_details" | "output_token_details" | "outputTokensDetails",
        hit: Count = "prompt_cache_hit_tokens",
        cached: Count = "cached_tokens" | "cachedInputTokens" | "cached_input_tokens",
        reasoning: Count = "reasoning_tokens" | "reasoningTokens",
        server_tools: ServerTools<'a> = "server_tool_use",
        service_tier: Text<'a> = "service_tier",
        speed: Text<'a> = "speed",
        geo: Text<'a> = "inference_geo",
        cost: Money = "cost",
        iterations: List<Iteration<'a>> = "iterations",
    }
}

fields! {
    /// Anthropic's split of cache writes by lifetime.
    CacheSplit {
        five_minutes: Count = "ephemeral_5m_input_tokens",
        one_hour: Count = "ephemeral_1h_input_tokens",
    }
}

fields! {
    /// What OpenAI says of the input tokens: parts of them.
    InputDetails {
        cached: Count = "cached_tokens" | "cachedTokens" | "cache_read" | "cache_read_tokens",
        written: Count = "cache_write_tokens" | "cacheWriteTokens" | "cache_creation_tokens" | "cache_creation",
    }
}

fields! {
    /// What OpenAI says of the output tokens: parts of them.
    OutputDetails {
        reasoning: Count = "reasoning_tokens" | "reasoningTokens" | "thinking_tokens" | "reasoning",
    }
}

fields! {
    /// What Anthropic's own tools did.
    ServerTools {
        web_searches: Count = "web_search_requests",
    }
}

fields! {
    /// One round of a message that took several.
    Iteration {
        kind: Text<'a> = "type",
        model: Text<'a> = "model",
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_input_tokens",
        cache_creation: Count = "cache_creation_input_tokens",
        cache_split: CacheSplit<'a> = "cache_creation",
    }
}

impl Usage<'_> {
    /// True when there is any count in it.
    pub(super) fn has_counts(&self) -> bool {
        [&self.input, &self.output, &self.prompt, &self.completion, &self.total].iter().any(|count| !count.is_absent())
    }

    /// True for Anthropic's meaning: the input excludes what was read from or written to a cache.
    ///
    /// The Responses API uses the same names with the other meaning; it gives details or a total,
    /// and never Anthropic's cache fields.
    pub(super) fn is_anthropic(&self) -> bool {
        let has_cache_fields =
            !self.cache_read.is_absent() || !self.cache_creation.is_absent() || !self.cache_split.is_absent();
        let is_openai = !self.prompt.is_absent() || !self.input_details.is_absent() || !self.total.is_absent();
        has_cache_fields && !is_openai
    }

    /// The counts as the object states them.
    ///
    /// # Errors
    /// [`BadLine`] when a count is not a believable number.
    pub(super) fn counts(&self) -> Result<Counts, BadLine> {
        let (write_5m, write_1h) = cache_writes(&self.cache_creation, &self.cache_split)?;
        let written = first(&[&self.prompt_details.written, &self.input_details.written], "cache_write_tokens")?;
        let cache_read = first(
            &[&self.cache_read, &self.prompt_details.cached, &self.input_details.cached, &self.hit, &self.cached],
            "cached_tokens",
        )?;
        let input = given(&self.input, "input_tokens")?;
        let prompt = given(&self.prompt, "prompt_tokens")?;
        let is_exclusive = self.is_anthropic();
        Ok(Counts {
            input: if is_exclusive { input } else { None },
            prompt: if is_exclusive { prompt } else { prompt.or(input) },
            output: first(&[&self.output, &self.completion], "output_tokens")?,
            total: given(&self.total, "total_tokens")?,
            cache_read: cache_read.unwrap_or(0),
            cache_write_5m: if write_5m + write_1h == 0 { written.unwrap_or(0) } else { write_5m },
            cache_write_1h: write_1h,
            reasoning: first(
                &[&self.completion_details.reasoning, &self.output_details.reasoning, &self.reasoning],
                "reasoning_tokens",
            )?
            .unwrap_or(0),
        })
    }

    /// Web searches charged beside the tokens.
    ///
    /// # Errors
    /// [`BadLine`] when their number is not believable.
    pub(super) fn web_searches(&self) -> Result<u32, BadLine> {
        let searches = self.server_tools.web_searches.tokens("web_search_requests")?;
        Ok(u32::try_from(searches).unwrap_or(u32::MAX))
    }

    /// What the answer was charged as; `outside` is the service tier that stands beside the usage.
    pub(super) fn tier(&self, outside: &Text<'_>) -> Tier {
        let service = self.service_tier.get().or_else(|| outside.get());
        tier(self.speed.get(), service, self.geo.get())
    }
}

impl Iteration<'_> {
    /// The counts of this round, in Anthropic's meaning.
    ///
    /// # Errors
    /// [`BadLine`] when a count is not a believable number.
    pub(super) fn tokens(&self) -> Result<Tokens, BadLine> {
        let (cache_write_5m, cache_write_1h) = cache_writes(&self.cache_creation, &self.cache_split)?;
        Ok(Tokens {
            input: self.input.tokens("input_tokens")?,
            cache_read: self.cache_read.tokens("cache_read_input_tokens")?,
            cache_write_5m,
            cache_write_1h,
            output: self.output.tokens("output_tokens")?,
            reasoning: 0,
        })
    }
}

/// The first of several fields that says anything.
fn first(fields: &[&Count], name: &'static str) -> Result<Option<u64>, BadLine> {
    fields.iter().find(|field| field.is_given()).map_or(Ok(None), |field| given(field, name))
}

/// A count, when the field says anything.
pub(super) fn given(count: &Count, field: &'static str) -> Result<Option<u64>, BadLine> {
    Ok(count.is_given().then_some(count.tokens(field)?))
}

/// Cache writes by lifetime.
///
/// With server tools the split covers the first round only (Claude Code, November 2026): the rest lives as long as what
/// the split names, and five minutes where it names both lifetimes, or none.
pub(super) fn cache_writes(all: &Count, split: &CacheSplit<'_>) -> Result<(u64, u64), BadLine> {
    let five_minutes = split.five_minutes.tokens("ephemeral_5m_input_tokens")?;
    let one_hour = split.one_hour.tokens("ephemeral_1h_input_tokens")?;
    let rest = all.tokens("cache_creation_input_tokens")?.saturating_sub(five_minutes + one_hour);
    Ok(if five_minutes == 0 && one_hour > 0 { (0, one_hour + rest) } else { (five_minutes + rest, one_hour) })
}

/// True when the split names both lifetimes and leaves some cache writes to neither.
pub(super) fn is_lifetime_guessed(all: &Count, split: &CacheSplit<'_>) -> bool {
    let count = |count: &Count| count.tokens("").unwrap_or(0);
    let (five_minutes, one_hour) = (count(&split.five_minutes), count(&split.one_hour));
    five_minutes > 0 && one_hour > 0 && count(all) > five_minutes + one_hour
}

/// What an answer was charged as, by the names in a log; a name that is not known is the usual one.
pub(super) fn tier(speed: Option<&str>, service: Option<&str>, geo: Option<&str>) -> Tier {
    Tier {
        speed: if speed == Some("fast") { Speed::Fast } else { Speed::Standard },
        service: match service {
            Some("priority") => Service::Priority,
            Some("flex") => Service::Flex,
            Some("batch") => Service::Batch,
            _ => Service::Standard,
        },
        geo: match geo {
            Some("us") => Geo::Us,
            Some("eu") => Geo::Eu,
            _ => Geo::Global,
        },
    }
}

/// What a log says of one answer, before its counts are split into classes that never overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Input without what was read from or written to a cache.
    pub(super) input: Option<u64>,
    /// Input with what was read from and written to a cache.
    pub(super) prompt: Option<u64>,
    /// Output, usually with reasoning.
    pub(super) output: Option<u64>,
    /// Everything, where the log says so.
    pub(super) total: Option<u64>,
    /// Read from a cache.
    pub(super) cache_read: u64,
    /// Written to a cache of five minutes, or of unknown lifetime.
    pub(super) cache_write_5m: u64,
    /// Written to a cache of an hour.
    pub(super) cache_write_1h: u64,
    /// Reasoning, usually within the output.
    pub(super) reasoning: u64,
}

impl Counts {
    /// Disjoint classes, and whether the split had to be guessed.
    ///
    /// Where a count's meaning is in doubt the stated total decides; where that is missing too, a
    /// part larger than its whole shows that it is no part.
    pub(super) fn split(self) -> (Tokens, bool) {
        let cached = self.cache_read + self.cache_write_5m + self.cache_write_1h;
        let (output, reasoning_was_apart) = self.output_with_reasoning();
        let (input, guessed) = match (self.input, self.prompt) {
            (Some(input), None) => (input, false),
            (Some(input), Some(prompt)) if prompt == input + cached => (input, false),
            (_, Some(prompt)) => {
                let is_exclusive = cached > prompt
                    || (cached > 0 && self.total == Some(prompt + cached + output) && self.input.is_none());
                let input = if is_exclusive { prompt } else { prompt - cached };
                (input, self.input.is_some() || (is_exclusive && self.total.is_none()))
            }
            (None, None) => {
                let rest = self.total.map_or(0, |total| total.saturating_sub(output + cached));
                (rest, rest > 0)
            }
        };
        let told = input + cached;
        let (output, output_guessed) = match (self.output, self.total) {
            (None, Some(total)) if self.input.is_some() || self.prompt.is_some() => {
                (total.saturating_sub(told), total > told)
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

    /// The output with the reasoning inside; the flag is true when the log counts it apart.
    fn output_with_reasoning(&self) -> (u64, bool) {
        let output = self.output.unwrap_or(0);
        let input = self.prompt.or(self.input).unwrap_or(0);
        let is_total_told = self.output.is_some() && self.cache_read <= input;
        let is_apart = self.reasoning > output
            || (self.reasoning > 0 && is_total_told && self.total == Some(input + output + self.reasoning));
        if is_apart { (output + self.reasoning, true) } else { (output, false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> ([u64; 6], bool) {
        let usage: Usage<'_> = serde_json::from_str(text).unwrap();
        let (tokens, guessed) = usage.counts().unwrap().split();
        (tokens.fields(), guessed)
    }

    #[test]
    fn openai_counts_cached_tokens_within_the_prompt_and_reasoning_within_the_output() {
        let chat = r#"{"prompt_tokens":1000,"completion_tokens":300,"total_tokens":1300,
            "prompt_tokens_details":{"cached_tokens":800},"completion_tokens_details":{"reasoning_tokens":120}}"#;
        assert_eq!(split(chat), ([200, 800, 0, 0, 300, 120], false));
        let responses = r#"{"input_tokens":1000,"output_tokens":300,"total_tokens":1300,
            "input_tokens_details":{"cached_tokens":800},"output_tokens_details":{"reasoning_tokens":120}}"#;
        assert_eq!(split(responses), ([200, 800, 0, 0, 300, 120], false));
    }

    #[test]
    fn anthropic_counts_cached_tokens_beside_the_input() {
        let usage = r#"{"input_tokens":10,"output_tokens":300,"cache_read_input_tokens":800,
            "cache_creation_input_tokens":70,"cache_creation":{"ephemeral_1h_input_tokens":50,"ephemeral_5m_input_tokens":20}}"#;
        assert_eq!(split(usage), ([10, 800, 20, 50, 300, 0], false));
    }

    #[test]
    fn a_cache_write_without_lifetimes_lives_five_minutes() {
        assert_eq!(
            split(r#"{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":2}"#).0,
            [1, 0, 9, 0, 2, 0]
        );
    }

    #[test]
    fn cache_writes_of_later_rounds_live_as_long_as_those_of_the_first() {
        let usage = |split: &str| {
            let text = format!(
                r#"{{"input_tokens":1,"cache_creation_input_tokens":900,"output_tokens":2,"cache_creation":{split}}}"#
            );
            let usage: Usage<'_> = serde_json::from_str(&text).unwrap();
            let guessed = is_lifetime_guessed(&usage.cache_creation, &usage.cache_split);
            (cache_writes(&usage.cache_creation, &usage.cache_split).unwrap(), guessed)
        };
        for (split, writes) in [
            (r#"{"ephemeral_1h_input_tokens":200,"ephemeral_5m_input_tokens":0}"#, ((0, 900), false)),
            (r#"{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":200}"#, ((900, 0), false)),
            (r#"{"ephemeral_1h_input_tokens":300,"ephemeral_5m_input_tokens":200}"#, ((600, 300), true)),
            (r#"{"ephemeral_1h_input_tokens":700,"ephemeral_5m_input_tokens":200}"#, ((200, 700), false)),
            ("{}", ((900, 0), false)),
            ("null", ((900, 0), false)),
        ] {
            assert_eq!(usage(split), writes, "{split}");
        }
    }

    #[test]
    fn deepseek_and_openrouter_names_are_read() {
        let deepseek =
            r#"{"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#;
        assert_eq!(split(deepseek), ([36, 64, 0, 0, 5, 0], false));
        let openrouter = r#"{"prompt_tokens":100,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30}}"#;
        assert_eq!(split(openrouter), ([10, 60, 30, 0, 5, 0], false));
    }

    #[test]
    fn the_total_tells_whether_reasoning_stands_beside_the_output() {
        let beside = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}"#;
        assert_eq!(split(beside), ([10, 0, 0, 0, 105, 100], false));
        let unsaid =
            r#"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":100}}"#;
        assert_eq!(split(unsaid), ([10, 0, 0, 0, 105, 100], true));
    }

    #[test]
    fn a_cache_larger_than_the_prompt_stands_beside_it() {
        let usage = r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":800}}"#;
        assert_eq!(split(usage), ([10, 800, 0, 0, 5, 0], true));
    }

    #[test]
    fn a_total_alone_is_input_and_a_guess() {
        assert_eq!(split(r#"{"total_tokens":77}"#), ([77, 0, 0, 0, 0, 0], true));
        assert_eq!(split(r#"{"prompt_tokens":77,"total_tokens":77}"#), ([77, 0, 0, 0, 0, 0], false));
        assert_eq!(split(r#"{"prompt_tokens":70,"total_tokens":77}"#), ([70, 0, 0, 0, 7, 0], true));
    }

    #[test]
    fn details_that_are_null_say_nothing() {
        let usage = r#"{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":null,"completion_tokens_details":null}"#;
        assert_eq!(split(usage), ([7, 0, 0, 0, 3, 0], false));
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
