//! Token counts in logs, and the errors for implausible ones.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::BadLine;
use crate::domain::{Call, Label, Tokens};

/// A count as written in a log.
///
/// Deserialising never fails, so invalid counts in irrelevant lines do no harm; only reading the value fails. Whole
/// numbers are accepted in any notation: `12`, `12.0`, `1.2e1`, `"12"`. Absent and `null` are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Count {
    /// Missing or `null`.
    #[default]
    Absent,
    /// An integer.
    Whole(u64),
    /// Negative, fractional, or beyond `u64`.
    Absurd(Absurd),
    /// Not a number.
    Wrong,
}

/// A number that is not a valid count. It owns nothing that must be dropped, because hundreds of structs contain
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absurd {
    /// An integer below zero.
    Negative(i64),
    /// The bits of a float.
    Float(u64),
}

impl fmt::Display for Absurd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative(number) => number.fmt(out),
            Self::Float(bits) => f64::from_bits(*bits).fmt(out),
        }
    }
}

impl Count {
    /// Upper bound for one answer.
    pub(crate) const MOST: u64 = Tokens::MOST;
    /// Upper bound for a session's running total.
    pub(crate) const MOST_TOTAL: u64 = 1_000_000_000_000_000;

    /// The tokens of one answer.
    ///
    /// # Errors
    /// When the field is invalid or implausible.
    pub(crate) fn tokens(&self, field: &'static str) -> Result<u64, BadLine> {
        self.up_to(Self::MOST, field)
    }

    /// A running total.
    ///
    /// # Errors
    /// Like [`Count::tokens`], with a higher bound.
    pub(crate) fn total(&self, field: &'static str) -> Result<u64, BadLine> {
        self.up_to(Self::MOST_TOTAL, field)
    }

    /// The web searches of one answer. They have a price of their own, so a wrong number is as bad as one of tokens.
    ///
    /// # Errors
    /// When the field is invalid or implausible.
    pub(crate) fn searches(&self, field: &'static str) -> Result<u32, BadLine> {
        self.few(Call::MOST_SEARCHES, field)
    }

    /// The web searches of a session.
    ///
    /// # Errors
    /// Like [`Count::searches`], with a higher bound.
    pub(crate) fn searches_total(&self, field: &'static str) -> Result<u32, BadLine> {
        self.few(Call::MOST_SEARCHES_OF_SESSION, field)
    }

    /// True when the field is present, even if zero.
    pub(crate) fn is_given(&self) -> bool {
        *self != Self::Absent
    }

    fn few(&self, most: u32, field: &'static str) -> Result<u32, BadLine> {
        let count = self.up_to(most.into(), field).map_err(|bad| match bad {
            BadLine::WrongType { field, .. } => BadLine::WrongType { field, expected: "a count of searches" },
            BadLine::NotJson(_)
            | BadLine::Missing(_)
            | BadLine::Absurd { .. }
            | BadLine::Unknown
            | BadLine::Packed(_)
            | BadLine::TooLong(_) => bad,
        })?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn up_to(&self, most: u64, field: &'static str) -> Result<u64, BadLine> {
        match self {
            Self::Absent => Ok(0),
            Self::Whole(count) if *count <= most => Ok(*count),
            Self::Whole(count) => Err(BadLine::Absurd { field, value: Label::new(&count.to_string()) }),
            Self::Absurd(value) => Err(BadLine::Absurd { field, value: Label::new(&value.to_string()) }),
            Self::Wrong => Err(BadLine::WrongType { field, expected: "a count of tokens" }),
        }
    }

    /// A whole number that may be negative.
    pub(super) fn from_integer(value: i64) -> Self {
        u64::try_from(value).map_or(Self::Absurd(Absurd::Negative(value)), Self::Whole)
    }

    pub(super) fn from_float(value: f64) -> Self {
        // Up to this number, every whole number is exact as a float.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if value.fract().abs() > 0.0 || !(0.0..=EXACT).contains(&value) {
            return Self::Absurd(Absurd::Float(value.to_bits()));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within 0..=2^53")]
        let whole = value as u64;
        Self::Whole(whole)
    }

    pub(super) fn from_text(text: &str) -> Self {
        let text = text.trim();
        if let Ok(whole) = text.parse() {
            return Self::Whole(whole);
        }
        text.parse().map_or(Self::Wrong, Self::from_float)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyCount)
    }
}

struct AnyCount;

impl<'de> Visitor<'de> for AnyCount {
    type Value = Count;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a count")
    }
    fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
        Ok(Count::Whole(count))
    }
    fn visit_i64<E>(self, count: i64) -> Result<Count, E> {
        Ok(Count::from_integer(count))
    }
    fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
        Ok(Count::from_float(count))
    }
    fn visit_str<E>(self, text: &str) -> Result<Count, E> {
        Ok(Count::from_text(text))
    }
    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count::Absent)
    }
    fn visit_none<E>(self) -> Result<Count, E> {
        Ok(Count::Absent)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count::Wrong)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count::Wrong)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Count, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<u64, BadLine> {
        serde_json::from_str::<Count>(json).unwrap().tokens("n")
    }

    #[test]
    fn b11_whole_numbers_are_taken_in_any_spelling() {
        for (json, count) in [
            ("12", 12),
            ("12.0", 12),
            ("1e3", 1000),
            ("\"12\"", 12),
            ("\" 12 \"", 12),
            ("\"12.0\"", 12),
            ("null", 0),
            ("0", 0),
            ("-0.0", 0),
            ("1000000000", 1_000_000_000),
        ] {
            assert_eq!(read(json), Ok(count), "{json}");
        }
        assert_eq!(Count::default().tokens("n"), Ok(0));
    }

    #[test]
    fn b11_what_is_no_number_names_the_field() {
        for json in ["true", "{}", "{\"a\":[1]}", "[1,[2]]", "\"many\"", "\"\""] {
            assert!(matches!(read(json), Err(BadLine::WrongType { field: "n", .. })), "{json}");
        }
    }

    #[test]
    fn b12_web_searches_are_checked_like_tokens() {
        let read = |json: &str| serde_json::from_str::<Count>(json).unwrap();
        for json in ["-1", "1.5", "10001", "100000", "4294967297"] {
            assert!(matches!(read(json).searches("n"), Err(BadLine::Absurd { field: "n", .. })), "{json}");
        }
        assert!(matches!(read("true").searches("n"), Err(BadLine::WrongType { expected: "a count of searches", .. })));
        assert_eq!([read("10000"), read("null")].map(|count| count.searches("n")), [Ok(10_000), Ok(0)]);
        assert_eq!(read("1000000").searches_total("n"), Ok(1_000_000));
        assert!(read("1000001").searches_total("n").is_err());
    }

    #[test]
    fn b12_numbers_that_count_nothing_are_put_aside() {
        for json in
            ["-1", "1.5", "1000000001", "18446744073709551616", "1e300", "\"-3\"", "\"NaN\"", "\"inf\"", "\"0.5\""]
        {
            assert!(matches!(read(json), Err(BadLine::Absurd { field: "n", .. })), "{json}");
        }
        assert_eq!(serde_json::from_str::<Count>("5000000000").unwrap().total("n"), Ok(5_000_000_000));
    }
}
