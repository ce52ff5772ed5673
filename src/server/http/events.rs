//! Events: the summary when it changes and alerts when they are raised, as Server-Sent Events and over a WebSocket.
//!
//! The ledger is queried once for all listeners, at most a few times per second, and only while there are listeners. A
//! slow reader gets the latest numbers next and misses those in between; nothing is queued for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answers::{Params, Topic};
use super::api;
use super::latest::{Event, Events, Latest, Seen};
use super::shared::Shared;

/// Minimum time between two summaries.
const PACE: Duration = Duration::from_millis(100);
/// Maximum time between two updates, because rates fall and days end even without calls.
const LOOK: Duration = Duration::from_secs(60);
/// Interval of keep-alive messages on a silent connection.
pub(super) const ALIVE: Duration = Duration::from_secs(15);

/// Forwards alerts. Runs until the engine stops.
pub(super) async fn alerts(shared: Arc<Shared>) {
    let mut alerts = shared.engine.alerts.subscribe();
    loop {
        match alerts.recv().await {
            Ok(alert) => shared.events.latest.send_modify(|latest| latest.alert(alert)),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Requests the summary whenever the numbers have changed and there are listeners. Runs until the engine stops.
pub(super) async fn feed(shared: Arc<Shared>) {
    let Events { latest, joined } = &shared.events;
    let mut revision = shared.engine.revision.clone();
    let mut asked: Option<Instant> = None;
    loop {
        let is_heard = latest.receiver_count() > 0;
        let has_changed = tokio::select! {
            changed = revision.changed() => match changed {
                Ok(()) => true,
                Err(_) => return,
            },
            () = joined.notified() => false,
            () = tokio::time::sleep(LOOK), if is_heard => true,
        };
        if latest.receiver_count() == 0 {
            // The next listener will need newer numbers.
            asked = asked.filter(|_| !has_changed);
            continue;
        }
        // A new listener gets the latest summary, unless that is too old.
        if !has_changed && asked.is_some_and(|asked| asked.elapsed() < LOOK) {
            continue;
        }
        revision.mark_unchanged();
        match api::ask(&shared, Topic::Summary, Params::new()).await.map(|answer| String::from_utf8(answer.body)) {
            Ok(Ok(summary)) => {
                asked = Some(Instant::now());
                latest.send_modify(|latest| latest.summary(summary.trim_end()));
            }
            // The ledger is busy. Ask again.
            Ok(Err(_)) | Err(_) => revision.mark_changed(),
        }
        tokio::time::sleep(PACE).await;
    }
}

/// The events for one listener.
pub(super) struct Listener {
    latest: watch::Receiver<Latest>,
    ending: watch::Receiver<bool>,
    seen: Seen,
}

impl Listener {
    /// A listener that has received the events up to this id.
    pub(super) fn after(last_id: &str, shared: &Shared) -> Self {
        let mut latest = shared.events.latest.subscribe();
        let seen = Seen::resume(last_id, &latest.borrow());
        // The latest summary may be slightly old. A newer one follows as soon as the ledger has answered.
        latest.mark_changed();
        shared.events.joined.notify_one();
        Self { latest, ending: shared.ending.clone(), seen }
    }

    /// The next event; `None` once the server is shutting down.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.seen.next(&self.latest.borrow_and_update()) {
                return Some(event);
            }
            tokio::select! {
                changed = self.latest.changed() => changed.ok()?,
                _ = self.ending.changed() => return None,
            }
        }
    }
}

/// `GET /api/v1/events`. With `Last-Event-ID`, skips the events that the client already has.
pub(super) async fn stream(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let listener = Listener::after(last_id, &shared);
    let events = stream::unfold(listener, |mut listener| async move {
        let Event { name, id, data } = listener.next().await?;
        let event = sse::Event::default().event(name).id(id).data(&*data);
        Some((Ok::<_, Infallible>(event), listener))
    });
    Sse::new(Box::pin(events)).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}
