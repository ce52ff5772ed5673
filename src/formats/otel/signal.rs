//! Extracts spans and log records from lines.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::time::Stamp;
use super::attributes::Attributes;
use super::scalar::Scalar;
use crate::domain::{Instant, hex};

/// A span or a log record.
#[derive(Debug)]
pub(super) struct Signal<'v> {
    pub(super) attributes: Attributes<'v>,
    /// Attributes of the sending program.
    pub(super) resource: Rc<Attributes<'v>>,
    /// Name of the span or event.
    pub(super) name: Cow<'v, str>,
    /// Text of the log record.
    pub(super) body: Cow<'v, str>,
    /// Library that created it.
    pub(super) scope: Cow<'v, str>,
    /// Ids in lower-case hexadecimal, if they are valid.
    pub(super) trace: Option<Cow<'v, str>>,
    pub(super) span: Option<Cow<'v, str>>,
    /// Id of the parent span.
    pub(super) parent: Option<Cow<'v, str>>,
    pub(super) at: Option<Instant>,
    pub(super) latency: Option<Duration>,
}

/// Base64, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Prefixes of attributes about model requests.
const WORK: [&str; 5] = ["gen_ai.", "llm.usage.", "ai.usage.", "llm.token_count.", "llm.tokens."];
/// Prefixes of agents' own events.
const AGENTS: [&str; 4] = ["claude_code.", "codex.", "gemini_cli.", "qwen-code."];

/// Fields that make a line a span. Without them, `llm.tokens.…` belongs to a usage log.
const TRACED: [&str; 9] =
    ["traceId", "trace_id", "TraceId", "spanId", "span_id", "SpanId", "context", "spanContext", "_spanContext"];

/// The signal in a flat line; `None` for any other kind of line.
///
/// The JavaScript SDK's objects are flat lines, too, as agents write them to a file: some of their fields have an
/// underscore before the name, and a resource has its attributes as pairs (Gemini CLI 0.61, Qwen Code 0.24, November
/// 2026). Agents' metrics lie between them and repeat what their events say.
pub(super) fn of_flat_line(line: &Value) -> Option<Vec<Signal<'_>>> {
    let line = line.as_object()?;
    if list(line, &["scopeMetrics"])
        .iter()
        .any(|metrics| metrics["scope"]["name"].as_str().is_some_and(is_agents_library))
    {
        return Some(Vec::new());
    }
    let mut attributes = Attributes::from_json(line.get("attributes"));
    attributes.add_dotted(line);
    let resource = line.get("resource").map(|resource| {
        let names = ["attributes", "_rawAttributes", "_attributes"];
        names.iter().find_map(|name| resource.get(*name)).unwrap_or(resource)
    });
    let library = line.get("instrumentationScope").or_else(|| line.get("instrumentationLibrary"));
    let library = library.and_then(|library| library.get("name")?.as_str()).unwrap_or_default();
    let mut signal = read(line, attributes, Rc::new(Attributes::from_json(resource)), library);
    let contexts = ["context", "spanContext", "_spanContext"];
    let context = contexts.iter().find_map(|name| line.get(*name)).and_then(Value::as_object);
    if let Some(context) = context {
        signal.trace = signal.trace.or_else(|| id(context, &["trace_id", "traceId"]));
        signal.span = signal.span.or_else(|| id(context, &["span_id", "spanId"]));
    }
    let is_traced = TRACED.iter().any(|field| line.get(*field).is_some_and(|value| !value.is_null()));
    let is_work = signal.attributes.any_begins(&WORK[..4]) || (is_traced && signal.attributes.any_begins(&WORK[4..]));
    let is_agents = AGENTS.iter().any(|agent| signal.name.starts_with(agent) || signal.body.starts_with(agent));
    // In an agent's file, other libraries report the requests that carry its calls.
    let is_agents = is_agents || line.get("resource").is_some_and(|resource| resource.get("_rawAttributes").is_some());
    // API answers and usage logs may also have such attributes.
    let is_foreign = line.contains_key("choices")
        || ["usage", "payload", "message"].iter().any(|field| line.get(*field).is_some_and(Value::is_object));
    ((is_work || is_agents) && !is_foreign).then(|| vec![signal])
}

/// True for the library name under which an agent writes its own signals to a file.
fn is_agents_library(name: &str) -> bool {
    matches!(name, "gemini-cli" | "qwen-code")
}

/// Names of the groups of spans and of log records in an export.
const GROUPS: [&str; 4] = ["resourceSpans", "resource_spans", "resourceLogs", "resource_logs"];
/// Names of the groups of metrics.
const METRICS: [&str; 2] = ["resourceMetrics", "resource_metrics"];

/// True if what should be groups of an export are lists of objects.
pub(super) fn has_lists(export: &Value) -> bool {
    let groups = GROUPS.iter().chain(&METRICS).filter_map(|name| export.get(name)).filter(|groups| !groups.is_null());
    let is_list = |groups: &Value| groups.as_array().is_some_and(|all| all.iter().all(Value::is_object));
    groups.into_iter().all(is_list)
}

/// The spans and log records in a line of OTLP/JSON; `None` if it is not an export.
pub(super) fn of_export(line: &Value) -> Option<Vec<Signal<'_>>> {
    let line = line.as_object()?;
    if !GROUPS.iter().chain(&METRICS).any(|group| line.contains_key(*group)) {
        return None;
    }
    let mut signals = Vec::new();
    for group in GROUPS.iter().flat_map(|group| list(line, &[group])).filter_map(Value::as_object) {
        let resource = group.get("resource").and_then(|resource| resource.get("attributes"));
        let resource = Rc::new(Attributes::from_json(resource));
        let scopes = [
            "scopeSpans",
            "scope_spans",
            "scopeLogs",
            "scope_logs",
            "instrumentationLibrarySpans",
            "instrumentation_library_spans",
            "instrumentationLibraryLogs",
            "instrumentation_library_logs",
        ];
        for scope in scopes_of(group, &scopes) {
            let names = ["scope", "instrumentationLibrary", "instrumentation_library"];
            let library = names.iter().find_map(|name| scope.get(*name)?.get("name")?.as_str());
            for record in
                list(scope, &["spans", "logRecords", "log_records", "logs"]).iter().filter_map(Value::as_object)
            {
                let attributes = Attributes::from_json(record.get("attributes"));
                signals.push(read(record, attributes, Rc::clone(&resource), library.unwrap_or_default()));
            }
        }
    }
    Some(signals)
}

/// A log record that has only these fields.
pub(super) fn of_record<'v>(
    attributes: Attributes<'v>,
    resource: Rc<Attributes<'v>>,
    scope: Cow<'v, str>,
    name: Cow<'v, str>,
    at: Option<Instant>,
) -> Signal<'v> {
    Signal {
        name: attributes.text(&["event.name"]).unwrap_or(name),
        body: Cow::default(),
        scope,
        trace: None,
        span: None,
        parent: None,
        at: at.or_else(|| attributes.text(&["event.timestamp"]).and_then(|at| super::super::time::parse(&at))),
        latency: None,
        attributes,
        resource,
    }
}

fn read<'v>(
    record: &'v Map<String, Value>,
    attributes: Attributes<'v>,
    resource: Rc<Attributes<'v>>,
    scope: &'v str,
) -> Signal<'v> {
    let start = time(
        record,
        &[
            "startTimeUnixNano",
            "start_time_unix_nano",
            "startTime",
            "start_time",
            "timeUnixNano",
            "time_unix_nano",
            "hrTime",
            "_hrTime",
            "timestamp",
            "@timestamp",
            "time",
            "observedTimeUnixNano",
            "observed_time_unix_nano",
            "hrTimeObserved",
            "_hrTimeObserved",
        ],
    );
    let end = time(record, &["endTimeUnixNano", "end_time_unix_nano", "endTime", "end_time"]);
    let name = attributes
        .text(&["event.name"])
        .unwrap_or_else(|| text(record, &["name", "eventName", "event_name"]).unwrap_or_default().into());
    Signal {
        name,
        body: match record.get("body").or_else(|| record.get("_body")).and_then(Scalar::from_json) {
            Some(Scalar::Text(body)) => body,
            Some(Scalar::Int(_) | Scalar::Huge(_) | Scalar::Double(_) | Scalar::Bool(_) | Scalar::Odd) | None => {
                Cow::default()
            }
        },
        scope: scope.into(),
        trace: id(record, &["traceId", "trace_id", "TraceId"]),
        span: id(record, &["spanId", "span_id", "SpanId"]),
        parent: id(record, &["parentSpanId", "parent_span_id", "ParentSpanId", "parentId", "parent_id"]).or_else(
            || {
                let context = record.get("parentSpanContext").or_else(|| record.get("parent"))?.as_object()?;
                id(context, &["spanId", "span_id"])
            },
        ),
        at: start.or_else(|| attributes.text(&["event.timestamp"]).and_then(|at| super::super::time::parse(&at))),
        latency: start.zip(end).and_then(|(start, end)| (end - start).to_std().ok()),
        attributes,
        resource,
    }
}

fn text<'v>(map: &'v Map<String, Value>, names: &[&str]) -> Option<&'v str> {
    names.iter().find_map(|name| map.get(*name)?.as_str()).filter(|text| !text.trim_matches('0').is_empty())
}

/// The first of these fields that contains an id.
fn id<'v>(map: &'v Map<String, Value>, names: &[&str]) -> Option<Cow<'v, str>> {
    id_of(text(map, names)?)
}

/// Normalises an id: some exporters write upper case, a prefix, or the base64 of protobuf's own JSON. All zeros means
/// no id.
pub(super) fn id_of(written: &str) -> Option<Cow<'_, str>> {
    if written.trim_matches('0').is_empty() {
        return None;
    }
    let bare = written.strip_prefix("0x").unwrap_or(written);
    // Number of bytes in the id of a trace and of a span.
    let is_base64 = [(16, [24, 22]), (8, [12, 11])].iter().find(|(_, lengths)| lengths.contains(&bare.len()));
    let decoded = is_base64.and_then(|(bytes, _)| {
        let decoded = BASE64.decode(bare).ok()?;
        (decoded.len() == *bytes).then_some(decoded)
    });
    match decoded {
        Some(bytes) if bytes.iter().all(|byte| *byte == 0) => None,
        Some(bytes) => Some(hex(&bytes).into()),
        None if bare.bytes().any(|byte| byte.is_ascii_uppercase())
            && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Some(bare.to_ascii_lowercase().into())
        }
        None => Some(bare.into()),
    }
}

/// The scopes of a group, under any of these names.
pub(super) fn scopes_of<'v>(
    group: &'v Map<String, Value>,
    names: &[&str],
) -> impl Iterator<Item = &'v Map<String, Value>> {
    names.iter().flat_map(|name| list(group, &[name])).filter_map(Value::as_object)
}

pub(super) fn list<'v>(map: &'v Map<String, Value>, names: &[&str]) -> &'v [Value] {
    names.iter().find_map(|name| map.get(*name)?.as_array()).map(Vec::as_slice).unwrap_or_default()
}

/// The first of these fields that contains a time, in any common form or as a pair of seconds and nanoseconds.
pub(super) fn time(map: &Map<String, Value>, names: &[&str]) -> Option<Instant> {
    names.iter().find_map(|name| {
        let value = map.get(*name)?;
        match value.as_array().map(Vec::as_slice) {
            Some([seconds, nanos]) => {
                super::super::time::epoch(seconds.as_u64()?.checked_mul(1_000_000_000)?.checked_add(nanos.as_u64()?)?)
            }
            _ => Stamp::deserialize(value).unwrap_or_default().0,
        }
    })
}
