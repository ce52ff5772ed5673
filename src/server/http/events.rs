//! Events: the summary as it changes and alerts as they are raised, as Server-Sent Events and over a WebSocket.
//!
//! The books are asked once for all listeners, at most a few times a second, and only while somebody listens. A slow
//! reader gets the latest numbers next and misses those between; nothing is queued for it.

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

/// Shortest time between two summaries.
const PACE: Duration = Duration::from_millis(100);
/// Longest time between two looks at the clock: rates fall and days end without a call.
const LOOK: Duration = Duration::from_secs(60);
/// Interval of signs of life that keep a silent connection open.
pub(super) const ALIVE: Duration = Duration::from_secs(15);

/// Hands on alerts. Runs until the engine stops.
pub(super) async fn alerts(shared: Arc<Shared>) {
    let mut alerts = shared.doors.alerts.subscribe();
    loop {
        match alerts.recv().await {
            Ok(alert) => shared.events.latest.send_modify(|latest| latest.alert(alert)),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Asks for the summary whenever the numbers have changed and somebody listens. Runs until the engine stops.
pub(super) async fn feed(shared: Arc<Shared>) {
    let Events { latest, joined } = &shared.events;
    let mut revision = shared.doors.revision.clone();
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
            // The next listener needs newer numbers.
            asked = asked.filter(|_| !has_changed);
            continue;
        }
        // A new listener gets the latest summary, unless that is old.
        if !has_changed && asked.is_some_and(|asked| asked.elapsed() < LOOK) {
            continue;
        }
        revision.mark_unchanged();
        if let Ok(answer) = api::ask(&shared, Topic::Summary, Params::new()).await
            && let Ok(summary) = String::from_utf8(answer.body)
        {
            asked = Some(Instant::now());
            latest.send_modify(|latest| latest.summary(summary.trim_end()));
        }
        tokio::time::sleep(PACE).await;
    }
}

/// The events of one listener.
pub(super) struct Listener {
    latest: watch::Receiver<Latest>,
    ending: watch::Receiver<bool>,
    seen: Seen,
}

impl Listener {
    /// A listener that has had the events up to this id.
    pub(super) fn after(last_id: &str, shared: &Shared) -> Self {
        let mut latest = shared.events.latest.subscribe();
        let seen = Seen::resume(last_id, &latest.borrow());
        // The latest may be a little old; a newer one follows as soon as the books have answered.
        latest.mark_changed();
        shared.events.joined.notify_one();
        Self { latest, ending: shared.ending.clone(), seen }
    }

    /// The next event; none once the server ends.
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

/// `GET /api/v1/events`. `Last-Event-ID` leaves out the events that the client has already.
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
