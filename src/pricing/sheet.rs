//! One model's rates at one time, as given in a price list, and their text form.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::hours::Hours;
use crate::domain::{Ratio, Service, Usd};

/// Token class that has a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Plain input.
    Input,
    /// Cache reads.
    CacheRead,
    /// Five-minute cache writes.
    CacheWrite5m,
    /// Cache writes with the longer lifetime: one hour at Anthropic, twelve hours at OpenAI.
    CacheWrite1h,
    /// Output without reasoning.
    Output,
    /// Reasoning output.
    Reasoning,
    /// Audio within plain input.
    AudioInput,
    /// Audio read from a cache.
    AudioCacheRead,
    /// Audio within the output.
    AudioOutput,
}

impl Class {
    /// Classes priced by every list, in billing order.
    pub const ALL: [Self; 6] =
        [Self::Input, Self::CacheRead, Self::CacheWrite5m, Self::CacheWrite1h, Self::Output, Self::Reasoning];

    /// Audio classes. Few calls use them.
    pub const AUDIO: [Self; 3] = [Self::AudioInput, Self::AudioCacheRead, Self::AudioOutput];

    fn letter(self) -> char {
        match self {
            Self::Input => 'i',
            Self::CacheRead => 'r',
            Self::CacheWrite5m => 'w',
            Self::CacheWrite1h => 'h',
            Self::Output => 'o',
            Self::Reasoning => 't',
            Self::AudioInput => 'a',
            Self::AudioCacheRead => 'c',
            Self::AudioOutput => 'v',
        }
    }

    pub(crate) fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::AUDIO).find(|class| class.letter() == letter)
    }
}

/// Key of a rate: prompt length, class, and service tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The rate applies to prompts with more tokens than this; 0 for every prompt.
    pub(crate) above: u64,
    pub(crate) class: Class,
    pub(crate) service: Service,
}

impl Key {
    pub(crate) const fn from_class(class: Class) -> Self {
        Self { above: 0, class, service: Service::Standard }
    }
}

/// A list's data on one model at one time: only values the list gives, nothing derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// Dollars per token.
    pub(crate) rates: BTreeMap<Key, Usd>,
    /// Dollars per web search.
    pub(crate) search: Option<Usd>,
    /// Multiplier of the vendor's fast mode.
    pub(crate) fast: Option<Ratio>,
    /// Multiplier of inference in the United States only.
    pub(crate) us: Option<Ratio>,
    /// Multiplier of inference in the European Union only.
    pub(crate) eu: Option<Ratio>,
    /// True when the rates may belong to another model.
    pub(crate) guessed: bool,
    /// Rates for certain hours, replacing all the others.
    pub(crate) hours: Vec<(Hours, Sheet)>,
}

impl Sheet {
    pub(crate) fn get(&self, above: u64, class: Class, service: Service) -> Option<Usd> {
        self.rates.get(&Key { above, class, service }).copied()
    }

    /// Input and output rates. A change in them is a price change.
    pub(crate) fn base(&self) -> [Option<Usd>; 2] {
        [
            self.rates.get(&Key::from_class(Class::Input)).copied(),
            self.rates.get(&Key::from_class(Class::Output)).copied(),
        ]
    }

    /// True when every rate given is zero.
    pub(crate) fn is_free(&self) -> bool {
        self.rates.values().all(|rate| *rate == Usd::ZERO)
    }

    /// Appends the text form: `i=5 o=25 r=0.5 ip=10 i>200k=10 s=0.01 xf=2`, in dollars per million tokens, and
    /// `@01:00-04:00 i=10 …` for the rates at certain hours.
    pub(crate) fn write(&self, out: &mut String) {
        self.write_rates(out);
        for (hours, sheet) in &self.hours {
            let _ = write!(out, " @{hours} ");
            sheet.write_rates(out);
        }
    }

    fn write_rates(&self, out: &mut String) {
        let mut gap = "";
        for (key, rate) in &self.rates {
            let _ = write!(out, "{gap}{}", key.class.letter());
            out.push_str(match key.service {
                Service::Standard | Service::Unknown => "",
                Service::Priority => "p",
                Service::Flex => "f",
                Service::Batch => "b",
                Service::Ultrafast => "u",
                Service::Balanced => "n",
            });
            match key.above {
                0 => {}
                above if above % 1000 == 0 => _ = write!(out, ">{}k", above / 1000),
                above => _ = write!(out, ">{above}"),
            }
            let _ = write!(out, "={}", rate.times(1_000_000));
            gap = " ";
        }
        let search = self.search.map(|search| search.to_string());
        let ratios = [self.fast, self.us, self.eu].map(|ratio| ratio.map(decimal));
        let guessed = self.guessed.then(|| "1".to_owned());
        let values = std::iter::once(search).chain(ratios).chain([guessed]);
        for (name, value) in ["s", "xf", "xu", "xe", "xg"].into_iter().zip(values) {
            if let Some(value) = value {
                let _ = write!(out, "{gap}{name}={value}");
                gap = " ";
            }
        }
    }

    /// Parses the output of [`Sheet::write`]. Unknown fields are skipped; an invalid number is an error.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('@');
        let mut sheet = Self::read_rates(parts.next()?)?;
        for part in parts {
            let (hours, rates) = part.split_once(' ')?;
            sheet.hours.push((Hours::read(hours)?, Self::read_rates(rates)?));
        }
        Some(sheet)
    }

    fn read_rates(text: &str) -> Option<Self> {
        let mut sheet = Self::default();
        for item in text.split_ascii_whitespace() {
            let (name, value) = item.split_once('=')?;
            let (value, _) = Usd::parse(value).ok()?;
            match name {
                "s" => sheet.search = Some(value),
                "xf" => sheet.fast = ratio(value),
                "xu" => sheet.us = ratio(value),
                "xe" => sheet.eu = ratio(value),
                "xg" => sheet.guessed = true,
                _ => {
                    if let Some(key) = key(name) {
                        sheet.rates.insert(key, Usd::from_pico(value.pico() / 1_000_000));
                    }
                }
            }
        }
        (!sheet.rates.is_empty()).then_some(sheet)
    }
}

fn key(name: &str) -> Option<Key> {
    let (name, above) = match name.split_once('>') {
        None => (name, 0),
        Some((name, above)) => match above.strip_suffix('k') {
            Some(thousands) => (name, thousands.parse::<u64>().ok()?.checked_mul(1000)?),
            None => (name, above.parse().ok()?),
        },
    };
    let mut letters = name.chars();
    let class = Class::from_letter(letters.next()?)?;
    let service = match letters.as_str() {
        "" => Service::Standard,
        "p" => Service::Priority,
        "f" => Service::Flex,
        "b" => Service::Batch,
        "u" => Service::Ultrafast,
        "n" => Service::Balanced,
        _ => return None,
    };
    Some(Key { above, class, service })
}

/// Converts a decimal multiplier to an exact ratio; `None` unless it is between 0 and 1000.
pub(crate) fn ratio(decimal: Usd) -> Option<Ratio> {
    let (num, den) = (decimal.pico(), Usd::ONE.pico());
    if num <= 0 || num > 1000 * den {
        return None;
    }
    let (mut a, mut b) = (num, den);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Some(Ratio { num: u32::try_from(num / a).ok()?, den: u32::try_from(den / a).ok()? })
}

fn decimal(ratio: Ratio) -> String {
    Usd::ONE.scaled(ratio).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sheets() -> impl Strategy<Value = Sheet> {
        let services = [Service::Standard, Service::Priority, Service::Flex, Service::Batch];
        let services = services.into_iter().chain([Service::Ultrafast, Service::Balanced]).collect::<Vec<_>>();
        let keys = (
            prop::sample::select(vec![0, 200_000, 262_144]),
            prop::sample::select(Class::ALL.into_iter().chain(Class::AUDIO).collect::<Vec<_>>()),
            prop::sample::select(services),
        )
            .prop_map(|(above, class, service)| Key { above, class, service });
        let rates = prop::collection::btree_map(keys, (0_i128..1_000_000_000).prop_map(Usd::from_pico), 1..9);
        let multiple = prop::sample::select(vec![None, Some((2, 1)), Some((11, 10))]);
        (rates, prop::option::of(0_i64..1_000_000), multiple, any::<bool>()).prop_map(
            |(rates, search, multiple, guessed)| Sheet {
                rates,
                search: search.map(Usd::from_micro),
                fast: multiple.map(|(num, den)| Ratio { num, den }),
                us: None,
                eu: multiple.map(|(num, den)| Ratio { num, den }),
                guessed,
                hours: Vec::new(),
            },
        )
    }

    fn hourly() -> impl Strategy<Value = Sheet> {
        let hours = prop::sample::select(vec!["01:00-04:00", "16:30-00:30/mon-fri", "01:00-04:00+06:00-10:00"]);
        let hours = prop::collection::vec((hours.prop_map(|text| Hours::read(text).unwrap()), sheets()), 0..3);
        (sheets(), hours).prop_map(|(sheet, hours)| Sheet { hours, ..sheet })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(sheet in hourly()) {
            let mut text = String::new();
            sheet.write(&mut text);
            prop_assert_eq!(Sheet::read(&text), Some(sheet));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = Sheet::read(&text);
        }
    }

    #[test]
    fn the_text_is_short_and_in_dollars_per_million() {
        let text = "i=5 o=25 ip=10 i>200k=10 s=0.01 xf=2 xu=1.1";
        let mut again = String::new();
        Sheet::read(text).unwrap().write(&mut again);
        assert_eq!(again, "i=5 ip=10 o=25 i>200k=10 s=0.01 xf=2 xu=1.1");
    }
}
