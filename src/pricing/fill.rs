//! Default rates where a list has none, from vendors' usual multiples.

use super::sheet::{Class, Sheet};
use crate::domain::{Ratio, Service, Usd};

/// The rate of a class in a service tier, from the list or implied by it.
pub(super) fn stated(sheet: &Sheet, above: u64, class: Class, service: Service, claude: bool) -> Option<Usd> {
    if let Some(rate) = sheet.get(above, class, service) {
        return Some(rate);
    }
    let silent = [above, 0].into_iter().all(|above| sheet.get(above, class, Service::Standard).is_none());
    let input = || sheet.get(above, Class::Input, service);
    match class {
        Class::Input | Class::Output | Class::AudioInput | Class::AudioCacheRead | Class::AudioOutput => None,
        // Reasoning without a rate of its own is charged as output.
        Class::Reasoning => sheet.get(above, Class::Output, service),
        Class::CacheRead | Class::CacheWrite5m | Class::CacheWrite1h if !silent => None,
        Class::CacheWrite1h if !claude => stated(sheet, above, Class::CacheWrite5m, service, claude),
        Class::CacheRead | Class::CacheWrite5m | Class::CacheWrite1h => Some(usual(class, input()?, claude)),
    }
}

/// Usual price of a cache class for this input price: Anthropic's multiples for Claude, the input price otherwise.
fn usual(class: Class, input: Usd, claude: bool) -> Usd {
    let multiple = match class {
        Class::CacheRead => Ratio { num: 1, den: 10 },
        Class::CacheWrite5m => Ratio { num: 5, den: 4 },
        Class::CacheWrite1h => Ratio { num: 2, den: 1 },
        Class::Input
        | Class::Output
        | Class::Reasoning
        | Class::AudioInput
        | Class::AudioCacheRead
        | Class::AudioOutput => Ratio::ONE,
    };
    if claude { input.scaled(multiple) } else { input }
}

/// The standard rate of a class, from the list or else the usual one.
pub(super) fn standard(sheet: &Sheet, above: u64, class: Class, claude: bool) -> Usd {
    if let Some(rate) = sheet.get(above, class, Service::Standard) {
        return rate;
    }
    let base = |class| standard(sheet, 0, class, claude);
    let here = |class| standard(sheet, above, class, claude);
    match class {
        Class::Input | Class::Output if above > 0 => base(class),
        Class::Input | Class::Output | Class::AudioInput | Class::AudioCacheRead | Class::AudioOutput => Usd::ZERO,
        Class::Reasoning if above > 0 && sheet.get(above, Class::Output, Service::Standard).is_none() => base(class),
        Class::Reasoning => here(Class::Output),
        // In a long-context tier that has only an input rate, cache rates scale in proportion.
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

#[cfg(test)]
mod tests {
    use super::super::sheet::Key;
    use super::*;

    #[test]
    fn where_writes_have_one_price_the_longer_ones_cost_it_in_every_tier() {
        let rates = [
            (Class::Input, Service::Standard, 2),
            (Class::CacheWrite5m, Service::Standard, 3),
            (Class::Input, Service::Priority, 4),
            (Class::CacheWrite5m, Service::Priority, 6),
        ];
        let rates = rates.map(|(class, service, micro)| (Key { above: 0, class, service }, Usd::from_micro(micro)));
        let sheet = Sheet { rates: rates.into(), ..Sheet::default() };
        let write = Class::CacheWrite1h;
        assert_eq!(standard(&sheet, 0, write, false), Usd::from_micro(3));
        assert_eq!(stated(&sheet, 0, write, Service::Priority, false), Some(Usd::from_micro(6)));
        // Anthropic's cost twice the input.
        assert_eq!(standard(&sheet, 0, write, true), Usd::from_micro(4));
        assert_eq!(stated(&sheet, 0, write, Service::Priority, true), Some(Usd::from_micro(8)));
    }

    #[test]
    fn a_tier_of_long_prompts_with_one_rate_has_the_others_of_short_ones() {
        let micro = |rates: &[(u64, Class, i64)]| {
            let rates = rates.iter().map(|(above, class, micro)| {
                (Key { above: *above, class: *class, service: Service::Standard }, Usd::from_micro(*micro))
            });
            Sheet { rates: rates.collect(), ..Sheet::default() }
        };
        let base = [(0, Class::Input, 2), (0, Class::Output, 10)];
        let long = |class, sheet: &Sheet| standard(sheet, 200_000, class, false);
        let input = micro(&[base[0], base[1], (200_000, Class::Input, 4)]);
        assert_eq!(long(Class::Input, &input), Usd::from_micro(4));
        assert_eq!(long(Class::Output, &input), Usd::from_micro(10));
        let output = micro(&[base[0], base[1], (200_000, Class::Output, 15)]);
        assert_eq!(long(Class::Input, &output), Usd::from_micro(2));
        assert_eq!(long(Class::Output, &output), Usd::from_micro(15));
        // Without any rate it costs nothing that is known.
        assert_eq!(standard(&micro(&base[..1]), 0, Class::Output, false), Usd::ZERO);
    }
}
