//! `POST /api/v1/calls`: the lines of the socket protocol over HTTP, answered line by line. A body that is one JSON
//! value may have it over several lines; a list has a call in each element.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::body::{self, Coding};
use super::shared::{Shared, TIMEOUT};
use super::status::Problem;
use crate::domain::{Label, Record};
use crate::formats::{self, Decoder, Origin, Outcome};
use crate::ingest::{Content, Delivery, Projects, Reply};

/// Books every line in the body. A line that was booked before counts as a repeat, so a body can be sent again.
pub(super) async fn book(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let lines = match lines(&shared, &headers, body).await {
        Ok(lines) => lines,
        Err(problem) => return problem.into_response(),
    };
    // The decoder is not `Send`, so decode all lines before booking the first.
    let decoded = decoded(&shared, &lines);
    if decoded.is_empty() {
        return Problem::new(StatusCode::BAD_REQUEST, "expected one JSON object per line").into_response();
    }
    let mut answers = String::new();
    let mut failed = false;
    for line in decoded {
        let reply = match line {
            Ok(records) if records.is_empty() => Reply::Nothing,
            Ok(records) => {
                let reply = deliver(&shared, records).await;
                failed |= matches!(reply, None | Some(Reply::Error(_)));
                reply.unwrap_or_else(|| Reply::refusal("the line was not booked; send it again"))
            }
            Err(why) => Reply::Error(why),
        };
        answers.push_str(&reply.to_string());
        answers.push('\n');
    }
    // If everything is sent again, lines already booked are repeats.
    let status = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, [(header::CONTENT_TYPE, "application/x-ndjson")], answers).into_response()
}

async fn lines(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let codings = Coding::of_headers(headers)?;
    body::expanded(body::read(body, &shared.bounds).await?, &codings, shared.bounds.expanded)
}

fn decoded(shared: &Shared, body: &[u8]) -> Vec<Result<Vec<Record>, Label>> {
    let mut decoder = Decoder::new(&[]);
    let projects = Projects::default();
    let mut all = Vec::new();
    let mut offset = 0;
    for line in cut(body) {
        let origin = Origin { path: Label::new("http"), offset, modified: shared.now() };
        offset = offset.saturating_add(line.len() as u64 + 1);
        let line = formats::bare(line);
        if line.is_empty() {
            continue;
        }
        if !line.starts_with(b"{") {
            all.push(Err(Label::new("expected one JSON object per line")));
            continue;
        }
        let mut records = Vec::new();
        if let Outcome::Bad(why) = decoder.line(line, &origin, &mut records) {
            all.push(Err(Label::new(&why.to_string())));
            continue;
        }
        shared.owner.own(&mut records);
        projects.fold(&mut records);
        all.push(Ok(records));
    }
    all
}

/// The objects in the body: the elements of a list, the body itself if it is one object, and otherwise its lines.
fn cut(body: &[u8]) -> Vec<&[u8]> {
    let whole = formats::bare(body);
    if let Ok(all) = serde_json::from_slice::<Vec<&RawValue>>(whole) {
        return all.into_iter().map(|value| value.get().as_bytes()).collect();
    }
    if serde_json::from_slice::<&RawValue>(whole).is_ok() {
        return vec![whole];
    }
    body.split(|byte| *byte == b'\n').collect()
}

async fn deliver(shared: &Shared, records: Vec<Record>) -> Option<Reply> {
    let (reply, answer) = oneshot::channel();
    let content = Content::Records(records);
    tokio::time::timeout(TIMEOUT, async {
        shared.engine.deliver.send(Delivery { content, reply }).await.ok()?;
        answer.await.ok()
    })
    .await
    .ok()?
}
