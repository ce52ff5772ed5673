//! Completes the documents of a response by what the proxy knows: its API, and the names in its first event.

use serde_json::{Map, Value, json};

use crate::server::proxy::admission::Protocol;
use crate::server::proxy::count::About;
use crate::server::proxy::response_reader::Seen;

/// Names in a response of `OpenAI`'s APIs that counting needs.
const NEEDED: [&str; 5] = ["usage", "x_groq", "service_tier", "output", "tool_usage"];

/// The documents with usage, as the log formats recognise them.
pub(super) fn documents(seen: &Seen, about: &About) -> Vec<Vec<u8>> {
    let parsed = |document: &Vec<u8>| serde_json::from_slice::<Value>(document).ok();
    let first = seen.first.as_ref().and_then(parsed).unwrap_or_default();
    let with_usage = seen.usage.iter().filter_map(parsed);
    let all: Vec<Value> = if about.protocol == Protocol::Messages {
        messages(&first, with_usage, about)
    } else {
        with_usage.map(|document| answer(&document, &first, about)).collect()
    };
    all.iter().map(|document| document.to_string().into_bytes()).collect()
}

/// The value of the first of these documents that names it.
fn named(name: &str, documents: &[&Value]) -> Value {
    let values = documents.iter().filter_map(|document| document.get(name));
    values.into_iter().find(|value| !value.is_null()).cloned().unwrap_or_default()
}

/// The model that the documents name, or else the one that was asked for.
fn model(documents: &[&Value], about: &About) -> Value {
    let asked = || about.facts.model.clone().map_or(Value::Null, Value::String);
    let model = named("model", documents);
    if model.as_str().is_none_or(str::is_empty) { asked() } else { model }
}

/// A response of one of `OpenAI`'s APIs.
fn answer(document: &Value, first: &Value, about: &About) -> Value {
    let within = |document: &'_ Value| document.get("response").filter(|within| within.is_object()).cloned();
    let (inner, begun) = (within(document).unwrap_or_default(), within(first).unwrap_or_default());
    let from = [&inner, document, &begun, first];
    let mut whole: Map<String, Value> =
        NEEDED.iter().map(|name| ((*name).to_owned(), named(name, &from[..2]))).collect();
    for name in ["id", "created", "created_at"] {
        whole.insert(name.to_owned(), named(name, &from));
    }
    whole.insert("model".to_owned(), model(&from, about));
    let object = match about.protocol {
        Protocol::Embeddings => "list",
        Protocol::Responses => "response",
        Protocol::Chat | Protocol::Messages => "chat.completion",
    };
    whole.insert("object".to_owned(), object.into());
    whole.insert("data".to_owned(), json!([]));
    Value::Object(whole)
}

/// A message, or the events of one that begin with its first.
fn messages(first: &Value, with_usage: impl Iterator<Item = Value>, about: &About) -> Vec<Value> {
    let start = |event: &Value| {
        let (inner, begun) = (named("message", &[event]), named("message", &[first]));
        json!({"type": "message_start", "message": message(&inner, &[&inner, &begun], about)})
    };
    let mut all = Vec::new();
    for document in with_usage {
        let is_start = document["message"].is_object();
        if is_start || !document["delta"].is_object() {
            all.push(if is_start { start(&document) } else { message(&document, &[&document, first], about) });
            continue;
        }
        if all.is_empty() {
            all.push(start(first));
        }
        all.push(json!({"type": "message_delta", "delta": document["delta"], "usage": document["usage"]}));
    }
    all
}

/// A message with this usage. It is named by the first of these that has a name.
fn message(message: &Value, names: &[&Value], about: &About) -> Value {
    let usage = named("usage", &[message]);
    json!({
        "type": "message", "role": "assistant", "id": named("id", names), "model": model(names, about),
        "stop_reason": message["stop_reason"], "usage": if usage.is_object() { usage } else { json!({}) },
    })
}
