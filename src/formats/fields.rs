//! Tolerant JSON: reads known fields of any type and skips the rest.
//!
//! Derived structs reject the first surprise, such as a repeated field or a number instead of a name. Foreign logs are
//! full of those, so structs made by [`fields!`] never fail on valid JSON. Errors are reported when a value is used.
//!
//! The program has hundreds of such structs. One function reads all of them, asking the struct where the value for a
//! name belongs. A separate deserialiser for each would make up a tenth of the program and of its build time.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::BadLine;
use super::count::Count;
use super::json::{Flag, List, Money, NameOr, Object, Text, not_json};
pub(super) use super::slots::{FieldName, Named, Seen, Slot, Within};
use super::time::Stamp;

/// A struct made by [`fields!`], as the deserialiser sees it.
pub(super) trait Fields<'de> {
    /// Begins an object, which replaces the values of an earlier one.
    fn begin(&mut self);

    /// Where the value for this name belongs; `None` for an unknown name.
    fn named(&mut self, name: &[u8]) -> Option<Field<'_, 'de>>;
}

/// A slot that [`fields!`] can read.
pub(super) trait Cell<'de>: Slot {
    /// The slot to read into.
    fn field(&mut self) -> Field<'_, 'de>;

    /// Like [`Cell::field`], but keeps a value that is already there.
    fn field_if_absent(&mut self) -> Field<'_, 'de> {
        if self.is_absent() { self.field() } else { Field::Passed }
    }
}

/// A slot to read into. An absent value leaves it unchanged.
pub(super) enum Field<'s, 'de> {
    /// Not read.
    Passed,
    Text(&'s mut Text<'de>),
    Count(&'s mut Count),
    Stamp(&'s mut Stamp),
    Named(&'s mut Named<'de>),
    Money(&'s mut Money),
    Flag(&'s mut Flag),
    Seen(&'s mut Seen),
    IsObject(&'s mut Object<IgnoredAny>),
    Within(&'s mut Within<'de>),
    Shape(Shape<'s, 'de>),
}

/// A slot for a list or an object.
pub(super) enum Shape<'s, 'de> {
    Object(&'s mut dyn Fields<'de>),
    List(&'s mut dyn Items<'de>),
    NameOr(&'s mut dyn NameOrFields<'de>),
}

/// A list that is read item by item.
pub(super) trait Items<'de> {
    /// Removes all items.
    fn clear(&mut self);
    /// Adds an item and returns its slot.
    fn push(&mut self) -> Field<'_, 'de>;
}

/// A name, or an object with more data.
pub(super) trait NameOrFields<'de> {
    /// Sets the name.
    fn name(&mut self, name: Cow<'de, str>);
    /// Turns it into an object and returns it.
    fn object(&mut self) -> Option<&mut dyn Fields<'de>>;
}

impl<'de, T: Cell<'de>> Items<'de> for List<T> {
    fn clear(&mut self) {
        self.0.clear();
    }
    fn push(&mut self) -> Field<'_, 'de> {
        let place = self.0.len();
        self.0.push(T::default());
        self.0[place].field()
    }
}
impl<'de, T: Fields<'de> + Default> NameOrFields<'de> for NameOr<'de, T> {
    fn name(&mut self, name: Cow<'de, str>) {
        *self = NameOr::Name(name);
    }
    fn object(&mut self) -> Option<&mut dyn Fields<'de>> {
        *self = NameOr::Object(T::default());
        match self {
            NameOr::Object(object) => Some(object),
            NameOr::Name(_) | NameOr::Neither => None,
        }
    }
}

/// Declares the kind of field that a type is read as.
macro_rules! cells {
    ($($field:ident: $kind:ty,)+) => {
        $(impl<'de> Cell<'de> for $kind {
            fn field(&mut self) -> Field<'_, 'de> {
                Field::$field(self)
            }
        })+
    };
}
cells! {
    Text: Text<'de>,
    Count: Count,
    Stamp: Stamp,
    Named: Named<'de>,
    Money: Money,
    Flag: Flag,
    Seen: Seen,
    IsObject: Object<IgnoredAny>,
    Within: Within<'de>,
}
impl<'de, T: Cell<'de>> Cell<'de> for List<T> {
    fn field(&mut self) -> Field<'_, 'de> {
        Field::Shape(Shape::List(self))
    }
}
impl<'de, T: Fields<'de> + Default> Cell<'de> for NameOr<'de, T> {
    fn field(&mut self) -> Field<'_, 'de> {
        Field::Shape(Shape::NameOr(self))
    }
}

/// Defines a struct that reads the named fields of an object and skips the rest.
///
/// The first name is canonical and takes precedence over the others, wherever it appears. If one name has two values,
/// the last one counts (FAULTS B13), and `null` never replaces a value. Anything other than an object reads as a struct
/// that [`is_absent`](Slot::is_absent).
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

        impl<'a> $crate::formats::fields::Fields<'a> for $name<'a> {
            fn begin(&mut self) {
                if self.is_object {
                    *self = Self::default();
                }
                self.is_object = true;
            }

            fn named(&mut self, name: &[u8]) -> Option<$crate::formats::fields::Field<'_, 'a>> {
                use $crate::formats::fields::Cell;
                $(if name == $first.as_bytes() {
                    return Some(self.$field.field());
                }
                $(if name == $other.as_bytes() {
                    return Some(self.$field.field_if_absent());
                })*)+
                None
            }
        }

        impl<'a> $crate::formats::fields::Cell<'a> for $name<'a> {
            fn field(&mut self) -> $crate::formats::fields::Field<'_, 'a> {
                $crate::formats::fields::Field::Shape($crate::formats::fields::Shape::Object(self))
            }
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let mut read = $name::<'de>::default();
                $crate::formats::fields::read(from, &mut read)?;
                Ok(read)
            }
        }
    };
}
pub(super) use fields;

/// Reads an object into a struct. Any other value leaves it unchanged.
///
/// # Errors
/// For invalid JSON. The content of the struct is then unspecified.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D, into: &mut dyn Fields<'de>) -> Result<(), D::Error> {
    from.deserialize_any(Shape::Object(into))
}

/// Like [`json::parse`](super::json::parse), but into an existing value, so that large values are not moved.
///
/// # Errors
/// For invalid JSON. The value is then unspecified.
pub(super) fn parse_into<'line>(line: &'line [u8], into: &mut dyn Fields<'line>) -> Result<(), BadLine> {
    let mut json = serde_json::Deserializer::from_slice(line);
    read(&mut json, into).and_then(|()| json.end()).map_err(|error| not_json(&error))
}

impl<'de> DeserializeSeed<'de> for Field<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match self {
            Self::Passed => IgnoredAny::deserialize(from).map(drop),
            Self::Text(slot) => set(slot, from),
            Self::Count(slot) => set(slot, from),
            Self::Stamp(slot) => set(slot, from),
            Self::Named(slot) => set(slot, from),
            Self::Money(slot) => set(slot, from),
            Self::Flag(slot) => set(slot, from),
            Self::Seen(slot) => set(slot, from),
            Self::IsObject(slot) => set(slot, from),
            Self::Within(slot) => set(slot, from),
            Self::Shape(shape) => from.deserialize_any(shape),
        }
    }
}

/// Reads a value, which replaces the current one unless it is absent.
fn set<'de, D: Deserializer<'de>, T: Slot + Deserialize<'de>>(slot: &mut T, from: D) -> Result<(), D::Error> {
    let value = T::deserialize(from)?;
    if !value.is_absent() {
        *slot = value;
    }
    Ok(())
}

/// An item for a list. The first item replaces those of an earlier list.
struct Item<'s, 'de> {
    list: &'s mut dyn Items<'de>,
    is_first: bool,
}

impl<'de> DeserializeSeed<'de> for Item<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        if self.is_first {
            self.list.clear();
        }
        self.list.push().deserialize(from)
    }
}

impl<'de> Visitor<'de> for Shape<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = match self {
            Self::Object(fields) => Some(fields),
            Self::NameOr(either) => either.object(),
            Self::List(_) => None,
        };
        let Some(fields) = fields else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        fields.begin();
        while let Some(name) = map.next_key::<FieldName<'de>>()? {
            if let Some(field) = fields.named(name.as_ref()) {
                map.next_value_seed(field)?;
            } else {
                name.check()?;
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self::List(list) = self else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let mut is_first = true;
        while items.next_element_seed(Item { list: &mut *list, is_first })?.is_some() {
            is_first = false;
        }
        Ok(())
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        if let Self::NameOr(either) = self {
            either.name(Cow::Borrowed(text));
        }
        Ok(())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if let Self::NameOr(either) = self {
            either.name(Cow::Owned(text.to_owned()));
        }
        Ok(())
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
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
