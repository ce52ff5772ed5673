//! The list with exact days, and the corrections it makes to the history of the other list.
//!
//! `prices/dated.json` holds the entries for our vendors from the package `genai-prices`: dollars per million tokens,
//! each price with the condition under which it applies. The last match wins.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::hours::Hours;
use super::import::{Fields, ImportError};
use super::own::{self, List, Rule};
use super::place::{Dates, is_plain_alike, place};
use super::sheet::{Class, Key, Sheet};
use super::table::{Books, History, Since};
use crate::domain::{Day, Service, Usd, one_by_one, sort_by_key};

/// Vendors whose own prices are used, with the prefixes of their models in the other list.
///
/// Resellers' dates are ignored: most are just the day on which that list began to read their catalogue.
const VENDORS: &[(&str, &[&str])] = &[
    ("openai", &[""]),
    ("anthropic", &[""]),
    ("google", &["gemini/", "", "vertex_ai/"]),
    ("deepseek", &["deepseek/", ""]),
    ("x-ai", &["xai/"]),
    ("mistral", &["mistral/"]),
    ("moonshotai", &["moonshot/"]),
    ("zai", &["zai/"]),
    ("minimax", &["minimax/"]),
    ("cohere", &[""]),
];

/// The list, by provider and model.
#[derive(Debug, Default)]
pub(super) struct Dated(BTreeMap<(String, String), Dates>);

#[derive(Deserialize)]
struct EntryJson<'a> {
    #[serde(borrow)]
    prices: Vec<Fields<'a>>,
}

#[derive(Deserialize)]
struct TieredJson<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
    #[serde(borrow, default)]
    tiers: Vec<TierJson<'a>>,
}

#[derive(Deserialize)]
struct TierJson<'a> {
    above: u64,
    #[serde(borrow)]
    price: &'a RawValue,
}

/// A condition of a price.
enum When {
    Always,
    From(Day),
    At(String, String),
}

impl Dated {
    /// Parses the list. Prices under unsupported conditions are skipped with a note.
    pub(super) fn read(json: &str, notes: &mut Vec<String>) -> Result<Self, ImportError> {
        let all: BTreeMap<String, EntryJson<'_>> = serde_json::from_str(json)?;
        let mut list = Self::default();
        for (name, entry) in &all {
            let Some((provider, model)) = name.split_once(' ') else {
                notes.push(format!("dated {name}: not a provider and a model"));
                continue;
            };
            let mut dates = Dates::default();
            let mut hours: Vec<(Vec<(String, String)>, Sheet)> = Vec::new();
            for price in &entry.prices {
                let sheet = sheet(price);
                match when(price.get("when").map_or("null", |raw| raw.get())) {
                    Some(When::Always) => dates.steps.push((None, sheet)),
                    Some(When::From(day)) => dates.steps.push((Some(day), sheet)),
                    Some(When::At(from, to)) => match hours.iter_mut().find(|(_, other)| *other == sheet) {
                        Some((spans, _)) => spans.push((from, to)),
                        None => hours.push((vec![(from, to)], sheet)),
                    },
                    None => notes.push(format!(
                        "dated {name}: a price under a condition that cannot be expressed is not used: {}",
                        price.get("when").map_or("", |raw| raw.get())
                    )),
                }
            }
            for (spans, sheet) in hours {
                let spans: Vec<(&str, &str)> = spans.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
                match Hours::from_spans(&spans) {
                    Some(hours) => dates.hours.push((hours, sheet)),
                    None => notes.push(format!("dated {name}: no hours of a day: {spans:?}")),
                }
            }
            sort_by_key(&mut dates.steps, |(day, _)| *day);
            list.0.insert((provider.to_owned(), model.to_owned()), dates);
        }
        Ok(list)
    }
}

/// Parses the condition of a price; `None` if unsupported.
fn when(json: &str) -> Option<When> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    enum Json {
        StartDateConstraint { start_date: Day },
        TimeOfDateConstraint { start_time: String, end_time: String },
    }
    let minutes = |text: &str| {
        let time = text.strip_suffix("+00:00")?;
        let (time, seconds) = time.rsplit_once(':')?;
        (seconds == "00").then(|| time.to_owned())
    };
    // An object with two members is rejected because it is no enum variant: both conditions would have to hold.
    match serde_json::from_str::<Option<Json>>(json).ok()? {
        None => Some(When::Always),
        Some(Json::StartDateConstraint { start_date }) => Some(When::From(start_date)),
        Some(Json::TimeOfDateConstraint { start_time, end_time }) => {
            Some(When::At(minutes(&start_time)?, minutes(&end_time)?))
        }
    }
}

/// The rates of one price.
fn sheet(price: &Fields<'_>) -> Sheet {
    const CLASSES: [(&str, Class); 8] = [
        ("input_mtok", Class::Input),
        ("output_mtok", Class::Output),
        ("cache_read_mtok", Class::CacheRead),
        ("cache_write_mtok", Class::CacheWrite5m),
        ("cache_write_1h_mtok", Class::CacheWrite1h),
        ("input_audio_mtok", Class::AudioInput),
        ("cache_audio_read_mtok", Class::AudioCacheRead),
        ("output_audio_mtok", Class::AudioOutput),
    ];
    let usd = |raw: &RawValue| Usd::parse(raw.get().trim_matches('"')).ok().map(|(usd, _)| usd);
    let token = |raw: &RawValue| usd(raw).map(|million| Usd::from_pico(million.pico() / 1_000_000));
    let mut sheet = Sheet::default();
    for (field, class) in CLASSES {
        let Some(raw) = price.get(field) else { continue };
        match serde_json::from_str::<TieredJson<'_>>(raw.get()) {
            Ok(tiered) => {
                sheet.rates.extend(token(tiered.base).map(|rate| (Key::from_class(class), rate)));
                for tier in &tiered.tiers {
                    let key = Key { above: tier.above, ..Key::from_class(class) };
                    sheet.rates.extend(token(tier.price).map(|rate| (key, rate)));
                }
            }
            Err(_) => sheet.rates.extend(token(raw).map(|rate| (Key::from_class(class), rate))),
        }
    }
    sheet.search = price
        .get("web_searches_kcount")
        .and_then(|raw| usd(raw))
        .map(|thousand| thousand.scaled(crate::domain::Ratio { num: 1, den: 1000 }));
    sheet
}

/// Corrects the histories from this list, and notes disagreements.
pub(super) fn merge(books: &mut Books, dated: &Dated, rules: &[Rule], as_of: Day, notes: &mut Vec<String>) {
    let known: BTreeMap<String, String> =
        one_by_one(books.keys().map(|name| (name.to_ascii_lowercase(), name.clone())));
    let (mut foreign, mut lacking) = (0_u64, Vec::new());
    for ((provider, model), dates) in &dated.0 {
        let Some((_, prefixes)) = VENDORS.iter().find(|(vendor, _)| vendor == provider) else {
            foreign += 1;
            continue;
        };
        // Models that a vendor hosts for another vendor are listed under its own prefix only.
        let is_guest = provider == "google" && model.starts_with("claude");
        let names = prefixes.iter().map(|prefix| format!("{prefix}{model}"));
        let mut targets: Vec<String> = names
            .filter(|name| !is_guest || name.starts_with("vertex_ai/"))
            .filter_map(|name| known.get(&name.to_ascii_lowercase()).cloned())
            .collect();
        if targets.is_empty() {
            let is_wanted = rules
                .iter()
                .any(|rule| matches!(rule, Rule::Take(vendor, names) if vendor == provider && names.matches(model)));
            let newest = dates.steps.last().map(|(_, sheet)| sheet.base());
            if let (true, Some([Some(_), Some(_)])) = (is_wanted, newest) {
                let name = format!("{}{model}", prefixes[0]);
                books.insert(name.clone(), vec![(Since::LAUNCH, dates.steps[0].1.clone())]);
                targets.push(name);
            } else if newest.is_some_and(|[input, _]| input.is_some()) {
                lacking.push(format!("{provider} {model}"));
            }
        }
        for name in targets {
            if let Some(history) = books.get_mut(&name) {
                correct(&name, history, dates, rules, as_of, notes);
            }
        }
    }
    if foreign > 0 {
        notes.push(format!("dated: {foreign} entries of resellers are not used"));
    }
    notes.push(format!("dated: not in the list, and no rule takes them: {}", lacking.join(", ")));
}

/// Corrects the history of one model.
fn correct(name: &str, history: &mut History, dates: &Dates, rules: &[Rule], as_of: Day, notes: &mut Vec<String>) {
    let kept = rules.iter().find_map(|rule| {
        let Rule::Keep(names, list) = rule else { return None };
        names.matches(name).then_some(*list)
    });
    match kept {
        Some(List::Main) => return,
        Some(List::Dated) => {
            // The listed prices were never right: the other list's apply from the start.
            let first = history.first().map_or(Since::LAUNCH, |(since, _)| *since);
            *history = vec![(first, dates.steps.first().map(|(_, sheet)| sheet.clone()).unwrap_or_default())];
        }
        None => {}
    }
    let from = own::hours_from(rules, name);
    if from.is_none() && !dates.hours.is_empty() {
        notes.push(format!("{name}: since when do its hours hold? A rule `hours` is missing"));
    }
    place(name, history, dates, from.unwrap_or_default(), as_of, notes);
    let [listed, ours] = [in_force(history, as_of), dates.in_force(as_of)];
    if let (Some(listed), Some(ours)) = (listed, ours)
        && !is_plain_alike(listed, ours)
    {
        let plain = |sheet: &Sheet| {
            let mut text = String::new();
            let is_plain = |key: &Key| key.above == 0 && key.service == Service::Standard;
            let rates = sheet.rates.iter().filter(|(key, _)| is_plain(key)).map(|(key, rate)| (*key, *rate)).collect();
            Sheet { rates, ..Sheet::default() }.write(&mut text);
            text
        };
        notes.push(format!(
            "UNSETTLED {name}: the list says {}, the dated one {}: a rule `keep` must decide",
            plain(listed),
            plain(ours)
        ));
    }
}

fn in_force(history: &History, day: Day) -> Option<&Sheet> {
    let since = history.iter().rev().find(|(since, _)| since.day <= day);
    since.or_else(|| history.first()).map(|(_, sheet)| sheet)
}
