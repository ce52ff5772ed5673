//! The price book: config prices, the list fetched by the user, and the built-in list.

use std::sync::OnceLock;

use rustc_hash::FxBuildHasher;

use super::card::Card;
use super::table::{Line, Table, TableError};
use super::tariff::Priced;
use super::{Cost, CostMode, CustomPrice, Explanation, Found, Pricer, Tariff};
use crate::domain::model_forms;
use crate::domain::{Call, Day, Instant, Label, Tokens, Usd};

/// The built-in list; `prices/README.md` documents its sources.
const BUILT_IN: &str = include_str!("../../prices/book.txt");
/// Size of the model cache. A log has a handful of models; beyond this, models are looked up each time.
const PLACES: usize = 256;
/// Cache slots tried for a name before giving up on caching it.
const TRIES: usize = 8;

/// All known prices, and the rule for costs given in logs.
///
/// Creating one parses nothing. A model's line is found by binary search in the text of the list when its first call
/// arrives, and the result is cached.
#[derive(Debug)]
pub struct PriceBook {
    custom: Vec<CustomPrice>,
    aliases: Vec<(String, String)>,
    mode: CostMode,
    built_in: Table<&'static str>,
    update: Option<Table<String>>,
    /// Cache slots, written once and read without a lock.
    known: Box<[OnceLock<Known>]>,
}

/// Why a stored update is ignored in favour of the built-in list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateProblem {
    /// The file is not a table, or is damaged.
    #[error("the fetched price list is not used: {0}; run `tokmeter prices update` again")]
    Unreadable(TableError),
    /// The built-in list is newer.
    #[error("the fetched price list of {update} is not used: the built-in one of {built_in} is not older")]
    Old {
        /// Day of the update.
        update: Day,
        /// Day of the built-in list.
        built_in: Day,
    },
}

/// A cached lookup.
#[derive(Debug)]
struct Known {
    model: Label,
    priced: Option<Box<Priced>>,
}

impl PriceBook {
    /// A book with the built-in list, the config's prices, which take precedence, and aliases (name in logs, name in
    /// the list).
    pub fn new(custom: Vec<CustomPrice>, aliases: Vec<(String, String)>, mode: CostMode) -> Self {
        let built_in = Table::new(BUILT_IN).expect("the list in the binary is a table: a test reads it whole");
        Self { custom, aliases, mode, built_in, update: None, known: places() }
    }

    /// Adds a fetched list, which takes precedence over the built-in one.
    ///
    /// A list that is damaged, or older than the built-in one, is ignored, and the problem is returned.
    #[must_use]
    pub fn with_update(mut self, text: String) -> (Self, Option<UpdateProblem>) {
        self.known = places();
        let problem = match Table::checked(text) {
            Err(error) => Some(UpdateProblem::Unreadable(error)),
            Ok(table) if table.as_of() <= self.built_in.as_of() => {
                Some(UpdateProblem::Old { update: table.as_of(), built_in: self.built_in.as_of() })
            }
            Ok(table) => {
                self.update = Some(table);
                None
            }
        };
        (self, problem)
    }

    /// Day of the newest list in use. Its age hints at whether prices may have changed since.
    pub fn as_of(&self) -> Day {
        self.update.as_ref().map_or(self.built_in.as_of(), Table::as_of)
    }

    /// Day of the built-in list.
    pub fn built_in_as_of(&self) -> Day {
        self.built_in.as_of()
    }

    /// The rule for costs given in logs.
    pub fn mode(&self) -> CostMode {
        self.mode
    }

    /// The rates in force for a model at a time.
    pub fn rates(&self, model: &str, at: Instant) -> Option<Tariff> {
        self.with(&Label::new(model), |priced| priced?.at(at).map(Card::tariff))
    }

    /// A model's price history, oldest first, and the chain of names that led to it.
    pub fn history(&self, model: &str) -> Option<(Vec<Label>, Vec<Tariff>)> {
        self.with(&Label::new(model), |priced| priced.map(|priced| (priced.path.clone(), priced.tariffs())))
    }

    /// Names of all priced models; config names come first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let custom = self.custom.iter().map(|price| price.model.as_str());
        let news = self.update.iter().flat_map(Table::names).filter(|name| self.built_in.find(name).is_none());
        custom.chain(news).chain(self.built_in.names())
    }

    /// Names that contain every word of a pattern, ignoring case.
    pub fn find(&self, pattern: &str) -> impl Iterator<Item = &str> {
        let words: Vec<String> = pattern.split([' ', '*']).map(str::to_ascii_lowercase).collect();
        self.names().filter(move |name| {
            let name = name.to_ascii_lowercase();
            words.iter().all(|word| name.contains(word.as_str()))
        })
    }

    /// Cost of the same call on another model, always from the list and never from a cost in the log.
    pub fn cost_as(&self, call: &Call, model: &str) -> Cost {
        self.computed(call, &Label::new(model))
    }

    /// Breaks down the cost of a call.
    pub fn explain(&self, call: &Call) -> Explanation {
        let cost = self.cost(call);
        match &call.model {
            None => Explanation::unpriced(call, cost),
            Some(model) => self.with(model, |priced| Explanation::new(call, cost.clone(), priced)),
        }
    }

    /// The line for a name in the fetched list, or else in the built-in one.
    pub(crate) fn line(&self, name: &str) -> Option<(&str, Line<'_>)> {
        self.update.as_ref().and_then(|table| table.find(name)).or_else(|| self.built_in.find(name))
    }

    pub(crate) fn fetched(&self) -> Option<&Table<String>> {
        self.update.as_ref()
    }

    /// The cost according to the book, ignoring costs given in the log.
    fn computed(&self, call: &Call, model: &Label) -> Cost {
        self.with(model, |priced| match priced.and_then(|priced| priced.at(call.at())) {
            Some(card) => card.cost(call),
            None => Cost::Unpriced,
        })
    }

    /// Looks a model up, through the cache.
    pub(super) fn with<R>(&self, model: &Label, then: impl FnOnce(Option<&Priced>) -> R) -> R {
        use std::hash::BuildHasher as _;
        let hash = FxBuildHasher.hash_one(model.as_str());
        let first = usize::try_from(hash & 255).unwrap_or(0);
        for place in (0..TRIES).map(|step| (first + step) % PLACES) {
            let known = self.known[place]
                .get_or_init(|| Known { model: model.clone(), priced: self.look_up(model).map(Box::new) });
            if known.model == *model {
                return then(known.priced.as_deref());
            }
        }
        then(self.look_up(model).as_ref())
    }

    /// The config's price for any form of the name, or else the list's.
    fn look_up(&self, model: &str) -> Option<Priced> {
        let forms = model_forms::forms(model);
        for (at, form) in forms.iter().enumerate().filter(|(_, form)| !form.is_fast) {
            if let Some(priced) = self.custom_of(&form.name, &forms, at, &[]) {
                return Some(priced);
            }
            let alias = self.aliases.iter().find(|(name, _)| name.eq_ignore_ascii_case(&form.name));
            if let Some((_, target)) = alias {
                let path = labels(&forms, at);
                let forms = model_forms::forms(target);
                let stated = forms
                    .iter()
                    .enumerate()
                    .filter(|(_, form)| !form.is_fast)
                    .find_map(|(at, form)| self.custom_of(&form.name, &forms, at, &path));
                return stated.or_else(|| self.listed_of(&forms, &path));
            }
        }
        self.listed_of(&forms, &[])
    }

    fn custom_of(&self, name: &str, forms: &[model_forms::Form], at: usize, before: &[Label]) -> Option<Priced> {
        let prices: Vec<&CustomPrice> =
            self.custom.iter().filter(|price| price.model.eq_ignore_ascii_case(name)).collect();
        if prices.is_empty() {
            return None;
        }
        Some(Priced::custom(&prices, self.listed_of(forms, &[]), [before, &labels(forms, at)].concat()))
    }

    fn listed_of(&self, forms: &[model_forms::Form], before: &[Label]) -> Option<Priced> {
        forms.iter().enumerate().find_map(|(at, form)| {
            let (name, line) = self.line(&form.name)?;
            let mut path = [before, &labels(forms, at)].concat();
            let (name, history) = match line {
                Line::Prices(history) => (name, history),
                Line::Alias(target) => {
                    path.push(Label::new(target));
                    let (name, Line::Prices(history)) = self.line(target)? else { return None };
                    (name, history)
                }
            };
            let fetched = self.update.as_ref().is_some_and(|table| table.find(name).is_some());
            let found = if fetched { Found::Fetched } else { Found::List };
            let priced = Priced::listed(name, &history, found, path)?;
            if form.is_fast { priced.fast_by_name() } else { Some(priced) }
        })
    }
}

impl Pricer for PriceBook {
    fn cost(&self, call: &Call) -> Cost {
        // A logged cost of zero for a call with tokens means unknown, not free.
        let quoted = call.quoted.filter(|usd| *usd > Usd::ZERO);
        if let (Some(usd), CostMode::Quoted) = (quoted, self.mode) {
            return Cost::Quoted(usd);
        }
        let ours = match &call.model {
            Some(model) => self.computed(call, model),
            None => Cost::Unpriced,
        };
        match quoted {
            Some(usd) if self.mode == CostMode::Auto && (ours == Cost::Unpriced || is_uncounted(call)) => {
                Cost::Quoted(usd)
            }
            _ => ours,
        }
    }

    fn solve_lifetimes(&self, call: &Call) -> Option<Tokens> {
        self.with(call.model.as_ref()?, |priced| priced?.listed_at(call.at())?.solve_lifetimes(call))
    }

    fn charges_writes(&self, call: &Call) -> Option<bool> {
        // The list knows for what the vendor charges. A price of the config may leave it out.
        let card = |priced: Option<&Priced>| {
            let priced = priced?;
            let card = priced.listed_at(call.at()).or_else(|| priced.at(call.at()))?;
            Some(card.charges_writes(call))
        };
        self.with(call.model.as_ref()?, card)
    }
}

/// True when no rate could apply to the call.
fn is_uncounted(call: &Call) -> bool {
    call.tokens.is_zero() && call.web_searches == 0
}

fn labels(forms: &[model_forms::Form], at: usize) -> Vec<Label> {
    model_forms::path(forms, at).into_iter().map(Label::new).collect()
}

fn places() -> Box<[OnceLock<Known>]> {
    (0..PLACES).map(|_| OnceLock::new()).collect()
}
