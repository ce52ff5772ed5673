//! Parses price lists in LiteLLM's format, with exact numbers from their decimal text.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::sheet::{Class, Key, Sheet, ratio};
use super::table::{History, Since, TableError};
use crate::domain::{Day, Ratio, Service, Usd, sort_by_key};

/// Why a price list could not be parsed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not JSON, or not an object keyed by model.
    #[error("not a price list in LiteLLM's form: {0}")]
    NotAList(#[from] serde_json::Error),
    /// No model in it has a price.
    #[error("a price list without a single price in it")]
    Empty,
    /// The stored history is not a table, or is damaged.
    #[error("the kept history cannot be used: {0}")]
    History(#[from] TableError),
    /// Invalid rule of our own.
    #[error("own.txt:{line}: {what}")]
    Rule {
        /// Line number, from 1.
        line: usize,
        /// The problem.
        what: &'static str,
    },
}

/// Members of a JSON object as raw values.
pub(crate) type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// A parsed entry.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) sheet: Sheet,
    pub(crate) provider: String,
    /// In histories, the first snapshot that shows it.
    pub(crate) listed: Option<Day>,
    /// Number of values rounded to the nearest pico-dollar.
    pub(crate) rounded: u64,
    /// Number of rates that are not numbers, or are negative.
    pub(crate) refused: u64,
    /// True if text is charged for, but only its input or only its output.
    pub(crate) is_half: bool,
}

/// Prefixes of local models, the only ones for which a price of zero is meant literally.
const LOCAL: &[&str] = &["ollama", "lemonade"];
/// Modes of models that read text and write text.
const TEXT: &[&str] = &["chat", "responses", "completion"];
/// Modes of models that are charged by the token.
const KINDS: &[&str] =
    &["chat", "responses", "completion", "embedding", "realtime", "audio_transcription", "audio_speech"];

/// The entries of a list, by name.
pub(crate) fn entries(json: &str) -> Result<Vec<(String, Fields<'_>)>, ImportError> {
    let all: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
    Ok(all
        .into_iter()
        .filter(|(name, _)| !name.is_empty() && !name.contains(|letter: char| letter.is_control()))
        .filter_map(|(name, raw)| Some((name, serde_json::from_str(raw.get()).ok()?)))
        .collect())
}

/// Parses an entry; `None` if it is not priced by the token.
pub(crate) fn entry(name: &str, fields: &Fields<'_>) -> Option<Entry> {
    let text = |field: &str| fields.get(field).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let mode = text("mode");
    if mode.as_deref().is_some_and(|mode| !KINDS.contains(&mode)) {
        return None;
    }
    let mut entry = Entry {
        provider: text("litellm_provider").unwrap_or_default(),
        listed: text("listed").and_then(|day| day.parse().ok()),
        ..Entry::default()
    };
    for (field, raw) in fields {
        if let Some(key) = key(field)
            && let Some(rate) = entry.number(raw)
        {
            entry.sheet.rates.insert(key, rate);
        }
    }
    entry.hits(fields);
    entry.ranges(fields);
    entry.multipliers(fields);
    let [input, output] = entry.sheet.base();
    entry.is_half = input.is_some() != output.is_some() && mode.is_none_or(|mode| TEXT.contains(&mode.as_str()));
    entry.tidy(name);
    let paid = entry.sheet.base().iter().any(Option::is_some);
    let real = !entry.sheet.is_free() || LOCAL.contains(&entry.provider.as_str());
    (paid && real).then_some(entry)
}

/// The history of a model in `price-history.json`.
pub(crate) fn history(name: &str, fields: &Fields<'_>) -> History {
    let periods = fields.get("history").map_or("[]", |raw| raw.get());
    let periods: Vec<Fields<'_>> = serde_json::from_str(periods).unwrap_or_default();
    periods
        .iter()
        .filter_map(|period| {
            let entry = entry(name, period)?;
            Some((Since::listed(entry.listed?), entry.sheet))
        })
        .collect()
}

impl Entry {
    /// Parses a dollar amount; `None` for null.
    fn number(&mut self, raw: &RawValue) -> Option<Usd> {
        let text = raw.get().trim_matches('"');
        if text == "null" {
            return None;
        }
        match Usd::parse(text) {
            Ok((usd, exact)) if !usd.is_negative() => {
                self.rounded += u64::from(!exact);
                Some(usd)
            }
            Ok(_) | Err(_) => {
                self.refused += 1;
                None
            }
        }
    }

    /// Reads cache-read rates from one vendor's own field name.
    fn hits(&mut self, fields: &Fields<'_>) {
        let read = Key::from_class(Class::CacheRead);
        if let Some(raw) = fields.get("input_cost_per_token_cache_hit")
            && !self.sheet.rates.contains_key(&read)
            && let Some(rate) = self.number(raw)
        {
            self.sheet.rates.insert(read, rate);
        }
    }

    /// Reads tiers written as a list of prompt ranges.
    fn ranges(&mut self, fields: &Fields<'_>) {
        let Some(raw) = fields.get("tiered_pricing") else { return };
        let Ok(tiers) = serde_json::from_str::<Vec<Fields<'_>>>(raw.get()) else { return };
        for tier in tiers {
            let range = tier.get("range").and_then(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok());
            let start = range.and_then(|range| self.number(range.first()?));
            let Some(above) = start.and_then(|start| u64::try_from(start.pico() / Usd::ONE.pico()).ok()) else {
                continue;
            };
            for (field, raw) in &tier {
                if let Some(key) = key(field).filter(|key| key.above == 0)
                    && let Some(rate) = self.number(raw)
                {
                    self.sheet.rates.insert(Key { above, ..key }, rate);
                }
            }
        }
    }

    fn multipliers(&mut self, fields: &Fields<'_>) {
        let within = |field: &str| -> Option<Fields<'_>> { serde_json::from_str(fields.get(field)?.get()).ok() };
        if let Some(search) = within("search_context_cost_per_query") {
            let usual = search.get("search_context_size_medium").or_else(|| search.values().next());
            self.sheet.search = usual.and_then(|raw| self.number(raw));
        }
        let mut read = |raw: Option<&&RawValue>| -> Option<Ratio> { ratio(self.number(raw?)?) };
        let own = within("provider_specific_entry").unwrap_or_default();
        let endpoint = read(fields.get("regional_endpoint_uplift_multiplier"));
        let fast = read(own.get("fast"));
        let us = read(own.get("us")).or_else(|| read(fields.get("regional_processing_uplift_multiplier_us")));
        let eu = read(own.get("eu")).or_else(|| read(fields.get("regional_processing_uplift_multiplier_eu")));
        self.sheet.fast = fast;
        self.sheet.us = us.or(endpoint);
        self.sheet.eu = eu.or(endpoint);
    }

    /// Removes rates that follow from others or are known to be wrong.
    fn tidy(&mut self, name: &str) {
        let rates = &mut self.sheet.rates;
        if rates.contains_key(&Key::from_class(Class::Input)) && !rates.contains_key(&Key::from_class(Class::Output)) {
            rates.insert(Key::from_class(Class::Output), Usd::ZERO);
        }
        // Long-prompt audio rates need a long-prompt text rate; the list repeats the text rate for some models.
        let text: Vec<u64> = rates.keys().filter(|key| key.class == Class::Input).map(|key| key.above).collect();
        rates.retain(|key, _| !Class::AUDIO.contains(&key.class) || text.contains(&key.above));
        // At xAI, a prompt of exactly the threshold length counts as long.
        if name.starts_with("xai/") {
            let below = |(key, rate): (Key, Usd)| (Key { above: key.above.saturating_sub(1), ..key }, rate);
            *rates = std::mem::take(rates).into_iter().map(below).collect();
        }
        if name.contains("claude") {
            let twice = |key: &Key, rates: &BTreeMap<Key, Usd>| {
                rates.get(&Key { class: Class::Input, ..*key }).map(|input| input.times(2))
            };
            let all = rates.clone();
            // For a year, Anthropic's entries repeated one model's rate on all the others.
            rates.retain(|key, rate| {
                key.class != Class::CacheWrite1h || !(name.starts_with("claude") || twice(key, &all) == Some(*rate))
            });
        }
    }
}

/// The key of a field's rate; `None` for fields that are not used here.
fn key(field: &str) -> Option<Key> {
    const CLASSES: [(&str, Class); 9] = [
        ("input_cost_per_audio_token", Class::AudioInput),
        ("output_cost_per_audio_token", Class::AudioOutput),
        ("cache_read_input_audio_token_cost", Class::AudioCacheRead),
        // The name of this rate until mid-2026.
        ("cache_read_input_token_cost_per_audio_token", Class::AudioCacheRead),
        ("input_cost_per_token", Class::Input),
        ("output_cost_per_token", Class::Output),
        ("output_cost_per_reasoning_token", Class::Reasoning),
        ("cache_read_input_token_cost", Class::CacheRead),
        ("cache_creation_input_token_cost", Class::CacheWrite5m),
    ];
    let (mut rest, class) = CLASSES.iter().find_map(|(name, class)| Some((field.strip_prefix(name)?, *class)))?;
    let mut key = Key::from_class(class);
    if class == Class::CacheWrite5m
        && let Some(after) = rest.strip_prefix("_above_1hr").or_else(|| rest.strip_prefix("_above_12hr"))
    {
        key.class = Class::CacheWrite1h;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("_above_") {
        let (thousands, after) = after.split_once("k_tokens")?;
        key.above = thousands.parse::<u64>().ok()?.checked_mul(1000)?;
        rest = after;
    }
    key.service = match rest {
        "" => Service::Standard,
        "_priority" => Service::Priority,
        "_flex" => Service::Flex,
        "_batches" => Service::Batch,
        "_ultrafast" => Service::Ultrafast,
        "_balanced" => Service::Balanced,
        _ => return None,
    };
    Some(key)
}

/// Converts listings to the prices actually charged: rates that were listed late apply from the start.
///
/// While input and output prices stay the same, anything a later listing adds was already in force. Long-context tiers
/// are the exception: they apply from the day they were listed. Multipliers stay once they are listed.
pub(crate) fn settle(history: &mut History) {
    sort_by_key(history, |(since, _)| *since);
    for at in (1..history.len()).rev() {
        let (earlier, later) = history.split_at_mut(at);
        let (Some((_, earlier)), Some((_, later))) = (earlier.last_mut(), later.first()) else { continue };
        earlier.search = earlier.search.or(later.search);
        earlier.fast = earlier.fast.or(later.fast);
        earlier.us = earlier.us.or(later.us);
        earlier.eu = earlier.eu.or(later.eu);
        if earlier.base() != later.base() {
            continue;
        }
        for (key, rate) in &later.rates {
            let input = Key { class: Class::Input, service: Service::Standard, ..*key };
            let same_tier = key.above == 0
                || (earlier.rates.contains_key(&input) && earlier.rates.get(&input) == later.rates.get(&input));
            if same_tier {
                earlier.rates.entry(*key).or_insert(*rate);
            }
        }
    }
    for at in 1..history.len() {
        let (earlier, later) = history.split_at_mut(at);
        if let (Some((_, earlier)), Some((_, later))) = (earlier.last(), later.first_mut()) {
            later.fast = later.fast.or(earlier.fast);
            later.us = later.us.or(earlier.us);
            later.eu = later.eu.or(earlier.eu);
        }
    }
    history.dedup_by(|later, earlier| later.1 == earlier.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, json: &str) -> Option<Entry> {
        let json = format!("{{\"{name}\":{json}}}");
        entries(&json).unwrap().first().and_then(|(name, fields)| entry(name, fields))
    }

    fn text(sheet: &Sheet) -> String {
        let mut text = String::new();
        sheet.write(&mut text);
        text
    }

    #[test]
    fn e13_a_price_with_unusual_digits_is_taken_to_the_nearest_pico_dollar_and_counted() {
        let json = r#"{"mode":"chat","input_cost_per_token":1e-7,"output_cost_per_token":"0.30000000000000004",
            "cache_read_input_token_cost":0.000015000020000000002,"cache_creation_input_token_cost":null,
            "cache_read_input_token_cost_flex":-1,"output_cost_per_token_flex":"much"}"#;
        let entry = read("m", json).unwrap();
        assert_eq!(text(&entry.sheet), "i=0.1 r=15.00002 o=300000");
        assert_eq!((entry.rounded, entry.refused), (2, 2));
    }

    #[test]
    fn every_kind_of_rate_is_found_a_place() {
        let json = r#"{"mode":"chat","input_cost_per_token":0.000005,"output_cost_per_token":0.000025,
            "input_cost_per_token_above_272k_tokens_priority":0.00002,"output_cost_per_token_batches":0.0000125,
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens":0.00003,"input_cost_per_audio_token":1,
            "input_cost_per_token_ultrafast":9,"cache_creation_input_token_cost_above_12hr":9,
            "cache_read_input_token_cost_per_audio_token":9,"output_cost_per_reasoning_token":0.00003,
            "search_context_cost_per_query":{"search_context_size_low":0.006,"search_context_size_medium":0.01},
            "provider_specific_entry":{"us":1.1,"fast":2.0},"regional_processing_uplift_multiplier_eu":1.1}"#;
        assert_eq!(
            text(&read("m", json).unwrap().sheet),
            "i=5 iu=9000000 h=9000000 o=25 ob=12.5 t=30 a=1000000 c=9000000 h>200k=30 ip>272k=20 s=0.01 xf=2 xu=1.1 xe=1.1"
        );
    }

    #[test]
    fn ranges_of_prompts_become_tiers() {
        let json = r#"{"mode":"chat","tiered_pricing":[
            {"input_cost_per_token":5E-8,"output_cost_per_token":4E-7,"range":[0,256000.0]},
            {"input_cost_per_token":2.5E-7,"output_cost_per_token":0.000002,"range":[256000.0,1000000.0]}]}"#;
        assert_eq!(text(&read("m", json).unwrap().sheet), "i=0.05 o=0.4 i>256k=0.25 o>256k=2");
    }

    #[test]
    fn what_is_not_paid_by_the_token_or_has_no_price_is_left_out() {
        assert!(read("m", r#"{"mode":"image_generation","input_cost_per_token":1}"#).is_none());
        assert!(read("m", r#"{"mode":"chat"}"#).is_none());
        assert!(read("m", r#"{"mode":"chat","input_cost_per_token":0,"output_cost_per_token":0.0}"#).is_none());
        let local = r#"{"litellm_provider":"ollama","input_cost_per_token":0,"output_cost_per_token":0}"#;
        assert!(read("ollama/m", local).is_some());
        assert!(entries("[]").is_err() && entries("{\"a\":").is_err());
        assert!(entries(r#"{"a":1,"b\n":{}}"#).unwrap().is_empty());
    }

    #[test]
    fn a_field_listed_late_counts_from_the_start_but_a_tier_does_not() {
        let sheet = |text: &str| Sheet::read(text).unwrap();
        let day = |text: &str| Since::listed(text.parse::<Day>().unwrap());
        let mut history = vec![
            (day("2025-01-01"), sheet("i=3 o=15")),
            (day("2025-06-01"), sheet("i=3 o=15 r=0.3 xu=1.1")),
            (day("2025-10-01"), sheet("i=3 o=15 r=0.3 i>200k=6 o>200k=22.5")),
            (day("2025-11-01"), sheet("i=3 o=15 r=0.3 i>200k=6 o>200k=22.5 ib>200k=3")),
            (day("2026-01-01"), sheet("i=2 o=10 r=0.2 w=2.5")),
        ];
        settle(&mut history);
        let found: Vec<_> = history.iter().map(|(day, sheet)| (day.to_string(), text(sheet))).collect();
        assert_eq!(
            found,
            [
                ("2025-01-01".to_owned(), "i=3 r=0.3 o=15 xu=1.1".to_owned()),
                ("2025-10-01".to_owned(), "i=3 r=0.3 o=15 i>200k=6 ib>200k=3 o>200k=22.5 xu=1.1".to_owned()),
                ("2026-01-01".to_owned(), "i=2 r=0.2 w=2.5 o=10 xu=1.1".to_owned()),
            ]
        );
    }
}
