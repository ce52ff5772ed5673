//! The Unix socket: many writers at once, each line answered, nothing unbounded.

mod bind;
mod client;
mod serve;

pub use bind::{Bound, SocketError, bind, in_use};
pub use client::{ClientError, WRITE_PATIENCE, ask, send};
pub use serve::{Deliver, Delivery, Listener, Listening, Reply, Rules, Said, Tally};

/// Longest line that is taken.
pub const LINE_CAP: usize = 1024 * 1024;
/// Connections at once.
pub const CONNECTION_CAP: usize = 64;
