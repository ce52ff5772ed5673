//! Updates: a newer list, fetched by the user, which takes precedence over the built-in one.

use std::collections::BTreeMap;

use super::import::{self, ImportError};
use super::place::is_plain_alike;
use super::sheet::Sheet;
use super::table::{self, History, Known, Line, Since};
use super::tariff::Priced;
use super::{Found, PriceBook, Tariff};
use crate::domain::Day;

/// A fetched list, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Text to store in the data folder and pass to [`PriceBook::with_update`].
    pub text: String,
    /// Models with a price in the list.
    pub models: usize,
    /// Changed prices, by name.
    pub differences: Vec<Difference>,
    /// Number of values rounded to the nearest pico-dollar.
    pub rounded: u64,
    /// Models skipped because a rate is not a number or is negative, or because only input or only output has one.
    pub skipped: Vec<String>,
}

/// A model whose price changes with a fetched list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of the model.
    pub model: String,
    /// Price before; `None` for a new model.
    pub before: Option<Tariff>,
    /// Price from the day of the update on.
    pub after: Tariff,
}

/// Why a fetched list cannot become an update.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// It cannot be parsed.
    #[error(transparent)]
    List(#[from] ImportError),
    /// It is not newer than the built-in list.
    #[error("the list is of {update}, and the built-in one of {built_in} is not older")]
    Old {
        /// Day of the update.
        update: Day,
        /// Day of the built-in list.
        built_in: Day,
    },
}

impl PriceBook {
    /// Creates an update of this book from a list fetched on this day (LiteLLM's format, as JSON).
    ///
    /// Histories are kept. A new rate applies from `day` on, a newly listed field from the start, and a model that left
    /// the list keeps its price, as does one with a rate that cannot be read: without that rate, its tokens would cost
    /// nothing.
    ///
    /// # Errors
    /// When the text is not a price list, or the day is not later than that of the built-in list.
    pub fn update(&self, json: &str, day: Day) -> Result<Update, UpdateError> {
        if day <= self.built_in_as_of() {
            return Err(UpdateError::Old { update: day, built_in: self.built_in_as_of() });
        }
        let mut histories: BTreeMap<String, History> = BTreeMap::new();
        // Keep what earlier updates added.
        for (name, line) in self.fetched().into_iter().flat_map(table::Table::lines) {
            if let Line::Prices(history) = line {
                histories.insert(name.to_owned(), history);
            }
        }
        let (mut models, mut rounded, mut skipped) = (0, 0, Vec::new());
        let mut differences = Vec::new();
        for (name, fields) in import::entries(json)? {
            let Some(entry) = import::entry(&name, &fields) else { continue };
            if entry.refused > 0 || entry.is_half {
                skipped.push(name);
                continue;
            }
            (models, rounded) = (models + 1, rounded + entry.rounded);
            let known = match self.line(&name) {
                Some((found, Line::Prices(history))) if found == name => history,
                Some(_) | None => History::new(),
            };
            let mut history = known.clone();
            self.enter(&mut history, entry.sheet, day);
            import::settle(&mut history);
            if history == known {
                continue;
            }
            let sheet = |history: &History| place_of(history, day).map(|at| history[at].1.clone());
            if sheet(&history) != sheet(&known)
                && let Some(after) = in_force(&name, &history, day)
            {
                differences.push(Difference { model: name.clone(), before: in_force(&name, &known, day), after });
            }
            histories.insert(name, history);
        }
        if models == 0 && skipped.is_empty() {
            return Err(ImportError::Empty.into());
        }
        let lines = histories.iter().map(|(name, history)| (name.as_str(), Line::Prices(history.clone()))).collect();
        Ok(Update { text: table::write(day, lines), models, differences, rounded, skipped })
    }

    /// Adds this day's listing to a history that may contain announced prices and hourly rates.
    fn enter(&self, history: &mut History, sheet: Sheet, day: Day) {
        let Some(at) = place_of(history, day) else {
            history.push((Since::listed(day), sheet));
            return;
        };
        let (since, now) = &history[at];
        let is_announced = since.known == Known::Exact && since.day > self.built_in_as_of();
        let is_behind = is_announced && at > 0 && is_plain_alike(&history[at - 1].1, &sheet);
        let is_an_hours = now.hours.iter().any(|(_, rates)| is_plain_alike(rates, &sheet));
        let is_by_the_hour = !now.hours.is_empty() && is_plain_alike(now, &sheet);
        if (is_behind && !is_plain_alike(now, &sheet)) || is_an_hours || is_by_the_hour {
            return;
        }
        if since.day >= day {
            history[at].1 = sheet;
        } else {
            history.insert(at + 1, (Since::listed(day), sheet));
        }
    }

    /// Differences between the fetched list in use and the built-in one.
    pub fn changes(&self) -> Vec<Difference> {
        let built_in = PriceBook::new(Vec::new(), Vec::new(), self.mode());
        let day = self.as_of();
        let lines = self.fetched().into_iter().flat_map(table::Table::lines);
        lines
            .filter_map(|(name, line)| {
                let Line::Prices(history) = line else { return None };
                let after = in_force(name, &history, day)?;
                let before = match built_in.line(name) {
                    Some((_, Line::Prices(history))) => in_force(name, &history, day),
                    Some(_) | None => None,
                };
                (before.as_ref() != Some(&after)).then(|| Difference { model: name.to_owned(), before, after })
            })
            .collect()
    }
}

/// The price in force on a day.
fn in_force(name: &str, history: &History, day: Day) -> Option<Tariff> {
    let at = place_of(history, day)?;
    Priced::listed(name, history, Found::List, Vec::new())?.tariffs().into_iter().nth(at)
}

/// Index of the price in force on a day. The first one also applies to all earlier times.
fn place_of(history: &History, day: Day) -> Option<usize> {
    let at = history.iter().rposition(|(since, _)| since.day <= day);
    at.or((!history.is_empty()).then_some(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Tokens, Usd};
    use crate::pricing::book::UpdateProblem;
    use crate::pricing::tests::golden::{at, book, call};
    use crate::pricing::{Cost, CostMode, Pricer};

    const LIST: &str = r#"{
        "sample_spec": {"mode": "one of chat, embedding", "input_cost_per_token": "much"},
        "gpt-4o": {"mode":"chat","litellm_provider":"openai","input_cost_per_token":0.000001,"output_cost_per_token":0.000004},
        "claude-opus-5": {"mode":"chat","litellm_provider":"anthropic","input_cost_per_token":0.000005,
            "output_cost_per_token":0.000025,"cache_read_input_token_cost":5e-7,"cache_creation_input_token_cost":0.00000625,
            "cache_creation_input_token_cost_above_1hr":0.00001,"input_cost_per_token_batches":0.0000025,
            "output_cost_per_token_batches":0.0000125,"cache_read_input_token_cost_batches":2.5e-7,
            "cache_creation_input_token_cost_batches":0.000003125,"provider_specific_entry":{"us":1.1,"fast":2},
            "search_context_cost_per_query":{"search_context_size_medium":0.01}},
        "brand-new": {"mode":"chat","litellm_provider":"x","input_cost_per_token":0.30000000000000004,"output_cost_per_token":1}
    }"#;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn fresh() -> PriceBook {
        PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)
    }

    fn million(book: &PriceBook, model: &str, on: &str) -> Option<String> {
        let tokens = Tokens { input: 1_000_000, ..Tokens::ZERO };
        book.cost(&call(model, on, tokens)).usd().map(|usd| usd.to_string())
    }

    #[test]
    fn d16_a_newer_list_holds_from_its_day_and_what_was_before_stays() {
        let update = fresh().update(LIST, day("2026-12-01")).unwrap();
        assert_eq!((update.models, update.rounded, update.skipped), (3, 1, Vec::new()));
        let changed: Vec<_> = update.differences.iter().map(|change| change.model.as_str()).collect();
        assert_eq!(changed, ["brand-new", "gpt-4o"]);
        assert_eq!(update.differences[1].before.as_ref().unwrap().rates.input, Usd::from_pico(2_500_000));
        assert_eq!(update.differences[1].after.rates.input, Usd::from_pico(1_000_000));

        let (book, problem) = fresh().with_update(update.text);
        assert_eq!((problem, book.as_of()), (None, day("2026-12-01")));
        assert_eq!(million(&book, "gpt-4o", "2026-11-30").as_deref(), Some("2.5"));
        assert_eq!(million(&book, "gpt-4o", "2026-12-01").as_deref(), Some("1"));
        assert_eq!(million(&book, "brand-new", "2026-01-01").as_deref(), Some("300000"));
        assert_eq!(million(&book, "o3", "2026-12-02").as_deref(), Some("2"));
        assert_eq!(book.changes(), update.differences);
        assert_eq!(book.names().filter(|name| *name == "brand-new" || *name == "gpt-4o").count(), 2);
        let explanation = book.explain(&call("gpt-4o", "2026-12-01", Tokens::ZERO));
        assert_eq!(
            (explanation.found, explanation.price.unwrap().as_str()),
            (Found::Fetched, "list:gpt-4o@2026-12-01")
        );
    }

    #[test]
    fn a_model_with_a_rate_that_cannot_be_read_keeps_its_price() {
        let rates = |input: &str, output: &str| {
            format!(r#"{{"mode":"chat","input_cost_per_token":{input},"output_cost_per_token":{output}}}"#)
        };
        for broken in [
            rates("\"oops\"", "0.00001"),
            rates("-1", "0.00001"),
            rates("1e300", "0.00001"),
            rates("0.000001", "\"\""),
            rates("0.000001", "null"),
            rates("null", "0.00001"),
            rates("0.000001", "0.00001,\"cache_read_input_token_cost\":true"),
            "{\"input_cost_per_token\":0.000001}".to_owned(),
        ] {
            let list = format!(r#"{{"gpt-4o":{broken},"unheard-of":{broken},"good":{}}}"#, rates("1e-6", "2e-6"));
            let update = fresh().update(&list, day("2026-12-01")).unwrap();
            assert_eq!((update.models, update.skipped.len()), (1, 2), "{broken}");
            let (book, _) = fresh().with_update(update.text);
            assert_eq!(million(&book, "gpt-4o", "2026-12-02").as_deref(), Some("2.5"), "{broken}");
            assert_eq!(million(&book, "unheard-of", "2026-12-02"), None, "{broken}");
        }
        // Only input is charged for here.
        let embedding = r#"{"embed-it":{"mode":"embedding","input_cost_per_token":1e-7}}"#;
        assert_eq!(fresh().update(embedding, day("2026-12-01")).unwrap().skipped, Vec::<String>::new());
    }

    #[test]
    fn a_second_update_keeps_what_the_first_one_learned() {
        let first = fresh().update(LIST, day("2026-12-01")).unwrap();
        let (book, _) = fresh().with_update(first.text.clone());
        assert_eq!(book.update(LIST, day("2026-12-05")).unwrap().differences, []);
        let dearer = LIST.replace("0.000001,", "0.000003,").replace("brand-new", "newer-still");
        let (book, _) = fresh().with_update(book.update(&dearer, day("2027-01-01")).unwrap().text);
        let on = |day| million(&book, "gpt-4o", day).unwrap();
        assert_eq!([on("2026-11-30"), on("2026-12-31"), on("2027-01-01")], ["2.5", "1", "3"]);
        assert_eq!(million(&book, "brand-new", "2027-01-01").as_deref(), Some("300000"));
    }

    #[test]
    fn a_list_that_has_not_followed_an_announced_price_does_not_undo_it() {
        let list = |input: &str, output: &str| {
            format!(
                r#"{{"gemini/gemini-4-argon":{{"mode":"chat","litellm_provider":"gemini",
                "input_cost_per_token":{input},"output_cost_per_token":{output},"cache_read_input_token_cost":1e-7}}}}"#
            )
        };
        let after = |list: &str, on: &str| {
            let (book, problem) = fresh().with_update(fresh().update(list, day(on)).unwrap().text);
            assert_eq!(problem, None);
            ["2026-11-28", "2026-11-30", "2026-12-01", "2026-12-20"]
                .map(|day| million(&book, "gemini-4-argon", day).unwrap())
        };
        // The old price before and after the day, and a price change that was not announced.
        assert_eq!(after(&list("0.000002", "0.00001"), "2026-11-28"), ["2", "2", "4", "4"]);
        assert_eq!(after(&list("0.000002", "0.00001"), "2026-12-10"), ["2", "2", "4", "4"]);
        assert_eq!(after(&list("0.000003", "0.000015"), "2026-11-30"), ["2", "3", "4", "4"]);
        assert_eq!(after(&list("0.000003", "0.000015"), "2026-12-20"), ["2", "2", "4", "3"]);
    }

    #[test]
    fn a_list_that_knows_one_of_the_hours_of_a_price_does_not_undo_the_others() {
        let list = |input: &str, output: &str| {
            format!(
                r#"{{"deepseek-v4-pro":{{"mode":"chat","litellm_provider":"deepseek","input_cost_per_token":{input},
                "output_cost_per_token":{output}}}}}"#
            )
        };
        for (input, output) in [("0.00000132", "0.00000396"), ("6.6e-7", "0.00000198")] {
            assert_eq!(fresh().update(&list(input, output), day("2026-12-10")).unwrap().differences, []);
        }
        let cheaper = fresh().update(&list("1e-7", "2e-7"), day("2026-12-10")).unwrap();
        let (book, _) = fresh().with_update(cheaper.text);
        assert_eq!(million(&book, "deepseek-v4-pro", "2026-12-09").as_deref(), Some("0.66"));
        assert_eq!(million(&book, "deepseek-v4-pro", "2026-12-10").as_deref(), Some("0.1"));
    }

    #[test]
    fn b21_a_missing_damaged_or_old_list_leaves_the_built_in_one_in_use() {
        let text = fresh().update(LIST, day("2026-12-01")).unwrap().text;
        let flipped = text.replace("i=1 ", "i=9 ");
        assert_ne!(flipped, text);
        for damaged in ["", "{}", &text[..text.len() - 1], &text[..40], &flipped, "#tokmeter-prices 2\t2026-12-01\t0\n"]
        {
            let (book, problem) = fresh().with_update(damaged.to_owned());
            assert!(matches!(problem, Some(UpdateProblem::Unreadable(_))), "{damaged}");
            assert_eq!(million(&book, "gpt-4o", "2026-12-02").as_deref(), Some("2.5"));
            assert_eq!((book.as_of(), book.changes()), (book.built_in_as_of(), Vec::new()));
        }
        let old = table::write(day("2026-11-26"), Vec::new());
        let (book, problem) = fresh().with_update(old);
        assert_eq!(
            problem.unwrap().to_string(),
            "the fetched price list of 2026-11-26 is not used: the built-in one of 2026-11-26 is not older"
        );
        assert_eq!(book.as_of(), day("2026-11-26"));
    }

    #[test]
    fn what_is_no_price_list_is_refused_and_said_why() {
        for json in ["", "[]", "{", "{}", r#"{"a":{"mode":"chat"}}"#, "nonsense"] {
            assert!(matches!(fresh().update(json, day("2026-12-01")), Err(UpdateError::List(_))), "{json}");
        }
        assert!(matches!(fresh().update(LIST, day("2026-11-26")), Err(UpdateError::Old { .. })));
        let unknown = book().cost(&call("brand-new", "2026-12-01", Tokens { input: 1, ..Tokens::ZERO }));
        assert_eq!(unknown, Cost::Unpriced);
        assert_eq!(book().rates("gpt-4o", at("2026-12-01")).unwrap().rates.input, Usd::from_pico(2_500_000));
    }
}
