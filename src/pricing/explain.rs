//! Breakdown of the cost of one call.

use super::audio::apart;
use super::card::{Found, Guess, Terms, prompt};
use super::sheet::Class;
use super::table::Known;
use super::tariff::Priced;
use super::{Cost, PriceId};
use crate::domain::{Call, Day, Geo, Label, Ratio, Service, Usd};

/// A call's cost with all its components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The booked cost.
    pub cost: Cost,
    /// The cost given in the log.
    pub quoted: Option<Usd>,
    /// Source of the price.
    pub found: Found,
    /// Chain of names, from the log's to the one with the price.
    pub path: Vec<Label>,
    /// The price in force at the time of the call.
    pub price: Option<PriceId>,
    /// Its first day.
    pub since: Option<Day>,
    /// Precision of that day; `None` for a config price.
    pub known: Option<Known>,
    /// First day on which a list showed the next price, if that price may already have been in force.
    pub next: Option<Day>,
    /// Tokens in the whole prompt, which select the long-context tier.
    pub prompt: u64,
    /// Prompt length above which these rates apply; `None` for the usual rates.
    pub above: Option<u64>,
    /// Service tier whose rates are used.
    pub service: Service,
    /// Guesses involved.
    pub guesses: Vec<Guess>,
    /// One per class with tokens.
    pub buckets: Vec<Bucket>,
    /// Multipliers of the sum of the buckets.
    pub factors: Vec<(Factor, Ratio)>,
    /// Sum of the buckets after the multipliers.
    pub tokens_usd: Usd,
    /// Web searches, unaffected by multipliers.
    pub searches: Option<Searches>,
}

/// Tokens of one class at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Token class.
    pub class: Class,
    /// Number of tokens.
    pub tokens: u64,
    /// Dollars per token.
    pub rate: Usd,
    /// Fraction of the rate that is charged: one half in a batch for which the list has no rate.
    pub part: Ratio,
    /// Dollars before the multipliers.
    pub usd: Usd,
}

/// Web searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searches {
    /// Number of searches.
    pub count: u32,
    /// Dollars per search; `None` when the list has no price and the cost excludes them.
    pub rate: Option<Usd>,
    /// Dollars for all.
    pub usd: Usd,
}

/// Reason for a multiplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Factor {
    /// The vendor's fast mode.
    Fast,
    /// Inference in the United States only.
    Us,
    /// Inference in the European Union only.
    Eu,
}

impl Explanation {
    /// The breakdown of a call without a price.
    pub(crate) fn unpriced(call: &Call, cost: Cost) -> Self {
        Self {
            cost,
            quoted: call.quoted,
            found: Found::Nowhere,
            path: call.model.iter().cloned().collect(),
            price: None,
            since: None,
            known: None,
            next: None,
            guesses: Vec::new(),
            prompt: prompt(call),
            above: None,
            service: call.tier.service,
            buckets: Vec::new(),
            factors: Vec::new(),
            tokens_usd: Usd::ZERO,
            searches: None,
        }
    }

    pub(crate) fn new(call: &Call, cost: Cost, priced: Option<&Priced>) -> Self {
        let mut explanation = Self::unpriced(call, cost);
        let Some(priced) = priced else { return explanation };
        explanation.path.clone_from(&priced.path);
        let Some(card) = priced.at(call.at()) else { return explanation };
        let terms = card.terms(explanation.prompt, call.tier);
        explanation.found = card.found;
        explanation.price = Some(card.id.clone());
        let since = card.since;
        explanation.since = since.filter(|since| since.known != Known::Launch).map(|since| since.day);
        explanation.known = since.map(|since| since.known).filter(|_| card.found != Found::Config);
        explanation.next = priced.may_be_next(call.at());
        explanation.guesses = terms.guesses(call);
        explanation.above = (terms.above > 0).then_some(terms.above);
        explanation.service = terms.service;
        explanation.buckets = buckets(&terms, call);
        explanation.factors = factors(&terms, call.tier.geo);
        explanation.tokens_usd = terms.cost(&call.tokens, call.parts).0;
        explanation.searches = (call.web_searches > 0).then(|| Searches {
            count: call.web_searches,
            rate: terms.search(),
            usd: terms.searches(call.web_searches).unwrap_or_default(),
        });
        explanation
    }
}

fn buckets(terms: &Terms<'_>, call: &Call) -> Vec<Bucket> {
    let (text, audio) = apart(&call.tokens, call.parts);
    let counts = Class::ALL.into_iter().zip(text).chain(Class::AUDIO.into_iter().zip(audio));
    counts
        .filter(|(_, tokens)| *tokens > 0)
        .map(|(class, tokens)| {
            let (rate, part) = terms.rate(class);
            Bucket { class, tokens, rate, part, usd: rate.times(tokens).scaled(part) }
        })
        .collect()
}

fn factors(terms: &Terms<'_>, geo: Geo) -> Vec<(Factor, Ratio)> {
    let place = match geo {
        Geo::Global => None,
        Geo::Us => Some(Factor::Us),
        Geo::Eu => Some(Factor::Eu),
    };
    let fast = terms.fast.map(|ratio| (Factor::Fast, ratio));
    fast.into_iter().chain(place.zip(terms.geo)).collect()
}
