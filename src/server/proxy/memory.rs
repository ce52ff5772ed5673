//! Peculiarities of upstreams, found by trial.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Peculiarities of upstreams.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Models of an upstream that refuse `stream_options`.
    refusing: Mutex<HashSet<(usize, Option<String>)>>,
    /// Upstreams that want to know a body's length.
    measuring: Mutex<HashSet<usize>>,
}

impl Memory {
    /// True for a model that refused to be asked for its usage.
    pub(super) fn refuses(&self, upstream: usize, model: Option<&str>) -> bool {
        let known = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty() && known.contains(&(upstream, model.map(str::to_owned)))
    }

    /// The model refused to be asked, and answered without.
    pub(super) fn refused(&self, upstream: usize, model: Option<String>) {
        self.refusing.lock().unwrap_or_else(PoisonError::into_inner).insert((upstream, model));
    }

    /// True for an upstream that takes no body of unknown length.
    pub(super) fn measures(&self, upstream: usize) -> bool {
        self.measuring.lock().unwrap_or_else(PoisonError::into_inner).contains(&upstream)
    }

    /// The upstream took no body of unknown length.
    pub(super) fn measured(&self, upstream: usize) {
        self.measuring.lock().unwrap_or_else(PoisonError::into_inner).insert(upstream);
    }
}
