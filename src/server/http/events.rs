//! Server-Sent Events: the summary as it changes.
//!
//! The books are asked once for all listeners, at most a few times a second, and only while somebody listens. A slow
//! reader gets the latest numbers next and misses those between; nothing is queued for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time::Instant;

use super::answers::{Params, Topic};
use super::api;
use super::latest::{Events, Latest};
use super::shared::Shared;

/// Shortest time between two events.
const PACE: Duration = Duration::from_millis(100);
/// Longest time between two looks at the clock: rates fall and days end without a call.
const LOOK: Duration = Duration::from_secs(60);
/// Interval of comments that keep a silent connection open.
const ALIVE: Duration = Duration::from_secs(15);

/// Asks for the summary whenever the numbers have changed and somebody listens. Runs until the engine stops.
pub(super) async fn feed(shared: Arc<Shared>) {
    let Events { latest, joined } = &shared.events;
    // Distinguishes the events of this run from those of an earlier one.
    let run = shared.now().timestamp_millis();
    let mut revision = shared.doors.revision.clone();
    let mut published = 0_u64;
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
            published += 1;
            asked = Some(Instant::now());
            latest.send_replace(Latest { id: format!("{run}-{published}").into(), summary: summary.trim_end().into() });
        }
        tokio::time::sleep(PACE).await;
    }
}

/// The stream of events. `Last-Event-ID` leaves out the summary that the client has already.
pub(super) async fn stream(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let seen: Arc<str> = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default().into();
    let mut latest = shared.events.latest.subscribe();
    // The latest may be a little old; a newer one follows as soon as the books have answered.
    latest.mark_changed();
    shared.events.joined.notify_one();
    let events = stream::unfold((latest, shared.ending.clone(), seen), |(mut latest, mut ending, seen)| async move {
        loop {
            tokio::select! {
                changed = latest.changed() => changed.ok()?,
                _ = ending.changed() => return None,
            }
            let Latest { id, summary } = latest.borrow_and_update().clone();
            if id.is_empty() || id == seen {
                continue;
            }
            let event = Event::default().event("summary").id(&*id).data(&*summary);
            return Some((Ok::<_, Infallible>(event), (latest, ending, id)));
        }
    });
    Sse::new(Box::pin(events)).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}
