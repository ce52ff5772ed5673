//! Optional fields of an export's lines, and the names of enum values in them.

use serde::{Deserialize, Serialize};

use crate::domain::{Geo, Parts, Service, Speed};

/// Parts of a call's counts, which are included in them.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names that stand in the export")]
pub(super) struct PartsLine {
    #[serde(skip_serializing_if = "is_none")]
    audio_input_tokens: u64,
    #[serde(skip_serializing_if = "is_none")]
    audio_cache_read_tokens: u64,
    #[serde(skip_serializing_if = "is_none")]
    audio_output_tokens: u64,
    #[serde(skip_serializing_if = "is_none")]
    cache_write_unstated_lifetime_tokens: u64,
}

impl From<Parts> for PartsLine {
    fn from(parts: Parts) -> Self {
        Self {
            audio_input_tokens: parts.audio_input,
            audio_cache_read_tokens: parts.audio_cache_read,
            audio_output_tokens: parts.audio_output,
            cache_write_unstated_lifetime_tokens: parts.write_of_unstated_lifetime,
        }
    }
}

impl From<&PartsLine> for Parts {
    fn from(line: &PartsLine) -> Self {
        Self {
            audio_input: line.audio_input_tokens,
            audio_cache_read: line.audio_cache_read_tokens,
            audio_output: line.audio_output_tokens,
            write_of_unstated_lifetime: line.cache_write_unstated_lifetime_tokens,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_none(count: &u64) -> bool {
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
