//! Attributes of a span, a log record or a resource, whatever their encoding.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::super::BadLine;
use super::super::count::Count;
use super::super::fields::Named;
use super::super::json::{Money, Text};
use super::super::usage::given;
use super::scalar::{Found, Scalar};
use crate::domain::Usd;

/// Part of the name of every attribute with a count (`…tokens`, `…Tokens`, `…token_count`).
pub(super) const COUNTED: &str = "oken";
/// Typical number of attributes in an agent's request.
const USUAL: usize = 32;

/// Named scalars. There are so few that a linear search is faster than a hash. If two have the same name, the first one
/// counts.
#[derive(Default)]
pub(super) struct Attributes<'v> {
    all: Vec<(Cow<'v, str>, Scalar<'v>)>,
    /// The [`trait_of`] every name combined. Most names that are looked up are not present, and this rules them out
    /// quickly.
    traits: u128,
}

/// A bit that names of different length or ending rarely share.
fn trait_of(name: &str) -> u128 {
    let bytes = name.as_bytes();
    let at = |from_end: usize| bytes.len().checked_sub(from_end).map_or(0, |at| usize::from(bytes[at]));
    1 << ((bytes.len() * 7 + at(1) * 5 + at(4) * 11) % 128)
}

impl<'v> Attributes<'v> {
    /// An empty set with room for the typical number of attributes.
    pub(super) fn with_room() -> Self {
        Self { all: Vec::with_capacity(USUAL), traits: 0 }
    }

    /// True when any of them may be a token count.
    pub(super) fn are_counted(&self) -> bool {
        self.all.iter().any(|(name, _)| name.contains(COUNTED))
    }

    /// Reads a map, OTLP's list of keys and typed values, or the JavaScript SDK's list of pairs.
    pub(super) fn from_json(value: Option<&'v Value>) -> Self {
        let mut all = Self::default();
        match value {
            Some(Value::Object(map)) => all.add_map("", map),
            Some(Value::Array(list)) => {
                for entry in list {
                    let pair = match entry.as_array().map(Vec::as_slice) {
                        Some([key, value]) => (Some(key), Some(value)),
                        Some(_) | None => (entry.get("key"), entry.get("value")),
                    };
                    if let (Some(Value::String(key)), Some(value)) = pair {
                        all.add(Cow::Borrowed(key), Scalar::from_json(value));
                    }
                }
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
        }
        all
    }

    /// Adds a line's top-level fields with dots in their names. These are attributes without a container.
    pub(super) fn add_dotted(&mut self, line: &'v serde_json::Map<String, Value>) {
        for (name, value) in line.iter().filter(|(name, _)| name.contains('.')) {
            self.add(Cow::Borrowed(name), Scalar::from_json(value));
        }
    }

    /// Flattens nested maps to dotted names: some exporters nest attributes that the conventions keep flat.
    fn add_map(&mut self, prefix: &str, map: &'v serde_json::Map<String, Value>) {
        for (name, value) in map {
            let name = if prefix.is_empty() { Cow::Borrowed(&**name) } else { format!("{prefix}.{name}").into() };
            match (Scalar::from_json(value), value) {
                (Some(scalar), _) => self.add(name, Some(scalar)),
                (None, Value::Object(inner)) => self.add_map(&name, inner),
                (None, _) => {}
            }
        }
    }

    /// Adds a scalar, if there is one. What is none counts as absent, except where a count belongs: there it is an
    /// error, and not a call that used nothing.
    pub(super) fn add(&mut self, name: Cow<'v, str>, value: Option<Scalar<'v>>) {
        if let Some(value) = value.filter(|value| value.is_usable() || name.contains(COUNTED)) {
            self.traits |= trait_of(&name);
            self.all.push((name, value));
        }
    }

    /// A hash that identifies these attributes, whatever their order.
    pub(super) fn fingerprint(&self) -> u64 {
        let is_first = |at: usize, name: &str| self.all.iter().position(|(other, _)| other == name) == Some(at);
        let firsts = self.all.iter().enumerate().filter(|(at, (name, _))| is_first(*at, name));
        let each = firsts.map(|(_, (name, value))| {
            xxhash_rust::xxh3::xxh3_64_with_seed(value.json().as_bytes(), xxhash_rust::xxh3::xxh3_64(name.as_bytes()))
        });
        each.fold(0, u64::wrapping_add)
    }

    /// True when any attribute's name has one of these prefixes.
    pub(super) fn any_begins(&self, prefixes: &[&str]) -> bool {
        self.all.iter().any(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    }

    fn get(&self, name: &str) -> Option<&Scalar<'v>> {
        if self.traits & trait_of(name) == 0 {
            return None;
        }
        self.all.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    fn find(&self, names: &[&'static str]) -> Option<(&'static str, &Scalar<'v>)> {
        names.iter().find_map(|name| self.get(name).map(|value| (*name, value)))
    }

    /// The first of these attributes that is set, as a count.
    ///
    /// # Errors
    /// [`BadLine`] when it is implausible.
    pub(super) fn count(&self, names: &[&'static str]) -> Result<Option<u64>, BadLine> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        given(&value.read::<Count>(), name)
    }

    /// The first of these attributes that is set, as text; numbers are converted.
    pub(super) fn text(&self, names: &[&'static str]) -> Option<Cow<'v, str>> {
        names.iter().find_map(|name| self.get(name)?.text())
    }

    /// The first of these attributes that is set, as dollars above zero.
    pub(super) fn usd(&self, names: &[&'static str]) -> Option<Usd> {
        let (_, value) = self.find(names)?;
        value.read::<Money>().0
    }

    /// The first of these attributes that is set, as a duration in milliseconds.
    pub(super) fn milliseconds(&self, names: &[&'static str]) -> Option<std::time::Duration> {
        let (_, value) = self.find(names)?;
        value.read::<Named<'_>>().milliseconds()
    }

    /// True when the attribute is present and true.
    pub(super) fn is_true(&self, name: &'static str) -> bool {
        self.find(&[name])
            .is_some_and(|(_, value)| *value == Scalar::Bool(true) || *value == Scalar::Text("true".into()))
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.all.iter().map(|(name, value)| (name, value))).finish()
    }
}

/// OTLP's list of keys and typed values; any other form is an error.
impl<'de: 'v, 'v> Deserialize<'de> for Attributes<'v> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(List)
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Attributes<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of keys and values")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Attributes::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Attributes::with_room();
        while let Some(Pair { key: Text(key), value: Found(value) }) = list.next_element()? {
            if let Some(key) = key {
                all.add(key, value);
            }
        }
        Ok(all)
    }
}

#[derive(serde::Deserialize)]
struct Pair<'b> {
    #[serde(borrow, default)]
    key: Text<'b>,
    #[serde(borrow, default)]
    value: Found<'b>,
}
