//! Accepts connections and serves each with its own task.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use super::bounds::Bounds;
use crate::server::accepting;

/// How long requests in progress may take once the server is shutting down.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// Maximum size of a request's head in bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// Serves until `ending` is true, then answers the requests that have arrived.
pub(super) async fn serve(listener: TcpListener, router: Router, bounds: Bounds, mut ending: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(bounds.connections));
    let all = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
    while let Some((stream, place)) = accepting::next(&listener, &room, &mut ending).await {
        // A client that stops reading is disconnected, whatever it is being sent.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(bounds.arrival));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router.clone()))
            .with_upgrades();
        let mut ending = ending.clone();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => {}
                _ = ending.changed() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
            drop(place);
        });
    }
    // By then every connection has released its permit.
    let _ = tokio::time::timeout(LAST_ANSWERS, room.acquire_many(all)).await;
}
