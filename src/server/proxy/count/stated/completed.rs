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
        let unusual = seen.unusual_usage.as_ref().and_then(parsed);
        messages(&first, with_usage, unusual, about)
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

/// A message, or the events of one that begin with its first. The usage of an unusual event comes before that of the
/// deltas, which count where they state the same.
fn messages(
    first: &Value,
    with_usage: impl Iterator<Item = Value>,
    unusual: Option<Value>,
    about: &About,
) -> Vec<Value> {
    let start = |event: &Value| {
        let (inner, begun) = (named("message", &[event]), named("message", &[first]));
        json!({"type": "message_start", "message": message(&inner, &[&inner, &begun], about)})
    };
    let delta = |event: &Value| json!({"type": "message_delta", "delta": event["delta"], "usage": event["usage"]});
    let mut all = Vec::new();
    for document in with_usage {
        let is_start = document["message"].is_object();
        let is_event = document["type"].as_str().is_some_and(|kind| kind != "message");
        if is_start {
            all.push(start(&document));
        } else if is_event || document["delta"].is_object() {
            if all.is_empty() {
                all.push(start(first));
            }
            all.push(delta(&document));
        } else {
            all.push(message(&document, &[&document, first], about));
        }
    }
    if let Some(mut unusual) = unusual {
        if all.is_empty() {
            all.push(start(first));
        }
        let begin = all.iter().rposition(|event| event["message"].is_object()).map_or(0, |at| at + 1);
        let stated = begin.checked_sub(1).map_or(&Value::Null, |at| &all[at]["message"]["usage"]);
        if let Some(usage) = unusual["usage"].as_object_mut() {
            usage.retain(|name, count| {
                let known = &stated[name.as_str()];
                count.as_u64() > known.as_u64() || (count.is_object() && known.is_null())
            });
        }
        all.insert(begin, delta(&unusual));
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
