//! Finds the id of a response in a document, without building the rest of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The values of a document that may be or contain the response's id. Of several with one key, the last.
#[derive(Debug, Default)]
pub(super) struct Ids {
    id: Value,
    response: Value,
    message: Value,
}

/// A key of a document.
#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Id,
    Response,
    Message,
    #[serde(other)]
    Other,
}

impl Ids {
    /// The id of the response.
    pub(super) fn id(self) -> Option<String> {
        let within =
            [self.response, self.message].into_iter().filter_map(|mut within| within.get_mut("id").map(Value::take));
        let mut ids = within.chain([self.id]);
        ids.find_map(|id| if let Value::String(id) = id { Some(id).filter(|id| !id.is_empty()) } else { None })
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Collect)
    }
}

/// Collects the values.
struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Ids;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Ids, A::Error> {
        let mut found = Ids::default();
        while let Some(key) = members.next_key()? {
            match key {
                Key::Id => found.id = members.next_value()?,
                Key::Response => found.response = members.next_value()?,
                Key::Message => found.message = members.next_value()?,
                Key::Other => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_within_the_response_or_message_comes_before_the_events_own() {
        let id = |text: &str| serde_json::from_str::<Ids>(text).ok().and_then(Ids::id);
        assert_eq!(id(r#"{"id":"e","response":{"id":"r"},"choices":[{"id":"x"}]}"#).as_deref(), Some("r"));
        assert_eq!(id(r#"{"message":{"id":"m"},"id":"e"}"#).as_deref(), Some("m"));
        assert_eq!(id(r#"{"id":"first","message":{"id":""},"response":7,"i\u0064":"last"}"#).as_deref(), Some("last"));
        assert_eq!((id(r#"{"id":7,"message":["id"]}"#), id("[]"), id("7")), (None, None, None));
    }
}
