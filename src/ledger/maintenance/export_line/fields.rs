//! Rules for the fields that export lines omit, and the names of enum values in them.

use crate::domain::{Geo, Service, Speed};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(super) fn is_none(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

pub(super) const SPEEDS: [(Speed, &str); 2] = [(Speed::Standard, ""), (Speed::Fast, "fast")];
pub(super) const SERVICES: [(Service, &str); 7] = [
    (Service::Standard, ""),
    (Service::Priority, "priority"),
    (Service::Flex, "flex"),
    (Service::Batch, "batch"),
    (Service::Ultrafast, "ultrafast"),
    (Service::Balanced, "balanced"),
    (Service::Unknown, "unknown"),
];
pub(super) const GEOS: [(Geo, &str); 3] = [(Geo::Global, ""), (Geo::Us, "us"), (Geo::Eu, "eu")];

pub(super) fn word<T: PartialEq>(words: &[(T, &'static str)], value: &T) -> String {
    words.iter().find(|(known, _)| known == value).map_or("", |(_, word)| *word).to_owned()
}

pub(super) fn meaning<T: Copy>(words: &[(T, &'static str)], word: &str, field: &str) -> Result<T, String> {
    let known = words.iter().find(|(_, known)| *known == word);
    known.map(|(value, _)| *value).ok_or_else(|| format!("{field} '{word}' is not known"))
}
