//! `prices`: rates of models with their history, and the effect of a newer list.

mod show;
mod update;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::app::{Context, Exit, Failure};
use crate::cli::PricesCommand;
use crate::domain::{Day, Label, Ratio, Service, Usd};
use crate::output::{self, Decimal};
use crate::pricing::{Known, PriceBook, Rates, Tariff};
use crate::text;

/// Similar names suggested for an unknown one.
const NEAR: usize = 5;

pub(super) fn run(context: &mut Context<'_>, command: Option<PricesCommand>) -> Result<Exit, Failure> {
    match command.unwrap_or(PricesCommand::List { pattern: None, json: false }) {
        PricesCommand::List { pattern, json } => list(context, pattern.as_deref(), json),
        PricesCommand::Show { model, json } => show::run(context, &model, json),
        PricesCommand::Update { from } => update::update(context, &from),
        PricesCommand::Check => update::check(context),
    }
}

fn list(context: &mut Context<'_>, pattern: Option<&str>, json: bool) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Document {
        schema: u8,
        as_of: String,
        unit: &'static str,
        models: Vec<Model>,
    }
    #[derive(Serialize)]
    struct Model {
        model: Label,
        #[serde(flatten)]
        tariff: TariffJson,
    }
    let (book, now) = (context.prices(), context.now());
    let names: BTreeSet<&str> = book.find(pattern.unwrap_or_default()).collect();
    let found: Vec<(Label, Tariff)> =
        names.into_iter().filter_map(|name| Some((Label::new(name), book.rates(name, now)?))).collect();
    if found.is_empty() {
        let pattern = pattern.unwrap_or_default();
        context.note(&format!("no model with a price has '{pattern}' in its name{}", near_words(&book, pattern)));
        return Ok(Exit::Attention);
    }
    if json {
        let models =
            found.iter().map(|(model, tariff)| Model { model: model.clone(), tariff: TariffJson::from_tariff(tariff) });
        let as_of = book.as_of().to_string();
        let document = Document { schema: 1, as_of, unit: UNIT, models: models.collect() };
        output::to_line(&document, context.out)?;
        return Ok(Exit::Fine);
    }
    let mut heads = vec!["model".to_owned()];
    heads.extend(CLASSES.map(str::to_owned));
    heads.push("since".to_owned());
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(model, tariff)| {
            let mut row = vec![text::fit(model, 60)];
            row.extend(columns(&tariff.rates));
            row.push(since_short(tariff));
            row
        })
        .collect();
    output::plain(&heads, 1, &rows, context.out)?;
    let models = u64::try_from(found.len()).unwrap_or(u64::MAX);
    writeln!(
        context.out,
        "\n{}, dollars per million tokens, list of {}; ~ a day known to half a month; \
         long prompts, hours and service tiers: tokmeter prices show MODEL",
        text::plural(models, "model"),
        book.as_of()
    )?;
    Ok(Exit::Fine)
}

/// First day of a price, for a column: `~` marks a day the vendor did not state.
fn since_short(tariff: &Tariff) -> String {
    match (tariff.since, tariff.known) {
        (None, Some(Known::Launch)) => "launch".to_owned(),
        (None, _) => "–".to_owned(),
        (Some(day), None | Some(Known::Exact)) => day.to_string(),
        (Some(day), Some(_)) => format!("~ {day}"),
    }
}

/// First day of a price, for a sentence, with how well it is known.
pub(super) fn since_words(since: Option<Day>, known: Option<Known>, is_fetched: bool) -> String {
    match (since, known) {
        (_, Some(Known::Launch)) => "since the launch".to_owned(),
        (None, _) => "always".to_owned(),
        (Some(day), None | Some(Known::Exact)) => format!("since {day}"),
        (Some(day), Some(Known::Oldest)) => format!("the oldest price known, listed {day}"),
        (Some(day), Some(Known::Listed)) if is_fetched => format!("first seen in a list of {day}, begun before"),
        (Some(day), Some(Known::Listed)) => format!("first listed {day}, begun up to half a month before"),
    }
}

/// How well the first day of a price is known, in JSON.
pub(super) const fn known_word(known: Known) -> &'static str {
    match known {
        Known::Exact => "exact",
        Known::Listed => "within_half_a_month",
        Known::Oldest => "oldest_listed",
        Known::Launch => "launch",
    }
}

/// Names of the rates in tables.
const CLASSES: [&str; 5] = ["input", "output", "cache read", "cache write 5m", "cache write 1h"];
const UNIT: &str = "usd per million tokens";

/// Rates as table cells, in the order of [`CLASSES`].
fn columns(rates: &Rates) -> [String; 5] {
    let optional = |rate: Option<Usd>| rate.map_or_else(|| "–".to_owned(), text::rate_per_million);
    [
        text::rate_per_million(rates.input),
        text::rate_per_million(rates.output),
        optional(rates.cache_read),
        optional(rates.cache_write_5m),
        optional(rates.cache_write_1h),
    ]
}

/// Similar names as the end of a sentence; empty without any.
pub(super) fn near_words(book: &PriceBook, model: &str) -> String {
    let near = near(book, model);
    if near.is_empty() { String::new() } else { format!("; near names: {}", near.join(", ")) }
}

/// Up to five similar names, best match first.
fn near(book: &PriceBook, model: &str) -> Vec<String> {
    let distance = |name: &str| strsim::levenshtein(&name.to_ascii_lowercase(), &model.to_ascii_lowercase());
    let mut names: Vec<&str> = Vec::new();
    let mut beginning = model.trim();
    // Shorten the name part by part until something matches.
    while names.is_empty() && !beginning.is_empty() {
        names = book.find(beginning).collect();
        let cut = beginning.rfind(['-', '/', '.', '@', ':', '_', ' ']).unwrap_or(0);
        beginning = &beginning[..cut];
    }
    if names.is_empty() {
        let most = model.chars().count() / 3;
        names = book.names().filter(|name| distance(name) <= most).collect();
    }
    names.sort_by_key(|name| (distance(name), *name));
    names.dedup();
    names.into_iter().take(NEAR).map(|name| Label::new(name).to_string()).collect()
}

/// Rates in dollars per million tokens, exact.
#[derive(Serialize)]
pub(super) struct RatesJson {
    input: Decimal,
    output: Decimal,
    cache_read: Option<Decimal>,
    cache_write_5m: Option<Decimal>,
    cache_write_1h: Option<Decimal>,
    /// Dollars per search.
    web_search_usd: Option<Decimal>,
}

impl RatesJson {
    fn from_rates(rates: &Rates) -> Self {
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
pub(super) struct TariffJson {
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
    fn from_tariff(tariff: &Tariff) -> Self {
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
pub(super) const fn service_word(service: Service) -> &'static str {
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

/// A multiplier as decimal number.
pub(super) fn decimal(ratio: Ratio) -> Decimal {
    Decimal(Usd::ONE.scaled(ratio))
}
