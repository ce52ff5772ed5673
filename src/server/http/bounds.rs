//! Bounds on the data that a client may send, from the config.

use std::time::Duration;

use crate::config::Server;

/// Bounds of requests and connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Maximum size of a body in bytes, as received.
    pub(super) body: usize,
    /// Maximum size of a body in bytes, after decompression.
    pub(super) expanded: u64,
    /// Maximum number of connections. Others wait in the system's backlog.
    pub(super) connections: usize,
    /// Time limit for a body to arrive, and for a client to read the next part of its response.
    pub(super) arrival: Duration,
    /// Time limit for the head of a request to arrive.
    pub(super) head: Duration,
}

/// Upper bound for the time limit of a head, because heads are small.
const HEAD: Duration = Duration::from_secs(10);

impl Bounds {
    pub(crate) fn from_settings(server: &Server) -> Self {
        const MIB: u64 = 1024 * 1024;
        let arrival = Duration::from_secs(server.timeout_seconds.into());
        Self {
            body: usize::try_from(u64::from(server.body_mib) * MIB).unwrap_or(usize::MAX),
            expanded: u64::from(server.expanded_mib) * MIB,
            connections: usize::try_from(server.connections).unwrap_or(usize::MAX),
            arrival,
            head: arrival.min(HEAD),
        }
    }
}
