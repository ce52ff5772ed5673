//! A model's rates, as JSON and as table cells.

use serde::Serialize;

use super::Decimal;
use crate::domain::{Day, Label, Ratio, Service, Usd};
use crate::pricing::{Known, Rates, Tariff};
use crate::text;

/// First day of a price, for a column. `~` marks a day that the vendor did not give.
pub(crate) fn since_short(tariff: &Tariff) -> String {
    match (tariff.since, tariff.known) {
        (None, Some(Known::Launch)) => "launch".to_owned(),
        (None, _) => "–".to_owned(),
        (Some(day), None | Some(Known::Exact)) => day.to_string(),
        (Some(day), Some(_)) => format!("~ {day}"),
    }
}

/// First day of a price, for a sentence, and how precise it is.
pub(crate) fn since_words(since: Option<Day>, known: Option<Known>, is_fetched: bool) -> String {
    match (since, known) {
        (_, Some(Known::Launch)) => "since the launch".to_owned(),
        (None, _) => "always".to_owned(),
        (Some(day), None | Some(Known::Exact)) => format!("since {day}"),
        (Some(day), Some(Known::Oldest)) => {
            format!("since {day} or earlier; earlier calls use it, too")
        }
        (Some(day), Some(Known::Listed)) if is_fetched => format!("since {day} or earlier"),
        (Some(day), Some(Known::Listed)) => {
            format!("since {day} or up to half a month earlier")
        }
    }
}

/// Precision of a price's first day, in JSON.
pub(crate) const fn known_word(known: Known) -> &'static str {
    match known {
        Known::Exact => "exact",
        Known::Listed => "within_half_a_month",
        Known::Oldest => "oldest_listed",
        Known::Launch => "launch",
    }
}

/// Names of the rates in tables.
pub(crate) const CLASSES: [&str; 5] = ["input", "output", "cache read", "cache write 5m", "cache write 1h"];

pub(crate) const UNIT: &str = "usd per million tokens";

/// Rates as table cells, in the order of [`CLASSES`].
pub(crate) fn columns(rates: &Rates) -> [String; 5] {
    let optional = |rate: Option<Usd>| rate.map_or_else(|| "–".to_owned(), text::rate_per_million);
    [
        text::rate_per_million(rates.input),
        text::rate_per_million(rates.output),
        optional(rates.cache_read),
        optional(rates.cache_write_5m),
        optional(rates.cache_write_1h),
    ]
}

/// Exact rates in dollars per million tokens.
#[derive(Serialize)]
struct RatesJson {
    input: Decimal,
    output: Decimal,
    cache_read: Option<Decimal>,
    cache_write_5m: Option<Decimal>,
    cache_write_1h: Option<Decimal>,
    /// Dollars per search.
    web_search_usd: Option<Decimal>,
}

impl RatesJson {
    pub(crate) fn from_rates(rates: &Rates) -> Self {
        let million = |rate: Usd| Decimal(rate.times(1_000_000));
        Self {
            input: million(rates.input),
            output: million(rates.output),
            cache_read: rates.cache_read.map(million),
            cache_write_5m: rates.cache_write_5m.map(million),
            cache_write_1h: rates.cache_write_1h.map(million),
            web_search_usd: rates.web_search.map(Decimal),
        }
    }
}

/// Rates of one period in a model's history.
#[derive(Serialize)]
pub(crate) struct TariffJson {
    price: Label,
    since: Option<String>,
    since_is: Option<&'static str>,
    #[serde(flatten)]
    rates: RatesJson,
    /// Rate of audio input, if the list has one.
    audio_input: Option<Decimal>,
    audio_cache_read: Option<Decimal>,
    audio_output: Option<Decimal>,
    hours: Vec<HoursJson>,
    long: Vec<LongJson>,
    services: Vec<ServiceJson>,
    fast: Option<Decimal>,
    us: Option<Decimal>,
    eu: Option<Decimal>,
}

#[derive(Serialize)]
struct HoursJson {
    utc: String,
    price: Label,
    #[serde(flatten)]
    rates: RatesJson,
}

#[derive(Serialize)]
struct LongJson {
    above_prompt_tokens: u64,
    #[serde(flatten)]
    rates: RatesJson,
}

#[derive(Serialize)]
struct ServiceJson {
    service: &'static str,
    #[serde(flatten)]
    rates: RatesJson,
}

impl TariffJson {
    pub(crate) fn from_tariff(tariff: &Tariff) -> Self {
        let million = |rate: Usd| Decimal(rate.times(1_000_000));
        let [audio_input, audio_cache_read, audio_output] = tariff.audio.map(|rate| rate.map(million));
        let at_hours = |(hours, price, rates): &(String, Label, Rates)| HoursJson {
            utc: hours.clone(),
            price: price.clone(),
            rates: RatesJson::from_rates(rates),
        };
        let long = tariff.long.iter();
        let services = tariff.services.iter();
        Self {
            price: tariff.price.clone(),
            since: tariff.since.map(|day| day.to_string()),
            since_is: tariff.known.map(known_word),
            rates: RatesJson::from_rates(&tariff.rates),
            audio_input,
            audio_cache_read,
            audio_output,
            hours: tariff.hours.iter().map(at_hours).collect(),
            long: long
                .map(|(above, rates)| LongJson { above_prompt_tokens: *above, rates: RatesJson::from_rates(rates) })
                .collect(),
            services: services
                .map(|(service, rates)| ServiceJson {
                    service: service_word(*service),
                    rates: RatesJson::from_rates(rates),
                })
                .collect(),
            fast: tariff.fast.map(decimal),
            us: tariff.us.map(decimal),
            eu: tariff.eu.map(decimal),
        }
    }
}

/// Name of a service tier in JSON.
pub(crate) const fn service_word(service: Service) -> &'static str {
    match service {
        Service::Standard => "standard",
        Service::Priority => "priority",
        Service::Flex => "flex",
        Service::Batch => "batch",
        Service::Ultrafast => "ultrafast",
        Service::Balanced => "balanced",
        Service::Unknown => "unknown",
    }
}

/// A multiplier as a decimal number.
pub(crate) fn decimal(ratio: Ratio) -> Decimal {
    Decimal(Usd::ONE.scaled(ratio))
}
