//! Cost of audio tokens in input, cache reads and output.

use super::sheet::{Class, Sheet};
use super::tier_rates::{self, TierRates, halves};
use crate::domain::{Parts, Ratio, Service, Tokens};

/// Audio rates in one service tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Audio {
    /// Half pico-dollars per token, in the order of [`Class::AUDIO`]. Where the list has no audio rate, the text rate.
    pub(super) rates: [u64; 3],
    /// Marks rates that are half of a standard rate, because the list has no batch rate.
    pub(super) halved: [bool; 3],
    /// Marks rates that the list has.
    listed: [bool; 3],
}

/// The text class that contains an audio class.
const fn whole_of(class: Class) -> Class {
    match class {
        Class::AudioInput => Class::Input,
        Class::AudioCacheRead => Class::CacheRead,
        Class::AudioOutput => Class::Output,
        Class::Input
        | Class::CacheRead
        | Class::CacheWrite5m
        | Class::CacheWrite1h
        | Class::Output
        | Class::Reasoning => class,
    }
}

impl Audio {
    /// The audio rates in a service tier that has these text rates.
    pub(super) fn new(above: u64, sheet: &Sheet, service: Service, text: &TierRates) -> Self {
        let listed = |class, service| sheet.get(above, class, service).or_else(|| sheet.get(0, class, service));
        let found = Class::AUDIO.map(|class| match (listed(class, service), listed(class, Service::Standard)) {
            (None, Some(rate)) if service == Service::Batch => Some((rate, Ratio { num: 1, den: 2 })),
            (Some(rate), _) | (None, Some(rate)) => Some((rate, Ratio::ONE)),
            (None, None) => None,
        });
        let of_text = Class::AUDIO.map(|class| text.count_of(whole_of(class)));
        Self {
            rates: std::array::from_fn(|at| found[at].map_or(of_text[at].0, |(rate, part)| halves(rate, part))),
            halved: std::array::from_fn(|at| found[at].map_or(of_text[at].1, |(_, part)| part != Ratio::ONE)),
            listed: found.map(|rate| rate.is_some()),
        }
    }

    /// Uses the text rates, where the list has none for audio.
    pub(super) fn unlisted(text: &TierRates) -> Self {
        let of_text = Class::AUDIO.map(|class| text.count_of(whole_of(class)));
        Self { rates: of_text.map(|(rate, _)| rate), halved: of_text.map(|(_, is_half)| is_half), listed: [false; 3] }
    }

    /// True when the list has a rate for this class of audio.
    pub(super) fn lists(&self, class: Class) -> bool {
        Class::AUDIO.into_iter().zip(self.listed).any(|(audio, listed)| audio == class && listed)
    }

    /// True when audio was used for which the list has no rate.
    pub(super) fn is_guess(&self, parts: Parts) -> bool {
        counts(parts).into_iter().zip(self.listed).any(|(count, listed)| count > 0 && !listed)
    }
}

/// Audio tokens in the order of [`Class::AUDIO`].
pub(super) const fn counts(parts: Parts) -> [u64; 3] {
    [parts.audio_input, parts.audio_cache_read, parts.audio_output]
}

/// Text tokens in the order of [`Class::ALL`], and audio tokens in the order of [`Class::AUDIO`].
pub(super) fn apart(tokens: &Tokens, parts: Parts) -> ([u64; 6], [u64; 3]) {
    let (mut text, audio) = (tier_rates::counts(tokens), counts(parts.within(tokens)));
    (text[0], text[1], text[4]) = (text[0] - audio[0], text[1] - audio[1], text[4] - audio[2]);
    (text, audio)
}
