//! Detail objects in OpenAI's usage: cached tokens, their lifetimes, audio tokens.

use super::BadLine;
use super::count::Count;
use super::fields::fields;
use super::usage::CacheSplit;

fields! {
    /// Parts of the input tokens.
    InputDetails {
        cached: Count = "cached_tokens" | "cachedTokens" | "cache_read" | "cache_read_tokens",
        written: Count = "cache_write_tokens" | "cacheWriteTokens" | "cache_creation_tokens" | "cache_creation",
        split: CacheSplit<'a> = "cache_creation_token_details",
        lifetimes: Lifetimes<'a> = "cache_write_tokens_details" | "cacheWriteTokensDetails",
        audio: Count = "audio_tokens" | "audioTokens",
        web_searches: Count = "web_search_requests",
        cached_details: CachedDetails<'a> = "cached_tokens_details" | "cachedTokensDetails",
    }
}

fields! {
    /// OpenAI's split of cache writes by lifetime (Responses API, November 2026).
    Lifetimes {
        half_an_hour: Count = "ttl_30m_tokens",
        twelve_hours: Count = "ttl_12h_tokens",
    }
}

fields! {
    /// Parts of the cached tokens (realtime API).
    CachedDetails {
        audio: Count = "audio_tokens" | "audioTokens",
    }
}

fields! {
    /// Parts of the output tokens.
    OutputDetails {
        reasoning: Count = "reasoning_tokens" | "reasoningTokens" | "thinking_tokens" | "reasoning",
        audio: Count = "audio_tokens" | "audioTokens",
        text: Count = "text_tokens",
    }
}

impl InputDetails<'_> {
    /// Cache writes by lifetime, short and long; unsplit ones count as short.
    pub(super) fn writes(&self) -> Result<(u64, u64), BadLine> {
        let all = self.written.tokens("cache_write_tokens")?;
        let short = self.lifetimes.half_an_hour.tokens("ttl_30m_tokens")?;
        let long = self.lifetimes.twelve_hours.tokens("ttl_12h_tokens")?;
        Ok((short.max(all.saturating_sub(long)), long))
    }

    /// Cache writes whose lifetime is not given.
    pub(super) fn unstated_writes(&self) -> Result<u64, BadLine> {
        let all = self.written.tokens("cache_write_tokens")?;
        let short = self.lifetimes.half_an_hour.tokens("ttl_30m_tokens")?;
        Ok(all.saturating_sub(short + self.lifetimes.twelve_hours.tokens("ttl_12h_tokens")?))
    }

    /// Uncached and cached audio.
    ///
    /// # Errors
    /// [`BadLine`] when a count is implausible.
    pub(super) fn audio(&self) -> Result<(u64, u64), BadLine> {
        let cached = self.cached_details.audio.tokens("audio_tokens")?;
        // The prompt's audio includes cached audio.
        Ok((self.audio.tokens("audio_tokens")?.saturating_sub(cached), cached))
    }

    /// True when it has fields other than the number of cached tokens.
    pub(super) fn says_more(&self) -> bool {
        let (lifetimes, cached) = (&self.lifetimes, &self.cached_details);
        [&self.written, &self.audio, &lifetimes.half_an_hour, &lifetimes.twelve_hours, &cached.audio]
            .iter()
            .any(|count| count.is_given())
    }
}

#[cfg(test)]
mod tests {
    use super::super::usage::Usage;
    use crate::domain::Parts;

    fn read(text: &str) -> ([u64; 6], [u64; 4]) {
        let usage: Usage<'_> = serde_json::from_str(text).unwrap();
        let (tokens, _) = usage.counts().unwrap().split();
        (tokens.fields(), usage.parts(&tokens).unwrap().fields())
    }

    #[test]
    fn twelve_hour_writes_stand_apart_from_those_of_half_an_hour() {
        let usage = |details: &str| {
            format!(
                r#"{{"input_tokens":900,"output_tokens":10,"total_tokens":910,"input_tokens_details":
                {{"cached_tokens":100,"cache_write_tokens":700{details}}}}}"#
            )
        };
        let split = usage(r#","cache_write_tokens_details":{"ttl_30m_tokens":200,"ttl_12h_tokens":500}"#);
        assert_eq!(read(&split), ([100, 100, 200, 500, 10, 0], [0; 4]));
        // Writes that the split leaves out count as living for half an hour.
        let part = usage(r#","cache_write_tokens_details":{"ttl_12h_tokens":500}"#);
        assert_eq!(read(&part), ([100, 100, 200, 500, 10, 0], [0, 0, 0, 200]));
        assert_eq!(read(&usage("")), ([100, 100, 700, 0, 10, 0], [0, 0, 0, 700]));
        assert_eq!(read(&usage(r#","cache_write_tokens_details":null"#)).1, [0, 0, 0, 700]);
    }

    #[test]
    fn a_lifetime_that_any_of_the_fields_states_is_no_guess() {
        let unstated = |usage: &str, details: &str| {
            let text = format!(
                r#"{{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105{usage},
                "prompt_tokens_details":{{"cache_write_tokens":30{details}}}}}"#
            );
            let (tokens, [.., unstated]) = read(&text);
            assert_eq!(tokens, [70, 0, 30, 0, 5, 0], "{text}");
            unstated
        };
        assert_eq!(unstated("", ""), 30);
        assert_eq!(unstated(r#","cache_creation_input_tokens":30"#, ""), 0);
        assert_eq!(unstated(r#","cache_creation":{"ephemeral_5m_input_tokens":30}"#, ""), 0);
        assert_eq!(unstated("", r#","cache_creation_token_details":{"ephemeral_5m_input_tokens":30}"#), 0);
    }

    #[test]
    fn audio_is_a_part_of_input_cache_and_output() {
        let chat = r#"{"prompt_tokens":100,"completion_tokens":60,"total_tokens":160,
            "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":40},
            "completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":50}}"#;
        assert_eq!(read(chat), ([100, 0, 0, 0, 60, 5], [40, 0, 50, 0]));
        let realtime = r#"{"input_tokens":300,"output_tokens":80,"total_tokens":380,
            "input_token_details":{"text_tokens":100,"audio_tokens":200,"cached_tokens":128,
                "cached_tokens_details":{"text_tokens":64,"audio_tokens":64}},
            "output_token_details":{"text_tokens":20,"audio_tokens":60}}"#;
        assert_eq!(read(realtime), ([172, 128, 0, 0, 80, 0], [136, 64, 60, 0]));
    }

    #[test]
    fn a_part_larger_than_its_whole_is_cut_to_it() {
        let usage = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
            "prompt_tokens_details":{"audio_tokens":40},"completion_tokens_details":{"audio_tokens":9}}"#;
        assert_eq!(read(usage).1, [10, 0, 5, 0]);
    }

    #[test]
    fn anthropic_usage_has_no_such_parts() {
        let usage = r#"{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":2}"#;
        let usage: Usage<'_> = serde_json::from_str(usage).unwrap();
        let (tokens, _) = usage.counts().unwrap().split();
        assert_eq!(usage.parts(&tokens).unwrap(), Parts::NONE);
    }
}
