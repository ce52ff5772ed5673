//! Properties of upstreams that were found by trial.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Known properties of upstreams.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Models of an upstream that reject `stream_options`.
    refusing: Mutex<HashSet<(usize, Option<String>)>>,
    /// Upstreams that require a content length.
    measuring: Mutex<HashSet<usize>>,
}

impl Memory {
    /// True for a model that has rejected a request for its usage.
    pub(super) fn refuses(&self, upstream: usize, model: Option<&str>) -> bool {
        let known = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty() && known.contains(&(upstream, model.map(str::to_owned)))
    }

    /// Records that the model rejected the request for usage, but accepted it without.
    pub(super) fn refused(&self, upstream: usize, model: Option<String>) {
        self.refusing.lock().unwrap_or_else(PoisonError::into_inner).insert((upstream, model));
    }

    /// True for an upstream that accepts no body of unknown length.
    pub(super) fn measures(&self, upstream: usize) -> bool {
        self.measuring.lock().unwrap_or_else(PoisonError::into_inner).contains(&upstream)
    }

    /// Records that the upstream accepted no body of unknown length.
    pub(super) fn measured(&self, upstream: usize) {
        self.measuring.lock().unwrap_or_else(PoisonError::into_inner).insert(upstream);
    }
}
