//! Tolerant JSON: reads known fields of any type and skips the rest.
//!
//! Derived structs reject the first surprise, such as a repeated field or a number in place of a name. Foreign logs are
//! full of them, so that structs made by [`fields!`] never fail on valid JSON; errors are reported when a value is
//! used.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::count::Count;
use super::json::{Flag, List, Money, NameOr, Object, Text};
use super::time::Stamp;

/// A field's value. Absent and `null` are the same.
pub(super) trait Slot: Default {
    /// True when the field is absent.
    fn is_absent(&self) -> bool;

    /// This value, or the other if this is absent.
    fn or<'s>(&'s self, other: &'s Self) -> &'s Self {
        if self.is_absent() { other } else { self }
    }
}

impl Slot for Count {
    fn is_absent(&self) -> bool {
        !self.is_given()
    }
}
impl Slot for Stamp {
    fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}
impl Slot for Text<'_> {
    fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}
impl Slot for Money {
    fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}
impl Slot for Flag {
    fn is_absent(&self) -> bool {
        !self.0
    }
}
impl<T> Slot for NameOr<'_, T> {
    fn is_absent(&self) -> bool {
        matches!(self, NameOr::Neither)
    }
}
impl<T> Slot for Object<T> {
    fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}
impl<T> Slot for List<T> {
    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
}
impl<T> Slot for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// Presence of a field, whatever its value.
pub(super) type Seen = Option<IgnoredAny>;

/// Defines a struct that reads the named fields of an object and skips the rest.
///
/// The first name is canonical and wins over the others, wherever it appears. Of two values under one name the last
/// counts (FAULTS B13), and `null` never replaces a value. Anything but an object reads as a struct that
/// [`is_absent`](Slot::is_absent).
macro_rules! fields {
    ($(#[$meta:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty = $first:literal $(| $other:literal)*,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> {
            $($(#[$about])* pub(super) $field: $kind,)+
            is_object: bool,
            lifetime: std::marker::PhantomData<&'a ()>,
        }

        impl $crate::formats::fields::Slot for $name<'_> {
            fn is_absent(&self) -> bool {
                !self.is_object
            }
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let mut read = Self::default();
                Self::deserialize_in_place(from, &mut read)?;
                Ok(read)
            }

            fn deserialize_in_place<D: serde::Deserializer<'de>>(from: D, into: &mut Self) -> Result<(), D::Error> {
                struct Fields<'s, 'a>(&'s mut $name<'a>);
                impl<'de: 'a, 'a> serde::de::Visitor<'de> for Fields<'_, 'a> {
                    type Value = ();
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
                        use $crate::formats::fields::{InPlace, Slot};
                        let Self(read) = self;
                        read.is_object = true;
                        while let Some(key) = map.next_key::<$crate::formats::fields::FieldName<'de>>()? {
                            let name = key.as_ref();
                            $(if name == $first.as_bytes() $(|| name == $other.as_bytes())* {
                                if read.$field.is_absent() {
                                    map.next_value_seed(InPlace(&mut read.$field))?;
                                } else {
                                    $crate::formats::fields::again(&mut map, &mut read.$field, name == $first.as_bytes())?;
                                }
                                continue;
                            })+
                            key.check()?;
                            map.next_value::<serde::de::IgnoredAny>()?;
                        }
                        Ok(())
                    }
                    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        out.write_str("any value")
                    }
                    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
                        Ok(())
                    }
                    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
                        Ok(())
                    }
                    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
                        Ok(())
                    }
                    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
                        Ok(())
                    }
                    fn visit_str<E>(self, _: &str) -> Result<(), E> {
                        Ok(())
                    }
                    fn visit_unit<E>(self) -> Result<(), E> {
                        Ok(())
                    }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
                        while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                        Ok(())
                    }
                }
                if into.is_object {
                    *into = Self::default();
                }
                from.deserialize_any(Fields(into))
            }
        }
    };
}
pub(super) use fields;

/// Reads a field that has a value, which another under the first name replaces.
///
/// Not a part of each struct's loop: the program has hundreds of fields, and hardly a log repeats one.
#[cold]
#[inline(never)]
pub(super) fn again<'de, A: MapAccess<'de>, T: Slot + Deserialize<'de>>(
    map: &mut A,
    field: &mut T,
    is_first: bool,
) -> Result<(), A::Error> {
    let value = map.next_value::<T>()?;
    if is_first && !value.is_absent() {
        *field = value;
    }
    Ok(())
}

/// Deserialises into place: large structs are not moved.
pub(super) struct InPlace<'s, T>(pub(super) &'s mut T);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for InPlace<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        T::deserialize_in_place(from, self.0)
    }
}

/// A raw nested value, parsed on demand.
///
/// Parsing objects that may contain their own kind eagerly would recurse as deep as a hostile line nests them, and
/// overflow the stack.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Within<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl Slot for Within<'_> {
    fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}

impl<'a> Within<'a> {
    /// The raw value.
    pub(super) fn written(self) -> Option<&'a str> {
        self.0.map(RawValue::get)
    }

    /// The value parsed as object; `None` for other types.
    pub(super) fn object<T: Deserialize<'a>>(self) -> Option<T> {
        let text = self.0?.get();
        text.starts_with('{').then(|| serde_json::from_slice(text.as_bytes()).ok()).flatten()
    }
}

/// A field name, borrowed from the line unless it contains escapes.
///
/// Read as bytes, which need no validation if they match a known name; others are [checked](FieldName::check).
pub(super) struct FieldName<'a>(Cow<'a, [u8]>);

impl FieldName<'_> {
    /// Rejects names with NUL or other invalid bytes, so that the line is repaired first.
    pub(super) fn check<E: serde::de::Error>(&self) -> Result<(), E> {
        let Cow::Borrowed(name) = self.0 else { return Ok(()) };
        // Nearly all are short and plain ASCII: testing all bytes is faster than stopping at the first.
        let is_plain = name.iter().fold(true, |plain, byte| plain & (b' '..0x80).contains(byte));
        let is_sound = || !name.iter().any(|byte| *byte < b' ') && std::str::from_utf8(name).is_ok();
        if is_plain || is_sound() { Ok(()) } else { Err(unsound()) }
    }
}

impl AsRef<[u8]> for FieldName<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FieldName<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = FieldName<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }
            fn visit_borrowed_bytes<E>(self, name: &'de [u8]) -> Result<Self::Value, E> {
                Ok(FieldName(Cow::Borrowed(name)))
            }
            fn visit_bytes<E: serde::de::Error>(self, name: &[u8]) -> Result<Self::Value, E> {
                if std::str::from_utf8(name).is_err() {
                    return Err(unsound());
                }
                Ok(FieldName(Cow::Owned(name.to_owned())))
            }
        }
        from.deserialize_bytes(Names)
    }
}

fn unsound<E: serde::de::Error>() -> E {
    E::custom("a name holds bytes that no name may hold")
}

/// A name, possibly written as number: user 7, run 12.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named<'a>(Option<Cow<'a, str>>);

impl Slot for Named<'_> {
    fn is_absent(&self) -> bool {
        self.get().is_none()
    }
}

impl Named<'_> {
    /// The name, if present and not empty.
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|name| !name.is_empty())
    }

    /// The value as a duration in milliseconds; `None` if invalid.
    pub(super) fn milliseconds(&self) -> Option<Duration> {
        let milliseconds: f64 = self.get()?.trim().parse().ok()?;
        Duration::try_from_secs_f64(milliseconds / 1000.0).ok().map(to_the_microsecond)
    }
}

/// Rounds away digits that come from dividing a float.
fn to_the_microsecond(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from((time.as_nanos() + 500) / 1000).unwrap_or(u64::MAX))
}

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AnyName;
        impl<'de> Visitor<'de> for AnyName {
            type Value = Option<Cow<'de, str>>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("any value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Some(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(number.to_string())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(number.to_string())))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(number.to_string())))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(None)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(None)
            }
        }
        from.deserialize_any(AnyName).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fields! {
        /// Two fields, one of them with two names.
        Pair {
            name: Named<'a> = "name" | "label",
            count: Count = "count",
        }
    }

    fn read(json: &str) -> (Option<String>, u64) {
        let pair: Pair<'_> = serde_json::from_str(json).unwrap();
        (pair.name.get().map(str::to_owned), pair.count.tokens("count").unwrap())
    }

    #[test]
    fn the_canonical_name_wins_wherever_it_stands() {
        for json in [r#"{"name":"a","label":"b"}"#, r#"{"label":"b","name":"a"}"#, r#"{"name":null,"label":"a"}"#] {
            assert_eq!(read(json).0.as_deref(), Some("a"), "{json}");
        }
    }

    #[test]
    fn b13_of_two_values_under_one_name_the_last_stands() {
        assert_eq!(read(r#"{"count":1,"count":2}"#).1, 2);
        assert_eq!(read(r#"{"count":1,"count":null}"#).1, 1, "null says nothing");
    }

    #[test]
    fn b11_values_of_any_shape_are_read_without_complaint() {
        for json in ["[1,{}]", "7", "\"text\"", "null", "true", "-1.5", r#"{"name":{"a":[1]},"count":3,"x":[[]]}"#] {
            read(json);
        }
        assert_eq!(read(r#"{"name":7}"#).0.as_deref(), Some("7"));
        assert_eq!(read(r#"{"na\u006de":"\u0041"}"#).0.as_deref(), Some("A"), "escapes in names and texts");
    }

    #[test]
    fn milliseconds_may_have_a_fraction() {
        let time = |json: &str| serde_json::from_str::<Named<'_>>(json).unwrap().milliseconds();
        assert_eq!(time("1250"), Some(Duration::from_millis(1250)));
        assert_eq!(time("\"0.1\""), Some(Duration::from_micros(100)));
        assert_eq!((time("-1"), time("\"soon\""), time("1e300")), (None, None, None));
    }
}
