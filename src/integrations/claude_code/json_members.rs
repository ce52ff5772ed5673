//! JSON objects that keep the order of members, and the white space of unchanged parts, because the settings belong to
//! the user.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Members of an object, as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(pub(crate) Vec<(String, String)>);

impl Members {
    /// Parses an object.
    ///
    /// # Errors
    /// When the text is not a JSON object; names the position.
    pub(crate) fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Raw text of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Replaces a member in place, or appends it.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, there)) => *there = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Removes a member.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| key != name);
    }

    /// Formats the object with one member per line, indented by `depth` levels.
    pub(crate) fn write(&self, depth: usize) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
        let members: Vec<String> = self
            .0
            .iter()
            .map(|(key, value)| format!("{inner}{}: {value}", serde_json::Value::String(key.clone())))
            .collect();
        format!("{{\n{}\n{outer}}}", members.join(",\n"))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((key, value.get().to_owned()));
                }
                Ok(Members(members))
            }
        }
        reader.deserialize_map(Object)
    }
}
