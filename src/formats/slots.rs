//! The kinds of fields in foreign JSON. Each reads any JSON value and knows whether there was one.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::count::Count;
use super::json::{Flag, List, Money, NameOr, Object, Text};
use super::time::Stamp;

/// The value of a field. Absent and `null` are the same.
pub(super) trait Slot: Default {
    /// True when the field is absent.
    fn is_absent(&self) -> bool;

    /// This value, or the other one if this is absent.
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

/// Whether a field is present, whatever its value.
pub(super) type Seen = Option<IgnoredAny>;

/// A raw nested value, parsed on demand.
///
/// If objects that may contain their own kind were parsed eagerly, the recursion would be as deep as a malicious line
/// nests them and overflow the stack.
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

    /// The value parsed as an object; `None` for other types.
    pub(super) fn object<T: Deserialize<'a>>(self) -> Option<T> {
        let text = self.0?.get();
        text.starts_with('{').then(|| serde_json::from_slice(text.as_bytes()).ok()).flatten()
    }
}

/// A field name, borrowed from the line unless it contains escapes.
///
/// Read as bytes, which need no validation if they match a known name. Other names are [checked](FieldName::check).
pub(super) struct FieldName<'a>(Cow<'a, [u8]>);

impl FieldName<'_> {
    /// Rejects names with NUL or other invalid bytes, so that the line is repaired first.
    pub(super) fn check<E: serde::de::Error>(&self) -> Result<(), E> {
        let Cow::Borrowed(name) = self.0 else { return Ok(()) };
        // Nearly all names are short and plain ASCII, and testing all bytes is faster than stopping at the first bad
        // one.
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

/// A name, which may be written as a number: user 7, run 12.
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

/// Rounds off digits that come from dividing a float.
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
