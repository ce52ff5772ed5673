//! The Unix socket: many concurrent writers, one reply per line, bounded memory.

mod bind;
mod client;
mod connection;
mod serve;
mod tally;

pub use super::delivery::{Content, Delivery, Reply};
pub(crate) use bind::Bound;
pub use bind::bind;
pub(crate) use client::{ClientError, WRITE_TIMEOUT, ask};
pub(crate) use serve::descriptors_of_a_runtime;
pub use serve::{Listener, Listening};
pub use tally::Tally;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::Instant;
use crate::ingest::Owner;

/// Maximum line length, in bytes.
pub const LINE_CAP: usize = 1024 * 1024;
/// Maximum number of connections, or fewer if the process may only open a few files. Others wait until there is room.
pub const CONNECTION_CAP: usize = 256;
/// An idle connection may be closed after this time if all are in use and others are waiting.
pub const IDLE: Duration = Duration::from_secs(2);
/// How long connections are still served during shutdown.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Total bytes of incomplete lines kept for all connections.
const HELD_CAP: usize = 64 * 1024 * 1024;

/// Destination of deliveries. The queue is bounded, which limits floods.
pub(crate) type Deliver = mpsc::Sender<Delivery>;

/// Environment of the server.
#[derive(Clone)]
pub struct Rules {
    /// User id of the meter. Other users are rejected.
    pub uid: u32,
    /// Attribution for lines that give none.
    pub owner: Owner,
    /// Clock, for lines that have no time.
    pub clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    /// Idle time after which a connection may be closed for a new one.
    pub idle: Duration,
}

/// State shared by all connections, which are served by one thread.
struct Shared {
    /// Read buffer.
    chunk: RefCell<Vec<u8>>,
    /// Bytes of incomplete lines.
    held: Cell<usize>,
}
