//! OTLP over HTTP: exports of spans, log records and metrics, in protobuf and in JSON.
//!
//! By the specification (opentelemetry.io/docs/specs/otlp, read 2026-11-26), a response has the request's content type,
//! an error is a `google.rpc.Status`, and a client retries after 429, 502, 503 and 504 but drops the data after other
//! errors.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use serde_json::json;
use tokio::sync::oneshot;

use super::body::{self, Coding};
use super::protobuf::{self, PartialSuccess, Signals};
use super::shared::{Shared, TIMEOUT};
use super::status::Problem;
use super::telemetry::{Decoded, Export};
use crate::ingest::Reply;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

pub(super) async fn traces(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    export(&shared, &headers, body, Signals::Traces).await
}

pub(super) async fn logs(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    export(&shared, &headers, body, Signals::Logs).await
}

/// Metrics are sums of the calls that spans, log records and transcripts report one by one. They count for sessions
/// about which nothing else is known.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    export(&shared, &headers, body, Signals::Metrics).await
}

async fn export(shared: &Shared, headers: &HeaderMap, body: Body, signals: Signals) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = match kind.as_str() {
        JSON => true,
        PROTOBUF | "application/protobuf" => false,
        _ => {
            let problem = Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("unknown content type; there are: {PROTOBUF}, {JSON}"),
            );
            return error(&problem, true);
        }
    };
    match take(shared, headers, body, is_json, signals).await {
        Ok(decoded) => success(&decoded, is_json, signals),
        Err(problem) => error(&problem, is_json),
    }
}

/// Returns once everything in the export has been booked.
async fn take(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
    is_json: bool,
    signals: Signals,
) -> Result<Decoded, Problem> {
    let codings = Coding::of_headers(headers)?;
    // Checked before the body is read, so that the amount of waiting data is bounded.
    let busy = || Problem::busy("the meter is busy; send this again");
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length = length.map_or(shared.bounds.body, |length: usize| length.min(shared.bounds.body));
    let share = shared.room.take(length).ok_or_else(busy)?;
    let place = shared.telemetry.try_reserve().map_err(|_| busy())?;
    let body = body::read(body, &shared.bounds).await?;
    let (done, decoded) = oneshot::channel();
    place.send(Export { body, codings, is_json, signals, done });
    let closing = || Problem::busy("the meter is closing; send this again");
    let mut decoded = decoded.await.map_err(|_| closing())??;
    let Some(mut booked) = decoded.booked.take() else { return Ok(decoded) };
    let answered = tokio::time::timeout(TIMEOUT, &mut booked).await;
    if answered.is_err() {
        // The records wait to be booked even if the client disconnects.
        tokio::spawn(async move {
            let _ = booked.await;
            drop(share);
        });
        return Err(busy());
    }
    match answered {
        Ok(Ok(Reply::Error(why))) => Err(Problem::busy(why.as_str())),
        Ok(Ok(Reply::Booked { .. } | Reply::Repeat | Reply::Nothing | Reply::Json(_))) => Ok(decoded),
        Ok(Err(_)) => Err(closing()),
        Err(_) => Err(busy()),
    }
}

fn success(decoded: &Decoded, is_json: bool, signals: Signals) -> Response {
    let partial = (decoded.refused > 0).then(|| PartialSuccess {
        rejected: i64::try_from(decoded.refused).unwrap_or(i64::MAX),
        error_message: decoded.why.clone(),
    });
    if is_json {
        let body = match partial {
            Some(partial) => {
                let name = match signals {
                    Signals::Traces => "rejectedSpans",
                    Signals::Logs => "rejectedLogRecords",
                    Signals::Metrics => "rejectedDataPoints",
                };
                // In protobuf's JSON, 64-bit integers are strings.
                let rejected = partial.rejected.to_string();
                json!({"partialSuccess": {name: rejected, "errorMessage": partial.error_message}})
            }
            None => json!({}),
        };
        return ([(header::CONTENT_TYPE, JSON)], body.to_string()).into_response();
    }
    ([(header::CONTENT_TYPE, PROTOBUF)], protobuf::Response { partial_success: partial }.encode_to_vec())
        .into_response()
}

fn error(problem: &Problem, is_json: bool) -> Response {
    // Codes of google.rpc: 3 means invalid argument, 14 means unavailable.
    let code = if problem.status.is_server_error() { 14 } else { 3 };
    let body = if is_json {
        json!({"code": code, "message": problem.message}).to_string().into_bytes()
    } else {
        protobuf::Status { code, message: problem.message.clone() }.encode_to_vec()
    };
    let kind = if is_json { JSON } else { PROTOBUF };
    let mut response = (problem.status, [(header::CONTENT_TYPE, kind)], body).into_response();
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
