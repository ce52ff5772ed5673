//! The latest event, which every listener gets.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// The latest event, for everybody who listens.
pub(super) struct Events {
    /// The latest event.
    pub(super) latest: watch::Sender<Latest>,
    /// Somebody has begun to listen.
    pub(super) joined: Notify,
}

/// The summary, and its id; empty before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest {
    /// Names the event, for `Last-Event-ID`.
    pub(super) id: Arc<str>,
    /// One line of JSON.
    pub(super) summary: Arc<str>,
}

impl Default for Events {
    fn default() -> Self {
        Self { latest: watch::channel(Latest::default()).0, joined: Notify::new() }
    }
}
