//! Properties of upstreams that were learned from their responses.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::domain::CallKey;
use crate::formats::keys::request_key;

/// Number of requests whose ids are remembered.
const REQUESTS: usize = 4096;
/// Maximum number of models that are remembered. Their names come from clients.
const MODELS: usize = 4096;

/// Known properties of upstreams.
#[derive(Debug, Default)]
pub(super) struct UpstreamQuirks {
    /// Models of an upstream that reject `stream_options`.
    refusing: Mutex<HashSet<(usize, Option<String>)>>,
    /// Upstreams that require a content length.
    measuring: Mutex<HashSet<usize>>,
    /// The ids of the last requests.
    requests: Mutex<Requests>,
}

/// Ids of requests, and the order in which they came.
#[derive(Debug, Default)]
struct Requests {
    known: HashSet<CallKey>,
    order: VecDeque<CallKey>,
}

impl UpstreamQuirks {
    /// True for a model that has rejected a request for its usage.
    pub(super) fn refuses(&self, upstream: usize, model: Option<&str>) -> bool {
        let known = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty() && known.contains(&(upstream, model.map(str::to_owned)))
    }

    /// Records that the model rejected the request for usage, but accepted it without.
    pub(super) fn refused(&self, upstream: usize, model: Option<String>) {
        let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        // The others are learned again.
        if refusing.len() >= MODELS {
            refusing.clear();
        }
        refusing.insert((upstream, model));
    }

    /// True for an upstream that accepts no body of unknown length.
    pub(super) fn measures(&self, upstream: usize) -> bool {
        self.measuring.lock().unwrap_or_else(PoisonError::into_inner).contains(&upstream)
    }

    /// Records that the upstream accepted no body of unknown length.
    pub(super) fn measured(&self, upstream: usize) {
        self.measuring.lock().unwrap_or_else(PoisonError::into_inner).insert(upstream);
    }

    /// Records the id of a request. False if an earlier request had it, so that it identifies neither.
    pub(super) fn is_new_request(&self, id: &str) -> bool {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let key = request_key(id);
        if !requests.known.insert(key) {
            return false;
        }
        requests.order.push_back(key);
        if requests.order.len() > REQUESTS
            && let Some(oldest) = requests.order.pop_front()
        {
            requests.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_refuse_are_remembered_up_to_a_bound() {
        let memory = UpstreamQuirks::default();
        let name = |number: usize| Some(format!("model-{number}"));
        for number in 0..=MODELS {
            memory.refused(1, name(number));
            assert!(memory.refuses(1, name(number).as_deref()) && !memory.refuses(2, name(number).as_deref()));
        }
        assert!(memory.refusing.lock().unwrap().len() <= MODELS);
    }

    #[test]
    fn an_id_that_came_before_is_not_new_as_long_as_it_is_remembered() {
        let memory = UpstreamQuirks::default();
        assert!(memory.is_new_request("req_1") && memory.is_new_request("req_2"));
        assert!(!memory.is_new_request("req_1"));
        assert!((0..REQUESTS).all(|number| memory.is_new_request(&format!("req_more_{number}"))));
        assert!(memory.is_new_request("req_1"));
        assert_eq!(memory.requests.lock().unwrap().known.len(), REQUESTS);
    }
}
