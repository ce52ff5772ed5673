//! State shared by all requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::admission::{Admission, Defaults};
use super::booking::BookingHandle;
use super::route::Upstream;
use super::upstream::Client;
use super::upstream_quirks::UpstreamQuirks;
use crate::config::Env;
use crate::config::Token;
use crate::domain::CallKey;

/// State shared by all requests.
pub(super) struct Shared {
    pub(super) upstreams: Vec<Upstream>,
    pub(super) client: Client,
    pub(super) memory: Arc<UpstreamQuirks>,
    pub(super) admission: Arc<dyn Admission>,
    pub(super) booking: BookingHandle,
    /// The token that clients must present if they present no key.
    pub(super) token: Option<Token>,
    /// User, team and organisation for calls that give none.
    pub(super) defaults: Defaults,
    pub(super) env: Env,
    /// Number of requests so far.
    pub(super) count: AtomicU64,
    /// A copy is held by everything that shutdown must wait for.
    pub(super) alive: mpsc::Sender<()>,
}

impl Shared {
    /// An id that no other call has.
    pub(super) fn next_id(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let began = self.env.now().timestamp_nanos_opt().unwrap_or_default();
        let parts = [u64::from(std::process::id()).to_le_bytes(), number.to_le_bytes(), began.to_le_bytes()];
        CallKey::from_parts(&parts).to_string()
    }
}
