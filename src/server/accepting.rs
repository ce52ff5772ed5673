//! Accepts connections, as many at once as there is room for.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Delay after an error of the system, such as no descriptors left.
const REST: Duration = Duration::from_millis(50);

/// The next connection, with its place; others wait in the system's backlog. `None` once `ending` is true.
pub(super) async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    ending: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = tokio::select! {
        place = Arc::clone(room).acquire_owned() => place.ok()?,
        _ = ending.changed() => return None,
    };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    return Some((stream, place));
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
            _ = ending.changed() => return None,
        }
    }
}
