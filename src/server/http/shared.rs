//! State shared by all requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};

use super::answers::AnswerFn;
use super::bounds::Bounds;
use super::latest::Events;
use super::room::Room;
use super::telemetry::Export;
use crate::config::{Env, Token};
use crate::domain::{Instant, Label};
use crate::engine::Doors;

/// How long the engine may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// State shared by all requests.
pub(super) struct Shared {
    /// The token that clients must present.
    pub(super) token: Option<Token>,
    /// Ways into the engine.
    pub(super) doors: Doors,
    /// The API document.
    pub(super) document: String,
    /// Answers questions to the books.
    pub(super) answer: AnswerFn,
    /// User of calls that name none.
    pub(super) user: Label,
    /// The machine.
    pub(super) env: Env,
    /// Bounds of requests.
    pub(super) bounds: Bounds,
    /// Room for exports on their way into the books.
    pub(super) room: Room,
    /// Telemetry to be decoded.
    pub(super) telemetry: mpsc::Sender<Export>,
    /// The events of everybody who listens.
    pub(super) events: Events,
    /// Places for web sockets, which outlive the request that opens them.
    pub(super) sockets: Arc<Semaphore>,
    /// True once the server ends.
    pub(super) ending: watch::Receiver<bool>,
}

impl Shared {
    /// The time now.
    pub(super) fn now(&self) -> Instant {
        self.env.now()
    }
}
