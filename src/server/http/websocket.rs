//! `GET /api/v1/ws`: the events over a WebSocket, each as a text message `{"event":…,"id":…,"data":…}`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::answers::Params;
use super::events::{ALIVE, Listener};
use super::latest::Event;
use super::shared::Shared;
use super::status::Problem;

/// Maximum size of a message from the client in bytes. Clients need not send any.
const HEARD: usize = 4 * 1024;
/// How long closing a connection may take.
const LAST: Duration = Duration::from_secs(1);

/// Opens the WebSocket. With `last_event_id`, skips the events that the client already has.
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    Query(params): Query<Params>,
    method: Method,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        // The path allows HEAD like every other, and it is answered like GET without an upgrade.
        Err(_) if method == Method::HEAD => {
            return Problem::new(StatusCode::BAD_REQUEST, "a WebSocket is opened with GET").into_response();
        }
        Err(refused) => return Problem::new(refused.status(), refused.body_text()).into_response(),
    };
    let Ok(place) = Arc::clone(&shared.sockets).try_acquire_owned() else {
        return Problem::busy("too many WebSockets are open").into_response();
    };
    let last_id = params.iter().find(|(name, _)| name == "last_event_id").map_or("", |(_, id)| id);
    let listener = Listener::after(last_id, &shared);
    let slowest = shared.bounds.arrival;
    upgrade.max_message_size(HEARD).on_upgrade(move |socket| serve(socket, listener, slowest, place))
}

/// Sends events until the client is gone. `slowest` is the time that a client may take to receive a message before it
/// is disconnected.
async fn serve(mut socket: WebSocket, mut listener: Listener, slowest: Duration, _place: OwnedSemaphorePermit) {
    let mut alive = tokio::time::interval(ALIVE);
    // After two keep-alive messages without a response, the client is gone.
    let mut unanswered = 0;
    let why = loop {
        let message = tokio::select! {
            event = listener.next() => match event.map(message) {
                Some(Some(message)) => message,
                Some(None) => continue,
                None => break None,
            },
            received = socket.recv() => match received {
                // Reading on sends the reply, until the client disconnects.
                Some(Ok(Message::Close(_))) => {
                    let _ = tokio::time::timeout(LAST, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
                    return;
                }
                Some(Err(_)) => {
                    let reason = "not a message of a WebSocket, or too long".into();
                    break Some(CloseFrame { code: close_code::PROTOCOL, reason });
                }
                None => return,
                Some(Ok(_)) => {
                    unanswered = 0;
                    continue;
                }
            },
            _ = alive.tick() => {
                unanswered += 1;
                if unanswered > 2 {
                    return;
                }
                Message::Ping(Bytes::new())
            }
        };
        // Nothing is queued during the wait, so the next event is the latest one.
        match tokio::time::timeout(slowest, socket.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    };
    let _ = tokio::time::timeout(LAST, socket.send(Message::Close(why))).await;
}

fn message(Event { name, id, data }: Event) -> Option<Message> {
    #[derive(Serialize)]
    struct Document<'a> {
        event: &'static str,
        id: &'a str,
        data: &'a RawValue,
    }
    let data = serde_json::from_str(&data).ok()?;
    serde_json::to_string(&Document { event: name, id: &id, data }).ok().map(Message::from)
}
