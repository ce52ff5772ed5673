//! The Unix socket: many concurrent writers, an answer per line, bounded memory.

mod bind;
mod client;
mod connection;
mod serve;

pub use super::delivery::{Delivery, Reply, Said};
pub(crate) use bind::Bound;
pub use bind::bind;
pub(crate) use client::{ClientError, WRITE_PATIENCE, ask};
pub(crate) use serve::descriptors_of_a_runtime;
pub use serve::{Listener, Listening, Rules, Tally};

/// Maximum line length, in bytes.
pub const LINE_CAP: usize = 1024 * 1024;
/// Maximum number of connections; fewer if the process may open few files. Others wait for room.
pub const CONNECTION_CAP: usize = 256;
/// An idle connection is closed after this time if all are taken and others wait.
pub const IDLE: std::time::Duration = std::time::Duration::from_secs(2);
/// How long connections are served during shutdown.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);
/// Bytes of incomplete lines kept for all connections together.
const HELD_CAP: usize = 64 * 1024 * 1024;

/// State shared by all connections, which one thread serves.
struct Shared {
    /// Read buffer.
    chunk: std::cell::RefCell<Vec<u8>>,
    /// Bytes of incomplete lines.
    held: std::cell::Cell<usize>,
}
