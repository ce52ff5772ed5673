//! Accepts connections, HTTP/1.1 and HTTP/2, and ends them in order.

use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

use super::forward;
use super::shared::Shared;
use crate::server::accepting;

/// Connections served at once; others wait in the system's backlog.
const CONNECTIONS: usize = 8192;
/// How long a connection may be idle, or take for the head of a request.
const HEAD: Duration = Duration::from_secs(600);
/// How long calls that are being answered may take once the proxy ends.
const DRAIN: Duration = Duration::from_secs(30);
/// How long answers are read on whose client has left.
const READ_ON: Duration = Duration::from_secs(3);

/// Serves until `ending` is true; then lets the calls that are being answered end. `gone` ends when none is left.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut ending: watch::Receiver<bool>,
    mut gone: mpsc::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new());
    while let Some((stream, place)) = accepting::next(&listener, &room, &mut ending).await {
        let state = Arc::clone(&shared);
        let service = service_fn(move |request| forward::answer(Arc::clone(&state), request));
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let served = graceful.watch(connection);
        tokio::spawn(async move {
            let _ = served.await;
            drop(place);
        });
    }
    drop(listener);
    drop(shared);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    let _ = tokio::time::timeout(READ_ON, gone.recv()).await;
}
