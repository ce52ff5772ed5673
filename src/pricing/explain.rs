//! How the cost of one call comes about: every number that went into it.

use super::audio::apart;
use super::card::{Terms, prompt};
use super::sheet::Class;
use super::table::Known;
use super::tariff::Priced;
use super::{Cost, PriceId};
use crate::domain::{Call, Day, Geo, Label, Ratio, Service, Usd};

/// The cost of a call, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is booked.
    pub cost: Cost,
    /// The cost the log itself states.
    pub quoted: Option<Usd>,
    /// Where the price was found.
    pub found: Found,
    /// The names from the one in the log to the one that has the price.
    pub path: Vec<Label>,
    /// The price in force at the time of the call.
    pub price: Option<PriceId>,
    /// Since when.
    pub since: Option<Day>,
    /// How well that day is known; nothing for a price of the config.
    pub known: Option<Known>,
    /// The day on which a list first showed the next price, when that may have been in force already.
    pub next: Option<Day>,
    /// The whole prompt, which decides the long-context tier.
    pub prompt: u64,
    /// The prompt length beyond which the rates used apply; `None` for the usual rates.
    pub above: Option<u64>,
    /// The service tier whose rates are used.
    pub service: Service,
    /// The guesses in it.
    pub guesses: Vec<Guess>,
    /// One for each class with tokens in it.
    pub buckets: Vec<Bucket>,
    /// What multiplies the sum of the buckets.
    pub factors: Vec<(Factor, Ratio)>,
    /// What the buckets come to after the factors.
    pub tokens_usd: Usd,
    /// The web searches, which no factor touches.
    pub searches: Option<Searches>,
}

/// Tokens of one class at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The class.
    pub class: Class,
    /// How many tokens.
    pub tokens: u64,
    /// Dollars a token.
    pub rate: Usd,
    /// The part of the rate that is charged: one half of it in a batch the list has no rate for.
    pub part: Ratio,
    /// What they come to, before the factors.
    pub usd: Usd,
}

/// Web searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searches {
    /// How many.
    pub count: u32,
    /// Dollars each; `None` when the list has no price for them, and they are not in the cost.
    pub rate: Option<Usd>,
    /// What they come to.
    pub usd: Usd,
}

/// What a factor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Factor {
    /// The vendor's fast mode.
    Fast,
    /// Inference in the United States only.
    Us,
    /// Inference in the European Union only.
    Eu,
}

/// A part of a cost that is not known for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guess {
    /// Which model the name stands for.
    Model,
    /// The rate of the service tier or speed: the list has none, and standard rates are used.
    Tier,
    /// How long cache writes live, at a vendor that charges two lifetimes differently: the shorter one is used.
    Lifetime,
    /// The rate of audio: the list has none, and the text rate is used.
    Audio,
    /// The fee of a web search: it is not in the cost.
    Search,
}

/// Where a price was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// The config states it.
    Config,
    /// The list the user fetched.
    Fetched,
    /// The list that ships with the program.
    List,
    /// Nowhere.
    Nowhere,
}

impl Explanation {
    /// A call without a price.
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
