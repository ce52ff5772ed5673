//! Accepts connections, both HTTP/1.1 and HTTP/2, and closes them in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use super::forward;
use super::headers::{HEAD_BYTES, HEADERS};
use super::shared::Shared;
use crate::server::accepting;

/// Maximum number of connections. Others wait in the system's backlog.
const CONNECTIONS: usize = 8192;
/// How long a connection may be idle, or take to send the head of a request.
const HEAD: Duration = Duration::from_secs(600);
/// How long calls in progress may take once the proxy is shutting down; with [`READ_ON`], 30 seconds.
const DRAIN: Duration = Duration::from_secs(27);
/// How long to keep reading a response after its client has disconnected.
const READ_ON: Duration = Duration::from_secs(3);
/// The first bytes of every HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// First and longest pause before checking again for a preface that has only partly arrived.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(100)];

/// Serves until `ending` is true, then lets calls in progress finish. `gone` completes when none is left.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut ending: watch::Receiver<bool>,
    mut gone: mpsc::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    while let Some((stream, place)) = accepting::next(&listener, &room, &mut ending).await {
        let served = connection(stream, Arc::clone(&shared), graceful.watcher(), ending.clone());
        tokio::spawn(async move {
            served.await;
            drop(place);
        });
    }
    drop(listener);
    drop(shared);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    let _ = tokio::time::timeout(READ_ON, gone.recv()).await;
}

/// Serves a connection until its client disconnects or the proxy shuts down.
///
/// hyper-util could also tell the versions apart, but it reads the preface into a buffer of its own, and hyper then
/// doubles its buffer and copies it: 8 to 12 kB more for each open stream.
async fn connection(stream: TcpStream, shared: Arc<Shared>, watcher: Watcher, mut ending: watch::Receiver<bool>) {
    let is_http2 = tokio::select! {
        known = tokio::time::timeout(HEAD, is_http2(&stream)) => known,
        // Nothing has been requested on it yet.
        _ = ending.changed() => return,
    };
    let Ok(Ok(is_http2)) = is_http2 else { return };
    let service = service_fn(move |request| forward::answer(Arc::clone(&shared), request));
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_header_list_size(HEAD_BYTES);
        let _ = Box::pin(watcher.watch(builder.serve_connection(TokioIo::new(stream), service))).await;
    } else {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(HEADERS);
        let _ = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await;
    }
}

/// Peeks at the first bytes of a connection, without consuming them.
async fn is_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    let [mut pause, longest] = PAUSES;
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || seen[..count] != PREFACE[..count] {
            return Ok(false);
        }
        if count == PREFACE.len() {
            return Ok(true);
        }
        // A client that sends nothing more must not keep the thread busy.
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
}
