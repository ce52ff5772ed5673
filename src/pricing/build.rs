//! Builds the built-in list from the history of one list, the exact days of another, and our own rules.
//!
//! `prices/history.txt` holds snapshots of LiteLLM's list in the book's format, exactly as they were listed. Newer
//! lists are added to it; nothing is ever removed.

use std::collections::BTreeSet;

use super::dated::{self, Dated};
use super::import::{self, ImportError};
use super::own::{self, Rule};
use super::sheet::{Class, Key, Sheet};
use super::table::{self, Books, Line, Since, Table};
use crate::domain::{Day, Service, one_by_one};

/// A built list with its notes.
#[derive(Debug)]
pub struct Built {
    /// Text of the list.
    pub text: String,
    /// Notes for the maintainer, one sentence each: unsupported conditions, unused entries, open disagreements.
    pub notes: Vec<String>,
}

/// Creates the first history from snapshots of the list as JSON, plus an older book's data on models missing there.
///
/// # Errors
/// When the snapshots are not JSON, or contain no price.
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

/// Adds one more list, read on this day, to the history.
///
/// # Errors
/// When the history is not a table, or the list is not a price list.
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

/// Builds the list: `history` is the text of `prices/history.txt`, `dated` that of `prices/dated.json`.
///
/// # Errors
/// When either is malformed, or a rule of `own.txt` cannot be parsed.
pub fn build(history: &str, dated: &str) -> Result<Built, ImportError> {
    build_by(&own::rules(own::OWN)?, history, dated)
}

fn build_by(rules: &[Rule], history: &str, dated: &str) -> Result<Built, ImportError> {
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
    let names: BTreeSet<&str> = one_by_one(books.keys().map(String::as_str));
    let aliases: Vec<(&str, Line<'_>)> = rules
        .iter()
        .filter_map(|rule| {
            let Rule::Alias(name, target) = rule else { return None };
            (!names.contains(name.as_str())).then_some((name.as_str(), Line::Alias(target)))
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

/// True when a listing repeats the previous one and at most adds rates that apply to prompts of any length. Such rates
/// were in force before they were listed; long-context tiers were not.
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{
        "gpt-new": {"mode":"chat","litellm_provider":"openai","input_cost_per_token":0.000001,"output_cost_per_token":0.000002},
        "gpt-3.5-turbo": {"mode":"chat","litellm_provider":"openai","input_cost_per_token":6e-7,"output_cost_per_token":0.0000015,
            "regional_processing_uplift_multiplier_eu":1.1},
        "picture": {"mode":"image_generation","input_cost_per_token":1},
        "xai/grok-x": {"mode":"chat","input_cost_per_token":1e-6,"output_cost_per_token":1e-6,
            "input_cost_per_token_above_200k_tokens":2e-6}
    }"#;
    const SNAPSHOTS: &str = r#"{
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
        "claude-3-opus-20240229": {"history":[{"listed":"2024-12-01","input_cost_per_token":0.000015,"output_cost_per_token":0.000075}]},
        "cut-late": {"history":[
            {"listed":"2026-08-01","input_cost_per_token":1e-6,"output_cost_per_token":6e-6,"input_cost_per_token_flex":5e-7},
            {"listed":"2026-08-16","input_cost_per_token":2e-7,"output_cost_per_token":1.2e-6,"input_cost_per_token_flex":1e-7}]},
        "deepseek/by-the-hour": {"history":[
            {"listed":"2026-07-01","input_cost_per_token":1e-7,"output_cost_per_token":2e-7},
            {"listed":"2026-09-01","input_cost_per_token":4e-7,"output_cost_per_token":8e-7},
            {"listed":"2026-10-01","input_cost_per_token":6e-7,"output_cost_per_token":1.2e-6}]},
        "stale": {"history":[{"listed":"2026-08-01","input_cost_per_token":1e-6,"output_cost_per_token":1e-6}]}
    }"#;
    const DATED: &str = r#"{
        "openai cut-late": {"prices":[{"when":null,"input_mtok":1,"output_mtok":6},
            {"when":{"StartDateConstraint":{"start_date":"2026-07-30"}},"input_mtok":0.2,"output_mtok":1.2},
            {"when":{"StartDateConstraint":{"start_date":"2027-01-01"}},"input_mtok":0.4,"output_mtok":2.4}]},
        "deepseek by-the-hour": {"prices":[{"when":null,"input_mtok":0.1,"output_mtok":0.2},
            {"when":{"StartDateConstraint":{"start_date":"2026-08-17"}},"input_mtok":0.2,"output_mtok":0.4},
            {"when":{"StartDateConstraint":{"start_date":"2026-09-10"}},"input_mtok":0.3,"output_mtok":0.6},
            {"when":{"TimeOfDateConstraint":{"start_time":"01:00:00+00:00","end_time":"04:00:00+00:00"}},"input_mtok":0.6,"output_mtok":1.2},
            {"when":{"TimeOfDateConstraint":{"start_time":"06:00:00+00:00","end_time":"10:00:00+00:00"}},"input_mtok":0.6,"output_mtok":1.2}]},
        "openai stale": {"prices":[{"when":null,"input_mtok":2,"output_mtok":{"base":1,"tiers":[{"above":272000,"price":3}]}}]},
        "anthropic claude-only-dated": {"prices":[{"when":null,"input_mtok":8,"output_mtok":40,"web_searches_kcount":10}]},
        "openai odd": {"prices":[{"when":{"StartDateConstraint":{"start_date":"2026-01-01"},"TimeOfDateConstraint":
            {"start_time":"01:00:00+00:00","end_time":"02:00:00+00:00"}},"input_mtok":1,"output_mtok":1},
            {"when":{"WeekdayConstraint":{"day":1}},"input_mtok":1,"output_mtok":1}]},
        "somebody else": {"prices":[{"when":null,"input_mtok":1,"output_mtok":1}]}
    }"#;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn book(rules: &str) -> Built {
        let older = table::write(day("2026-11-16"), Vec::new());
        let history = remember(&seed(SNAPSHOTS, &older).unwrap(), LIST, day("2026-11-26")).unwrap();
        build_by(&own::rules(rules).unwrap(), &history, DATED).unwrap()
    }

    fn line(built: &Built, name: &str) -> Option<String> {
        let start = format!("{name}\t");
        built.text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    }

    #[test]
    fn the_book_is_what_was_charged_and_not_what_was_listed() {
        let book = book(own::OWN);
        let line = |name: &str| line(&book, name);
        assert!(book.text.starts_with("#tokmeter-prices 2\t2026-11-26\t"));
        assert_eq!(line("gpt-new").as_deref(), Some("2026-11-26 i=1 o=2"));
        // The list has a multiplier that the snapshots do not.
        let turbo = "2024-12-01 i=0.5 o=1.5 xe=1.1\t2026-11-16 i=0.6 o=1.5 xe=1.1";
        assert_eq!(line("gpt-3.5-turbo").as_deref(), Some(turbo));
        assert_eq!(line("gemini-2.5-pro").as_deref(), Some("2025-07-01 i=1.25 r=0.125 o=10"));
        let opus = "2026-02-16 i=5 o=25 i>200k=10 xf=6 xu=1.1\t!2026-03-13 i=5 o=25 xf=6 xu=1.1";
        assert_eq!(line("claude-opus-4-6").as_deref(), Some(opus));
        assert_eq!(line("claude-3-opus").as_deref(), Some("=claude-3-opus-20240229"));
        assert_eq!(line("xai/grok-x").as_deref(), Some("2026-11-26 i=1 o=1 i>199999=2"));
        assert_eq!((line("fast/claude-opus-4-6"), line("picture")), (None, None));
    }

    #[test]
    fn an_exact_day_beats_the_half_month_of_a_snapshot_and_an_announced_price_is_in_the_book() {
        let book = book("");
        let expected = "launch i=1 if=0.5 o=6\t!2026-07-30 i=0.2 if=0.1 o=1.2\t!2027-01-01 i=0.4 if=0.2 o=2.4";
        assert_eq!(line(&book, "cut-late").as_deref(), Some(expected));
    }

    #[test]
    fn prices_by_the_hour_stand_beside_those_of_the_rest_of_the_day() {
        let book = book("hours deepseek/by-the-hour 2026-08-17 weekdays 2026-08-23");
        let expected = "2026-07-01 i=0.1 o=0.2\t!2026-08-17 i=0.2 o=0.4 @01:00-04:00+06:00-10:00 i=0.4 o=0.8\t\
            !2026-08-23 i=0.2 o=0.4 @01:00-04:00+06:00-10:00/mon-fri i=0.4 o=0.8\t\
            !2026-09-10 i=0.3 o=0.6 @01:00-04:00+06:00-10:00/mon-fri i=0.6 o=1.2";
        assert_eq!(line(&book, "deepseek/by-the-hour").as_deref(), Some(expected));
    }

    #[test]
    fn what_cannot_be_expressed_and_what_is_not_settled_is_said_aloud() {
        let says = |built: &Built, text: &str| built.notes.iter().filter(|note| note.contains(text)).count();
        let plain = book("");
        assert_eq!(says(&plain, "openai odd: a price under a condition that cannot be expressed"), 2);
        assert_eq!(says(&plain, "UNSETTLED stale: the list says i=1 o=1, the dated one i=2 o=1"), 1);
        assert_eq!(says(&plain, "deepseek/by-the-hour: since when do its hours hold?"), 1);
        assert_eq!(says(&plain, "1 entries of resellers"), 1);
        assert_eq!(says(&plain, "no rule takes them: anthropic claude-only-dated"), 1);
        let ruled = book("keep stale dated\ntake anthropic claude-*\nfollows made-up nowhere\nalias a b");
        assert_eq!(says(&ruled, "UNSETTLED"), 0);
        assert_eq!(line(&ruled, "stale").as_deref(), Some("2026-08-01 i=2 o=1 o>272k=3"));
        assert_eq!(line(&ruled, "claude-only-dated").as_deref(), Some("launch i=8 o=40 s=0.01"));
        assert_eq!(says(&ruled, "follows made-up: no price for 'nowhere'"), 1);
        assert_eq!(says(&ruled, "alias a: no price for 'b'"), 1);
        assert_eq!(line(&book("keep stale list"), "stale").as_deref(), Some("2026-08-01 i=1 o=1"));
    }

    #[test]
    fn a_name_that_stood_for_two_models_has_the_prices_of_both_and_is_a_guess() {
        let book = book("follows reviewer stale 2026-08-10 cut-late");
        let expected = "launch i=1 o=1 xg=1\t!2026-08-10 i=0.2 if=0.1 o=1.2 xg=1\t!2027-01-01 i=0.4 if=0.2 o=2.4 xg=1";
        assert_eq!(line(&book, "reviewer").as_deref(), Some(expected));
    }

    #[test]
    fn the_same_list_read_again_changes_nothing() {
        let older = table::write(day("2026-11-16"), Vec::new());
        let once = remember(&seed(SNAPSHOTS, &older).unwrap(), LIST, day("2026-11-26")).unwrap();
        assert_eq!(remember(&once, LIST, day("2026-11-26")).unwrap(), once);
        let later = remember(&once, &LIST.replace("0.000001,", "0.000003,"), day("2026-12-10")).unwrap();
        assert!(later.contains("gpt-new\t2026-11-26 i=1 o=2\t2026-12-10 i=3 o=2\n"), "{later}");
        assert!(
            remember("nonsense", LIST, day("2026-11-26")).is_err() && remember(&once, "{}", day("2026-11-26")).is_err()
        );
    }

    #[test]
    fn the_book_that_ships_is_made_of_the_lists_that_are_kept_beside_it() {
        let built = build(include_str!("../../prices/history.txt"), include_str!("../../prices/dated.json")).unwrap();
        assert!(built.text == include_str!("../../prices/book.txt"), "run prices/refresh.py");
        let unsettled: Vec<_> = built.notes.iter().filter(|note| !note.starts_with("dated: ")).collect();
        assert!(unsettled.is_empty(), "{unsettled:#?}");
    }
}
