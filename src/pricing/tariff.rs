//! A model's prices over time: which applied when, and how the model was found.

use super::card::Card;
use super::sheet::{Class, Key, Sheet};
use super::table::History;
use super::{CustomPrice, Found, PriceId, Rates};
use crate::domain::{Day, Instant, Label, Ratio, Service};

/// The rates in force over one stretch of a model's history, as a person may read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// The price's name.
    pub price: PriceId,
    /// The day on which the list first showed it, or from which the config states it.
    pub since: Option<Day>,
    /// The standard rates, with what is usual filled in.
    pub rates: Rates,
    /// The rates of long prompts: of more than so many tokens, shortest first.
    pub long: Vec<(u64, Rates)>,
    /// The service tiers that have rates of their own.
    pub services: Vec<(Service, Rates)>,
    /// The multiplier of the vendor's fast mode.
    pub fast: Option<Ratio>,
    /// The multiplier of inference in the United States only.
    pub us: Option<Ratio>,
    /// The multiplier of inference in the European Union only.
    pub eu: Option<Ratio>,
}

/// Everything known of one model's price.
#[derive(Clone, Debug)]
pub(crate) struct Priced {
    /// Oldest first; never empty.
    cards: Vec<Card>,
    /// True when the first card also holds for everything before it.
    always: bool,
    /// The names from the one asked for to the one found.
    pub(crate) path: Vec<Label>,
}

impl Priced {
    /// A model of the list, by its history.
    pub(crate) fn listed(name: &str, history: &History, found: Found, path: Vec<Label>) -> Option<Self> {
        let claude = name.contains("claude");
        let cards: Vec<Card> = history
            .iter()
            .map(|(day, sheet)| {
                let id = PriceId::new(&format!("list:{name}@{day}"));
                Card::new(seconds(*day), Some(*day), (id, found), sheet, claude)
            })
            .collect();
        (!cards.is_empty()).then_some(Self { cards, always: true, path })
    }

    /// A model the config prices; what the list says of it still holds before the config's first day.
    ///
    /// The vendor's multipliers of speed and region are kept: the config states rates, not those.
    pub(crate) fn custom(prices: &[&CustomPrice], listed: Option<Self>, path: Vec<Label>) -> Self {
        let mut stated: Vec<Card> = prices
            .iter()
            .map(|price| {
                let from = price.from.map_or(i64::MIN, seconds);
                let dated = price.from.map(|day| format!("@{day}")).unwrap_or_default();
                let id = PriceId::new(&format!("config:{}{dated}", price.model));
                Card::custom(from, price.from, id, &price.rates, price.model.to_ascii_lowercase().contains("claude"))
            })
            .collect();
        stated.sort_by_key(|card| card.from);
        let first = stated.first().map_or(i64::MIN, |card| card.from);
        let (mut cards, always) = match listed {
            Some(listed) => {
                if let Some(last) = listed.cards.last() {
                    for card in &mut stated {
                        (card.fast, card.us, card.eu) = (last.fast, last.us, last.eu);
                    }
                }
                let earlier: Vec<Card> = if first == i64::MIN {
                    Vec::new()
                } else {
                    // The list's first card holds for everything before it too, however late it was listed.
                    let mut listed = listed.cards.into_iter();
                    listed.next().into_iter().chain(listed.filter(|card| card.from < first)).collect()
                };
                let always = !earlier.is_empty();
                (earlier, always)
            }
            None => (Vec::new(), false),
        };
        if let Some(oldest) = cards.first_mut() {
            oldest.from = i64::MIN;
        }
        cards.extend(stated);
        Self { cards, always, path }
    }

    /// The card in force at a moment.
    pub(crate) fn at(&self, at: Instant) -> Option<&Card> {
        let now = at.timestamp();
        let in_force = self.cards.iter().rev().find(|card| card.from <= now);
        in_force.or_else(|| self.cards.first().filter(|_| self.always))
    }

    /// The whole history, oldest first.
    pub(crate) fn tariffs(&self) -> Vec<Tariff> {
        self.cards.iter().map(Card::tariff).collect()
    }
}

impl Card {
    /// This card as a person may read it.
    pub(crate) fn tariff(&self) -> Tariff {
        let named = |service| self.names(service).then(|| (service, self.rates(0, service)));
        Tariff {
            price: self.id.clone(),
            since: self.since,
            rates: self.rates(0, Service::Standard),
            long: self.thresholds().map(|above| (above, self.rates(above + 1, Service::Standard))).collect(),
            services: [Service::Priority, Service::Flex, Service::Batch].into_iter().filter_map(named).collect(),
            fast: self.fast,
            us: self.us,
            eu: self.eu,
        }
    }
}

impl Rates {
    /// The same rates as a sheet.
    pub(crate) fn sheet(&self) -> Sheet {
        let stated = [
            (Class::Input, Some(self.input)),
            (Class::Output, Some(self.output)),
            (Class::CacheRead, self.cache_read),
            (Class::CacheWrite5m, self.cache_write_5m),
            (Class::CacheWrite1h, self.cache_write_1h),
        ];
        let rates = stated.into_iter().filter_map(|(class, rate)| Some((Key::of(class), rate?))).collect();
        Sheet { rates, search: self.web_search, ..Sheet::default() }
    }
}

/// The first second of a UTC day.
fn seconds(day: Day) -> i64 {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
}

#[cfg(test)]
mod tests {
    use super::super::golden::call;
    use super::super::{CostMode, PriceBook, Pricer as _};
    use super::*;
    use crate::domain::{Geo, Speed, Tokens, Usd};

    #[test]
    fn a_price_of_the_config_keeps_the_vendors_multipliers_of_speed_and_region() {
        let rates = Rates { input: Usd::from_micro(1), ..Rates::default() };
        let price = CustomPrice { model: "claude-opus-5".to_owned(), from: None, rates };
        let book = PriceBook::new(vec![price], Vec::new(), CostMode::Auto);
        let mut call = call("claude-opus-5", "2026-11-20", Tokens { input: 1_000_000, ..Tokens::ZERO });
        let mut with = |speed, geo| {
            (call.tier.speed, call.tier.geo) = (speed, geo);
            book.cost(&call).usd().map(|usd| usd.to_string())
        };
        assert_eq!(with(Speed::Standard, Geo::Global).as_deref(), Some("1"));
        assert_eq!(with(Speed::Fast, Geo::Global).as_deref(), Some("2"));
        assert_eq!(with(Speed::Standard, Geo::Us).as_deref(), Some("1.1"));
        // The list has no multiplier for Europe.
        assert_eq!(with(Speed::Standard, Geo::Eu).as_deref(), Some("1"));
    }
}
