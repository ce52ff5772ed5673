//! Accepts connections, up to the maximum number.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Delay after a system error, such as running out of descriptors.
const REST: Duration = Duration::from_millis(50);

/// The next connection and its permit. Others wait in the system's backlog. `None` once `ending` is true.
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
