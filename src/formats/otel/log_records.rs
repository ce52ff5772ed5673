//! Log records read straight from the bytes of an export, because a busy receiver gets little else.
//!
//! Only records with counts are read. Field numbers are those of opentelemetry-proto 1.9 (read 2026-11-26).

use std::borrow::Cow;
use std::rc::Rc;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::json::Text;
use super::super::protobuf::{Field, each};
use super::super::time::{self, Stamp};
use super::attributes::Attributes;
use super::scalar::{Found, Scalar};
use super::signal::{Signal, hex, id_of, of_record};
use crate::domain::Instant;

/// In the name of every attribute with a count (`…tokens`, `…Tokens`, `…token_count`).
const COUNTED: &[u8] = b"oken";

/// The records with counts of an export in protobuf; `None` when it is malformed.
pub(super) fn of_protobuf(export: &[u8]) -> Option<Vec<Signal<'_>>> {
    let (mut signals, counted) = (Vec::new(), Finder::new(COUNTED));
    each(export, |number, field| {
        let (1, Field::Bytes(group)) = (number, field) else { return Some(()) };
        let (mut resource, mut scopes) = (Attributes::default(), Vec::new());
        each(group, |number, field| {
            match (number, field) {
                (1, Field::Bytes(message)) => each(message, |number, field| match (number, field) {
                    (1, Field::Bytes(pair)) => attribute(pair, &mut resource),
                    _ => Some(()),
                })?,
                // Before OTLP 0.15 libraries had another message, with the same fields.
                (2 | 1000, Field::Bytes(scope)) => scopes.push(scope),
                _ => {}
            }
            Some(())
        })?;
        let resource = Rc::new(resource);
        for scope in scopes {
            let (mut name, mut records) = ("", Vec::new());
            each(scope, |number, field| {
                match (number, field) {
                    (1, Field::Bytes(message)) => each(message, |number, field| {
                        if let (1, Field::Bytes(text)) = (number, field) {
                            name = std::str::from_utf8(text).ok()?;
                        }
                        Some(())
                    })?,
                    (2, Field::Bytes(record)) if counted.find(record).is_some() => records.push(record),
                    _ => {}
                }
                Some(())
            })?;
            for message in records {
                signals.push(record(message, &resource, name)?);
            }
        }
        Some(())
    })?;
    Some(signals)
}

fn record<'v>(message: &'v [u8], resource: &Rc<Attributes<'v>>, scope: &'v str) -> Option<Signal<'v>> {
    let mut attributes = Attributes::with_room_for(32);
    let (mut at, mut observed, mut body, mut name) = (0, 0, None, "");
    let (mut trace, mut span): (&[u8], &[u8]) = (&[], &[]);
    each(message, |number, field| {
        let Field::Bytes(bytes) = field else { return Some(()) };
        match number {
            1 => at = u64::from_le_bytes(bytes.try_into().ok()?),
            5 => body = any_value(bytes)?,
            6 => attribute(bytes, &mut attributes)?,
            9 => trace = bytes,
            10 => span = bytes,
            11 => observed = u64::from_le_bytes(bytes.try_into().ok()?),
            12 => name = std::str::from_utf8(bytes).ok()?,
            _ => {}
        }
        Some(())
    })?;
    let id = |bytes: &[u8]| bytes.iter().any(|byte| *byte != 0).then(|| Cow::Owned(hex(bytes)));
    Some(Signal {
        body: body.and_then(text_of).unwrap_or_default(),
        trace: id(trace),
        span: id(span),
        ..of_record(attributes, Rc::clone(resource), scope, name, time::epoch(at).or_else(|| time::epoch(observed)))
    })
}

fn text_of(scalar: Scalar<'_>) -> Option<Cow<'_, str>> {
    match scalar {
        Scalar::Text(text) => Some(text),
        Scalar::Int(_) | Scalar::Huge(_) | Scalar::Double(_) | Scalar::Bool(_) => None,
    }
}

/// Adds a key with its value.
fn attribute<'v>(pair: &'v [u8], attributes: &mut Attributes<'v>) -> Option<()> {
    let (mut key, mut value) = ("", None);
    each(pair, |number, field| {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = std::str::from_utf8(bytes).ok()?,
            (2, Field::Bytes(bytes)) => value = any_value(bytes)?,
            _ => {}
        }
        Some(())
    })?;
    attributes.add(Cow::Borrowed(key), value);
    Some(())
}

/// The scalar of an `AnyValue`; lists, maps and bytes are no counts or names. The outer `None` is a malformed message.
#[allow(clippy::option_option, reason = "malformed is not the same as no scalar")]
fn any_value(message: &[u8]) -> Option<Option<Scalar<'_>>> {
    let mut value = None;
    each(message, |number, field| {
        match (number, field) {
            (1, Field::Bytes(text)) => value = Some(Scalar::Text(std::str::from_utf8(text).ok()?.into())),
            (2, Field::Number(truth)) => value = Some(Scalar::Bool(truth != 0)),
            (3, Field::Number(number)) => value = Some(Scalar::Int(number.cast_signed())),
            (4, Field::Bytes(bytes)) => {
                let double = f64::from_le_bytes(bytes.try_into().ok()?);
                value = Some(Scalar::Double(double)).filter(|_| double.is_finite());
            }
            _ => {}
        }
        Some(())
    })?;
    Some(value)
}

/// An export of log records in JSON, in either spelling of its names. One with any other name is read as a value, which
/// knows the names of older versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Export<'b> {
    #[serde(borrow, rename = "resourceLogs", alias = "resource_logs")]
    groups: Vec<Group<'b>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group<'b> {
    resource: Option<Value>,
    #[serde(borrow, rename = "scopeLogs", alias = "scope_logs")]
    scopes: Option<Vec<Scope<'b>>>,
    #[serde(rename = "schemaUrl", alias = "schema_url", default)]
    _schema: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope<'b> {
    #[serde(rename = "scope")]
    library: Option<Value>,
    #[serde(borrow, rename = "logRecords", alias = "log_records")]
    records: Option<Vec<&'b RawValue>>,
    #[serde(rename = "schemaUrl", alias = "schema_url", default)]
    _schema: IgnoredAny,
}

/// A record as all exporters write it; any other is read as a value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual<'b> {
    #[serde(rename = "timeUnixNano", default)]
    at: Stamp,
    #[serde(rename = "observedTimeUnixNano", default)]
    observed: Stamp,
    #[serde(borrow, default)]
    body: Found<'b>,
    #[serde(borrow, default)]
    attributes: Vec<Pair<'b>>,
    #[serde(borrow, rename = "eventName", default)]
    name: Text<'b>,
    #[serde(borrow, rename = "traceId", default)]
    trace: Text<'b>,
    #[serde(borrow, rename = "spanId", default)]
    span: Text<'b>,
    #[serde(rename = "severityNumber", default)]
    _severity: IgnoredAny,
    #[serde(rename = "severityText", default)]
    _severity_text: IgnoredAny,
    #[serde(rename = "droppedAttributesCount", default)]
    _dropped: IgnoredAny,
    #[serde(rename = "flags", default)]
    _flags: IgnoredAny,
}

#[derive(Deserialize)]
struct Pair<'b> {
    #[serde(borrow, default)]
    key: Text<'b>,
    #[serde(borrow, default)]
    value: Found<'b>,
}

enum Parsed<'b> {
    Usual(Usual<'b>),
    Other(Value),
}

/// The counted records of a scope.
struct Records<'b> {
    resource: Rc<Option<Value>>,
    scope: Option<Value>,
    all: Vec<Parsed<'b>>,
}

/// The counted records of an export.
pub(super) struct Counted<'b>(Vec<Records<'b>>);

impl<'b> Export<'b> {
    /// Parses the records with counts.
    ///
    /// # Errors
    /// When one of them is no JSON.
    pub(super) fn counted(self) -> serde_json::Result<Counted<'b>> {
        let counted = Finder::new(COUNTED);
        let parse = |text: &'b str| {
            serde_json::from_str(text).map(Parsed::Usual).or_else(|_| serde_json::from_str(text).map(Parsed::Other))
        };
        let mut all = Vec::new();
        for group in self.groups {
            let resource = Rc::new(group.resource);
            for Scope { library: scope, records, .. } in group.scopes.into_iter().flatten() {
                let records = records.unwrap_or_default().into_iter().map(RawValue::get);
                let records = records.filter(|record| counted.find(record.as_bytes()).is_some());
                let parsed = records.map(parse).collect::<serde_json::Result<_>>()?;
                all.push(Records { resource: Rc::clone(&resource), scope, all: parsed });
            }
        }
        Ok(Counted(all))
    }
}

impl Counted<'_> {
    pub(super) fn signals(&self) -> Vec<Signal<'_>> {
        let mut signals = Vec::new();
        for Records { resource, scope, all } in &self.0 {
            let attributes = resource.as_ref().as_ref().and_then(|resource| resource.get("attributes"));
            let resource = Rc::new(Attributes::from_json(attributes));
            let scope = scope.as_ref().and_then(|scope| scope.get("name")).and_then(Value::as_str).unwrap_or_default();
            for record in all {
                match record {
                    Parsed::Usual(record) => signals.push(record.signal(&resource, scope)),
                    Parsed::Other(Value::Object(record)) => {
                        let attributes = Attributes::from_json(record.get("attributes"));
                        signals.push(super::signal::read(record, attributes, Rc::clone(&resource), scope));
                    }
                    Parsed::Other(_) => {}
                }
            }
        }
        signals
    }
}

impl Usual<'_> {
    fn signal<'v>(&'v self, resource: &Rc<Attributes<'v>>, scope: &'v str) -> Signal<'v> {
        let mut attributes = Attributes::with_room_for(self.attributes.len());
        for Pair { key, value } in &self.attributes {
            if let Some(key) = &key.0 {
                attributes.add(Cow::Borrowed(&**key), value.0.as_ref().map(Scalar::borrowed));
            }
        }
        let at: Option<Instant> = self.at.0.or(self.observed.0);
        Signal {
            body: self.body.0.as_ref().map(Scalar::borrowed).and_then(text_of).unwrap_or_default(),
            trace: self.trace.get().and_then(id_of),
            span: self.span.get().and_then(id_of),
            ..of_record(attributes, Rc::clone(resource), scope, self.name.get().unwrap_or_default(), at)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Label, Record};

    /// A field of this number with bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len() & 0x7f).unwrap();
        let more = u8::try_from(bytes.len() >> 7).unwrap();
        let length = if more == 0 { vec![length] } else { vec![length | 0x80, more] };
        [&[number << 3 | 2], length.as_slice(), bytes].concat()
    }

    fn pair(key: &str, value: &[u8]) -> Vec<u8> {
        [field(1, key.as_bytes()), field(2, value)].concat()
    }

    fn parsed(text: &str) -> Counted<'_> {
        serde_json::from_str::<Export<'_>>(text).unwrap().counted().unwrap()
    }

    #[test]
    fn a_record_is_the_same_signal_in_every_encoding() {
        let at = 1_790_000_000_000_000_000_u64;
        let attributes = [
            field(6, &pair("input_tokens", &[3 << 3, 7])),
            field(6, &pair("cost_usd", &[&[4 << 3 | 1], 0.5_f64.to_le_bytes().as_slice()].concat())),
            field(6, &pair("model", &field(1, "\"a\nb".as_bytes()))),
            field(6, &pair("list", &field(5, &[]))),
        ]
        .concat();
        let time = at.to_le_bytes();
        let record = [&[9], time.as_slice(), &field(5, &field(1, b"said")), &attributes, &field(9, &[0xAB, 1])];
        let other = field(6, &pair("nothing", &field(1, b"counted")));
        let scope = [field(1, &field(1, b"library")), field(2, &record.concat()), field(2, &other)].concat();
        let resource = field(1, &pair("service.name", &field(1, b"claude-code")));
        let message = field(1, &[field(1, &resource), field(2, &scope)].concat());
        let binary = of_protobuf(&message).unwrap();
        let wanted = format!("{binary:?}");
        assert!(binary.len() == 1 && wanted.contains("\"ab01\"") && wanted.contains("Int(7)"), "{wanted}");
        // Field 1000, whose number takes two bytes.
        let older = [&[0xC2, 0x3E], &field(2, &scope)[1..]].concat();
        let older = field(1, &[field(1, &resource), older].concat());
        assert_eq!(format!("{:?}", of_protobuf(&older).unwrap()), wanted);
        let attributes = json!([
            {"key": "input_tokens", "value": {"intValue": 7}},
            {"key": "cost_usd", "value": {"doubleValue": 0.5}},
            {"key": "model", "value": {"stringValue": "\"a\nb"}},
            {"key": "list", "value": {"arrayValue": {}}},
        ]);
        let usual = json!({
            "timeUnixNano": at.to_string(), "body": {"stringValue": "said"}, "attributes": attributes, "traceId": "AB01",
            "severityNumber": 9,
        });
        let mut other = usual.clone();
        other["unheardOf"] = json!(1);
        for (record, is_usual) in [(usual, true), (other, false)] {
            for names in [["resourceLogs", "scopeLogs", "logRecords"], ["resource_logs", "scope_logs", "log_records"]] {
                let resource =
                    json!({"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]});
                let scope = json!({"scope": {"name": "library"}, names[2]: [{"body": "tool_result"}, record]});
                let text = json!({names[0]: [{"resource": resource, names[1]: [scope]}]}).to_string();
                let counted = parsed(&text);
                assert_eq!(matches!(counted.0[0].all[0], Parsed::Usual(_)), is_usual);
                assert_eq!(format!("{:?}", counted.signals()), wanted);
            }
        }
    }

    #[test]
    fn an_export_with_the_names_of_an_older_version_counts() {
        let record = json!({"timeUnixNano": "1790000000000000000", "attributes": [
            {"key": "event.name", "value": {"stringValue": "api_request"}},
            {"key": "model", "value": {"stringValue": "claude-opus-5"}},
            {"key": "input_tokens", "value": {"intValue": "7"}},
            {"key": "request_id", "value": {"stringValue": "req_1"}},
        ]});
        let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]});
        let url = "https://opentelemetry.io/schemas/1.9.0";
        let library = json!({"name": "com.anthropic.claude_code.events"});
        let names = [
            ("resourceLogs", "scopeLogs", "scope", "logRecords", "schemaUrl"),
            ("resource_logs", "scope_logs", "scope", "log_records", "schema_url"),
            ("resourceLogs", "instrumentationLibraryLogs", "instrumentationLibrary", "logRecords", "schemaUrl"),
            ("resourceLogs", "instrumentationLibraryLogs", "instrumentationLibrary", "logs", "schemaUrl"),
            ("resource_logs", "instrumentation_library_logs", "instrumentation_library", "log_records", "schema_url"),
            ("resourceLogs", "scopeLogs", "scope", "logs", "schemaUrl"),
        ];
        for (groups, scopes, scope, records, schema) in names {
            let one = json!({scope: library, records: [record], schema: url});
            let export = json!({groups: [{"resource": resource, scopes: [one], schema: url}]}).to_string();
            let is_usual = scope == "scope" && records != "logs";
            assert_eq!(serde_json::from_str::<Export<'_>>(&export).is_ok(), is_usual, "{scopes}, {records}");
            let (mut telemetry, mut out) = (super::super::Telemetry::new(), Vec::new());
            let at = time::epoch(1_790_000_000).unwrap();
            let origin = super::super::Origin { path: Label::new("otlp"), offset: 0, modified: at };
            let refused = telemetry.json(export.as_bytes(), &origin, &mut out).unwrap().unwrap();
            let [Record::Call(call)] = &*out else { panic!("{scopes}, {records}: {out:?}") };
            assert_eq!((call.tokens.input, refused.count), (7, 0), "{scopes}, {records}");
        }
    }

    #[test]
    fn what_is_malformed_is_none() {
        let record = field(2, &field(6, &pair("tokens", &[3 << 3, 7])));
        let message = field(1, &field(2, &record));
        assert_eq!(of_protobuf(&message).unwrap().len(), 1);
        for cut in 1..message.len() {
            assert!(of_protobuf(&message[..cut]).is_none(), "{cut}");
        }
        assert!(of_protobuf(b"{\"resourceLogs\":[]}").is_none());
        assert!(of_protobuf(&field(1, &field(2, &field(2, &field(6, &pair("tokens", &field(1, &[0xFF]))))))).is_none());
    }
}
