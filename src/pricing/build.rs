//! Makes the built-in book: from the history of one list, the exact days of another, and rules of our own.
//!
//! `prices/history.txt` is what LiteLLM's list said, snapshot by snapshot, in the form of the book but as it was
//! listed. A newer list is added to it; nothing is ever taken out.

use std::collections::{BTreeMap, BTreeSet};

use super::dated::{self, Dated};
use super::import::{self, ImportError};
use super::own::{self, Rule};
use super::sheet::{Class, Key, Sheet};
use super::table::{self, History, Line, Since, Table};
use crate::domain::{Day, Service};

/// Everything that is known of prices, by name.
pub(super) type Books = BTreeMap<String, History>;

/// A book, and what its maker should look at.
#[derive(Debug)]
pub struct Built {
    /// The text of the book.
    pub text: String,
    /// What could not be expressed, was not used, or is not settled between the two lists; one sentence each.
    pub notes: Vec<String>,
}

/// The first history: snapshots of the list as JSON, and what an older book knows of models that they leave out.
///
/// # Errors
/// When the snapshots are no JSON, or hold no price.
pub fn seed(snapshots: &str, book: &str) -> Result<String, ImportError> {
    let mut books = Books::new();
    for (name, fields) in import::entries(snapshots)? {
        books.insert(name.clone(), import::history(&name, &fields));
    }
    books.retain(|_, history| !history.is_empty());
    let days = || books.values().flatten().map(|(since, _)| since.day);
    let (Some(first), Some(last)) = (days().min(), days().max()) else { return Err(ImportError::Empty) };
    let book = Table::new(book).map_err(|_| ImportError::Empty)?;
    for (name, line) in book.lines() {
        if let Line::Prices(history) = line
            && !books.contains_key(name)
            && history.iter().all(|(since, _)| since.day >= first)
        {
            books.insert(name.to_owned(), history);
        }
    }
    Ok(write(last, &books, &[]))
}

/// The history with one more list, read on this day.
///
/// # Errors
/// When the history is no table, or the list is no price list.
pub fn remember(history: &str, list: &str, day: Day) -> Result<String, ImportError> {
    let mut books = read(history)?;
    let mut models = 0;
    for (name, fields) in import::entries(list)? {
        let Some(entry) = import::entry(&name, &fields) else { continue };
        models += 1;
        let history = books.entry(name).or_default();
        match history.last_mut() {
            Some((_, last)) if only_adds(last, &entry.sheet) => *last = entry.sheet,
            Some((since, last)) if since.day >= day => *last = entry.sheet,
            Some(_) | None => history.push((Since::listed(day), entry.sheet)),
        }
    }
    if models == 0 {
        return Err(ImportError::Empty);
    }
    Ok(write(day, &books, &[]))
}

/// The built-in book: `history` is the text of `prices/history.txt`, `dated` that of `prices/dated.json`.
///
/// # Errors
/// When either is not what it should be, or a rule of `own.txt` cannot be read.
pub fn build(history: &str, dated: &str) -> Result<Built, ImportError> {
    build_by(&own::rules(own::OWN)?, history, dated)
}

pub(super) fn build_by(rules: &[Rule], history: &str, dated: &str) -> Result<Built, ImportError> {
    let mut books = read(history)?;
    let as_of = Table::new(history).map_err(|_| ImportError::Empty)?.as_of();
    let mut notes = Vec::new();
    for rule in rules {
        rule.apply(&mut books);
    }
    books.values_mut().for_each(import::settle);
    let dated = Dated::read(dated, &mut notes)?;
    dated::merge(&mut books, &dated, rules, as_of, &mut notes);
    for (name, history) in &mut books {
        for rule in rules {
            rule.set_days(name, history);
        }
        import::settle(history);
        for rule in rules {
            rule.end_tiers(name, history);
        }
    }
    books.retain(|_, history| !history.is_empty());
    for rule in rules {
        rule.follow(&mut books, &mut notes);
    }
    let names: BTreeSet<&str> = books.keys().map(String::as_str).collect();
    let aliases: Vec<(&str, Line<'_>)> = rules
        .iter()
        .filter_map(|rule| match rule {
            Rule::Alias(name, target) if !names.contains(name.as_str()) => Some((name.as_str(), Line::Alias(target))),
            _ => None,
        })
        .collect();
    for (name, line) in &aliases {
        if let Line::Alias(target) = line
            && !names.contains(target)
        {
            notes.push(format!("alias {name}: no price for '{target}'"));
        }
    }
    Ok(Built { text: write(as_of, &books, &aliases), notes })
}

fn read(history: &str) -> Result<Books, ImportError> {
    let table = Table::checked(history)?;
    let prices = table.lines().filter_map(|(name, line)| match line {
        Line::Prices(history) => Some((name.to_owned(), history)),
        Line::Alias(_) => None,
    });
    Ok(prices.collect())
}

fn write(as_of: Day, books: &Books, aliases: &[(&str, Line<'_>)]) -> String {
    let prices = books.iter().map(|(name, history)| (name.as_str(), Line::Prices(history.clone())));
    table::write(as_of, prices.chain(aliases.iter().cloned()).collect())
}

/// True when a listing says all that the one before it said, and at most more of prompts of every length: the feature
/// was there before the list knew of it. A long-context tier was not.
fn only_adds(before: &Sheet, after: &Sheet) -> bool {
    let keeps = |key: &Key| before.rates.get(key) == after.rates.get(key);
    let adds = |key: &&Key| !before.rates.contains_key(key);
    let kept = before.rates.keys().all(keeps) && before.hours == after.hours;
    let others =
        [before.search == after.search || before.search.is_none(), before.fast.is_none() || before.fast == after.fast];
    let regions = [(before.us, after.us), (before.eu, after.eu)];
    kept && after.rates.keys().filter(adds).all(|key| key.above == 0)
        && others.into_iter().all(|same| same)
        && regions.into_iter().all(|(before, after)| before.is_none() || before == after)
        && before.base() == after.base()
        && before.get(0, Class::Input, Service::Standard).is_some()
}
