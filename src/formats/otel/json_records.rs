//! Reads log records directly from the text of a JSON export, in one pass: no tree is built and nothing is copied
//! unnecessarily.
//!
//! An export with any unusual name is rejected here and read as a tree instead, which knows the names of older
//! versions.

use std::borrow::Cow;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::json::Text;
use super::super::time::Stamp;
use super::attributes::Attributes;
use super::scalar::{Found, Scalar};
use super::signal::{Signal, id_of, of_record};

/// An export of log records. Accepts either spelling of the names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Export<'b> {
    #[serde(borrow, rename = "resourceLogs", alias = "resource_logs")]
    groups: Vec<Group<'b>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group<'b> {
    #[serde(borrow)]
    resource: Option<Resource<'b>>,
    #[serde(borrow, rename = "scopeLogs", alias = "scope_logs")]
    scopes: Option<Vec<Scope<'b>>>,
    #[serde(rename = "schemaUrl", alias = "schema_url", default)]
    _schema: IgnoredAny,
}

#[derive(Default, Deserialize)]
struct Resource<'b> {
    #[serde(borrow, default)]
    attributes: Attributes<'b>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope<'b> {
    #[serde(borrow, rename = "scope")]
    library: Option<Library<'b>>,
    #[serde(borrow, rename = "logRecords", alias = "log_records")]
    records: Option<Vec<Record<'b>>>,
    #[serde(rename = "schemaUrl", alias = "schema_url", default)]
    _schema: IgnoredAny,
}

#[derive(Default, Deserialize)]
struct Library<'b> {
    #[serde(borrow, default)]
    name: Text<'b>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'b> {
    #[serde(rename = "timeUnixNano", default)]
    at: Stamp,
    #[serde(rename = "observedTimeUnixNano", default)]
    observed: Stamp,
    #[serde(borrow, default)]
    body: Found<'b>,
    #[serde(borrow, default)]
    attributes: Attributes<'b>,
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

impl<'b> Export<'b> {
    /// The records with counts.
    pub(super) fn signals(self) -> Vec<Signal<'b>> {
        let mut signals = Vec::new();
        for Group { resource, scopes, .. } in self.groups {
            let resource = Rc::new(resource.unwrap_or_default().attributes);
            for Scope { library, records, .. } in scopes.into_iter().flatten() {
                let scope = library.unwrap_or_default().name.0.unwrap_or_default();
                let counted = records.into_iter().flatten().filter(|record| record.attributes.are_counted());
                signals.extend(counted.map(|record| record.signal(Rc::clone(&resource), scope.clone())));
            }
        }
        signals
    }
}

impl<'b> Record<'b> {
    fn signal(self, resource: Rc<Attributes<'b>>, scope: Cow<'b, str>) -> Signal<'b> {
        let name = self.name.0.unwrap_or_default();
        Signal {
            body: self.body.0.and_then(Scalar::into_text).unwrap_or_default(),
            trace: self.trace.0.and_then(id),
            span: self.span.0.and_then(id),
            ..of_record(self.attributes, resource, scope, name, self.at.0.or(self.observed.0))
        }
    }
}

fn id(written: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match written {
        Cow::Borrowed(written) => id_of(written),
        Cow::Owned(written) => id_of(&written).map(|id| Cow::Owned(id.into_owned())),
    }
}
