//! Pricing: a dated price book, and the rules that convert tokens to dollars.

mod audio;
mod book;
mod build;
mod card;
mod context_size;
mod dated;
mod explain;
mod fill;
mod hours;
mod import;
mod lifetimes;
mod own;
mod place;
mod sheet;
mod table;
mod tariff;
mod tier_rates;
mod update;

use crate::domain::{Call, Day, Label, Tokens, Usd};

pub use book::PriceBook;
pub use build::{build, remember, seed};
pub(crate) use card::{Found, Guess};
pub(crate) use context_size::context_size;
pub(crate) use explain::{Bucket, Explanation, Factor};
pub(crate) use sheet::Class;
pub(crate) use table::Known;
pub(crate) use tariff::Tariff;
pub(crate) use update::Difference;

/// The cost of a call.
///
/// "Unknown" is a value of its own: it never becomes $0 or another model's price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Computed from a price.
    Priced {
        /// The cost.
        usd: Usd,
        /// Savings from caching: what the same tokens would cost as plain input, minus their actual cost. May be
        /// negative.
        saved: Usd,
        /// The price used.
        price: PriceId,
        /// True when a rate or tier is a guess: a tier missing from the list, audio without a rate, or a cache write of
        /// unknown lifetime.
        is_guessed: bool,
    },
    /// Given in the log.
    Quoted(Usd),
    /// No price is known.
    Unpriced,
}

/// Id of the price that a call was booked with: source, model, first day (`list:claude-opus-5@2026-08-16`,
/// `config:my-model`).
pub(crate) type PriceId = Label;

impl Cost {
    /// The dollars, if known.
    pub fn usd(&self) -> Option<Usd> {
        match self {
            Self::Priced { usd, .. } | Self::Quoted(usd) => Some(*usd),
            Self::Unpriced => None,
        }
    }

    /// True when a guess was involved.
    pub fn is_guessed(&self) -> bool {
        matches!(self, Self::Priced { is_guessed: true, .. })
    }

    /// Savings from caching; zero unless computed from a price.
    pub fn saved(&self) -> Usd {
        match self {
            Self::Priced { saved, .. } => *saved,
            Self::Quoted(_) | Self::Unpriced => Usd::ZERO,
        }
    }
}

/// Computes costs. Implemented by the price book and by test doubles.
pub trait Pricer: Send + Sync {
    /// Cost of this call at the prices in force when it was made.
    fn cost(&self, call: &Call) -> Cost;

    /// The call's tokens, with the lifetimes of its cache writes derived from the logged cost.
    ///
    /// `None` if no split of the writes, or more than one, gives that cost at the list's prices in force. What a log
    /// means does not depend on the prices of the config.
    fn solve_lifetimes(&self, _call: &Call) -> Option<Tokens> {
        None
    }

    /// True when the vendor charges more for writing to the cache than for plain input, or the config if the list does
    /// not have the model; `None` without a price.
    fn charges_writes(&self, _call: &Call) -> Option<bool> {
        None
    }
}

/// Dollars per token of each class, and per web search.
///
/// `None` where a price list has no rate. Defaults then apply: the input rate for cache reads and writes or, for Claude
/// models, Anthropic's multiples of it (a tenth, five quarters, twice).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Plain input, dollars per token.
    pub input: Usd,
    /// Output, dollars per token.
    pub output: Usd,
    /// Cache reads, dollars per token.
    pub cache_read: Option<Usd>,
    /// Five-minute cache writes, dollars per token.
    pub cache_write_5m: Option<Usd>,
    /// Cache writes with the longer lifetime, dollars per token: one hour at Anthropic, twelve hours at OpenAI.
    pub cache_write_1h: Option<Usd>,
    /// Dollars per web search.
    pub web_search: Option<Usd>,
}

/// A price from the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomPrice {
    /// Name of the model in logs.
    pub model: String,
    /// First day (UTC); `None` means always.
    pub from: Option<Day>,
    /// Rates per token.
    pub rates: Rates,
}

/// Which cost counts when a log gives one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CostMode {
    /// Ours if the model has a price, otherwise the log's.
    #[default]
    Auto,
    /// Always ours. Unknown if there is no price.
    Calculate,
    /// The log's if it gives one, otherwise ours.
    Quoted,
}

#[cfg(test)]
mod tests;
