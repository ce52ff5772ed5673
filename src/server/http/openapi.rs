//! `GET /api/v1/openapi.json`: the API as an OpenAPI 3.1 document, generated from the table of routes.

use serde_json::{Map, Value, json};

use super::guard;
use super::parameters::{Parameter, Place, Values};
use super::routes::{Operation, ROUTES};

/// Schemas of the responses, compared with real ones in `tests/openapi.rs`.
const SCHEMAS: &str = include_str!("openapi/schemas.json");

/// The document as one line.
pub(super) fn document() -> String {
    format!("{}\n", written())
}

fn written() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        let methods = route
            .operations
            .iter()
            .map(|operation| (operation.method.to_owned(), self::operation(operation, guard::is_open(route.path))));
        paths.insert(route.path.to_owned(), Value::Object(methods.collect()));
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tokmeter",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What coding agents spend. Amounts are exact decimals: read them as such where that matters.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        // Without a token in the config, none is required.
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    })
}

fn operation(operation: &Operation, is_open: bool) -> Value {
    let parameters: Vec<Value> = operation.parameters.iter().flat_map(|some| some.iter()).map(parameter).collect();
    let mut responses = Map::new();
    for (status, media, schema) in operation.answers {
        let response = responses
            .entry(*status)
            .or_insert_with(|| json!({"description": if *status == "503" { "As 200; some lines were not booked." } else { "The answer." }}));
        if !media.is_empty() {
            response["content"][*media] = content(schema);
        }
    }
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "Why there is no answer.",
            "content": {"application/json": content(operation.errors)},
        }),
    );
    let mut written = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": responses,
    });
    if !parameters.is_empty() {
        written["parameters"] = parameters.into();
    }
    if !operation.body.is_empty() {
        let body: Map<String, Value> =
            operation.body.iter().map(|(media, schema)| ((*media).to_owned(), content(schema))).collect();
        written["requestBody"] = json!({"required": true, "content": body});
    }
    if is_open {
        written["security"] = json!([]);
    }
    written
}

/// The content of a body: a JSON document, or text or bytes without a schema.
fn content(schema: &str) -> Value {
    if schema.is_empty() { json!({}) } else { json!({"schema": {"$ref": format!("#/components/schemas/{schema}")}}) }
}

fn parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Query => "query",
        Place::Path => "path",
        Place::Header => "header",
    };
    let schema = match parameter.values {
        Values::Text => json!({"type": "string"}),
        Values::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Values::Rows => json!({"type": "integer", "minimum": 0}),
        Values::OneOf(words) => json!({"type": "string", "enum": words}),
        Values::AnyOf(words) => json!({"type": "array", "items": {"type": "string", "enum": words}}),
    };
    json!({
        "name": parameter.name,
        "in": place,
        "required": parameter.place == Place::Path,
        "description": parameter.meaning,
        "schema": schema,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_schema_that_is_named_is_there_and_every_one_there_is_named() {
        fn named(value: &Value, into: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) => {
                    if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                        into.insert(name.trim_start_matches("#/components/schemas/").to_owned());
                    }
                    fields.values().for_each(|value| named(value, into));
                }
                Value::Array(items) => items.iter().for_each(|item| named(item, into)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = written();
        let mut wanted = BTreeSet::from(["Event".to_owned()]);
        named(&document, &mut wanted);
        let there: BTreeSet<String> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(there, wanted);
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_every_part_of_a_path_is_a_parameter() {
        let all: Vec<&Operation> = ROUTES.iter().flat_map(|route| route.operations).collect();
        let ids: BTreeSet<&str> = all.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), all.len());
        for route in &ROUTES {
            let parts: Vec<&str> = route.path.split(['{', '}']).skip(1).step_by(2).collect();
            for operation in route.operations {
                let given = operation.parameters.iter().flat_map(|some| some.iter());
                let given: Vec<&str> = given.filter(|one| one.place == Place::Path).map(|one| one.name).collect();
                assert_eq!(given, parts, "{}", route.path);
            }
        }
    }
}
