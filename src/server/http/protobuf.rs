//! The fields of OTLP's messages that matter here, as numbered in opentelemetry-proto 1.9 (read 2026-11-26); all others
//! are skipped. Messages become the same JSON as the other encoding, so that one reader decides about both.

mod metrics;

use memchr::memmem;
use prost::Message;
use prost::bytes::Bytes;
use serde_json::{Map, Value, json};

use super::json::{COUNTED, object};

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
struct Export {
    /// `resource_logs`, `resource_spans` or `resource_metrics`: all have number 1.
    #[prost(message, repeated, tag = "1")]
    groups: Vec<Group>,
}

#[derive(Clone, PartialEq, Message)]
struct Group {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    /// Kept as bytes, because spans and log records differ.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    scopes: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    /// Kept as bytes, because most have no counts.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    records: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(bytes = "vec", tag = "9")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    span: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    observed: u64,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Scalar", tags = "1, 2, 3, 4")]
    value: Option<Scalar>,
}

/// Lists, maps and bytes are no counts or names, and are skipped.
#[derive(Clone, PartialEq, prost::Oneof)]
enum Scalar {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

/// The JSON form of an export.
///
/// # Errors
/// When the bytes are no such message.
pub(super) fn to_json(bytes: Bytes, signals: Signals) -> Result<Value, prost::DecodeError> {
    let export = Export::decode(bytes)?;
    let counted = memmem::Finder::new(COUNTED);
    let mut groups = Vec::with_capacity(export.groups.len());
    for group in export.groups {
        let mut scopes = Vec::with_capacity(group.scopes.len());
        for scope in group.scopes {
            match signals {
                Signals::Logs => {
                    let ScopeLogs { scope, records } = ScopeLogs::decode(scope)?;
                    let counted = records.into_iter().filter(|record| counted.find(record).is_some());
                    let records = counted.map(|record| LogRecord::decode(record).map(log_record));
                    let records: Vec<Value> = records.collect::<Result<_, _>>()?;
                    let scope = json!({"name": scope.unwrap_or_default().name});
                    scopes.push(object([("scope", scope), ("logRecords", Value::Array(records))]));
                }
                Signals::Traces => {
                    let ScopeSpans { scope, spans } = ScopeSpans::decode(scope)?;
                    let spans: Vec<Value> = spans.into_iter().map(span).collect();
                    let scope = json!({"name": scope.unwrap_or_default().name});
                    scopes.push(object([("scope", scope), ("spans", Value::Array(spans))]));
                }
                Signals::Metrics => {
                    let metrics::ScopeMetrics { metrics } = metrics::ScopeMetrics::decode(scope)?;
                    let metrics: Vec<Value> = metrics.into_iter().map(metrics::to_json).collect();
                    scopes.push(object([("metrics", Value::Array(metrics))]));
                }
            }
        }
        let resource = attributes(group.resource.unwrap_or_default().attributes);
        let name = match signals {
            Signals::Logs => "scopeLogs",
            Signals::Traces => "scopeSpans",
            Signals::Metrics => "scopeMetrics",
        };
        let resource = object([("attributes", resource)]);
        groups.push(object([("resource", resource), (name, Value::Array(scopes))]));
    }
    let name = match signals {
        Signals::Logs => "resourceLogs",
        Signals::Traces => "resourceSpans",
        Signals::Metrics => "resourceMetrics",
    };
    Ok(Value::Object(Map::from_iter([(name.to_owned(), Value::Array(groups))])))
}

fn log_record(record: LogRecord) -> Value {
    let mut object = Map::new();
    insert_time(&mut object, "timeUnixNano", record.time);
    insert_time(&mut object, "observedTimeUnixNano", record.observed);
    if let Some(Scalar::Text(body)) = record.body.and_then(|body| body.value) {
        object.insert("body".to_owned(), Value::String(body));
    }
    insert_text(&mut object, "eventName", record.event_name);
    insert_text(&mut object, "traceId", hex(&record.trace));
    insert_text(&mut object, "spanId", hex(&record.span));
    object.insert("attributes".to_owned(), attributes(record.attributes));
    Value::Object(object)
}

fn span(span: Span) -> Value {
    let mut object = Map::new();
    insert_text(&mut object, "traceId", hex(&span.trace));
    insert_text(&mut object, "spanId", hex(&span.id));
    insert_text(&mut object, "parentSpanId", hex(&span.parent));
    insert_text(&mut object, "name", span.name);
    insert_time(&mut object, "startTimeUnixNano", span.start);
    insert_time(&mut object, "endTimeUnixNano", span.end);
    object.insert("attributes".to_owned(), attributes(span.attributes));
    Value::Object(object)
}

fn attributes(all: Vec<KeyValue>) -> Value {
    let scalars = all.into_iter().filter_map(|KeyValue { key, value }| {
        let value = match value?.value? {
            Scalar::Text(text) => Value::String(text),
            Scalar::Bool(is) => Value::Bool(is),
            Scalar::Int(number) => Value::from(number),
            Scalar::Double(number) => serde_json::Number::from_f64(number).map(Value::Number)?,
        };
        Some((key, value))
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// OTLP's answer to an export: the number of records that were refused, and why.
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

    #[test]
    fn a_message_becomes_the_other_encodings_json() {
        let text = |key: &str, value: &str| KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(Scalar::Text(value.into())) }),
        };
        let count = KeyValue { key: "output_tokens".into(), value: Some(AnyValue { value: Some(Scalar::Int(7)) }) };
        let empty = KeyValue { key: "nothing".into(), value: None };
        let record = LogRecord {
            time: 1_790_000_000_000_000_000,
            trace: vec![0xAB, 1],
            event_name: "claude_code.api_request".into(),
            attributes: vec![text("model", "claude-opus-5"), count, empty],
            ..LogRecord::default()
        };
        let scope =
            ScopeLogs { scope: Some(Scope { name: "events".into() }), records: vec![record.encode_to_vec().into()] };
        let resource = Resource { attributes: vec![text("service.name", "claude-code")] };
        let export =
            Export { groups: vec![Group { resource: Some(resource), scopes: vec![scope.encode_to_vec().into()] }] };
        assert_eq!(
            to_json(export.encode_to_vec().into(), Signals::Logs).unwrap(),
            json!({"resourceLogs": [{
                "resource": {"attributes": {"service.name": "claude-code"}},
                "scopeLogs": [{"scope": {"name": "events"}, "logRecords": [{
                    "timeUnixNano": 1_790_000_000_000_000_000_u64,
                    "traceId": "ab01",
                    "eventName": "claude_code.api_request",
                    "attributes": {"model": "claude-opus-5", "output_tokens": 7},
                }]}],
            }]})
        );
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert!(to_json(Bytes::from_static(b"{\"resourceLogs\":[]}"), Signals::Logs).is_err());
        assert_eq!(to_json(Bytes::new(), Signals::Traces).unwrap(), json!({"resourceSpans": []}));
    }
}
