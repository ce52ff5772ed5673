//! Counters of the socket, and the reasons for its last bad lines.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::domain::Label;

/// Counters of the socket.
#[derive(Default)]
pub struct Tally {
    /// Connections served.
    pub accepted: AtomicU64,
    /// Connections from other users, which were rejected.
    pub foreign: AtomicU64,
    /// Connections closed to make room for others.
    pub crowded: AtomicU64,
    /// Lines that could not be decoded.
    pub bad: AtomicU64,
    /// Lines cut off by the end of their connection.
    pub partial: AtomicU64,
    /// Number of times the socket vanished and was bound again.
    pub rebound: AtomicU64,
    /// Reasons for the last bad lines, oldest first.
    reasons: Mutex<VecDeque<Label>>,
    /// Called after each bad line.
    on_bad: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tally").field("accepted", &self.accepted).field("bad", &self.bad).finish_non_exhaustive()
    }
}

impl Tally {
    /// Maximum number of reasons kept.
    const REASONS: usize = 20;

    /// Sets a callback for bad lines, which must not block.
    pub fn on_bad(&self, call: impl Fn() + Send + Sync + 'static) {
        let _ = self.on_bad.set(Box::new(call));
    }

    /// Reasons for the last bad lines, oldest first.
    pub fn reasons(&self) -> Vec<Label> {
        self.reasons.lock().map(|reasons| reasons.iter().cloned().collect()).unwrap_or_default()
    }

    /// Counts a bad line.
    pub(super) fn bad_line(&self, why: &str) {
        more(&self.bad);
        tracing::warn!(why = %Label::new(why), "line of the socket refused");
        if let Ok(mut reasons) = self.reasons.lock() {
            if reasons.len() == Self::REASONS {
                reasons.pop_front();
            }
            reasons.push_back(Label::new(why));
        }
        if let Some(call) = self.on_bad.get() {
            call();
        }
    }
}

pub(super) fn more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
