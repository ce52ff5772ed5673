//! A model's prices over time, and how the model was found.

use super::card::{Card, Found, SERVICES};
use super::hours::Hours;
use super::sheet::{Class, Key, Sheet};
use super::table::{History, Known, Since};
use super::{CustomPrice, PriceId, Rates};
use crate::domain::{Day, Instant, Label, Ratio, Service, Usd, sort_by_key};

/// Rates in force during one period of a model's history, ready for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// Id of the price.
    pub price: PriceId,
    /// First day, from the vendor, the first list, or the config.
    pub since: Option<Day>,
    /// Precision of that day; `None` for a config price.
    pub known: Option<Known>,
    /// Source of the price.
    pub found: Found,
    /// Standard rates, with defaults filled in.
    pub rates: Rates,
    /// Rates for long prompts, with their thresholds in tokens, ascending.
    pub long: Vec<(u64, Rates)>,
    /// Rates for certain hours (`01:00-04:00+06:00-10:00/mon-fri`, UTC), with their price ids.
    pub hours: Vec<(String, PriceId, Rates)>,
    /// Price of an audio token, if listed: input, cache read, output.
    pub audio: [Option<Usd>; 3],
    /// Service tiers with rates of their own.
    pub services: Vec<(Service, Rates)>,
    /// Multiplier of the vendor's fast mode.
    pub fast: Option<Ratio>,
    /// Multiplier of inference in the United States only.
    pub us: Option<Ratio>,
    /// Multiplier of inference in the European Union only.
    pub eu: Option<Ratio>,
}

/// All price data of one model.
#[derive(Clone, Debug)]
pub(crate) struct Priced {
    /// Oldest first; never empty.
    cards: Vec<Card>,
    /// True when the first card also applies to all earlier times.
    always: bool,
    /// Chain of names from the one requested to the one found.
    pub(crate) path: Vec<Label>,
    /// The list's prices of a model that the config prices.
    by_list: Option<Box<Self>>,
}

impl Priced {
    /// A model from the list, built from its history.
    pub(crate) fn listed(name: &str, history: &History, found: Found, path: Vec<Label>) -> Option<Self> {
        let claude = name.contains("claude");
        let cards: Vec<Card> = history
            .iter()
            .enumerate()
            .map(|(at, (since, sheet))| {
                let id = PriceId::new(&format!("list:{name}@{since}"));
                let known = if at == 0 && since.known == Known::Listed { Known::Oldest } else { since.known };
                Card::new(seconds(since.day), Some(Since { known, ..*since }), (id, found), sheet, claude)
            })
            .collect();
        (!cards.is_empty()).then_some(Self { cards, always: true, path, by_list: None })
    }

    /// The same model under a name that means fast mode for all calls (`gpt-5.6-sol-fast`); `None` if no price has
    /// rates for fast mode.
    pub(crate) fn fast_by_name(mut self) -> Option<Self> {
        self.cards.iter_mut().for_each(Card::set_fast_by_name);
        self.cards.iter().any(Card::sells_fast).then_some(self)
    }

    /// A model priced by the config. Before the config's first day, the list's prices apply.
    ///
    /// The vendor's multipliers for speed and region are kept, because the config has rates only.
    pub(crate) fn custom(prices: &[&CustomPrice], listed: Option<Self>, path: Vec<Label>) -> Self {
        let mut stated: Vec<Card> = prices
            .iter()
            .map(|price| {
                let from = price.from.map_or(i64::MIN, seconds);
                let dated = price.from.map(|day| format!("@{day}")).unwrap_or_default();
                let id = PriceId::new(&format!("config:{}{dated}", price.model));
                Card::custom(
                    from,
                    price.from.map(Since::exact),
                    id,
                    &price.rates,
                    price.model.to_ascii_lowercase().contains("claude"),
                )
            })
            .collect();
        sort_by_key(&mut stated, |card| card.from);
        let first = stated.first().map_or(i64::MIN, |card| card.from);
        let by_list = listed.clone().map(Box::new);
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
                    // The list's first card also applies to all earlier times, however late it was listed.
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
        Self { cards, always, path, by_list }
    }

    /// The card in force at a time.
    pub(crate) fn at(&self, at: Instant) -> Option<&Card> {
        let now = at.timestamp();
        let in_force = self.cards.iter().rev().find(|card| card.from <= now);
        let card = in_force.or_else(|| self.cards.first().filter(|_| self.always))?;
        let card = card.hours.iter().find(|(hours, _)| hours.contains(at)).map_or(card, |(_, card)| card);
        (!card.is_fast_by_name || card.sells_fast()).then_some(card)
    }

    /// The list's card in force at a time, whatever the config says; `None` if the list does not have the model.
    ///
    /// An agent computes the costs in its logs from the vendor's prices, and knows nothing of the user's own.
    pub(crate) fn listed_at(&self, at: Instant) -> Option<&Card> {
        let listed = self.by_list.as_deref().unwrap_or(self);
        listed.at(at).filter(|card| card.found != Found::Config)
    }

    /// First day of the next price, if that day is imprecise and the price may already have been in force.
    pub(crate) fn may_be_next(&self, at: Instant) -> Option<Day> {
        const HALF_A_MONTH: i64 = 16 * 24 * 3600;
        let now = at.timestamp();
        let since =
            self.cards.iter().find(|card| card.from > now).filter(|card| card.from - now <= HALF_A_MONTH)?.since?;
        (since.known == Known::Listed).then_some(since.day)
    }

    /// The whole history, oldest first.
    pub(crate) fn tariffs(&self) -> Vec<Tariff> {
        self.cards.iter().map(Card::tariff).collect()
    }
}

impl Card {
    /// The card, ready for display.
    pub(crate) fn tariff(&self) -> Tariff {
        let named = |service| self.names(service).then(|| (service, self.rates(0, service)));
        let at_hours =
            |(hours, card): &(Hours, Self)| (hours.to_string(), card.id.clone(), card.rates(0, Service::Standard));
        Tariff {
            price: self.id.clone(),
            since: self.since.filter(|since| since.known != Known::Launch).map(|since| since.day),
            known: self.since.map(|since| since.known).filter(|_| self.found != Found::Config),
            found: self.found,
            rates: self.rates(0, Service::Standard),
            long: self.thresholds().map(|above| (above, self.rates(above + 1, Service::Standard))).collect(),
            hours: self.hours.iter().map(at_hours).collect(),
            audio: self.audio(),
            services: SERVICES.into_iter().skip(1).filter_map(named).collect(),
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
        let rates = stated.into_iter().filter_map(|(class, rate)| Some((Key::from_class(class), rate?))).collect();
        Sheet { rates, search: self.web_search, ..Sheet::default() }
    }
}

/// Start of a UTC day in seconds since 1970.
fn seconds(day: Day) -> i64 {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
}

#[cfg(test)]
mod tests {
    use super::super::tests::golden::call;
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
