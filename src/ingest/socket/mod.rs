//! The Unix socket: many writers at once, each line answered, nothing unbounded.

mod bind;
mod client;
mod connection;
mod serve;

pub(crate) use bind::Bound;
pub use bind::bind;
pub(crate) use client::{ClientError, WRITE_PATIENCE, ask};
pub(crate) use serve::descriptors_of_a_runtime;
pub use serve::{Delivery, Listener, Listening, Reply, Rules, Said, Tally};

/// Longest line that is taken.
pub const LINE_CAP: usize = 1024 * 1024;
/// Connections served at once; fewer where the process may open few files. Others wait until there is room.
pub const CONNECTION_CAP: usize = 256;
/// A connection that has finished no line for so long makes room once all are taken and others wait.
pub const IDLE: std::time::Duration = std::time::Duration::from_secs(2);
/// How long a connection is still served once the meter ends.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);
/// Bytes of incomplete lines that are kept for all connections together.
const HELD_CAP: usize = 64 * 1024 * 1024;

/// State shared by all connections, which one thread serves.
struct Shared {
    /// Where bytes are read to before they are known to whom they belong.
    chunk: std::cell::RefCell<Vec<u8>>,
    /// Bytes that wait for the end of their line.
    held: std::cell::Cell<usize>,
}
