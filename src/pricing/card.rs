//! A price sheet prepared for computation: missing rates filled in, billing rules applied.

use super::audio::{self, Audio};
use super::fill::{standard, stated};
use super::hours::Hours;
use super::sheet::{Class, Sheet};
use super::table::Since;
use super::tier_rates::{HALF, TierRates, counts, halves};
use super::{Cost, PriceId, Rates};
use crate::domain::{Call, Geo, Parts, Ratio, Service, Speed, Tokens, Usd, sort_by};

/// Source of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// The config.
    Config,
    /// The list fetched by the user.
    Fetched,
    /// The built-in list.
    List,
    /// No price was found.
    Nowhere,
}

/// An uncertain component of a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guess {
    /// Which model the name refers to.
    Model,
    /// The rate for the service tier or speed. The list has none, so standard rates are used.
    Tier,
    /// The lifetime of cache writes, at a vendor that charges two lifetimes differently. The shorter one is used.
    Lifetime,
    /// The rate for audio. The list has none, so the text rate is used.
    Audio,
    /// The fee for a web search, which the cost does not include.
    Search,
}

/// Rates in force from a given day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// Start in seconds since 1970.
    pub(crate) from: i64,
    /// First day; `None` for a config price without one.
    pub(crate) since: Option<Since>,
    pub(crate) id: PriceId,
    pub(crate) found: Found,
    /// Rates by prompt length, ascending; the first applies to every prompt.
    tiers: Vec<Tier>,
    search: Option<Usd>,
    pub(crate) fast: Option<Ratio>,
    pub(crate) us: Option<Ratio>,
    pub(crate) eu: Option<Ratio>,
    /// Whether Anthropic's billing rules apply.
    claude: bool,
    /// The model's name means fast mode for all calls.
    pub(crate) is_fast_by_name: bool,
    /// The rates may belong to another model.
    is_guessed: bool,
    /// Cards that replace this one during certain hours.
    pub(crate) hours: Vec<(Hours, Self)>,
}

/// Rates for prompts longer than `above`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tier {
    above: u64,
    /// In the order of [`SERVICES`].
    services: [TierRates; 6],
    /// In the order of [`SERVICES`].
    audio: [Audio; 6],
    /// Marks service tiers for which the list has rates for prompts of this length, in the order of [`SERVICES`].
    named: [bool; 6],
    /// Marks those of them that have a rate for output, too, or need none.
    whole: [bool; 6],
}

/// Service tiers that have rates.
pub(crate) const SERVICES: [Service; 6] =
    [Service::Standard, Service::Priority, Service::Flex, Service::Batch, Service::Ultrafast, Service::Balanced];

/// Index of a tier's rates; unknown tiers use standard ones.
const fn lot_of(service: Service) -> usize {
    match service {
        Service::Standard | Service::Unknown => 0,
        Service::Priority => 1,
        Service::Flex => 2,
        Service::Batch => 3,
        Service::Ultrafast => 4,
        Service::Balanced => 5,
    }
}

/// Rates and multipliers for one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) card: &'a Card,
    lot: &'a TierRates,
    audio: &'a Audio,
    /// The list has no price for this service tier or speed.
    is_tier_guessed: bool,
    pub(crate) above: u64,
    /// Service tier whose rates are used.
    pub(crate) service: Service,
    pub(crate) fast: Option<Ratio>,
    pub(crate) geo: Option<Ratio>,
}

/// Length of the call's prompt, which selects the rates; 0 for summed calls, whose prompts are not known to be long.
pub(crate) fn prompt(call: &Call) -> u64 {
    if call.fidelity.is_sum() { 0 } else { call.tokens.prompt() }
}

impl Card {
    /// Creates a card from a list's sheet. With `claude`, missing cache rates are filled in with Anthropic's usual
    /// multiples.
    pub(crate) fn new(
        from: i64,
        since: Option<Since>,
        (id, found): (PriceId, Found),
        sheet: &Sheet,
        claude: bool,
    ) -> Self {
        let mut above: Vec<u64> = sheet.rates.keys().map(|key| key.above).collect();
        above.push(0);
        sort_by(&mut above, Ord::cmp);
        above.dedup();
        let tiers = above.into_iter().map(|above| Tier::new(above, sheet, claude)).collect();
        // Anthropic charges the same for web searches on every model, but older list entries leave the fee out.
        let search = sheet.search.or(claude.then_some(Usd::from_micro(10_000)));
        let at_hours = |(hours, sheet): &(Hours, Sheet)| {
            let id = PriceId::new(&format!("{id}T{hours}"));
            (hours.clone(), Self::new(from, since, (id, found), sheet, claude))
        };
        let hours = sheet.hours.iter().map(at_hours).collect();
        let (fast, us, eu) = (sheet.fast, sheet.us, sheet.eu);
        let (is_fast_by_name, is_guessed) = (false, sheet.guessed);
        Self { from, since, id, found, tiers, search, fast, us, eu, claude, is_fast_by_name, is_guessed, hours }
    }

    /// Creates a card from the user's own rates.
    pub(crate) fn custom(from: i64, since: Option<Since>, id: PriceId, rates: &Rates, claude: bool) -> Self {
        Self::new(from, since, (id, Found::Config), &rates.sheet(), claude)
    }

    /// Rates for a call in this tier with a prompt of this length.
    pub(crate) fn terms(&self, prompt: u64, tier: crate::domain::Tier) -> Terms<'_> {
        let chosen = self.tiers.iter().rev().find(|tier| prompt > tier.above).unwrap_or(&self.tiers[0]);
        let is_fast = tier.speed == Speed::Fast || self.is_fast_by_name;
        let fast = if is_fast { self.fast } else { None };
        // Without a multiplier, fast mode is the priority tier of vendors that sell one.
        let hurried = is_fast && fast.is_none() && chosen.named[lot_of(Service::Priority)];
        let service = if hurried && tier.service == Service::Standard { Service::Priority } else { tier.service };
        let (service, is_service_guessed) = match service {
            Service::Standard | Service::Batch => (service, false),
            // Anthropic charges the standard price for its priority tier.
            Service::Priority if self.claude => (service, false),
            Service::Priority | Service::Flex | Service::Ultrafast | Service::Balanced
                if chosen.named[lot_of(service)] =>
            {
                (service, !chosen.whole[lot_of(service)])
            }
            Service::Unknown | Service::Priority | Service::Flex | Service::Ultrafast | Service::Balanced => {
                (Service::Standard, true)
            }
        };
        let is_speed_guessed = is_fast && fast.is_none() && !hurried;
        let lot = lot_of(service);
        let geo = match tier.geo {
            Geo::Global => None,
            Geo::Us => self.us,
            Geo::Eu => self.eu,
        };
        Terms {
            card: self,
            lot: &chosen.services[lot],
            audio: &chosen.audio[lot],
            is_tier_guessed: is_service_guessed || is_speed_guessed,
            above: chosen.above,
            service,
            fast,
            geo,
        }
    }

    /// Price of one web search, if known.
    pub(crate) fn search(&self) -> Option<Usd> {
        self.search
    }

    /// The cost of a call.
    pub(crate) fn cost(&self, call: &Call) -> Cost {
        let terms = self.terms(prompt(call), call.tier);
        let (usd, saved) = terms.cost(&call.tokens, call.parts);
        let usd = usd + terms.searches(call.web_searches).unwrap_or_default();
        Cost::Priced { usd, saved, price: self.id.clone(), is_guessed: terms.is_guess(call) }
    }

    /// True when writing a token to the cache costs more than plain input.
    pub(crate) fn charges_writes(&self, call: &Call) -> bool {
        let terms = self.terms(prompt(call), call.tier);
        let [input, written] = [Class::Input, Class::CacheWrite5m].map(|class| {
            let (rate, part) = terms.rate(class);
            rate.scaled(part)
        });
        written > input
    }

    /// Dollars per token of each class for this prompt length.
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

    /// True when the list has rates for this service tier.
    pub(crate) fn names(&self, service: Service) -> bool {
        service != Service::Unknown && self.tiers[0].named[lot_of(service)]
    }

    /// Charges every call as a fast one.
    pub(crate) fn set_fast_by_name(&mut self) {
        self.is_fast_by_name = true;
        for (_, card) in &mut self.hours {
            card.set_fast_by_name();
        }
    }

    /// True when the cost of fast calls is known.
    pub(crate) fn sells_fast(&self) -> bool {
        self.fast.is_some() || self.names(Service::Priority)
    }

    /// Price of an audio token of each class, if listed.
    pub(crate) fn audio(&self) -> [Option<Usd>; 3] {
        let terms = self.terms(0, crate::domain::Tier::default());
        Class::AUDIO.map(|class| {
            let (rate, part) = terms.rate(class);
            terms.audio.lists(class).then(|| rate.scaled(part))
        })
    }

    /// Prompt lengths above which other rates apply.
    pub(crate) fn thresholds(&self) -> impl Iterator<Item = u64> {
        self.tiers.iter().map(|tier| tier.above).filter(|above| *above > 0)
    }
}

impl Terms<'_> {
    /// Dollars per token of a class, and the fraction of that rate that is charged.
    pub(crate) fn rate(&self, class: Class) -> (Usd, Ratio) {
        let (rate, halved) = match Class::AUDIO.iter().position(|audio| *audio == class) {
            Some(at) => (self.audio.rates[at], self.audio.halved[at]),
            None => self.lot.count_of(class),
        };
        if halved {
            (Usd::from_pico(i128::from(rate)), HALF)
        } else {
            (Usd::from_pico(i128::from(rate / 2)), Ratio::ONE)
        }
    }

    /// Product of the multipliers of fast mode and region.
    pub(crate) fn multiplier(&self) -> Ratio {
        let one = |ratio: Option<Ratio>| ratio.unwrap_or(Ratio::ONE);
        one(self.fast).and(one(self.geo))
    }

    /// Cost of the tokens, and the savings from caching. Each is rounded once, half to even.
    pub(crate) fn cost(&self, tokens: &Tokens, parts: Parts) -> (Usd, Usd) {
        let rates = &self.lot.rates;
        let (counts, sound) = if parts.is_none() { (counts(tokens), [0; 3]) } else { audio::apart(tokens, parts) };
        // Nine products of 64 by 50 bits cannot overflow.
        let class = |at: usize| u128::from(counts[at]) * u128::from(rates[at]);
        let mut cached = class(1) + class(2) + class(3);
        let mut plain = (u128::from(counts[1]) + u128::from(counts[2]) + u128::from(counts[3])) * u128::from(rates[0]);
        let mut rest = class(0) + class(4) + class(5);
        if sound != [0; 3] {
            let [input, read, output] = self.audio.rates.map(u128::from);
            cached += u128::from(sound[1]) * read;
            plain += u128::from(sound[1]) * input;
            rest += u128::from(sound[0]) * input + u128::from(sound[2]) * output;
        }
        let all = signed(rest + cached);
        let saved = signed(plain) - signed(cached);
        let multiplier = self.multiplier();
        (whole(all, multiplier), whole(saved, multiplier))
    }

    /// True when the cost of this call involves a guess.
    pub(crate) fn is_guess(&self, call: &Call) -> bool {
        self.is_tier_guessed
            || self.card.is_guessed
            || (call.web_searches > 0 && self.card.search.is_none())
            || (!call.parts.is_none() && (self.is_audio_guessed(call) || self.is_lifetime_guessed(call)))
    }

    /// The guesses in this call's cost.
    pub(crate) fn guesses(&self, call: &Call) -> Vec<Guess> {
        [
            (self.card.is_guessed, Guess::Model),
            (self.is_tier_guessed, Guess::Tier),
            (self.is_lifetime_guessed(call), Guess::Lifetime),
            (self.is_audio_guessed(call), Guess::Audio),
            (call.web_searches > 0 && self.card.search.is_none(), Guess::Search),
        ]
        .into_iter()
        .filter_map(|(is_guess, guess)| is_guess.then_some(guess))
        .collect()
    }

    fn is_audio_guessed(&self, call: &Call) -> bool {
        self.audio.is_guess(call.parts)
    }

    fn is_lifetime_guessed(&self, call: &Call) -> bool {
        let is_priced_apart = self.lot.count_of(Class::CacheWrite5m) != self.lot.count_of(Class::CacheWrite1h);
        call.parts.write_of_unstated_lifetime > 0 && is_priced_apart
    }

    /// Cost of this many web searches, if they have a price. Multipliers do not apply to them.
    pub(crate) fn searches(&self, count: u32) -> Option<Usd> {
        if count == 0 { Some(Usd::ZERO) } else { self.card.search.map(|each| each.times(u64::from(count))) }
    }

    pub(crate) fn search(&self) -> Option<Usd> {
        self.card.search
    }
}

/// Converts a sum of products. Such a sum is far below the limit of `i128`.
fn signed(sum: u128) -> i128 {
    i128::try_from(sum).unwrap_or(i128::MAX)
}

/// Converts half pico-dollars to dollars.
fn whole(halves: i128, multiplier: Ratio) -> Usd {
    if multiplier == Ratio::ONE && halves & 1 == 0 {
        return Usd::from_pico(halves >> 1);
    }
    Usd::from_pico(halves).scaled(multiplier.and(HALF))
}

impl Tier {
    fn new(above: u64, sheet: &Sheet, claude: bool) -> Self {
        let standard = Class::ALL.map(|class| standard(sheet, above, class, claude));
        let services = SERVICES.map(|service| {
            // Most sheets have few services, so the others need no work.
            let is_in_it = sheet.rates.keys().any(|key| key.service == service);
            let stated = |class| if is_in_it { stated(sheet, above, class, service, claude) } else { None };
            let rates: [(Usd, Ratio); 6] = std::array::from_fn(|at| match stated(Class::ALL[at]) {
                Some(rate) => (rate, Ratio::ONE),
                None if service == Service::Batch => (standard[at], HALF),
                None => (standard[at], Ratio::ONE),
            });
            TierRates {
                rates: rates.map(|(rate, part)| halves(rate, part)),
                halved: rates.map(|(_, part)| part == HALF),
            }
        });
        let has_audio = sheet.rates.keys().any(|key| Class::AUDIO.contains(&key.class));
        let audio = std::array::from_fn(|at| {
            let text = &services[at];
            if has_audio { Audio::new(above, sheet, SERVICES[at], text) } else { Audio::unlisted(text) }
        });
        let lists = |class, service| sheet.get(above, class, service).is_some();
        let named = SERVICES.map(|service| lists(Class::Input, service));
        let is_whole = |at: usize| named[at] && (standard[4] == Usd::ZERO || lists(Class::Output, SERVICES[at]));
        let whole = std::array::from_fn(is_whole);
        Self { above, services, audio, named, whole }
    }
}
