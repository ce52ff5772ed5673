//! Attributes of a span, a log record or a resource, in any encoding.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::Value;

use super::super::BadLine;
use super::super::count::Count;
use super::super::fields::Named;
use super::super::json::Money;
use super::super::usage::given;
use crate::domain::Usd;

/// Named scalars.
#[derive(Debug, Default)]
pub(super) struct Attributes<'v>(FxHashMap<Cow<'v, str>, &'v Value>);

impl<'v> Attributes<'v> {
    /// Reads a map, or OTLP's list of keys and typed values.
    pub(super) fn from_json(value: Option<&'v Value>) -> Self {
        let mut all = Self::default();
        match value {
            Some(Value::Object(map)) => all.add_map("", map),
            Some(Value::Array(list)) => {
                for entry in list {
                    if let (Some(Value::String(key)), Some(value)) = (entry.get("key"), entry.get("value")) {
                        all.add(Cow::Borrowed(key), scalar(value));
                    }
                }
            }
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
        }
        all
    }

    /// Adds a line's top-level fields with dots in their names, which are attributes without a container.
    pub(super) fn add_dotted(&mut self, line: &'v serde_json::Map<String, Value>) {
        for (name, value) in line.iter().filter(|(name, _)| name.contains('.')) {
            self.add(Cow::Borrowed(name), scalar(value));
        }
    }

    /// Flattens nested maps to dotted names: some exporters nest attributes that the conventions keep flat.
    fn add_map(&mut self, prefix: &str, map: &'v serde_json::Map<String, Value>) {
        for (name, value) in map {
            let name = if prefix.is_empty() { Cow::Borrowed(&**name) } else { format!("{prefix}.{name}").into() };
            match (scalar(value), value) {
                (Some(scalar), _) => self.add(name, Some(scalar)),
                (None, Value::Object(inner)) => self.add_map(&name, inner),
                (None, _) => {}
            }
        }
    }

    fn add(&mut self, name: Cow<'v, str>, value: Option<&'v Value>) {
        if let Some(value) = value {
            self.0.entry(name).or_insert(value);
        }
    }

    /// A number that tells these attributes from others, whatever their order.
    pub(super) fn fingerprint(&self) -> u64 {
        let each = self.0.iter().map(|(name, value)| {
            xxhash_rust::xxh3::xxh3_64_with_seed(
                value.to_string().as_bytes(),
                xxhash_rust::xxh3::xxh3_64(name.as_bytes()),
            )
        });
        each.fold(0, u64::wrapping_add)
    }

    /// True when any attribute's name has one of these prefixes.
    pub(super) fn any_begins(&self, prefixes: &[&str]) -> bool {
        self.0.keys().any(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    }

    fn find(&self, names: &[&'static str]) -> Option<(&'static str, &'v Value)> {
        names.iter().find_map(|name| self.0.get(*name).map(|value| (*name, *value)))
    }

    /// The first of these attributes that is set, as a count.
    ///
    /// # Errors
    /// [`BadLine`] when it is implausible.
    pub(super) fn count(&self, names: &[&'static str]) -> Result<Option<u64>, BadLine> {
        let Some((name, value)) = self.find(names) else { return Ok(None) };
        given(&Count::deserialize(value).unwrap_or_default(), name)
    }

    /// The first of these attributes that is set, as text; numbers are converted.
    pub(super) fn text(&self, names: &[&'static str]) -> Option<Cow<'v, str>> {
        names.iter().find_map(|name| match *self.0.get(*name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(Cow::Borrowed(&**text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// The first of these attributes that is set, as dollars above zero.
    pub(super) fn usd(&self, names: &[&'static str]) -> Option<Usd> {
        let (_, value) = self.find(names)?;
        Money::deserialize(value).unwrap_or_default().0
    }

    /// The first of these attributes that is set, as a duration in milliseconds.
    pub(super) fn milliseconds(&self, names: &[&'static str]) -> Option<std::time::Duration> {
        let (_, value) = self.find(names)?;
        Named::deserialize(value).unwrap_or_default().milliseconds()
    }

    /// True when the attribute is present and true.
    pub(super) fn is_true(&self, name: &'static str) -> bool {
        self.find(&[name]).is_some_and(|(_, value)| *value == Value::Bool(true) || *value == "true")
    }
}

/// The scalar in a value, possibly inside OTLP's typed value.
pub(super) fn scalar(value: &Value) -> Option<&Value> {
    const TYPED: [&str; 8] = [
        "stringValue",
        "string_value",
        "intValue",
        "int_value",
        "doubleValue",
        "double_value",
        "boolValue",
        "bool_value",
    ];
    match value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value),
        Value::Object(typed) if typed.len() == 1 => {
            TYPED.iter().find_map(|kind| typed.get(*kind)).filter(|value| !value.is_object() && !value.is_array())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
