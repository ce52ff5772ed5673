//! All paths of the server: their handlers, and their description in the API document.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use super::answers::Params;
use super::parameters::{self, FILE, GATE, KEY, LAST_EVENT, LAST_EVENT_HEADER, PERIOD, Parameter, REPORT};
use super::shared::Shared;
use super::status::Problem;
use super::{accepts, api, calls, events, guard, otlp, page, websocket};
use crate::domain::percent_bytes;

/// A path.
pub(super) struct Route {
    /// The path, with parameters in braces.
    pub(super) path: &'static str,
    /// Handler of the path.
    handler: fn() -> MethodRouter<Arc<Shared>>,
    /// Its operations, one per method.
    pub(super) operations: &'static [Operation],
}

/// A method on a path.
pub(super) struct Operation {
    /// HTTP method in lower case.
    pub(super) method: &'static str,
    /// Name of the operation in generated clients.
    pub(super) id: &'static str,
    /// Description, one sentence.
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [&'static [Parameter]],
    /// Media types and schemas of the request body.
    pub(super) body: &'static [(&'static str, &'static str)],
    /// Status, media type and schema of successful responses. Without a schema the body is text; without a media type
    /// there is no body.
    pub(super) answers: &'static [(&'static str, &'static str, &'static str)],
    /// Schema of errors.
    pub(super) errors: &'static str,
}

/// Prefix of paths that accept only their own parameters. On other paths, which supervisors and scrapers request,
/// parameters are ignored.
const API: &str = "/api/v1/";

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const PROTOBUF: &str = "application/x-protobuf";

/// A query that is answered with a document of this schema.
const fn asks(
    id: &'static str,
    summary: &'static str,
    parameters: &'static [&'static [Parameter]],
    answers: &'static [(&'static str, &'static str, &'static str)],
) -> Operation {
    Operation { method: "get", id, summary, parameters, body: &[], answers, errors: "Problem" }
}

/// An export of telemetry.
const fn export(id: &'static str, summary: &'static str) -> Operation {
    Operation {
        method: "post",
        id,
        summary,
        parameters: &[],
        body: &[(JSON, "OtlpExport"), (PROTOBUF, "")],
        answers: &[("200", JSON, "OtlpResponse"), ("200", PROTOBUF, "")],
        errors: "OtlpStatus",
    }
}

/// Every path.
pub(super) const ROUTES: [Route; 19] = [
    Route {
        path: "/v1/traces",
        handler: || post(otlp::traces),
        operations: &[export("exportTraces", "Takes spans (OTLP over HTTP).")],
    },
    Route {
        path: "/v1/logs",
        handler: || post(otlp::logs),
        operations: &[export("exportLogs", "Takes log records (OTLP over HTTP).")],
    },
    Route {
        path: "/v1/metrics",
        handler: || post(otlp::metrics),
        operations: &[export("exportMetrics", "Takes metrics (OTLP over HTTP).")],
    },
    Route {
        path: "/metrics",
        handler: || get(api::metrics),
        operations: &[asks(
            "metrics",
            "Metrics in the text format of Prometheus, or as OpenMetrics where Accept prefers it.",
            &[],
            &[("200", accepts::TEXT, ""), ("200", accepts::OPENMETRICS, "")],
        )],
    },
    Route {
        path: "/api/v1/usage",
        handler: || get(api::usage),
        operations: &[asks(
            "usage",
            "Tokens and cost by period, split by any dimension.",
            &[&[PERIOD], &REPORT],
            &[("200", JSON, "Report"), ("200", "text/csv", "")],
        )],
    },
    Route {
        path: "/api/v1/summary",
        handler: || get(api::summary),
        operations: &[asks("summary", "The numbers of the live screen.", &[], &[("200", JSON, "Summary")])],
    },
    Route {
        path: "/api/v1/sessions",
        handler: || get(api::sessions),
        operations: &[asks(
            "sessions",
            "Tokens and cost by session.",
            &[&REPORT],
            &[("200", JSON, "Report"), ("200", "text/csv", "")],
        )],
    },
    Route {
        path: "/api/v1/calls",
        handler: || get(api::calls).post(calls::book),
        operations: &[
            asks("calls", "The latest calls.", &[&REPORT], &[("200", JSON, "Report"), ("200", "text/csv", "")]),
            Operation {
                method: "post",
                id: "book",
                summary: "Books calls, one JSON object a line or a list of them, and answers each with a line. A call that \
                          is already booked counts as a repeat, so a body can safely be sent again.",
                parameters: &[],
                body: &[(LINES, "CallLine"), (JSON, "CallLines")],
                answers: &[("200", LINES, "Booked"), ("503", LINES, "Booked")],
                errors: "Problem",
            },
        ],
    },
    Route {
        path: "/api/v1/calls/{key}",
        handler: || get(api::call),
        operations: &[asks("call", "The arithmetic of one call.", &[&[KEY]], &[("200", JSON, "Call")])],
    },
    Route {
        path: "/api/v1/limits",
        handler: || get(api::limits),
        operations: &[asks("limits", "All limits with their usage.", &[], &[("200", JSON, "Limits")])],
    },
    Route {
        path: "/api/v1/health",
        handler: || get(api::health),
        operations: &[asks("health", "State of sources, ledger and config.", &[], &[("200", JSON, "Health")])],
    },
    Route {
        path: "/api/v1/gate",
        handler: || get(api::gate),
        operations: &[asks("gate", "Whether a call may be made.", &[&GATE], &[("200", JSON, "Gate")])],
    },
    Route {
        path: "/api/v1/events",
        handler: || get(events::stream),
        operations: &[asks(
            "events",
            "Server-Sent Events: `summary` (a Summary) with every change, and `alert` (an Alert) when one is raised.",
            &[&[LAST_EVENT_HEADER]],
            &[("200", "text/event-stream", "")],
        )],
    },
    Route {
        path: "/api/v1/ws",
        handler: || get(websocket::open),
        operations: &[asks(
            "ws",
            "The events over a WebSocket, each a text message that is an Event.",
            &[&[LAST_EVENT]],
            &[("101", "", "")],
        )],
    },
    Route {
        path: "/api/v1/openapi.json",
        handler: || get(api::openapi),
        operations: &[asks("openapi", "This document.", &[], &[("200", JSON, "Document")])],
    },
    Route {
        path: "/healthz",
        handler: || get(api::alive),
        operations: &[asks("healthz", "The server is up.", &[], &[("200", "text/plain", "")])],
    },
    Route {
        path: "/readyz",
        handler: || get(api::ready),
        operations: &[asks("readyz", "The logs have been read.", &[], &[("200", "text/plain", "")])],
    },
    Route {
        path: "/",
        handler: || get(page::index),
        operations: &[asks("page", "The web page.", &[], &[("200", "text/html", "")])],
    },
    Route {
        path: "/page/{name}",
        handler: || get(page::part),
        operations: &[asks(
            "pageFile",
            "A file of the web page.",
            &[&[FILE]],
            &[("200", "text/javascript", ""), ("200", "text/css", "")],
        )],
    },
];

/// Handles all paths.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    ROUTES
        .iter()
        .fold(Router::new(), |router, route| {
            let operations = if route.path.starts_with(API) { route.operations } else { &[] };
            let check = move |request, next| checked(operations, request, next);
            router.route(route.path, (route.handler)().layer(middleware::from_fn(check)))
        })
        .fallback(api::unknown)
        .method_not_allowed_fallback(api::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::check))
        .with_state(shared)
}

/// Rejects a query with parameters that the operation does not accept.
async fn checked(operations: &'static [Operation], request: Request, next: Next) -> Response {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let operation = operations.iter().find(|operation| operation.method.eq_ignore_ascii_case(method.as_str()));
    // Lossy decoding would silently query a different name.
    let is_text = std::str::from_utf8(&percent_bytes(request.uri().query().unwrap_or_default())).is_ok();
    let refused = operation.and_then(|operation| match Query::<Params>::try_from_uri(request.uri()) {
        _ if !is_text => Some("the parameters are not UTF-8".to_owned()),
        Ok(Query(given)) => parameters::check(operation.parameters, &given).err(),
        Err(error) => Some(error.body_text()),
    });
    match refused {
        Some(why) => Problem::new(StatusCode::BAD_REQUEST, why).into_response(),
        None => next.run(request).await,
    }
}
