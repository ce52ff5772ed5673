//! A single value: text, number or boolean, whatever encoding it came in.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{
    BoolDeserializer, BorrowedStrDeserializer, Error, F64Deserializer, I64Deserializer, SeqDeserializer,
    U64Deserializer,
};
use serde::de::{Deserialize, Deserializer, IgnoredAny, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// Names that OTLP's JSON uses to tag a scalar with its type.
const TYPED: [&str; 8] =
    ["stringValue", "string_value", "intValue", "int_value", "doubleValue", "double_value", "boolValue", "bool_value"];
/// Names that it uses for values that are no scalars.
const ODD: [&str; 6] = ["arrayValue", "array_value", "kvlistValue", "kvlist_value", "bytesValue", "bytes_value"];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'v> {
    Text(Cow<'v, str>),
    Int(i64),
    /// Above `i64`.
    Huge(u64),
    Double(f64),
    Bool(bool),
    /// A list, a map or bytes: not a scalar, but not the same as no value where a count belongs.
    Odd,
}

impl<'v> Scalar<'v> {
    /// The scalar in a value, which may be wrapped in OTLP's typed value.
    pub(super) fn from_json(value: &'v Value) -> Option<Self> {
        match value {
            Value::Object(typed) if typed.len() == 1 => {
                let Some(value) = TYPED.iter().find_map(|kind| typed.get(*kind)) else {
                    let odd = ODD.iter().find_map(|kind| typed.get(*kind));
                    return odd.filter(|value| !value.is_null()).map(|_| Self::Odd);
                };
                if value.is_object() { None } else { Self::from_json(value) }
            }
            Value::Array(_) => Some(Self::Odd),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::String(text) => Some(Self::Text(Cow::Borrowed(text))),
            Value::Number(number) => (number.as_i64().map(Self::Int))
                .or_else(|| number.as_u64().map(Self::Huge))
                .or_else(|| number.as_f64().map(Self::Double)),
            Value::Null | Value::Object(_) => None,
        }
    }

    /// Deserialises the value as a type that reads any scalar.
    pub(super) fn read<'a, T: Deserialize<'a> + Default>(&'a self) -> T {
        let read = match self {
            Self::Text(text) => T::deserialize(BorrowedStrDeserializer::<Error>::new(text)),
            Self::Int(number) => match u64::try_from(*number) {
                Ok(number) => T::deserialize::<U64Deserializer<Error>>(number.into_deserializer()),
                Err(_) => T::deserialize::<I64Deserializer<Error>>(number.into_deserializer()),
            },
            Self::Huge(number) => T::deserialize::<U64Deserializer<Error>>(number.into_deserializer()),
            Self::Double(number) => T::deserialize::<F64Deserializer<Error>>(number.into_deserializer()),
            Self::Bool(truth) => T::deserialize::<BoolDeserializer<Error>>(truth.into_deserializer()),
            Self::Odd => T::deserialize(SeqDeserializer::<_, Error>::new(std::iter::empty::<u8>())),
        };
        read.unwrap_or_default()
    }

    /// The text, if it is a text.
    pub(super) fn into_text(self) -> Option<Cow<'v, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Int(_) | Self::Huge(_) | Self::Double(_) | Self::Bool(_) | Self::Odd => None,
        }
    }

    /// False for a list, a map, bytes, `NaN` and the infinities, which only matter where a count belongs.
    pub(super) fn is_usable(&self) -> bool {
        match self {
            Self::Odd => false,
            Self::Double(number) => number.is_finite(),
            Self::Text(_) | Self::Int(_) | Self::Huge(_) | Self::Bool(_) => true,
        }
    }

    /// Text that is not empty, or a number as text.
    pub(super) fn text(&self) -> Option<Cow<'v, str>> {
        match self {
            Self::Text(text) if text.is_empty() => None,
            Self::Text(text) => Some(text.clone()),
            Self::Int(number) => Some(number.to_string().into()),
            Self::Huge(number) => Some(number.to_string().into()),
            Self::Double(number) => Some(Number::from_f64(*number)?.to_string().into()),
            Self::Bool(_) | Self::Odd => None,
        }
    }

    /// The value in JSON notation.
    pub(super) fn json(&self) -> String {
        match self {
            Self::Text(text) => Value::from(&**text).to_string(),
            Self::Bool(truth) => truth.to_string(),
            Self::Odd => "[]".to_owned(),
            Self::Int(_) | Self::Huge(_) | Self::Double(_) => self.text().unwrap_or_default().into_owned(),
        }
    }
}

/// A scalar in JSON, by the rules of [`Scalar::from_json`]; `None` for everything else.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found<'v>(pub(super) Option<Scalar<'v>>);

impl<'de: 'v, 'v> Deserialize<'de> for Found<'v> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyScalar { is_typed: false }).map(Self)
    }
}

/// Whether the name of a member is one of [`TYPED`] or of [`ODD`]. Reads it without storing it.
enum Member {
    Typed,
    Odd,
    Other,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Member;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Member, E> {
                Ok(if TYPED.contains(&name) {
                    Member::Typed
                } else if ODD.contains(&name) {
                    Member::Odd
                } else {
                    Member::Other
                })
            }
        }
        from.deserialize_str(Name)
    }
}

/// Deserialises a scalar. A typed value does not contain another one.
struct AnyScalar {
    is_typed: bool,
}

impl<'de> serde::de::DeserializeSeed<'de> for AnyScalar {
    type Value = Option<Scalar<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Option<Scalar<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Text(Cow::Borrowed(text))))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Text(Cow::Owned(text.to_owned()))))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Int(number)))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(i64::try_from(number).map_or(Scalar::Huge(number), Scalar::Int)))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Double(number)))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Bool(truth)))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Scalar::Odd))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut members) = (None, 0);
        while let Some(member) = map.next_key()? {
            members += 1;
            match member {
                Member::Typed if !self.is_typed => found = map.next_value_seed(Self { is_typed: true })?,
                Member::Odd if !self.is_typed => {
                    found = map.next_value::<Option<IgnoredAny>>()?.map(|_| Scalar::Odd);
                }
                Member::Typed | Member::Odd | Member::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found.filter(|_| members == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_is_found_alike_in_text_and_in_a_value() {
        for text in [
            "5",
            "-5",
            "18446744073709551615",
            "2.5",
            "true",
            "null",
            "[]",
            "{}",
            r#""a\n""#,
            r#"{"stringValue":""}"#,
            r#"{"intValue":"7"}"#,
            r#"{"int_value":7}"#,
            r#"{"doubleValue":1e-9}"#,
            r#"{"boolValue":false}"#,
            r#"{"intValue":7,"more":1}"#,
            r#"{"arrayValue":{"values":[]}}"#,
            r#"{"arrayValue":null}"#,
            r#"{"array_value":{},"more":1}"#,
            r#"{"kvlistValue":{"values":[]}}"#,
            r#"{"bytes_value":"Nw=="}"#,
            r#"{"intValue":[7]}"#,
            r#"{"intValue":{"arrayValue":[7]}}"#,
            r#"{"intValue":{"intValue":7}}"#,
            r#"{"intValue":null}"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let Found(found) = serde_json::from_str(text).unwrap();
            assert_eq!(found, Scalar::from_json(&value), "{text}");
            if let Some(found) = found.filter(|_| !value.is_object()) {
                assert_eq!(found.json(), value.to_string());
            }
        }
    }
}
