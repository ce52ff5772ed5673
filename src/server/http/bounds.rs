//! Bounds of what a client may send, from the config.

use std::time::Duration;

use crate::config::Server;

/// Bounds of requests and connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of a body as it arrives.
    pub(super) body: usize,
    /// Bytes of a body once expanded.
    pub(super) expanded: u64,
    /// Connections served at once; others wait in the system's backlog.
    pub(super) connections: usize,
    /// Time for a body to arrive, and for a client to take something of its answer.
    pub(super) arrival: Duration,
    /// Time for the head of a request to arrive.
    pub(super) head: Duration,
}

/// Longest time for a head, which is small.
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
