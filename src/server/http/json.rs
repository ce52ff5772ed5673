//! Exports in JSON: log records that have no counts are passed over, so that most of an agent's events cost little.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// In the name of every attribute with a count (`…tokens`, `…Tokens`, `…token_count`).
pub(super) const COUNTED: &[u8] = b"oken";

#[derive(Deserialize)]
struct Export<'b> {
    #[serde(borrow, rename = "resourceLogs", alias = "resource_logs")]
    groups: Vec<Group<'b>>,
}

#[derive(Deserialize)]
struct Group<'b> {
    resource: Option<Value>,
    #[serde(borrow, rename = "scopeLogs", alias = "scope_logs")]
    scopes: Option<Vec<Scope<'b>>>,
}

#[derive(Deserialize)]
struct Scope<'b> {
    scope: Option<Value>,
    #[serde(borrow, rename = "logRecords", alias = "log_records")]
    records: Option<Vec<&'b RawValue>>,
}

/// The export as a value.
///
/// # Errors
/// When the bytes are no JSON.
pub(super) fn parse(body: &[u8]) -> serde_json::Result<Value> {
    match serde_json::from_slice::<Export<'_>>(body) {
        Ok(export) => counted(export),
        // Spans, metrics, older names, or no export at all.
        Err(_) => serde_json::from_slice(body),
    }
}

fn counted(export: Export<'_>) -> serde_json::Result<Value> {
    let finder = memmem::Finder::new(COUNTED);
    let mut groups = Vec::with_capacity(export.groups.len());
    for group in export.groups {
        let mut scopes = Vec::new();
        for Scope { scope, records } in group.scopes.into_iter().flatten() {
            let records = records.unwrap_or_default();
            let counted =
                records.into_iter().map(RawValue::get).filter(|record| finder.find(record.as_bytes()).is_some());
            let records: Vec<Value> = counted.map(serde_json::from_str).collect::<serde_json::Result<_>>()?;
            scopes.push(object([("scope", scope.unwrap_or_default()), ("logRecords", Value::Array(records))]));
        }
        let resource = group.resource.unwrap_or_default();
        groups.push(object([("resource", resource), ("scopeLogs", Value::Array(scopes))]));
    }
    Ok(object([("resourceLogs", Value::Array(groups))]))
}

/// An object of these members. `json!` would copy them, which takes longer than to parse them.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_without_counts_are_left_out_and_all_else_is_as_it_was() {
        for names in [("resourceLogs", "scopeLogs", "logRecords"), ("resource_logs", "scope_logs", "log_records")] {
            let record = json!({"attributes": [{"key": "input_tokens", "value": {"intValue": "5"}}]});
            let other = json!({"body": "tool_result"});
            let export = json!({names.0: [{"resource": {"x": 1}, names.1: [{"scope": {"name": "s"}, names.2: [other, record]}]}]});
            assert_eq!(
                parse(export.to_string().as_bytes()).unwrap(),
                json!({"resourceLogs": [{"resource": {"x": 1}, "scopeLogs": [{"scope": {"name": "s"}, "logRecords": [record]}]}]})
            );
        }
    }

    #[test]
    fn whatever_else_is_json_is_as_it_was() {
        for text in
            [r#"{"resourceSpans":[]}"#, "[]", "{}", "null", r#"{"resourceLogs":null}"#, r#"{"resourceLogs":[5]}"#]
        {
            assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
        assert!(parse(b"{").is_err() && parse(b"{\"resourceLogs\":[").is_err());
    }
}
