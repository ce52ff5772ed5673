//! The Unix socket: many writers at once, each line answered, nothing unbounded.

mod bind;
mod client;
mod connection;
mod serve;

pub use bind::{Bound, SocketError, bind, in_use};
pub use client::{ClientError, WRITE_PATIENCE, ask, send};
pub use serve::{Deliver, Delivery, Listener, Listening, Reply, Rules, Said, Tally};

/// Longest line that is taken.
pub const LINE_CAP: usize = 1024 * 1024;
/// Connections at once.
pub const CONNECTION_CAP: usize = 64;
/// A connection that has been silent for so long makes room for a new one once all are taken.
pub const IDLE: std::time::Duration = std::time::Duration::from_secs(30);
