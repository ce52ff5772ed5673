//! Times as stored in a reader's state.

use std::fmt;

use chrono::DateTime;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::domain::Instant;

/// A time in a reader's state: nanoseconds since 1970, which is several times as fast to write and read as text.
///
/// Times that do not fit are stored as RFC 3339 text, as all times were in earlier versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoredTime(pub(super) Instant);

impl Serialize for StoredTime {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.timestamp_nanos_opt() {
            Some(nanos) => to.serialize_i64(nanos),
            None => self.0.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for StoredTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Time;
        impl Visitor<'_> for Time {
            type Value = Instant;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("nanoseconds or a time in RFC 3339")
            }
            fn visit_i64<E>(self, nanos: i64) -> Result<Instant, E> {
                Ok(DateTime::from_timestamp_nanos(nanos))
            }
            fn visit_u64<E: Error>(self, nanos: u64) -> Result<Instant, E> {
                i64::try_from(nanos).map(DateTime::from_timestamp_nanos).map_err(E::custom)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Instant, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Time).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_restored_to_the_nanosecond_and_from_text() {
        for text in
            ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2026-11-10T09:00:00.000000007Z", "9999-01-01T00:00:00Z"]
        {
            let at = StoredTime(text.parse().unwrap());
            let written = serde_json::to_string(&at).unwrap();
            assert_eq!(serde_json::from_str::<StoredTime>(&written).unwrap(), at, "{written}");
            assert_eq!(serde_json::from_str::<StoredTime>(&format!("\"{text}\"")).unwrap(), at, "{text}");
        }
        for bad in ["\"soon\"", "18446744073709551615", "null", "1.5"] {
            assert!(serde_json::from_str::<StoredTime>(bad).is_err(), "{bad}");
        }
    }
}
