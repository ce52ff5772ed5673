//! What a call costs: a dated price book and the rules that turn tokens into dollars.

mod audio;
mod book;
mod build;
mod card;
mod dated;
mod explain;
mod fill;
mod hours;
mod import;
mod lifetimes;
mod names;
mod own;
mod place;
mod sheet;
mod table;
mod tariff;
mod update;

#[cfg(test)]
mod extras;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod published;

use crate::domain::{Call, Day, Label, Tokens, Usd};

pub use book::PriceBook;
pub use build::{build, remember, seed};
pub(crate) use explain::{Bucket, Explanation, Factor, Found, Guess};
pub(crate) use names::core as core_name;
pub(crate) use sheet::Class;
pub(crate) use table::Known;
pub(crate) use tariff::Tariff;
pub(crate) use update::Difference;

/// What a call costs.
///
/// "Unknown" is a value of its own: it is never $0 and never another model's price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Computed from a price.
    Priced {
        /// The cost.
        usd: Usd,
        /// What caching saved: the same tokens as plain input, less what they cost. May be negative.
        saved: Usd,
        /// The price it was computed from.
        price: PriceId,
        /// True when a rate, or what the call was charged as, is a guess: a tier the list does not know, audio
        /// without a rate of its own, a cache write whose lifetime the log does not state.
        is_guessed: bool,
    },
    /// Stated by the log itself.
    Quoted(Usd),
    /// No price is known.
    Unpriced,
}

/// The name of the price a call was booked with: where it comes from, which model, since when
/// (`list:claude-opus-5@2026-08-16`, `config:my-model`).
pub(crate) type PriceId = Label;

impl Cost {
    /// The dollars, when they are known.
    pub fn usd(&self) -> Option<Usd> {
        match self {
            Self::Priced { usd, .. } | Self::Quoted(usd) => Some(*usd),
            Self::Unpriced => None,
        }
    }

    /// True when it was computed with a guess.
    pub fn is_guessed(&self) -> bool {
        matches!(self, Self::Priced { is_guessed: true, .. })
    }

    /// What caching saved; nothing when the price is not ours.
    pub fn saved(&self) -> Usd {
        match self {
            Self::Priced { saved, .. } => *saved,
            Self::Quoted(_) | Self::Unpriced => Usd::ZERO,
        }
    }
}

/// Turns calls into costs. The price book is one; tests bring their own.
pub trait Pricer: Send + Sync {
    /// What this call costs at the prices in force when it was made.
    fn cost(&self, call: &Call) -> Cost;

    /// The call's tokens with the lifetimes of its cache writes that alone explain the cost its log states.
    ///
    /// `None` where no split of the writes, or more than one, comes to that cost at the prices in force.
    fn solve_lifetimes(&self, _call: &Call) -> Option<Tokens> {
        None
    }

    /// True when writing to the cache costs more than plain input at the prices in force; `None` without a price.
    fn charges_writes(&self, _call: &Call) -> Option<bool> {
        None
    }
}

/// Dollars for one token of each class, and for one web search.
///
/// `None` where a price list gives no rate of its own; what is usual then applies: input for cache
/// reads and writes, and for a Claude model the multiples of input that Anthropic charges (a tenth,
/// five quarters, twice).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Plain input, dollars a token.
    pub input: Usd,
    /// Output, dollars a token.
    pub output: Usd,
    /// Input read from a cache, dollars a token.
    pub cache_read: Option<Usd>,
    /// Input written to a five-minute cache, dollars a token.
    pub cache_write_5m: Option<Usd>,
    /// Input written to a cache of the longer lifetime, dollars a token: an hour at Anthropic, twelve hours at OpenAI.
    pub cache_write_1h: Option<Usd>,
    /// One web search, dollars.
    pub web_search: Option<Usd>,
}

/// A price the user states in the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomPrice {
    /// The model's name as the logs write it.
    pub model: String,
    /// From this day (UTC) on; `None` is always.
    pub from: Option<Day>,
    /// The rates.
    pub rates: Rates,
}

/// Whose cost is booked when a log states one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CostMode {
    /// Ours when the model has a price, else the log's.
    #[default]
    Auto,
    /// Always ours; without a price the cost is unknown.
    Calculate,
    /// The log's when it states one, else ours.
    Quoted,
}
