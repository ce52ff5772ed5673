//! Text for classes, factors, guesses and sources of a price.

use crate::domain::Label;
use crate::pricing::{Class, Cost, Factor, Found, Guess};

pub(super) fn price_of(cost: &Cost) -> Option<&Label> {
    match cost {
        Cost::Priced { price, .. } => Some(price),
        Cost::Quoted(_) | Cost::Unpriced => None,
    }
}

pub(super) const fn cost_word(cost: &Cost) -> &'static str {
    match cost {
        Cost::Priced { .. } => "priced",
        Cost::Quoted(_) => "quoted",
        Cost::Unpriced => "unpriced",
    }
}

pub(super) const fn found_word(found: Found) -> &'static str {
    match found {
        Found::Config => "config",
        Found::Fetched => "fetched list",
        Found::List => "built-in list",
        Found::Nowhere => "nowhere",
    }
}

pub(super) const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Input => "input",
        Class::CacheRead => "cache_read",
        Class::CacheWrite5m => "cache_write_5m",
        Class::CacheWrite1h => "cache_write_1h",
        Class::Output => "output",
        Class::Reasoning => "reasoning",
        Class::AudioInput => "audio_input",
        Class::AudioCacheRead => "audio_cache_read",
        Class::AudioOutput => "audio_output",
    }
}

/// Name of a guess in JSON.
pub(super) const fn guess_word(guess: Guess) -> &'static str {
    match guess {
        Guess::Model => "model",
        Guess::Tier => "tier",
        Guess::Lifetime => "cache_write_lifetime",
        Guess::Audio => "audio_rate",
        Guess::Search => "web_search_rate",
    }
}

pub(super) const fn guess_sentence(guess: Guess) -> &'static str {
    match guess {
        Guess::Model => "it is not certain which model this name refers to",
        Guess::Tier => "the list has no rates for its service tier or speed: the standard ones are used",
        Guess::Lifetime => "the log does not say how long its cache writes live: the cheaper rate is used",
        Guess::Audio => "the list has no rate for its audio: that of text is used",
        Guess::Search => "the list has no price for a web search: its searches are not in the cost",
    }
}

pub(super) const fn factor_word(factor: Factor) -> &'static str {
    match factor {
        Factor::Fast => "fast_mode",
        Factor::Us => "us_only",
        Factor::Eu => "eu_only",
    }
}
