//! A newer list, fetched by the user, on top of the one that ships with the program.

use std::collections::BTreeMap;

use super::import::{self, ImportError};
use super::table::{self, History, Line, TableError};
use super::tariff::Priced;
use super::{Found, PriceBook, Tariff};
use crate::domain::Day;

/// A fetched list made ready to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// What to keep in the data folder and hand to [`PriceBook::with_update`].
    pub text: String,
    /// Models with a price in the list.
    pub models: usize,
    /// What it changes, by name.
    pub differences: Vec<Difference>,
    /// Numbers with more digits than a pico-dollar, rounded to the nearest.
    pub rounded: u64,
    /// Rates that are no numbers, or below zero, and were passed over.
    pub refused: u64,
}

/// A model whose price a fetched list changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub model: String,
    /// Its price before; `None` for a new model.
    pub before: Option<Tariff>,
    /// Its price from the day of the update on.
    pub after: Tariff,
}

/// Why a fetched list cannot be made into an update.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// It cannot be read.
    #[error(transparent)]
    List(#[from] ImportError),
    /// It is not newer than the list that ships with the program.
    #[error("the list is of {update}, and the built-in one of {built_in} is not older")]
    Old {
        /// The day of the update.
        update: Day,
        /// The day of the built-in list.
        built_in: Day,
    },
}

/// Why a kept update is not used. The built-in list is, in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateProblem {
    /// The file is no table, or is damaged.
    #[error("the fetched price list is not used: {0}; run `tokmeter prices update` again")]
    Unreadable(TableError),
    /// The program has a newer one.
    #[error("the fetched price list of {update} is not used: the built-in one of {built_in} is not older")]
    Old {
        /// The day of the update.
        update: Day,
        /// The day of the built-in list.
        built_in: Day,
    },
}

impl PriceBook {
    /// Makes a fetched list (LiteLLM's form, as JSON) of this day into an update of this book.
    ///
    /// Every history is kept: a new rate holds from `day` on, a field that is merely new counts from
    /// the start, and a model that left the list keeps its price.
    ///
    /// # Errors
    /// When the text is no price list, or the day is not after that of the built-in list.
    pub fn update(&self, json: &str, day: Day) -> Result<Update, UpdateError> {
        if day <= self.built_in_as_of() {
            return Err(UpdateError::Old { update: day, built_in: self.built_in_as_of() });
        }
        let mut histories: BTreeMap<String, History> = BTreeMap::new();
        // What an earlier update learned is carried on.
        for (name, line) in self.fetched().into_iter().flat_map(table::Table::lines) {
            if let Line::Prices(history) = line {
                histories.insert(name.to_owned(), history);
            }
        }
        let (mut models, mut rounded, mut refused) = (0, 0, 0);
        let mut differences = Vec::new();
        for (name, fields) in import::entries(json)? {
            let Some(entry) = import::entry(&name, &fields) else { continue };
            (models, rounded, refused) = (models + 1, rounded + entry.rounded, refused + entry.refused);
            let known = match self.line(&name) {
                Some((found, Line::Prices(history))) if found == name => history,
                Some(_) | None => History::new(),
            };
            let mut history = known.clone();
            match history.last_mut() {
                Some((last, sheet)) if *last >= day => *sheet = entry.sheet,
                Some(_) | None => history.push((day, entry.sheet)),
            }
            import::settle(&mut history);
            if history == known {
                continue;
            }
            if history.last().map(|(_, sheet)| sheet) != known.last().map(|(_, sheet)| sheet)
                && let Some(after) = newest(&name, &history)
            {
                differences.push(Difference { model: name.clone(), before: newest(&name, &known), after });
            }
            histories.insert(name, history);
        }
        if models == 0 {
            return Err(ImportError::Empty.into());
        }
        let lines = histories.iter().map(|(name, history)| (name.as_str(), Line::Prices(history.clone()))).collect();
        Ok(Update { text: table::write(day, lines), models, differences, rounded, refused })
    }

    /// What the fetched list in use changes of the built-in one.
    pub fn changes(&self) -> Vec<Difference> {
        let built_in = PriceBook::new(Vec::new(), Vec::new(), self.mode());
        let lines = self.fetched().into_iter().flat_map(table::Table::lines);
        lines
            .filter_map(|(name, line)| {
                let Line::Prices(history) = line else { return None };
                let after = newest(name, &history)?;
                let before = match built_in.line(name) {
                    Some((_, Line::Prices(history))) => newest(name, &history),
                    Some(_) | None => None,
                };
                (before.as_ref() != Some(&after)).then(|| Difference { model: name.to_owned(), before, after })
            })
            .collect()
    }
}

fn newest(name: &str, history: &History) -> Option<Tariff> {
    Priced::listed(name, history, Found::List, Vec::new())?.tariffs().pop()
}
