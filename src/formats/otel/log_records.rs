//! Reads log records directly from the bytes of a protobuf export, because those are nearly all that a busy receiver
//! gets.
//!
//! Only records with counts are read. Field numbers are those of opentelemetry-proto 1.9 (read 2026-11-26).

use std::borrow::Cow;
use std::rc::Rc;

use memchr::memmem::Finder;

use super::super::protobuf::{Field, each};
use super::super::time;
use super::attributes::{Attributes, COUNTED};
use super::scalar::Scalar;
use super::signal::{Signal, of_record};
use crate::domain::hex;

/// The records with counts in a protobuf export; `None` if it is malformed.
pub(super) fn of_protobuf(export: &[u8]) -> Option<Vec<Signal<'_>>> {
    let (mut signals, counted) = (Vec::new(), Finder::new(COUNTED.as_bytes()));
    each(export, |number, field| {
        let (1, Field::Bytes(group)) = (number, field) else { return Some(()) };
        let (mut resource, mut scopes) = (Attributes::default(), Vec::new());
        each(group, |number, field| {
            match (number, field) {
                (1, Field::Bytes(message)) => each(message, |number, field| match (number, field) {
                    (1, Field::Bytes(pair)) => attribute(pair, &mut resource),
                    _ => Some(()),
                })?,
                // Before OTLP 0.15, libraries had a different message with the same fields.
                (2 | 1000, Field::Bytes(scope)) => scopes.push(scope),
                _ => {}
            }
            Some(())
        })?;
        let resource = Rc::new(resource);
        for scope in scopes {
            let (mut name, mut records) = (Cow::default(), Vec::new());
            each(scope, |number, field| {
                match (number, field) {
                    (1, Field::Bytes(message)) => each(message, |number, field| {
                        if let (1, Field::Bytes(text)) = (number, field) {
                            name = lossy(text);
                        }
                        Some(())
                    })?,
                    (2, Field::Bytes(record)) if counted.find(record).is_some() => records.push(record),
                    _ => {}
                }
                Some(())
            })?;
            for message in records {
                signals.push(record(message, &resource, name.clone())?);
            }
        }
        Some(())
    })?;
    Some(signals)
}

fn record<'v>(message: &'v [u8], resource: &Rc<Attributes<'v>>, scope: Cow<'v, str>) -> Option<Signal<'v>> {
    let mut attributes = Attributes::with_room();
    let (mut at, mut observed, mut body, mut name) = (0, 0, None, Cow::default());
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
            12 => name = lossy(bytes),
            _ => {}
        }
        Some(())
    })?;
    let id = |bytes: &[u8]| bytes.iter().any(|byte| *byte != 0).then(|| Cow::Owned(hex(bytes)));
    Some(Signal {
        body: body.and_then(Scalar::into_text).unwrap_or_default(),
        trace: id(trace),
        span: id(span),
        ..of_record(attributes, Rc::clone(resource), scope, name, time::epoch(at).or_else(|| time::epoch(observed)))
    })
}

/// Text in which invalid bytes become U+FFFD: one in a prompt must not cost the export's calls.
fn lossy(text: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed)
}

/// Adds a key with its value.
fn attribute<'v>(pair: &'v [u8], attributes: &mut Attributes<'v>) -> Option<()> {
    let (mut key, mut value) = (Cow::default(), None);
    each(pair, |number, field| {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = lossy(bytes),
            (2, Field::Bytes(bytes)) => value = any_value(bytes)?,
            _ => {}
        }
        Some(())
    })?;
    attributes.add(key, value);
    Some(())
}

/// The scalar in an `AnyValue`. The outer `None` means a malformed message.
#[allow(clippy::option_option, reason = "malformed is not the same as no scalar")]
fn any_value(message: &[u8]) -> Option<Option<Scalar<'_>>> {
    let mut value = None;
    each(message, |number, field| {
        match (number, field) {
            (1, Field::Bytes(text)) => value = Some(Scalar::Text(lossy(text))),
            (2, Field::Number(truth)) => value = Some(Scalar::Bool(truth != 0)),
            (3, Field::Number(number)) => value = Some(Scalar::Int(number.cast_signed())),
            (4, Field::Bytes(bytes)) => {
                value = Some(Scalar::Double(f64::from_le_bytes(bytes.try_into().ok()?)));
            }
            (5..=7, Field::Bytes(_)) => value = Some(Scalar::Odd),
            _ => {}
        }
        Some(())
    })?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json_records::Export;
    use super::*;
    use crate::domain::{Label, Record};

    /// Encodes a field with this number and these bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len() & 0x7f).unwrap();
        let more = u8::try_from(bytes.len() >> 7).unwrap();
        let length = if more == 0 { vec![length] } else { vec![length | 0x80, more] };
        [&[number << 3 | 2], length.as_slice(), bytes].concat()
    }

    fn pair(key: &str, value: &[u8]) -> Vec<u8> {
        [field(1, key.as_bytes()), field(2, value)].concat()
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
        for names in [["resourceLogs", "scopeLogs", "logRecords"], ["resource_logs", "scope_logs", "log_records"]] {
            let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]});
            let scope = json!({"scope": {"name": "library"}, names[2]: [{"body": "tool_result"}, usual]});
            let export = json!({names[0]: [{"resource": resource, names[1]: [scope]}]});
            let text = export.to_string();
            let signals = serde_json::from_str::<Export<'_>>(&text).unwrap().signals();
            assert_eq!(format!("{signals:?}"), wanted);
            // Also from a tree, which is how an export with an unusual name is read.
            let signals = super::super::signal::of_export(&export).unwrap();
            assert_eq!(format!("{:?}", signals[1]), wanted[1..wanted.len() - 1]);
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
    }

    #[test]
    fn b11_a_count_that_is_a_list_a_map_bytes_or_no_number_names_its_field() {
        let not_a_number = [&[4 << 3 | 1], f64::NAN.to_le_bytes().as_slice()].concat();
        for value in [field(5, &[]), field(6, &[]), field(7, b"7"), not_a_number] {
            let both = [field(6, &pair("tokens", &value)), field(6, &pair("token", &[3 << 3, 7]))].concat();
            let signals = field(1, &field(2, &field(2, &both)));
            let signals = of_protobuf(&signals).unwrap();
            let why = signals[0].attributes.count(&["tokens"]).unwrap_err();
            assert!(why.to_string().starts_with("tokens"), "{why}");
            // Elsewhere they are never needed.
            let other = field(1, &field(2, &field(2, &[field(6, &pair("name", &value)), both].concat())));
            let other = of_protobuf(&other).unwrap();
            assert_eq!(format!("{:?}", other[0].attributes), format!("{:?}", signals[0].attributes));
        }
        // A field without any value is not there.
        let empty = field(1, &field(2, &field(2, &field(6, &pair("tokens", &[])))));
        assert_eq!(of_protobuf(&empty).unwrap()[0].attributes.count(&["tokens"]).unwrap(), None);
    }

    #[test]
    fn b8_a_text_with_an_invalid_byte_costs_no_call() {
        let cut = field(6, &pair("prompt", &field(1, b"abc\xf0\x9f")));
        let record = field(2, &[cut, field(6, &pair("tokens", &[3 << 3, 7]))].concat());
        let message = field(1, &field(2, &record));
        let signals = of_protobuf(&message).unwrap();
        let attributes = &signals[0].attributes;
        assert_eq!(attributes.text(&["prompt"]).as_deref(), Some("abc\u{fffd}"));
        assert_eq!(attributes.count(&["tokens"]).unwrap(), Some(7));
    }
}
