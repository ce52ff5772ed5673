//! A sheet made ready to compute with: every rate filled in, every rule of a bill applied once.

use super::sheet::{Class, Sheet};
use super::{Cost, Found, PriceId, Rates};
use crate::domain::{Call, Day, Fidelity, Geo, Ratio, Service, Speed, Tokens, Usd};

/// No rate beyond this many half pico-dollars a token (over $500), so that no sum can overflow.
const MOST: u64 = 1 << 50;
const HALF: Ratio = Ratio { num: 1, den: 2 };

/// The rates in force from one day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// The first second at which it holds, since 1970.
    pub(crate) from: i64,
    /// The day on which the list first showed it.
    pub(crate) since: Option<Day>,
    pub(crate) id: PriceId,
    pub(crate) found: Found,
    /// By prompt length, shortest first; the first is for every prompt.
    tiers: Vec<Tier>,
    search: Option<Usd>,
    pub(crate) fast: Option<Ratio>,
    pub(crate) us: Option<Ratio>,
    pub(crate) eu: Option<Ratio>,
    /// The service tiers for which the list has rates.
    named: Vec<Service>,
}

/// The rates of prompts longer than `above`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tier {
    above: u64,
    /// In the order of [`SERVICES`].
    services: [Lot; 4],
}

const SERVICES: [Service; 4] = [Service::Standard, Service::Priority, Service::Flex, Service::Batch];

/// One rate for each class, in half pico-dollars a token: half of a whole rate is then a whole number too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lot {
    rates: [u64; 6],
    /// Which of them are half of a standard rate, because the list has no batch rate of its own.
    halved: [bool; 6],
}

/// What applies to one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) card: &'a Card,
    lot: &'a Lot,
    pub(crate) above: u64,
    /// The service whose rates are used.
    pub(crate) service: Service,
    pub(crate) fast: Option<Ratio>,
    pub(crate) geo: Option<Ratio>,
}

/// How long a call's prompt is, which decides its rates; the prompts that were added up to a sum are not known to be long.
pub(crate) fn prompt(call: &Call) -> u64 {
    if call.fidelity == Fidelity::Summed { 0 } else { call.tokens.prompt() }
}

impl Card {
    /// A card of a list's sheet. `claude` fills missing cache rates with Anthropic's usual multiples.
    pub(crate) fn new(
        from: i64,
        since: Option<Day>,
        (id, found): (PriceId, Found),
        sheet: &Sheet,
        claude: bool,
    ) -> Self {
        let mut above: Vec<u64> = sheet.rates.keys().map(|key| key.above).collect();
        above.push(0);
        above.sort_unstable();
        above.dedup();
        let tiers = above.into_iter().map(|above| Tier::new(above, sheet, claude)).collect();
        let named = SERVICES.into_iter().filter(|service| sheet.get(0, Class::Input, *service).is_some()).collect();
        // Anthropic charges every model's web searches alike; older entries of the list do not say so.
        let search = sheet.search.or(claude.then_some(Usd::from_micro(10_000)));
        Self { from, since, id, found, tiers, search, fast: sheet.fast, us: sheet.us, eu: sheet.eu, named }
    }

    /// A card of rates the user states.
    pub(crate) fn custom(from: i64, since: Option<Day>, id: PriceId, rates: &Rates, claude: bool) -> Self {
        Self::new(from, since, (id, Found::Config), &rates.sheet(), claude)
    }

    /// What applies to a call of this tier and so long a prompt.
    pub(crate) fn terms(&self, prompt: u64, tier: crate::domain::Tier) -> Terms<'_> {
        let chosen = self.tiers.iter().rev().find(|tier| prompt > tier.above).unwrap_or(&self.tiers[0]);
        let fast = if tier.speed == Speed::Fast { self.fast } else { None };
        // A fast mode without a multiplier is what others call priority, where they sell it.
        let hurried = tier.speed == Speed::Fast && fast.is_none() && self.names(Service::Priority);
        let service = if hurried && tier.service == Service::Standard { Service::Priority } else { tier.service };
        let lot = match service {
            Service::Standard => &chosen.services[0],
            Service::Priority => &chosen.services[1],
            Service::Flex => &chosen.services[2],
            Service::Batch => &chosen.services[3],
        };
        let geo = match tier.geo {
            Geo::Global => None,
            Geo::Us => self.us,
            Geo::Eu => self.eu,
        };
        Terms { card: self, lot, above: chosen.above, service, fast, geo }
    }

    /// The cost of a call.
    pub(crate) fn cost(&self, call: &Call) -> Cost {
        let terms = self.terms(prompt(call), call.tier);
        let (usd, saved) = terms.cost(&call.tokens);
        let usd = usd + terms.searches(call.web_searches).unwrap_or_default();
        Cost::Priced { usd, saved, price: self.id.clone() }
    }

    /// What a token of each class comes to for a prompt this long.
    pub(crate) fn rates(&self, prompt: u64, service: Service) -> Rates {
        let terms = self.terms(prompt, crate::domain::Tier { service, ..crate::domain::Tier::default() });
        let charged = |class| {
            let (rate, part) = terms.rate(class);
            rate.scaled(part)
        };
        let [input, cache_read, cache_write_5m, cache_write_1h, output, _] = Class::ALL.map(charged);
        Rates {
            input,
            output,
            cache_read: Some(cache_read),
            cache_write_5m: Some(cache_write_5m),
            cache_write_1h: Some(cache_write_1h),
            web_search: self.search,
        }
    }

    /// True when the list names rates for this service tier.
    pub(crate) fn names(&self, service: Service) -> bool {
        self.named.contains(&service)
    }

    /// The prompt lengths beyond which other rates apply.
    pub(crate) fn thresholds(&self) -> impl Iterator<Item = u64> {
        self.tiers.iter().map(|tier| tier.above).filter(|above| *above > 0)
    }
}

impl Terms<'_> {
    /// Dollars a token of a class, and the part of it that is charged.
    pub(crate) fn rate(&self, class: Class) -> (Usd, Ratio) {
        let at = place(class);
        if self.lot.halved[at] {
            (Usd::from_pico(i128::from(self.lot.rates[at])), HALF)
        } else {
            (Usd::from_pico(i128::from(self.lot.rates[at] / 2)), Ratio::ONE)
        }
    }

    /// The multipliers of fast mode and region together.
    pub(crate) fn multiplier(&self) -> Ratio {
        let one = |ratio: Option<Ratio>| ratio.unwrap_or(Ratio::ONE);
        one(self.fast).and(one(self.geo))
    }

    /// What the tokens cost, and what caching saved of it. Each is rounded once, half to even.
    pub(crate) fn cost(&self, tokens: &Tokens) -> (Usd, Usd) {
        let rates = &self.lot.rates;
        let counts = counts(tokens);
        // One machine multiplication each; six products of 64 by 50 bits cannot overflow.
        let class = |at: usize| u128::from(counts[at]) * u128::from(rates[at]);
        let cached = class(1) + class(2) + class(3);
        let all = signed(class(0) + cached + class(4) + class(5));
        let plain = (u128::from(counts[1]) + u128::from(counts[2]) + u128::from(counts[3])) * u128::from(rates[0]);
        let saved = signed(plain) - signed(cached);
        let multiplier = self.multiplier();
        (whole(all, multiplier), whole(saved, multiplier))
    }

    /// What this many web searches cost, when they have a price. No multiplier touches them.
    pub(crate) fn searches(&self, count: u32) -> Option<Usd> {
        if count == 0 { Some(Usd::ZERO) } else { self.card.search.map(|each| each.times(u64::from(count))) }
    }

    pub(crate) fn search(&self) -> Option<Usd> {
        self.card.search
    }
}

/// A sum of products, which is far below what an `i128` holds.
fn signed(sum: u128) -> i128 {
    i128::try_from(sum).unwrap_or(i128::MAX)
}

/// Half pico-dollars as dollars.
fn whole(halves: i128, multiplier: Ratio) -> Usd {
    if multiplier == Ratio::ONE && halves & 1 == 0 {
        return Usd::from_pico(halves >> 1);
    }
    Usd::from_pico(halves).scaled(multiplier.and(HALF))
}

/// Tokens in the order of [`Class::ALL`], reasoning taken out of the output that holds it.
pub(crate) fn counts(tokens: &Tokens) -> [u64; 6] {
    let reasoning = tokens.reasoning.min(tokens.output);
    [
        tokens.input,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.output - reasoning,
        reasoning,
    ]
}

fn place(class: Class) -> usize {
    match class {
        Class::Input => 0,
        Class::CacheRead => 1,
        Class::CacheWrite5m => 2,
        Class::CacheWrite1h => 3,
        Class::Output => 4,
        Class::Reasoning => 5,
    }
}

impl Tier {
    fn new(above: u64, sheet: &Sheet, claude: bool) -> Self {
        let standard = |class| standard(sheet, above, class, claude);
        let services = SERVICES.map(|service| {
            let rate = |class| match stated(sheet, above, class, service, claude) {
                Some(rate) => (rate, Ratio::ONE),
                None if service == Service::Batch => (standard(class), HALF),
                None => (standard(class), Ratio::ONE),
            };
            let rates = Class::ALL.map(rate);
            Lot { rates: rates.map(|(rate, part)| halves(rate, part)), halved: rates.map(|(_, part)| part == HALF) }
        });
        Self { above, services }
    }
}

fn halves(rate: Usd, part: Ratio) -> u64 {
    let times = if part == HALF { 1 } else { 2 };
    u64::try_from(rate.pico().max(0).saturating_mul(times)).unwrap_or(MOST).min(MOST)
}

/// The rate of a class in a service tier, as far as the list speaks of it there.
fn stated(sheet: &Sheet, above: u64, class: Class, service: Service, claude: bool) -> Option<Usd> {
    if let Some(rate) = sheet.get(above, class, service) {
        return Some(rate);
    }
    let silent = [above, 0].into_iter().all(|above| sheet.get(above, class, Service::Standard).is_none());
    let input = || sheet.get(above, Class::Input, service);
    match class {
        Class::Input | Class::Output => None,
        // Reasoning without a rate of its own is output.
        Class::Reasoning => sheet.get(above, Class::Output, service),
        Class::CacheRead | Class::CacheWrite5m | Class::CacheWrite1h if !silent => None,
        Class::CacheWrite1h if !claude => stated(sheet, above, Class::CacheWrite5m, service, claude),
        Class::CacheRead | Class::CacheWrite5m | Class::CacheWrite1h => Some(usual(class, input()?, claude)),
    }
}

/// What a cache class usually costs beside this input: Anthropic's multiples, and input elsewhere.
fn usual(class: Class, input: Usd, claude: bool) -> Usd {
    let multiple = match class {
        Class::CacheRead => Ratio { num: 1, den: 10 },
        Class::CacheWrite5m => Ratio { num: 5, den: 4 },
        Class::CacheWrite1h => Ratio { num: 2, den: 1 },
        Class::Input | Class::Output | Class::Reasoning => Ratio::ONE,
    };
    if claude { input.scaled(multiple) } else { input }
}

/// The standard rate of a class, by the list or by what is usual where the list is silent.
fn standard(sheet: &Sheet, above: u64, class: Class, claude: bool) -> Usd {
    if let Some(rate) = sheet.get(above, class, Service::Standard) {
        return rate;
    }
    let base = |class| standard(sheet, 0, class, claude);
    let here = |class| standard(sheet, above, class, claude);
    match class {
        Class::Input | Class::Output if above > 0 => base(class),
        Class::Input | Class::Output => Usd::ZERO,
        Class::Reasoning if above > 0 && sheet.get(above, Class::Output, Service::Standard).is_none() => base(class),
        Class::Reasoning => here(Class::Output),
        // A long-context tier that names only input keeps the proportion of the cache rates to it.
        Class::CacheRead | Class::CacheWrite5m | Class::CacheWrite1h
            if above > 0 && sheet.get(0, class, Service::Standard).is_some() =>
        {
            proportion(base(class), here(Class::Input), base(Class::Input))
        }
        Class::CacheWrite1h if !claude => here(Class::CacheWrite5m),
        Class::CacheRead | Class::CacheWrite5m | Class::CacheWrite1h => usual(class, here(Class::Input), claude),
    }
}

fn proportion(rate: Usd, input: Usd, base: Usd) -> Usd {
    match (u32::try_from(input.pico()), u32::try_from(base.pico())) {
        (Ok(num), Ok(den)) if den > 0 => rate.scaled(Ratio { num, den }),
        _ => rate,
    }
}
