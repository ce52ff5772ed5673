//! Typed fields of foreign JSON. Values of another type are ignored.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::BadLine;
use crate::domain::Usd;

/// Parses a line that is one JSON value.
///
/// # Errors
/// [`BadLine::NotJson`], whose message never quotes the line.
pub(crate) fn parse<'line, T: Deserialize<'line>>(line: &'line [u8]) -> Result<T, BadLine> {
    serde_json::from_slice(line).map_err(|error| not_json(&error))
}

/// Describes a JSON error without quoting the line.
pub(super) fn not_json(error: &serde_json::Error) -> BadLine {
    BadLine::NotJson(match error.classify() {
        // Type errors quote the value, which may be a prompt.
        Category::Data => format!("a field is repeated or has the wrong type, column {}", error.column()),
        Category::Syntax | Category::Eof | Category::Io => error.to_string(),
    })
}

/// A string. Other types count as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'line>(pub(crate) Option<Cow<'line, str>>);

impl Text<'_> {
    /// The string, if present and not empty.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

/// An object. Other types count as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

/// A list. Other types count as empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

/// A name, or an object with more data. Other types are neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum NameOr<'line, T> {
    /// A string.
    Name(Cow<'line, str>),
    Object(T),
    /// Neither a name nor an object.
    #[default]
    Neither,
}

/// A dollar amount above zero. Zero next to tokens does not mean free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Money(pub(crate) Option<Usd>);

/// True for `true`, false for anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}
impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Conversion for each JSON type. The default ignores the value.
trait Kind<'de>: Sized {
    type Value: Default;
    fn borrowed(self, _: &'de str) -> Self::Value {
        Self::Value::default()
    }
    fn text(self, _: &str) -> Self::Value {
        Self::Value::default()
    }
    fn whole(self, _: u64) -> Self::Value {
        Self::Value::default()
    }
    fn float(self, _: f64) -> Self::Value {
        Self::Value::default()
    }
    fn truth(self, _: bool) -> Self::Value {
        Self::Value::default()
    }
    fn object<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
}

struct Any<K>(K);

impl<'de, K: Kind<'de>> Visitor<'de> for Any<K> {
    type Value = K::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(self.0.borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.text(text))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.0.whole(number))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(number).map_or_else(|_| K::Value::default(), |number| self.0.whole(number)))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.0.float(number))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(self.0.truth(truth))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(K::Value::default())
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(K::Value::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        self.0.object(entries)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        self.0.list(items)
    }
}

struct TextKind;
impl<'de> Kind<'de> for TextKind {
    type Value = Option<Cow<'de, str>>;
    fn borrowed(self, text: &'de str) -> Self::Value {
        Some(Cow::Borrowed(text))
    }
    fn text(self, text: &str) -> Self::Value {
        Some(Cow::Owned(text.to_owned()))
    }
}
impl<'de: 'line, 'line> Deserialize<'de> for Text<'line> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(TextKind)).map(Self)
    }
}

struct ObjectKind<T>(PhantomData<T>);
impl<'de, T: Deserialize<'de>> Kind<'de> for ObjectKind<T> {
    type Value = Option<T>;
    fn object<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(Some)
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(ObjectKind(PhantomData))).map(Self)
    }
}

struct NameOrKind<T>(PhantomData<T>);
impl<'de, T: Deserialize<'de>> Kind<'de> for NameOrKind<T> {
    type Value = NameOr<'de, T>;
    fn borrowed(self, text: &'de str) -> Self::Value {
        NameOr::Name(Cow::Borrowed(text))
    }
    fn text(self, text: &str) -> Self::Value {
        NameOr::Name(Cow::Owned(text.to_owned()))
    }
    fn object<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(NameOr::Object)
    }
}
impl<'de: 'line, 'line, T: Deserialize<'de>> Deserialize<'de> for NameOr<'line, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(NameOrKind(PhantomData)))
    }
}

struct ListKind<T>(PhantomData<T>);
impl<'de, T: Deserialize<'de>> Kind<'de> for ListKind<T> {
    type Value = Vec<T>;
    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(all)
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(ListKind(PhantomData))).map(Self)
    }
}

/// A float's shortest decimal, in millionths, if it has at most six decimals and fifteen digits.
///
/// No two decimals of fifteen digits are the same float, so if one of them gives this float, it is the shortest
/// decimal.
#[allow(clippy::cast_possible_truncation, reason = "within the bounds, where every whole number is exact")]
fn micro_of(number: f64) -> Option<i64> {
    const MOST: f64 = 1e15;
    let micro = (number * 1e6).round();
    (micro.abs() < MOST && (micro / 1e6).to_bits() == number.to_bits()).then_some(micro as i64)
}

struct MoneyKind;
impl<'de> Kind<'de> for MoneyKind {
    type Value = Option<Usd>;
    fn borrowed(self, text: &'de str) -> Self::Value {
        self.text(text)
    }
    fn text(self, text: &str) -> Self::Value {
        Usd::parse(text).ok().map(|(usd, _)| usd).filter(|usd| *usd > Usd::ZERO)
    }
    fn whole(self, dollars: u64) -> Self::Value {
        Some(Usd::ONE.times(dollars)).filter(|usd| *usd > Usd::ZERO)
    }
    fn float(self, number: f64) -> Self::Value {
        match micro_of(number) {
            Some(micro) => Some(Usd::from_micro(micro)).filter(|usd| *usd > Usd::ZERO),
            // The shortest decimal of a float is the number that the log contains.
            None => self.text(&number.to_string()),
        }
    }
}
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(MoneyKind)).map(Self)
    }
}

struct FlagKind;
impl Kind<'_> for FlagKind {
    type Value = bool;
    fn truth(self, truth: bool) -> bool {
        truth
    }
}
impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(FlagKind)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Row<'a> {
        #[serde(borrow)]
        name: Text<'a>,
        inner: Object<Inner>,
        list: List<Inner>,
        cost: Money,
        fast: Flag,
    }
    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Inner {
        n: super::super::count::Count,
    }

    #[test]
    fn b11_a_field_of_another_type_is_passed_over() {
        for odd in ["null", "true", "1", "-1", "1.5", "\"x\"", "[1,{\"n\":[2]}]", "{\"x\":{\"n\":1}}"] {
            for field in ["name", "inner", "cost", "fast"] {
                let line = format!("{{\"{field}\":{odd},\"after\":1}}");
                assert!(parse::<Row>(line.as_bytes()).is_ok(), "{line}");
            }
        }
        let row: Row = parse(br#"{"name":"a","inner":{"n":1},"list":[{"n":2}],"cost":0.1,"fast":true}"#).unwrap();
        assert_eq!(row.name.get(), Some("a"));
        assert_eq!((row.inner.0.is_some(), row.list.0.len(), row.fast.0), (true, 1, true));
        assert_eq!(row.cost.0, Some(Usd::from_micro(100_000)));
    }

    #[test]
    fn a_quoted_zero_is_not_free() {
        for cost in ["0", "0.0", "-1", "\"free\"", "null"] {
            assert_eq!(parse::<Money>(cost.as_bytes()), Ok(Money(None)), "{cost}");
        }
        assert_eq!(parse::<Money>(b"\"1e-7\""), Ok(Money(Some(Usd::from_pico(100_000)))));
    }

    #[test]
    fn b11_a_float_is_the_decimal_that_the_log_wrote() {
        let exact = |text: &str| Usd::parse(text).ok().map(|(usd, _)| usd).filter(|usd| *usd > Usd::ZERO);
        let short = ["0.1", "0.3", "12.5", "99.999999", "0.000001", "999999999.999999", "100.0", "-0.5", "0.0", "-0.0"];
        let long = ["0.0000001", "0.1234567", "1e-7", "1234567890.123457", "1e15", "0.30000000000000004", "1e300"];
        for text in short.iter().chain(&long) {
            assert_eq!(parse::<Money>(text.as_bytes()), Ok(Money(exact(text))), "{text}");
        }
        for text in ["0", "1", "-1", "25", "18446744073709551615"] {
            assert_eq!(parse::<Money>(text.as_bytes()), Ok(Money(exact(text))), "{text}");
        }
        for part in 0..100_000_u32 {
            let text = format!("{}.{:06}", part % 7, part * 9 + 1);
            assert_eq!(parse::<Money>(text.as_bytes()), Ok(Money(exact(&text))), "{text}");
        }
    }

    #[test]
    fn i7_an_error_never_repeats_the_line() {
        let error = parse::<u8>(b"\"secret prompt\"").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
