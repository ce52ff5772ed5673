//! The rules in `prices/own.txt`, which correct the lists.

use super::hours::HoursFrom;
use super::import::ImportError;
use super::place::move_newest_change;
use super::sheet::{Class, Key, Sheet, ratio};
use super::table::{Books, History, Since};
use crate::domain::{Day, Matcher, Ratio, Usd, sort_by_key};

/// The rules. The file documents each line.
pub(super) const OWN: &str = include_str!("../../prices/own.txt");

/// One line of `own.txt`.
#[derive(Debug)]
pub(super) enum Rule {
    /// Names that no log uses.
    Drop(Matcher),
    /// Listings before a day were wrong, either in one class or altogether.
    Correct(Matcher, Option<Class>, Day),
    /// Long prompts cost no extra from a day on.
    Untier(Matcher, Day),
    /// A fast-mode multiplier that the list lacks.
    Fast(Matcher, Ratio),
    /// Another name of a model.
    Alias(String, String),
    /// A model that the list never had.
    Price(String, Day, Sheet),
    /// A price from a day on, regardless of the list.
    Period(String, Day, Sheet),
    /// The day of the newest change, according to the vendor.
    Day(Matcher, Day),
    /// The dated list's hourly rates for a model apply from a day on, and possibly on weekdays only from a later day.
    Hours(Matcher, HoursFrom),
    /// Which of two lists is right about a model.
    Keep(Matcher, List),
    /// Models that only the dated list has: provider and names.
    Take(String, Matcher),
    /// A name that refers to one model until a day and to another afterwards. Which one it is remains uncertain.
    Follows(String, Vec<(Option<Day>, String)>),
}

/// One of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// LiteLLM's.
    Main,
    /// The one with exact days.
    Dated,
}

impl Rule {
    /// Applies rules that change listed prices before anything else.
    pub(super) fn apply(&self, books: &mut Books) {
        match self {
            Self::Drop(names) => books.retain(|name, _| !names.matches(name)),
            Self::Correct(names, class, day) => {
                for (_, book) in books.iter_mut().filter(|(name, _)| names.matches(name)) {
                    correct(book, *class, *day);
                }
            }
            Self::Fast(names, fast) => {
                // `…-fast` is a model whose rates are already those of fast mode.
                for (_, book) in books.iter_mut().filter(|(name, _)| names.matches(name) && !name.ends_with("-fast")) {
                    for (_, sheet) in book {
                        sheet.fast = Some(*fast);
                    }
                }
            }
            Self::Price(name, day, sheet) => {
                books.entry(name.clone()).or_insert_with(|| vec![(Since::exact(*day), sheet.clone())]);
            }
            Self::Period(name, day, sheet) => {
                let book = books.entry(name.clone()).or_default();
                book.retain(|(since, _)| since.day != *day);
                book.push((Since::exact(*day), sheet.clone()));
                sort_by_key(book, |(since, _)| *since);
            }
            Self::Untier(..)
            | Self::Alias(..)
            | Self::Day(..)
            | Self::Hours(..)
            | Self::Keep(..)
            | Self::Take(..)
            | Self::Follows(..) => {}
        }
    }

    /// Sets the exact day of a model's newest change.
    pub(super) fn set_days(&self, name: &str, book: &mut History) {
        let Self::Day(names, day) = self else { return };
        if names.matches(name) {
            move_newest_change(book, *day);
        }
    }

    /// Ends long-context prices.
    pub(super) fn end_tiers(&self, name: &str, book: &mut History) {
        let Self::Untier(names, day) = self else { return };
        if !names.matches(name) {
            return;
        }
        let after = book.iter().take_while(|(since, _)| since.day < *day).count();
        let in_force = after.checked_sub(1).and_then(|before| book.get(before)).cloned();
        let splits = book.get(after).is_none_or(|(since, _)| since.day != *day);
        if let Some((_, sheet)) = in_force.filter(|_| splits) {
            book.insert(after, (Since::exact(*day), sheet));
        }
        for (_, sheet) in book.iter_mut().skip(after) {
            sheet.rates.retain(|key, _| key.above == 0);
        }
        book.dedup_by(|later, earlier| later.1 == earlier.1);
    }

    /// Gives a name the prices of the models it referred to.
    pub(super) fn follow(&self, books: &mut Books, notes: &mut Vec<String>) {
        let Self::Follows(name, models) = self else { return };
        if books.contains_key(name) {
            notes.push(format!("follows {name}: the list has a price of its own now"));
            return;
        }
        let mut whole = History::new();
        for (at, (day, model)) in models.iter().enumerate() {
            let Some(history) = books.get(model) else {
                notes.push(format!("follows {name}: no price for '{model}'"));
                continue;
            };
            let until = models.get(at + 1).and_then(|(day, _)| *day);
            let first = day.map_or(Since::LAUNCH, Since::exact);
            // The price in force on the first day, and every later one until the next model's.
            let before = history.iter().rposition(|(since, _)| since.day <= first.day).unwrap_or(0);
            for (place, (since, sheet)) in history.iter().enumerate().skip(before) {
                let since = if place == before { first } else { *since };
                if until.is_none_or(|until| since.day < until) {
                    whole.push((since, Sheet { guessed: true, ..sheet.clone() }));
                }
            }
        }
        if !whole.is_empty() {
            books.insert(name.clone(), whole);
        }
    }
}

/// Extends the values in force on a day back in time.
fn correct(book: &mut History, class: Option<Class>, day: Day) {
    let Some(at) = book.iter().rposition(|(since, _)| since.day <= day) else { return };
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

/// Parses the rules, one per line; `#` begins a comment.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>, ImportError> {
    let mut rules = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            rules.push(rule(&words).map_err(|what| ImportError::Rule { line: number + 1, what })?);
        }
    }
    Ok(rules)
}

fn rule(words: &[&str]) -> Result<Rule, &'static str> {
    let day = |at: usize| words.get(at).and_then(|word| word.parse::<Day>().ok()).ok_or("a day is missing");
    let name = || words.get(1).map(|word| (*word).to_owned()).ok_or("a name is missing");
    let names = || name().map(Matcher::new);
    let sheet = || {
        let sheet = words.get(3..).and_then(|words| Sheet::read(&words.join(" ")));
        sheet.filter(|sheet| sheet.rates.contains_key(&Key::from_class(Class::Input))).ok_or("rates are missing")
    };
    Ok(match words[0] {
        "drop" => Rule::Drop(names()?),
        "correct" => {
            let class = words.get(2).and_then(|word| word.chars().next()).ok_or("a class is missing")?;
            let class = match class {
                '*' => None,
                letter => Some(Class::from_letter(letter).ok_or("the class is not known")?),
            };
            Rule::Correct(names()?, class, day(3)?)
        }
        "untier" => Rule::Untier(names()?, day(2)?),
        "fast" => {
            let times = words.get(2).and_then(|word| Usd::parse(word).ok()).and_then(|(times, _)| ratio(times));
            Rule::Fast(names()?, times.ok_or("a multiplier is missing")?)
        }
        "alias" => match words[1..] {
            [name, target] => Rule::Alias(name.to_owned(), target.to_owned()),
            _ => return Err("an alias has a name and a target"),
        },
        "price" => Rule::Price(name()?, day(2)?, sheet()?),
        "period" => Rule::Period(name()?, day(2)?, sheet()?),
        "day" => Rule::Day(names()?, day(2)?),
        "hours" => {
            let weekdays = match words.get(3..).unwrap_or_default() {
                [] => None,
                ["weekdays", _] => Some(day(4)?),
                _ => return Err("after the day, only `weekdays` and a day may stand"),
            };
            Rule::Hours(names()?, HoursFrom { every_day: Some(day(2)?), weekdays })
        }
        "keep" => match words[1..] {
            [name, "list"] => Rule::Keep(Matcher::new(name), List::Main),
            [name, "dated"] => Rule::Keep(Matcher::new(name), List::Dated),
            _ => return Err("`list` or `dated` is missing"),
        },
        "take" => match words[1..] {
            [provider, names] => Rule::Take(provider.to_owned(), Matcher::new(names)),
            _ => return Err("a provider and a name are missing"),
        },
        "follows" => {
            let first = words.get(2).ok_or("a model is missing")?;
            let mut models = vec![(None, (*first).to_owned())];
            for pair in words[3..].chunks(2) {
                let [day, model] = pair else { return Err("a model is missing") };
                models.push((Some(day.parse().map_err(|_| "a day is missing")?), (*model).to_owned()));
            }
            Rule::Follows(name()?, models)
        }
        _ => return Err("not a rule"),
    })
}

/// First days of a model's hours; `None` without a rule.
pub(super) fn hours_from(rules: &[Rule], name: &str) -> Option<HoursFrom> {
    rules.iter().find_map(|rule| {
        let Rule::Hours(names, from) = rule else { return None };
        names.matches(name).then_some(*from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_cannot_be_read_names_its_line() {
        for (text, line) in [
            ("drop", 1),
            ("\n# a remark\nfast x", 3),
            ("untier x soon", 1),
            ("alias a", 1),
            ("what", 1),
            ("hours a 2026-08-17 sundays", 1),
            ("keep a both", 1),
            ("take openai", 1),
            ("follows a", 1),
            ("follows a b 2026-07-30", 1),
            ("follows a b soon c", 1),
            ("day a", 1),
            ("period a 2026-01-01 o=2", 1),
            ("correct a z 2025-01-01", 1),
        ] {
            let Err(ImportError::Rule { line: found, .. }) = rules(text) else { panic!("{text}") };
            assert_eq!(found, line, "{text}");
        }
        assert!(rules("price old-model 2024-01-01 i=1 o=2\ncorrect a r 2025-01-01").is_ok());
        assert!(rules("hours a 2026-08-17 weekdays 2026-08-23\nfollows a b 2026-07-30 c").is_ok());
        assert!(rules(OWN).is_ok());
    }
}
