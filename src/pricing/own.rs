//! Makes the built-in book from a list, its history, and rules of our own.

use std::collections::{BTreeMap, BTreeSet};

use super::import::{self, ImportError};
use super::sheet::{Class, Key, Sheet, ratio};
use super::table::{self, History, Line};
use crate::domain::{Day, Matcher, Usd};

/// What we know better than the list; `prices/own.txt` explains each line.
const OWN: &str = include_str!("../../prices/own.txt");

/// One line of `own.txt`.
#[derive(Debug)]
enum Rule {
    /// These names stand in no log.
    Drop(Matcher),
    /// What was listed before a day was a mistake: in one class, or altogether.
    Correct(Matcher, Option<Class>, Day),
    /// Long prompts cost no more from a day on.
    Untier(Matcher, Day),
    /// The multiplier of the fast mode, which the list forgot.
    Fast(Matcher, crate::domain::Ratio),
    /// Another name of a model.
    Alias(String, String),
    /// A model the list never had.
    Price(String, Day, Sheet),
}

/// The text of the built-in price book, from LiteLLM's list and a history of it, both as JSON.
///
/// # Errors
/// When either is not what it should be.
pub fn build(list: &str, history: &str) -> Result<String, ImportError> {
    let rules = rules(OWN)?;
    let mut books: BTreeMap<String, History> = BTreeMap::new();
    for (name, fields) in import::entries(history)? {
        books.insert(name.clone(), import::history(&name, &fields));
    }
    let as_of = books.values().flatten().map(|(day, _)| *day).max().ok_or(ImportError::Empty)?;
    for (name, fields) in import::entries(list)? {
        let Some(entry) = import::entry(&name, &fields) else { continue };
        let book = books.entry(name).or_default();
        match book.last_mut() {
            // The last snapshot is the newer of the two; it does not carry every multiplier.
            Some((_, last)) => {
                last.search = last.search.or(entry.sheet.search);
                last.fast = last.fast.or(entry.sheet.fast);
                last.us = last.us.or(entry.sheet.us);
                last.eu = last.eu.or(entry.sheet.eu);
            }
            None => book.push((as_of, entry.sheet)),
        }
    }
    for rule in &rules {
        rule.apply(&mut books);
    }
    for (name, book) in &mut books {
        import::settle(book);
        for rule in &rules {
            rule.end_tiers(name, book);
        }
    }
    books.retain(|_, book| !book.is_empty());
    let names: BTreeSet<&str> = books.keys().map(String::as_str).collect();
    let aliases = rules.iter().filter_map(|rule| match rule {
        Rule::Alias(name, target) if !names.contains(name.as_str()) => Some((name.as_str(), Line::Alias(target))),
        Rule::Alias(..) | Rule::Drop(_) | Rule::Correct(..) | Rule::Untier(..) | Rule::Fast(..) | Rule::Price(..) => {
            None
        }
    });
    let prices = books.iter().map(|(name, book)| (name.as_str(), Line::Prices(book.clone())));
    Ok(table::write(as_of, prices.chain(aliases).collect()))
}

impl Rule {
    fn apply(&self, books: &mut BTreeMap<String, History>) {
        match self {
            Self::Drop(names) => books.retain(|name, _| !names.matches(name)),
            Self::Correct(names, class, day) => {
                for (_, book) in books.iter_mut().filter(|(name, _)| names.matches(name)) {
                    correct(book, *class, *day);
                }
            }
            Self::Fast(names, fast) => {
                // `…-fast` is a model whose rates are those of fast mode already.
                for (_, book) in books.iter_mut().filter(|(name, _)| names.matches(name) && !name.ends_with("-fast")) {
                    for (_, sheet) in book {
                        sheet.fast = Some(*fast);
                    }
                }
            }
            Self::Price(name, day, sheet) => {
                books.entry(name.clone()).or_insert_with(|| vec![(*day, sheet.clone())]);
            }
            Self::Untier(..) | Self::Alias(..) => {}
        }
    }

    fn end_tiers(&self, name: &str, book: &mut History) {
        let Self::Untier(names, day) = self else { return };
        if !names.matches(name) {
            return;
        }
        let after = book.iter().take_while(|(from, _)| from < day).count();
        let in_force = after.checked_sub(1).and_then(|before| book.get(before)).cloned();
        let splits = book.get(after).is_none_or(|(from, _)| from != day);
        if let Some((_, sheet)) = in_force.filter(|_| splits) {
            book.insert(after, (*day, sheet));
        }
        for (_, sheet) in book.iter_mut().skip(after) {
            sheet.rates.retain(|key, _| key.above == 0);
        }
        book.dedup_by(|later, earlier| later.1 == earlier.1);
    }
}

/// What holds on a day held before it too.
fn correct(book: &mut History, class: Option<Class>, day: Day) {
    let Some(at) = book.iter().rposition(|(from, _)| *from <= day) else { return };
    let right = book[at].1.clone();
    match class {
        None => {
            let first = book[0].0;
            book.drain(..at);
            book[0].0 = first;
        }
        Some(class) => {
            for (_, sheet) in &mut book[..at] {
                for (key, rate) in right.rates.iter().filter(|(key, _)| key.class == class) {
                    sheet.rates.entry(*key).and_modify(|wrong| *wrong = *rate);
                }
            }
        }
    }
}

fn rules(text: &str) -> Result<Vec<Rule>, ImportError> {
    let mut rules = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let bad = |what| ImportError::Rule { line: number + 1, what };
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let day = |at: usize| words.get(at).and_then(|word| word.parse::<Day>().ok()).ok_or(bad("a day is missing"));
        let names = || words.get(1).map(|word| Matcher::new(*word)).ok_or(bad("a name is missing"));
        rules.push(match words[0] {
            "drop" => Rule::Drop(names()?),
            "correct" => {
                let class = words.get(2).and_then(|word| word.chars().next()).ok_or(bad("a class is missing"))?;
                Rule::Correct(names()?, Class::from_letter(class), day(3)?)
            }
            "untier" => Rule::Untier(names()?, day(2)?),
            "fast" => {
                let times = words.get(2).and_then(|word| Usd::parse(word).ok()).and_then(|(times, _)| ratio(times));
                Rule::Fast(names()?, times.ok_or(bad("a multiplier is missing"))?)
            }
            "alias" => match words[1..] {
                [name, target] => Rule::Alias(name.to_owned(), target.to_owned()),
                _ => return Err(bad("an alias has a name and a target")),
            },
            "price" => {
                let sheet = words.get(3..).and_then(|words| Sheet::read(&words.join(" ")));
                let sheet = sheet.filter(|sheet| sheet.rates.contains_key(&Key::of(Class::Input)));
                let name = words.get(1).ok_or(bad("a name is missing"))?;
                Rule::Price((*name).to_owned(), day(2)?, sheet.ok_or(bad("rates are missing"))?)
            }
            _ => return Err(bad("not a rule")),
        });
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{
        "gpt-new": {"mode":"chat","litellm_provider":"openai","input_cost_per_token":0.000001,"output_cost_per_token":0.000002},
        "gpt-3.5-turbo": {"mode":"chat","litellm_provider":"openai","input_cost_per_token":5e-7,"output_cost_per_token":0.0000015,
            "regional_processing_uplift_multiplier_eu":1.1},
        "picture": {"mode":"image_generation","input_cost_per_token":1}
    }"#;
    const HISTORY: &str = r#"{
        "gpt-3.5-turbo": {"provider":"openai","history":[
            {"listed":"2024-12-01","input_cost_per_token":0.0000015,"output_cost_per_token":0.000002},
            {"listed":"2025-10-01","input_cost_per_token":5e-7,"output_cost_per_token":0.0000015},
            {"listed":"2026-11-16","input_cost_per_token":6e-7,"output_cost_per_token":0.0000015}]},
        "gemini-2.5-pro": {"history":[
            {"listed":"2025-07-01","input_cost_per_token":0.00000125,"output_cost_per_token":0.00001,"cache_read_input_token_cost":3.125e-7},
            {"listed":"2025-11-01","input_cost_per_token":0.00000125,"output_cost_per_token":0.00001,"cache_read_input_token_cost":1.25e-7}]},
        "claude-opus-4-6": {"delisted":"2026-10-16","history":[
            {"listed":"2026-02-16","input_cost_per_token":0.000005,"output_cost_per_token":0.000025,
             "input_cost_per_token_above_200k_tokens":0.00001,"cache_creation_input_token_cost_above_1hr":0.00001},
            {"listed":"2026-04-01","input_cost_per_token":0.000005,"output_cost_per_token":0.000025,
             "provider_specific_entry":{"us":1.1}}]},
        "fast/claude-opus-4-6": {"history":[{"listed":"2026-02-16","input_cost_per_token":0.00003,"output_cost_per_token":0.00015}]},
        "claude-3-opus-20240229": {"history":[{"listed":"2024-12-01","input_cost_per_token":0.000015,"output_cost_per_token":0.000075}]}
    }"#;

    #[test]
    fn the_book_is_what_was_charged_and_not_what_was_listed() {
        let book = build(LIST, HISTORY).unwrap();
        let line = |name: &str| {
            let start = format!("{name}\t");
            book.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
        };
        assert!(book.starts_with("#tokmeter-prices 1\t2026-11-16\t"));
        assert_eq!(line("gpt-new").as_deref(), Some("2026-11-16 i=1 o=2"));
        // The last snapshot is newer than the list, which has a multiplier the snapshots do not carry.
        let turbo = "2024-12-01 i=0.5 o=1.5 xe=1.1\t2026-11-16 i=0.6 o=1.5 xe=1.1";
        assert_eq!(line("gpt-3.5-turbo").as_deref(), Some(turbo));
        assert_eq!(line("gemini-2.5-pro").as_deref(), Some("2025-07-01 i=1.25 r=0.125 o=10"));
        let opus = "2026-02-16 i=5 o=25 i>200k=10 xf=6 xu=1.1\t2026-03-13 i=5 o=25 xf=6 xu=1.1";
        assert_eq!(line("claude-opus-4-6").as_deref(), Some(opus));
        assert_eq!(line("claude-3-opus").as_deref(), Some("=claude-3-opus-20240229"));
        assert_eq!((line("fast/claude-opus-4-6"), line("picture")), (None, None));
        assert_eq!(build(LIST, HISTORY).unwrap(), book);
    }

    #[test]
    fn a_rule_that_cannot_be_read_names_its_line() {
        for (text, line) in
            [("drop", 1), ("\n# a remark\nfast x", 3), ("untier x soon", 1), ("alias a", 1), ("what", 1)]
        {
            let Err(ImportError::Rule { line: found, .. }) = rules(text) else { panic!("{text}") };
            assert_eq!(found, line, "{text}");
        }
        assert!(rules("price old-model 2024-01-01 i=1 o=2\ncorrect a r 2025-01-01").is_ok());
    }
}
