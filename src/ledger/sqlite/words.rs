//! The words of an export for how a call was charged and how far it can be trusted; the usual has none.

use crate::domain::{Fidelity, Geo, Service, Speed};

pub(super) const SPEEDS: [(Speed, &str); 2] = [(Speed::Standard, ""), (Speed::Fast, "fast")];
pub(super) const SERVICES: [(Service, &str); 4] =
    [(Service::Standard, ""), (Service::Priority, "priority"), (Service::Flex, "flex"), (Service::Batch, "batch")];
pub(super) const GEOS: [(Geo, &str); 3] = [(Geo::Global, ""), (Geo::Us, "us"), (Geo::Eu, "eu")];
pub(super) const FIDELITIES: [(Fidelity, &str); 6] = [
    (Fidelity::Final, ""),
    (Fidelity::LowerBound, "lower_bound"),
    (Fidelity::Guessed, "guessed"),
    (Fidelity::Unlisted, "unlisted"),
    (Fidelity::Settled, "settled"),
    (Fidelity::Summed, "summed"),
];

pub(super) fn word<T: PartialEq>(words: &[(T, &'static str)], value: &T) -> String {
    words.iter().find(|(known, _)| known == value).map_or("", |(_, word)| *word).to_owned()
}

pub(super) fn meaning<T: Copy>(words: &[(T, &'static str)], word: &str, field: &str) -> Result<T, String> {
    let known = words.iter().find(|(_, known)| *known == word);
    known.map(|(value, _)| *value).ok_or_else(|| format!("{field} '{word}' is not known"))
}
