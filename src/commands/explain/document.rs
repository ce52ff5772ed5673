//! The explanation of a call as JSON.

use serde::Serialize;

use super::call::Explained;
use super::words::{class_word, cost_word, factor_word, found_word, guess_word, price_of};
use crate::domain::Label;
use crate::output::tariff::{decimal, known_word, service_word};
use crate::output::{self, Decimal};

#[derive(Serialize)]
pub(crate) struct Document {
    pub(crate) schema: u8,
    #[serde(flatten)]
    pub(crate) facts: std::collections::BTreeMap<&'static str, output::Cell>,
    pub(crate) found: &'static str,
    pub(crate) path: Vec<Label>,
    pub(crate) price: Option<Label>,
    pub(crate) since: Option<String>,
    pub(crate) since_is: Option<&'static str>,
    pub(crate) next_listed: Option<String>,
    pub(crate) guesses: Vec<&'static str>,
    pub(crate) prompt_tokens: u64,
    pub(crate) above: Option<u64>,
    pub(crate) service: &'static str,
    pub(crate) buckets: Vec<BucketJson>,
    pub(crate) factors: Vec<FactorJson>,
    pub(crate) tokens_usd: Decimal,
    pub(crate) web_searches: u32,
    pub(crate) web_searches_usd: Option<Decimal>,
    pub(crate) cost_usd: Option<Decimal>,
    /// Those of the amounts at today's prices.
    #[serde(flatten)]
    pub(crate) marks: output::Marks,
    pub(crate) cost_is: &'static str,
    pub(crate) quoted_usd: Option<Decimal>,
    pub(crate) booked_usd: Option<Decimal>,
    pub(crate) booked_price: Option<Label>,
    pub(crate) place: Option<PlaceJson>,
}

#[derive(Serialize)]
pub(crate) struct BucketJson {
    pub(crate) class: &'static str,
    pub(crate) tokens: u64,
    pub(crate) usd_per_million: Decimal,
    pub(crate) part: Decimal,
    pub(crate) usd: Decimal,
}

#[derive(Serialize)]
pub(crate) struct FactorJson {
    pub(crate) factor: &'static str,
    pub(crate) times: Decimal,
}

#[derive(Serialize)]
pub(crate) struct PlaceJson {
    pub(crate) file: Label,
    pub(crate) byte: u64,
    pub(crate) line: Option<u64>,
}

pub(crate) fn document(explained: &Explained<'_>) -> Document {
    let Explained { row, today, line } = explained;
    let place = row.call.from.place.as_ref();
    Document {
        schema: 1,
        facts: output::call_facts(row).into_iter().collect(),
        found: found_word(today.found),
        path: today.path.clone(),
        price: today.price.clone(),
        since: today.since.map(|day| day.to_string()),
        since_is: today.known.map(known_word),
        next_listed: today.next.map(|day| day.to_string()),
        guesses: today.guesses.iter().map(|guess| guess_word(*guess)).collect(),
        prompt_tokens: today.prompt,
        above: today.above,
        service: service_word(today.service),
        buckets: today
            .buckets
            .iter()
            .map(|bucket| BucketJson {
                class: class_word(bucket.class),
                tokens: bucket.tokens,
                usd_per_million: Decimal(bucket.rate.times(1_000_000)),
                part: decimal(bucket.part),
                usd: Decimal(bucket.usd),
            })
            .collect(),
        factors: today
            .factors
            .iter()
            .map(|(factor, ratio)| FactorJson { factor: factor_word(*factor), times: decimal(*ratio) })
            .collect(),
        tokens_usd: Decimal(today.tokens_usd),
        web_searches: row.call.web_searches,
        web_searches_usd: today
            .searches
            .filter(|searches| searches.rate.is_some())
            .map(|searches| Decimal(searches.usd)),
        cost_usd: today.cost.usd().map(Decimal),
        marks: output::Marks::from_sums(&explained.sums(&today.cost)),
        cost_is: cost_word(&today.cost),
        quoted_usd: today.quoted.map(Decimal),
        booked_usd: row.cost.usd().map(Decimal),
        booked_price: price_of(&row.cost).cloned(),
        place: place.map(|place| PlaceJson { file: place.path.clone(), byte: place.offset, line: *line }),
    }
}
