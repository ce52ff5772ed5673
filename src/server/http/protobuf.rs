//! Converts OTLP exports in protobuf to the same JSON as in the other encoding, so that a single reader handles both.

mod metrics;

use prost::bytes::Bytes;
use prost::{DecodeError, Message};
use serde_json::{Map, Value, json};

use crate::domain::hex;
use crate::otlp::{Export, Group, KeyValue, Scalar, Scope, ScopeMetrics, text};

/// Kind of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signals {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Sums and histograms.
    Metrics,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(bytes = "bytes", tag = "5")]
    name: Bytes,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

/// The JSON form of an export of spans.
///
/// # Errors
/// When the bytes are not such a message.
pub(super) fn spans(bytes: Bytes) -> Result<Value, DecodeError> {
    to_json(bytes, ["resourceSpans", "scopeSpans"], |scope| {
        let ScopeSpans { scope, spans } = ScopeSpans::decode(scope)?;
        let spans: Vec<Value> = spans.into_iter().map(span).collect();
        let scope = json!({"name": text(&scope.unwrap_or_default().name)});
        Ok(object([("scope", scope), ("spans", Value::Array(spans))]))
    })
}

/// The JSON form of an export of metrics.
///
/// # Errors
/// When the bytes are not such a message.
pub(super) fn metrics(bytes: Bytes) -> Result<Value, DecodeError> {
    to_json(bytes, ["resourceMetrics", "scopeMetrics"], |scope| {
        let ScopeMetrics { metrics, .. } = ScopeMetrics::decode(scope)?;
        let metrics: Vec<Value> = metrics.into_iter().map(metrics::to_json).collect();
        Ok(object([("metrics", Value::Array(metrics))]))
    })
}

fn to_json(
    bytes: Bytes,
    [outer, inner]: [&str; 2],
    scope: impl Fn(Bytes) -> Result<Value, DecodeError>,
) -> Result<Value, DecodeError> {
    let group = |group: Group| -> Result<Value, DecodeError> {
        let scopes: Vec<Value> = group.scopes.into_iter().map(&scope).collect::<Result<_, _>>()?;
        let resource = object([("attributes", attributes(group.resource.unwrap_or_default().attributes))]);
        Ok(object([("resource", resource), (inner, Value::Array(scopes))]))
    };
    let groups = Export::decode(bytes)?.groups.into_iter().map(group).collect::<Result<_, _>>()?;
    Ok(object([(outer, Value::Array(groups))]))
}

/// An object with these members. `json!` would copy them, which takes longer than parsing them.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn span(span: Span) -> Value {
    let mut object = Map::new();
    insert_text(&mut object, "traceId", hex(&span.trace));
    insert_text(&mut object, "spanId", hex(&span.id));
    insert_text(&mut object, "parentSpanId", hex(&span.parent));
    insert_text(&mut object, "name", text(&span.name));
    insert_time(&mut object, "startTimeUnixNano", span.start);
    insert_time(&mut object, "endTimeUnixNano", span.end);
    object.insert("attributes".to_owned(), attributes(span.attributes));
    Value::Object(object)
}

fn attributes(all: Vec<KeyValue>) -> Value {
    let scalars = all.into_iter().filter_map(|KeyValue { key, value }| {
        let value = match value?.value? {
            Scalar::Text(bytes) => Value::String(text(&bytes)),
            Scalar::Bool(is) => Value::Bool(is),
            Scalar::Int(number) => Value::from(number),
            // As protobuf's JSON has `NaN`.
            Scalar::Double(number) => {
                serde_json::Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
            }
            Scalar::List(_) | Scalar::Map(_) | Scalar::Bytes(_) => Value::Array(Vec::new()),
        };
        Some((text(&key), value))
    });
    Value::Object(scalars.collect())
}

fn insert_time(object: &mut Map<String, Value>, name: &str, nanos: u64) {
    if nanos > 0 {
        object.insert(name.to_owned(), Value::from(nanos));
    }
}

fn insert_text(object: &mut Map<String, Value>, name: &str, text: String) {
    if !text.is_empty() {
        object.insert(name.to_owned(), Value::String(text));
    }
}

/// OTLP's response to an export: the number of rejected records, and the reason.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// Part of a [`Response`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google.rpc.Status`, the body of every error.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{AnyValue, Resource};

    #[test]
    fn a_message_becomes_the_other_encodings_json() {
        let text = |key: &str, value: &str| KeyValue {
            key: key.to_owned().into(),
            value: Some(AnyValue { value: Some(Scalar::Text(value.to_owned().into())) }),
        };
        let count = KeyValue {
            key: "gen_ai.usage.output_tokens".into(),
            value: Some(AnyValue { value: Some(Scalar::Int(7)) }),
        };
        let empty = KeyValue { key: "nothing".into(), value: None };
        let span = Span {
            start: 1_790_000_000_000_000_000,
            trace: vec![0xAB, 1],
            name: "chat".into(),
            attributes: vec![text("gen_ai.request.model", "claude-opus-5"), count, empty],
            ..Span::default()
        };
        let scope = ScopeSpans { scope: Some(Scope { name: "library".into(), ..Scope::default() }), spans: vec![span] };
        let resource = Resource { attributes: vec![text("service.name", "shop")] };
        let export =
            Export { groups: vec![Group { resource: Some(resource), scopes: vec![scope.encode_to_vec().into()] }] };
        assert_eq!(
            spans(export.encode_to_vec().into()).unwrap(),
            json!({"resourceSpans": [{
                "resource": {"attributes": {"service.name": "shop"}},
                "scopeSpans": [{"scope": {"name": "library"}, "spans": [{
                    "startTimeUnixNano": 1_790_000_000_000_000_000_u64,
                    "traceId": "ab01",
                    "name": "chat",
                    "attributes": {"gen_ai.request.model": "claude-opus-5", "gen_ai.usage.output_tokens": 7},
                }]}],
            }]})
        );
    }

    #[test]
    fn a_value_that_is_no_scalar_is_one_in_the_other_encoding_too() {
        let odd = [
            Scalar::List(Bytes::new()),
            Scalar::Map(Bytes::new()),
            Scalar::Bytes(Bytes::from_static(b"7")),
            Scalar::Double(f64::NAN),
        ];
        let one = |(name, value)| KeyValue { key: name, value: Some(AnyValue { value: Some(value) }) };
        let names = ["list", "map", "bytes", "nan"].map(Bytes::from);
        let attributes: Vec<KeyValue> = names.into_iter().zip(odd).map(one).collect();
        let span = Span { attributes, ..Span::default() };
        let scope = ScopeSpans { scope: None, spans: vec![span] }.encode_to_vec();
        let export = Export { groups: vec![Group { resource: None, scopes: vec![scope.into()] }] };
        let read = &spans(export.encode_to_vec().into()).unwrap()["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(read["attributes"], json!({"list": [], "map": [], "bytes": [], "nan": "NaN"}));
    }

    #[test]
    fn b8_a_text_with_an_invalid_byte_is_no_error() {
        let broken = Some(AnyValue { value: Some(Scalar::Text(Bytes::from_static(b"abc\xf0\x9f"))) });
        let attributes = vec![KeyValue { key: "prompt".into(), value: broken }];
        let span = Span { name: Bytes::from_static(b"chat\xff"), attributes: attributes.clone(), ..Span::default() };
        let scope = ScopeSpans { scope: None, spans: vec![span] }.encode_to_vec();
        let export = Export { groups: vec![Group { resource: None, scopes: vec![scope.into()] }] };
        let read = &spans(export.encode_to_vec().into()).unwrap()["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(read, &json!({"name": "chat\u{fffd}", "attributes": {"prompt": "abc\u{fffd}"}}));
        let resource = Some(Resource { attributes });
        let export = Export { groups: vec![Group { resource, scopes: Vec::new() }] };
        let read = &metrics(export.encode_to_vec().into()).unwrap()["resourceMetrics"][0]["resource"]["attributes"];
        assert_eq!(read, &json!({"prompt": "abc\u{fffd}"}));
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert!(spans(Bytes::from_static(b"{\"resourceSpans\":[]}")).is_err());
        assert_eq!(spans(Bytes::new()).unwrap(), json!({"resourceSpans": []}));
        assert_eq!(metrics(Bytes::new()).unwrap(), json!({"resourceMetrics": []}));
    }
}
