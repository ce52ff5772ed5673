//! Usage objects of the vendors' APIs, and their conversion to disjoint classes.

use super::BadLine;
use super::count::Count;
use super::details::{InputDetails, OutputDetails};
use super::fields::{Slot, Within, fields};
use super::json::{List, Money, Text};
pub(super) use super::split::Counts;
pub(super) use super::tier::tier;
use crate::domain::{Parts, Tier, Tokens, Usd};

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
        miss: Count = "prompt_cache_miss_tokens",
        cached: Count = "cached_tokens" | "cachedInputTokens" | "cached_input_tokens",
        reasoning: Count = "reasoning_tokens" | "reasoningTokens",
        server_tools: ServerTools<'a> = "server_tool_use",
        service_tier: Text<'a> = "service_tier",
        speed: Text<'a> = "speed",
        geo: Text<'a> = "inference_geo",
        cost: Money = "cost",
        is_byok: Within<'a> = "is_byok",
        cost_details: CostDetails<'a> = "cost_details" | "costDetails",
        iterations: List<Iteration<'a>> = "iterations",
    }
}

fields! {
    /// Anthropic's split of cache writes by lifetime, with the lifetimes LiteLLM adds for other vendors.
    CacheSplit {
        five_minutes: Count = "ephemeral_5m_input_tokens",
        one_hour: Count = "ephemeral_1h_input_tokens",
        half_hour: Count = "ephemeral_30m_input_tokens",
        twelve_hours: Count = "ephemeral_12h_input_tokens",
    }
}

fields! {
    /// OpenRouter's costs for a call made with the user's own key, which the vendor charges.
    CostDetails {
        upstream: Money = "upstream_inference_cost" | "upstreamInferenceCost",
    }
}

fields! {
    /// Usage of Anthropic's server tools.
    ServerTools {
        web_searches: Count = "web_search_requests",
    }
}

fields! {
    /// One round of a message that has several.
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
    /// True when it has any count.
    pub(super) fn has_counts(&self) -> bool {
        [&self.input, &self.output, &self.prompt, &self.completion, &self.total].iter().any(|count| !count.is_absent())
    }

    /// True if the counts have Anthropic's meaning: input excludes cache reads and writes.
    ///
    /// The Responses API uses the same names with the other meaning. It has details or a total, and never Anthropic's
    /// cache fields.
    pub(super) fn is_anthropic(&self) -> bool {
        let has_cache_fields =
            !self.cache_read.is_absent() || !self.cache_creation.is_absent() || !self.cache_split.is_absent();
        let is_openai = !self.prompt.is_absent() || !self.input_details.is_absent() || !self.total.is_absent();
        has_cache_fields && !is_openai
    }

    /// The counts as the log gives them.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
    pub(super) fn counts(&self) -> Result<Counts, BadLine> {
        let split = self.cache_split.or(&self.prompt_details.split).or(&self.input_details.split);
        let (write_5m, write_1h) = cache_writes(&self.cache_creation, split)?;
        let (short, long) = self.input_side().writes()?;
        let cache_read = first(
            &[&self.cache_read, &self.prompt_details.cached, &self.input_details.cached, &self.hit, &self.cached],
            "cached_tokens",
        )?;
        let input = given(&self.input, "input_tokens")?;
        let hit_and_miss =
            || Ok(given(&self.miss, "prompt_cache_miss_tokens")?.map(|miss| miss + cache_read.unwrap_or(0)));
        let prompt = given(&self.prompt, "prompt_tokens")?.map_or_else(hit_and_miss, |prompt| Ok(Some(prompt)))?;
        let is_exclusive = self.is_anthropic();
        Ok(Counts {
            input: if is_exclusive { input } else { None },
            prompt: if is_exclusive { prompt } else { prompt.or(input) },
            output: first(&[&self.output, &self.completion], "output_tokens")?,
            total: given(&self.total, "total_tokens")?,
            cache_read: cache_read.unwrap_or(0),
            cache_write_5m: if write_5m + write_1h == 0 { short } else { write_5m },
            cache_write_1h: if write_5m + write_1h == 0 { long } else { write_1h },
            reasoning: first(
                &[&self.completion_details.reasoning, &self.output_details.reasoning, &self.reasoning],
                "reasoning_tokens",
            )?
            .unwrap_or(0),
        })
    }

    /// Parts of the counts that some vendors price separately. `tokens` are the counts in disjoint classes.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
    pub(super) fn parts(&self, tokens: &Tokens) -> Result<Parts, BadLine> {
        let input = self.input_side();
        let (audio_input, audio_cache_read) = input.audio()?;
        let has_split = !self.cache_split.is_absent() || !self.cache_creation.is_absent() || !input.split.is_absent();
        let parts = Parts {
            audio_input,
            audio_cache_read,
            audio_output: self.output_side().audio.tokens("audio_tokens")?,
            write_of_unstated_lifetime: if has_split { 0 } else { input.unstated_writes()? },
        };
        Ok(parts.within(tokens))
    }

    /// Audio within the counts.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
    pub(super) fn audio_tokens(&self) -> Result<u64, BadLine> {
        let (new, cached) = self.input_side().audio()?;
        Ok(new + cached + self.output_side().audio.tokens("audio_tokens")?)
    }

    /// Details of the input, under either name.
    fn input_side(&self) -> &InputDetails<'_> {
        if self.prompt_details.says_more() { &self.prompt_details } else { &self.input_details }
    }

    /// Details of the output, under either name.
    fn output_side(&self) -> &OutputDetails<'_> {
        if self.completion_details.audio.is_given() { &self.completion_details } else { &self.output_details }
    }

    /// The cost in the log. With the user's own key, OpenRouter's `cost` is only its fee, so the vendor's charge is
    /// added (<https://openrouter.ai/docs/use-cases/usage-accounting>, November 2026).
    pub(super) fn quoted(&self) -> Option<Usd> {
        let (cost, upstream) = (self.cost.0, self.cost_details.upstream.0);
        let is_own_key = match self.is_byok.written() {
            Some("true") => true,
            Some("false") => false,
            // Before the flag existed, only these calls had an upstream cost, and the fee is a small part of it.
            Some(_) | None => upstream > cost,
        };
        if is_own_key { upstream.map(|upstream| upstream + cost.unwrap_or_default()).or(cost) } else { cost }
    }

    /// True for LiteLLM's own estimate when a stream ended without usage: all output is text, and there are no prompt
    /// details. It writes the same for servers that send no details.
    ///
    /// Seen with LiteLLM 1.110.2, November 2026: 13 tokens where 17,978 were billed.
    pub(super) fn is_an_estimate(&self) -> bool {
        let output = &self.completion_details;
        let is_all_text = output.text.is_given() && output.text == self.completion;
        is_all_text && self.prompt_details.is_absent()
    }

    /// True when a Claude model, whose cache writes have two lifetimes, wrote to the cache and the lifetime is not
    /// given.
    pub(super) fn hides_lifetimes(&self, model: &str, tokens: &Tokens) -> bool {
        let says = [&self.cache_split, &self.prompt_details.split, &self.input_details.split]
            .iter()
            .any(|split| !split.is_absent());
        tokens.cache_write() > 0 && !says && has_two_lifetimes(model)
    }

    /// Web searches, charged on top of the tokens.
    ///
    /// # Errors
    /// [`BadLine`] when the number is implausible.
    pub(super) fn web_searches(&self) -> Result<u32, BadLine> {
        // LiteLLM reports other vendors' searches in either place (its `PromptTokensDetailsWrapper`, 1.110).
        let searches = self.server_tools.web_searches.searches("web_search_requests")?;
        Ok(searches.max(self.prompt_details.web_searches.searches("web_search_requests")?))
    }

    /// The tier that was charged. `outside` is the service tier given next to the usage object.
    pub(super) fn tier(&self, outside: &Text<'_>) -> Tier {
        let service = self.service_tier.get().or_else(|| outside.get());
        tier(self.speed.get(), service, self.geo.get())
    }
}

impl Iteration<'_> {
    /// The counts of this round, with Anthropic's meaning.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
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

/// The first of these fields that is set.
fn first(fields: &[&Count], name: &'static str) -> Result<Option<u64>, BadLine> {
    fields.iter().find(|field| field.is_given()).map_or(Ok(None), |field| given(field, name))
}

/// The count, if the field is set.
pub(super) fn given(count: &Count, field: &'static str) -> Result<Option<u64>, BadLine> {
    Ok(count.is_given().then_some(count.tokens(field)?))
}

/// Cache writes by lifetime, short and long.
///
/// With server tools, the split covers only the first round (Claude Code, November 2026). The remainder counts as
/// one-hour writes if the split states that there are no five-minute ones, otherwise as five-minute writes.
pub(super) fn cache_writes(all: &Count, split: &CacheSplit<'_>) -> Result<(u64, u64), BadLine> {
    let short = split.five_minutes.tokens("ephemeral_5m_input_tokens")?
        + split.half_hour.tokens("ephemeral_30m_input_tokens")?;
    let long = split.one_hour.tokens("ephemeral_1h_input_tokens")?
        + split.twelve_hours.tokens("ephemeral_12h_input_tokens")?;
    let rest = all.tokens("cache_creation_input_tokens")?.saturating_sub(short + long);
    let is_all_long = split.five_minutes.is_given() && short == 0 && long > 0;
    Ok(if is_all_long { (0, long + rest) } else { (short + rest, long) })
}

/// True when the split names both lifetimes but does not cover all cache writes.
pub(super) fn is_lifetime_guessed(all: &Count, split: &CacheSplit<'_>) -> bool {
    let count = |count: &Count| count.tokens("").unwrap_or(0);
    let (five_minutes, one_hour) = (count(&split.five_minutes), count(&split.one_hour));
    five_minutes > 0 && one_hour > 0 && count(all) > five_minutes + one_hour
}

/// True for models whose cache writes are sold in two lifetimes: Anthropic's, on any platform (November 2026).
pub(super) fn has_two_lifetimes(model: &str) -> bool {
    model.to_ascii_lowercase().contains("claude")
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (r#"{"ephemeral_1h_input_tokens":200}"#, ((700, 200), false)),
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
    fn lifetimes_of_writes_are_read_wherever_a_proxy_puts_them() {
        let litellm = r#"{"prompt_tokens":1500,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":300,
            "cache_creation_tokens":1100,"cache_creation_token_details":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":1000}}}"#;
        assert_eq!(split(litellm), ([100, 300, 100, 1000, 5, 0], false));
        let others = r#"{"prompt_tokens":1500,"completion_tokens":5,"cache_creation_input_tokens":1100,"prompt_tokens_details":{
            "cache_creation_token_details":{"ephemeral_5m_input_tokens":0,"ephemeral_30m_input_tokens":100,"ephemeral_1h_input_tokens":null,"ephemeral_12h_input_tokens":1000}}}"#;
        assert_eq!(split(others), ([400, 0, 100, 1000, 5, 0], false));
    }

    #[test]
    fn a_prompt_may_be_given_as_hits_and_misses_alone() {
        let usage = r#"{"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36,"completion_tokens":5}"#;
        assert_eq!(split(usage), ([36, 64, 0, 0, 5, 0], false));
    }

    #[test]
    fn a_call_with_the_users_own_key_costs_the_fee_and_what_the_vendor_charges() {
        let quoted = |text: &str| serde_json::from_str::<Usage<'_>>(text).unwrap().quoted();
        let usd = |text: &str| Some(Usd::parse(text).unwrap().0);
        let details = r#""cost_details":{"upstream_inference_cost":0.019,"upstream_inference_prompt_cost":0.01}"#;
        assert_eq!(quoted(&format!(r#"{{"cost":0.00095,"is_byok":true,{details}}}"#)), usd("0.01995"));
        assert_eq!(quoted(&format!(r#"{{"cost":0,"is_byok":true,{details}}}"#)), usd("0.019"));
        assert_eq!(quoted(&format!(r#"{{"cost":0.019,"is_byok":false,{details}}}"#)), usd("0.019"));
        assert_eq!(quoted(&format!(r#"{{"cost":0.00095,{details}}}"#)), usd("0.01995"));
        assert_eq!(
            quoted(r#"{"cost":0.5,"is_byok":true,"cost_details":{"upstream_inference_cost":null}}"#),
            usd("0.5")
        );
        assert_eq!(quoted(r#"{"cost":0.5,"cost_details":null}"#), usd("0.5"));
    }

    #[test]
    fn details_that_are_null_say_nothing() {
        let usage = r#"{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":null,"completion_tokens_details":null}"#;
        assert_eq!(split(usage), ([7, 0, 0, 0, 3, 0], false));
    }
}
