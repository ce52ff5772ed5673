//! JSON-RPC 2.0 messages: requests, and the response around a result.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Not JSON.
pub(super) const PARSE: i32 = -32700;
/// JSON, but not a request.
pub(super) const INVALID: i32 = -32600;
/// Unknown method.
pub(super) const NO_METHOD: i32 = -32601;
/// Invalid parameters.
pub(super) const PARAMS: i32 = -32602;

/// An error: a code and a message.
pub(super) type Refusal = (i32, String);

/// A message as it was received.
#[derive(Deserialize)]
struct Message {
    jsonrpc: Option<Value>,
    /// The text of the id, so that a number of any size is returned unchanged.
    #[serde(default, deserialize_with = "present")]
    id: Option<Box<RawValue>>,
    method: Option<Value>,
    params: Option<Value>,
    result: Option<serde::de::IgnoredAny>,
    error: Option<serde::de::IgnoredAny>,
}

/// A value that is present, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

/// A message that may need a response.
pub(super) enum Asked {
    /// A method call that must be answered under its id.
    Request { id: String, method: String, params: Option<Value> },
    /// A message that needs no response.
    Silent,
    /// Neither a request nor a notification.
    Invalid(String, &'static str),
}

impl Asked {
    /// Reads one message.
    pub(super) fn read(text: &str) -> Self {
        let none = || "null".to_owned();
        let Ok(message) = serde_json::from_str::<Message>(text) else {
            return Self::Invalid(none(), "not an object with each key once");
        };
        let id = match message.id.as_deref().map(RawValue::get) {
            None => None,
            Some(text) if text.starts_with(['"', '-']) || text.starts_with(|first: char| first.is_ascii_digit()) => {
                Some(ascii(text))
            }
            Some(_) => return Self::Invalid(none(), "an id is a text or a number"),
        };
        if message.jsonrpc.as_ref().and_then(Value::as_str) != Some("2.0") {
            return Self::Invalid(id.unwrap_or_else(none), "\"jsonrpc\" must be \"2.0\"");
        }
        match (message.method, id) {
            (Some(Value::String(method)), Some(id)) => Self::Request { id, method, params: message.params },
            (Some(Value::String(_)), None) => Self::Silent,
            // Nothing was requested from the client.
            (None, _) if message.result.is_some() || message.error.is_some() => Self::Silent,
            (_, id) => Self::Invalid(id.unwrap_or_else(none), "\"method\" must be a text"),
        }
    }
}

/// An id in ASCII, because software between the server and its client may change invisible characters.
fn ascii(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for letter in id.chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            out.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

/// The line with a response.
pub(super) fn answer(id: &str, outcome: Result<impl Serialize, Refusal>) -> String {
    let outcome = outcome.and_then(|result| {
        let result = serde_json::to_string(&result).map_err(|error| (PARSE, error.to_string()))?;
        Ok(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
    });
    outcome.unwrap_or_else(|(code, message)| {
        let message = serde_json::Value::from(crate::domain::Label::new(&message).as_str());
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#)
    })
}

/// The line with an error.
pub(super) fn refusal(id: &str, code: i32, message: &str) -> String {
    answer(id, Err::<(), _>((code, message.to_owned())))
}
