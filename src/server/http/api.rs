//! Queries to the ledger, and the health checks of supervisors.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use super::accepts;
use super::answers::{Answer, Exposition, Kind, Params, Refusal, Topic};
use super::shared::{Shared, TIMEOUT};
use super::status::Problem;

/// Queries the ledger on the thread that owns it.
pub(super) async fn ask(shared: &Shared, topic: Topic, params: Params) -> Result<Answer, Problem> {
    let (done, answered) = oneshot::channel();
    let answer = shared.answer;
    let question = Box::new(move |books: &crate::engine::QueryContext<'_>| {
        let _ = done.send(answer(topic, &params, books));
    });
    let asked = tokio::time::timeout(TIMEOUT, async {
        shared.engine.ask.send(question).await.map_err(|_| ())?;
        answered.await.map_err(|_| ())
    });
    match asked.await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(refusal))) => Err(match refusal {
            Refusal::Question(why) => Problem::new(StatusCode::BAD_REQUEST, why),
            Refusal::Nothing(why) => Problem::new(StatusCode::NOT_FOUND, why),
            Refusal::Books(why) => Problem::busy(why),
        }),
        Ok(Err(())) => Err(Problem::busy("the meter is closing")),
        Err(_) => Err(Problem::busy("the ledger is busy")),
    }
}

async fn answer(shared: &Shared, topic: Topic, params: Params) -> Response {
    match ask(shared, topic, params).await {
        Ok(Answer { kind, body }) => {
            let kind = match kind {
                Kind::Json => "application/json",
                Kind::Csv => "text/csv; charset=utf-8",
                Kind::Metrics(Exposition::Text) => accepts::TEXT,
                Kind::Metrics(Exposition::OpenMetrics) => accepts::OPENMETRICS,
            };
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

pub(super) async fn usage(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    answer(&shared, Topic::Usage, params).await
}

pub(super) async fn summary(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    answer(&shared, Topic::Summary, params).await
}

pub(super) async fn sessions(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    answer(&shared, Topic::Sessions, params).await
}

pub(super) async fn calls(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    answer(&shared, Topic::Calls, params).await
}

/// `GET /api/v1/calls/KEY`: the explanation of one call.
pub(super) async fn call(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    answer(&shared, Topic::Call, vec![("key".to_owned(), key)]).await
}

pub(super) async fn limits(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    answer(&shared, Topic::Limits, params).await
}

pub(super) async fn health(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    answer(&shared, Topic::Health, params).await
}

pub(super) async fn gate(State(shared): State<Arc<Shared>>, Query(params): Query<Params>) -> Response {
    answer(&shared, Topic::Gate, params).await
}

/// `GET /metrics`, in the format that the client prefers.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let mut response = answer(&shared, Topic::Metrics(accepts::preferred(&headers)), Params::new()).await;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn openapi(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], shared.document.clone()).into_response()
}

/// The server is up.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Ready once the ledger answers and everything that existed at the start has been read.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let (done, answered) = oneshot::channel();
    let question = Box::new(move |books: &crate::engine::QueryContext<'_>| {
        let _ = done.send(books.is_caught_up);
    });
    let asked = tokio::time::timeout(TIMEOUT, async {
        shared.engine.ask.send(question).await.ok()?;
        answered.await.ok()
    });
    match asked.await {
        Ok(Some(true)) => "ok\n".into_response(),
        Ok(Some(false)) => Problem::busy("the logs are still being read").into_response(),
        Ok(None) | Err(_) => Problem::busy("the ledger is busy").into_response(),
    }
}

pub(super) async fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here")
}

pub(super) async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method")
}
