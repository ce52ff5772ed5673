//! State shared by all requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};

use super::answers::AnswerFn;
use super::bounds::Bounds;
use super::byte_budget::ByteBudget;
use super::latest::Events;
use super::telemetry::Export;
use crate::config::{Env, Token};
use crate::domain::Instant;
use crate::engine::EngineClient;
use crate::ingest::Owner;

/// How long the engine may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// State shared by all requests.
pub(super) struct Shared {
    /// The token that clients must present.
    pub(super) token: Option<Token>,
    /// Access to the engine.
    pub(super) engine: EngineClient,
    /// The API document.
    pub(super) document: String,
    /// Answers queries to the ledger.
    pub(super) answer: AnswerFn,
    /// Attribution for calls that give none.
    pub(super) owner: Owner,
    /// The machine's environment.
    pub(super) env: Env,
    /// Bounds on requests.
    pub(super) bounds: Bounds,
    /// Room for exports on their way to the ledger.
    pub(super) room: ByteBudget,
    /// Telemetry to decode.
    pub(super) telemetry: mpsc::Sender<Export>,
    /// The events for all listeners.
    pub(super) events: Events,
    /// Permits for `WebSocket`s, which outlive the request that opens them.
    pub(super) sockets: Arc<Semaphore>,
    /// True once the server is shutting down.
    pub(super) ending: watch::Receiver<bool>,
}

impl Shared {
    /// The current time.
    pub(super) fn now(&self) -> Instant {
        self.env.now()
    }
}
