//! What of a row is only read, and never searched by: arrays of JSON in the place of a dozen columns.
//!
//! A statement costs by the column, and a first fill is little else but inserts. Unlike a format of our own, an array
//! can be read in any SQLite shell: see the view `readable`.

use std::fmt;

use rusqlite::Result;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::rows::damaged;
use crate::domain::Tokens;

/// What every row has: the column `body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// Nanoseconds within the second of the call.
    pub(super) ns: u32,
    pub(super) tokens: Tokens,
    /// Pico-dollars; none without a price.
    pub(super) usd: Option<i128>,
    /// Pico-dollars; none where the cost was stated.
    pub(super) saved: Option<i128>,
    /// See [`super::rows::charge`].
    pub(super) charge: u32,
    /// The number of a label; 0 is none.
    pub(super) path: i64,
    pub(super) offset: u64,
}

/// What few rows have: the column `rare`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) web_searches: u32,
    /// Pico-dollars.
    pub(super) quoted: Option<i128>,
    /// Nanoseconds.
    pub(super) latency: Option<i128>,
    /// The number of a label; 0 is this machine.
    pub(super) machine: i64,
}

type BodyArray = (u32, u64, u64, u64, u64, u64, u64, Option<Exact>, Option<Exact>, u32, i64, u64);
type TailArray = (u32, Option<Exact>, Option<Exact>, i64);

impl Body {
    /// Writes the array to the end of a text.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let [input, cache_read, short, long, output, reasoning] = self.tokens.fields();
        let Self { ns, usd, saved, charge, path, offset, .. } = *self;
        let (usd, saved) = (usd.map(Exact), saved.map(Exact));
        let array: BodyArray =
            (ns, input, cache_read, short, long, output, reasoning, usd, saved, charge, path, offset);
        serde_json::to_writer(out, &array).map_err(|_| damaged("a row that cannot be written"))
    }

    /// Reads the array.
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let array: BodyArray = serde_json::from_slice(text).map_err(|_| damaged("the body of a row"))?;
        let (ns, input, cache_read, short, long, output, reasoning, usd, saved, charge, path, offset) = array;
        let tokens = Tokens::from_fields([input, cache_read, short, long, output, reasoning]);
        let (usd, saved) = (usd.map(|Exact(usd)| usd), saved.map(|Exact(saved)| saved));
        Ok(Self { ns, tokens, usd, saved, charge, path, offset })
    }
}

impl Tail {
    /// Writes the array to the end of a text.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let array: TailArray = (self.web_searches, self.quoted.map(Exact), self.latency.map(Exact), self.machine);
        serde_json::to_writer(out, &array).map_err(|_| damaged("a row that cannot be written"))
    }

    /// Reads the array.
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let array: TailArray = serde_json::from_slice(text).map_err(|_| damaged("the rare part of a row"))?;
        let (web_searches, quoted, latency, machine) = array;
        let (quoted, latency) = (quoted.map(|Exact(usd)| usd), latency.map(|Exact(nanos)| nanos));
        Ok(Self { web_searches, quoted, latency, machine })
    }
}

/// A number that usually fits 64 bits; one that does not is a text of its digits, which no reader rounds.
struct Exact(i128);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(number) => out.serialize_i64(number),
            Err(_) => out.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Number;

        impl de::Visitor<'_> for Number {
            type Value = Exact;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a whole number, or its digits as a text")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> std::result::Result<Exact, E> {
                Ok(Exact(number.into()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Exact, E> {
                Ok(Exact(number.into()))
            }

            fn visit_str<E: de::Error>(self, digits: &str) -> std::result::Result<Exact, E> {
                digits.parse().map(Exact).map_err(E::custom)
            }
        }

        from.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn body()(
            ns in 0_u32..1_000_000_000,
            tokens in prop::array::uniform6(any::<u64>()).prop_map(Tokens::from_fields),
            money in any::<[Option<i128>; 2]>(),
            small in any::<Option<i64>>(),
            charge in any::<u32>(),
            path in any::<i64>(),
            offset in any::<u64>(),
        ) -> Body {
            Body { ns, tokens, usd: small.map(i128::from).or(money[0]), saved: money[1], charge, path, offset }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_it_was(body in body(), quoted in any::<Option<i128>>(), machine in any::<i64>()) {
            let mut text = Vec::new();
            body.write(&mut text).unwrap();
            prop_assert_eq!(Body::read(&text).unwrap(), body);
            let tail = Tail { web_searches: 3, quoted, latency: quoted.map(i128::wrapping_neg), machine };
            text.clear();
            tail.write(&mut text).unwrap();
            prop_assert_eq!(Tail::read(&text).unwrap(), tail);
        }

        #[test]
        fn d5_damaged_bodies_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            assert!(Body::read(&bytes).is_err() && Tail::read(&bytes).is_err());
        }
    }

    #[test]
    fn a_body_is_an_array_that_a_shell_can_read() {
        let mut text = Vec::new();
        let tokens = Tokens::from_fields([1, 2, 3, 4, 5, 6]);
        Body { ns: 9, tokens, usd: Some(7_000), saved: None, charge: 0, path: 8, offset: 10 }.write(&mut text).unwrap();
        assert_eq!(text, b"[9,1,2,3,4,5,6,7000,null,0,8,10]");
    }
}
