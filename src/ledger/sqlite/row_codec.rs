//! Encodes the fields that queries never search by as JSON arrays, instead of a dozen columns.
//!
//! A statement's cost grows with its number of columns, and a first fill is mostly inserts. Unlike a binary format,
//! JSON can be read in any SQLite shell: see the query `readable` in `schema.rs`.

use std::fmt;

use rusqlite::types::Type;
use rusqlite::{Error, Result};
use serde::{Deserialize, Deserializer, de};

use crate::domain::{Parts, Tokens};

/// Fields that every row has: the column `body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// Nanoseconds within the second.
    pub(super) ns: u32,
    pub(super) tokens: Tokens,
    /// Pico-dollars; `None` without a price.
    pub(super) usd: Option<i128>,
    /// Pico-dollars; `None` if the cost comes from the log.
    pub(super) saved: Option<i128>,
    /// Tier, fidelity and claim, packed by the row mapping.
    pub(super) charge: u32,
    /// Label id of the log's path; 0 for none.
    pub(super) path: i64,
    pub(super) offset: u64,
}

/// Fields that few rows have: the column `rare`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RareFields {
    pub(super) web_searches: u32,
    /// Pico-dollars.
    pub(super) quoted: Option<i128>,
    /// Nanoseconds.
    pub(super) latency: Option<i128>,
    /// Label id of the machine; 0 is this machine.
    pub(super) machine: i64,
    /// Four counts. Older rows and most others omit them.
    pub(super) parts: Parts,
    /// Label id of the worktree; 0 for none. Older rows and most others omit it.
    pub(super) folder: i64,
}

type BodyArray = (u32, u64, u64, u64, u64, u64, u64, Option<Exact>, Option<Exact>, u32, i64, u64);

impl Body {
    /// Appends the array to a buffer.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut array = Array::begin(out);
        array.number(self.ns);
        for count in self.tokens.fields() {
            array.number(count);
        }
        array.exact(self.usd);
        array.exact(self.saved);
        array.number(self.charge);
        array.number(self.path);
        array.number(self.offset);
        array.end();
    }

    /// Parses the array.
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        let (ns, input, cache_read, short, long, output, reasoning, usd, saved, charge, path, offset): BodyArray =
            array(text)?;
        let tokens = Tokens::from_fields([input, cache_read, short, long, output, reasoning]);
        let (usd, saved) = (usd.map(|Exact(usd)| usd), saved.map(|Exact(saved)| saved));
        Ok(Self { ns, tokens, usd, saved, charge, path, offset })
    }
}

impl RareFields {
    /// Appends the array to a buffer.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut array = Array::begin(out);
        array.number(self.web_searches);
        array.exact(self.quoted);
        array.exact(self.latency);
        array.number(self.machine);
        if !self.parts.is_none() || self.folder != 0 {
            for count in self.parts.fields() {
                array.number(count);
            }
        }
        if self.folder != 0 {
            array.number(self.folder);
        }
        array.end();
    }

    /// Parses the array.
    pub(super) fn read(text: &[u8]) -> Result<Self> {
        array(text)
    }
}

impl<'de> Deserialize<'de> for RareFields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Numbers;

        impl<'de> de::Visitor<'de> for Numbers {
            type Value = RareFields;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("the rare numbers of a row")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut numbers: A) -> std::result::Result<RareFields, A::Error> {
                let missing = |at: usize| de::Error::invalid_length(at, &"at least four numbers");
                let web_searches = numbers.next_element()?.ok_or_else(|| missing(0))?;
                let quoted: Option<Exact> = numbers.next_element()?.ok_or_else(|| missing(1))?;
                let latency: Option<Exact> = numbers.next_element()?.ok_or_else(|| missing(2))?;
                let machine = numbers.next_element()?.ok_or_else(|| missing(3))?;
                let mut parts = [0; 4];
                for part in &mut parts {
                    *part = numbers.next_element()?.unwrap_or(0);
                }
                let folder = numbers.next_element()?.unwrap_or(0);
                // Skip elements added by later versions.
                while numbers.next_element::<de::IgnoredAny>()?.is_some() {}
                let (quoted, latency) = (quoted.map(|Exact(usd)| usd), latency.map(|Exact(nanos)| nanos));
                Ok(RareFields { web_searches, quoted, latency, machine, parts: Parts::from_fields(parts), folder })
            }
        }

        from.deserialize_seq(Numbers)
    }
}

fn array<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|_| damaged("the numbers of a row"))
}

/// Writes an array of numbers element by element. A first fill writes one for each call.
struct Array<'a> {
    out: &'a mut Vec<u8>,
    digits: itoa::Buffer,
}

impl<'a> Array<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, digits: itoa::Buffer::new() }
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.out.extend_from_slice(self.digits.format(number).as_bytes());
        self.out.push(b',');
    }

    /// Numbers beyond 64 bits become strings, because JSON readers might round them.
    fn exact(&mut self, number: Option<i128>) {
        match number.map(|number| (number, i64::try_from(number))) {
            None => self.out.extend_from_slice(b"null,"),
            Some((_, Ok(short))) => self.number(short),
            Some((long, Err(_))) => {
                self.out.push(b'"');
                self.out.extend_from_slice(self.digits.format(long).as_bytes());
                self.out.extend_from_slice(b"\",");
            }
        }
    }

    fn end(self) {
        // Replaces the last comma.
        self.out.pop();
        self.out.push(b']');
    }
}

/// A number in the form that [`Array::exact`] writes.
struct Exact(i128);

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

/// Error for a value that should never be in the table.
pub(super) fn damaged(what: &str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, what.into())
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
        fn what_is_written_reads_back_as_it_was(
            body in body(),
            quoted in any::<Option<i128>>(),
            (machine, folder) in any::<(i64, i64)>(),
            parts in any::<[u64; 4]>(),
            (has_parts, has_folder) in any::<(bool, bool)>(),
        ) {
            let mut text = Vec::new();
            body.write(&mut text);
            prop_assert_eq!(Body::read(&text).unwrap(), body);
            let parts = if has_parts { Parts::from_fields(parts) } else { Parts::NONE };
            let folder = if has_folder { folder } else { 0 };
            let latency = quoted.map(i128::wrapping_neg);
            let tail = RareFields { web_searches: 3, quoted, latency, machine, parts, folder };
            text.clear();
            tail.write(&mut text);
            prop_assert_eq!(RareFields::read(&text).unwrap(), tail);
        }

        #[test]
        fn d5_damaged_bodies_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            assert!(Body::read(&bytes).is_err() && RareFields::read(&bytes).is_err());
        }
    }

    #[test]
    fn a_body_is_an_array_that_a_shell_can_read() {
        let mut text = Vec::new();
        let tokens = Tokens::from_fields([1, 2, 3, 4, 5, 6]);
        Body { ns: 9, tokens, usd: Some(7_000), saved: None, charge: 0, path: 8, offset: 10 }.write(&mut text);
        assert_eq!(text, b"[9,1,2,3,4,5,6,7000,null,0,8,10]");
    }

    #[test]
    fn a_row_of_an_older_version_has_no_parts_and_one_of_a_newer_version_is_still_read() {
        let old = RareFields::read(b"[3,null,7,2]").unwrap();
        assert_eq!(
            old,
            RareFields { web_searches: 3, quoted: None, latency: Some(7), machine: 2, parts: Parts::NONE, folder: 0 }
        );
        let new = RareFields::read(b"[0,null,null,0,1,2,3,4,9,\"later\",[5]]").unwrap();
        assert_eq!((new.parts, new.folder), (Parts::from_fields([1, 2, 3, 4]), 9));
        let mut text = Vec::new();
        old.write(&mut text);
        assert_eq!(text, b"[3,null,7,2]");
        assert!(RareFields::read(b"[3,null,7]").is_err());
    }
}
