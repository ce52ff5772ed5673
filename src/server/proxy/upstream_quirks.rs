//! Properties of upstreams that were learned from their responses.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::{CallKey, Label};
use crate::formats::keys::request_key;

/// Number of requests whose ids are remembered.
const REQUESTS: usize = 4096;
/// Maximum number of models that are remembered. Their names come from clients.
const MODELS: usize = 4096;
/// How long an upstream is expected to answer under the same name. A gateway whose alias now means a model with room is
/// asked again after that.
const RENAMED: Duration = Duration::from_secs(3600);

/// Known properties of upstreams.
#[derive(Debug, Default)]
pub(super) struct UpstreamQuirks {
    /// Models of an upstream that reject `stream_options`.
    refusing: Mutex<HashSet<(usize, Option<String>)>>,
    /// Upstreams that require a content length.
    measuring: Mutex<HashSet<usize>>,
    /// The model under which an upstream answered a request for another, and when it last did.
    answering: Mutex<HashMap<(usize, Label), (Label, Instant)>>,
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

    /// The model under which this upstream answers requests for another, such as a gateway's alias.
    pub(super) fn answers_as(&self, upstream: usize, asked: &Label, now: Instant) -> Option<Label> {
        let known = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return None;
        }
        let (answered, at) = known.get(&(upstream, asked.clone()))?;
        (now.saturating_duration_since(*at) < RENAMED).then(|| answered.clone())
    }

    /// Records the model of an answer to a request for a model.
    pub(super) fn answered_as(&self, upstream: usize, asked: &Label, answered: &Label) {
        let mut known = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        if asked == answered {
            if !known.is_empty() {
                known.remove(&(upstream, asked.clone()));
            }
            return;
        }
        if known.len() >= MODELS {
            known.clear();
        }
        known.insert((upstream, asked.clone()), (answered.clone(), Instant::now()));
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
    fn the_last_name_of_an_answer_is_remembered_for_a_while_and_up_to_a_bound() {
        let memory = UpstreamQuirks::default();
        let [fast, large, small] = ["fast", "large", "small"].map(Label::new);
        let answers_as = |upstream, asked: &Label| memory.answers_as(upstream, asked, Instant::now());
        assert_eq!(answers_as(1, &fast), None);
        memory.answered_as(1, &fast, &large);
        memory.answered_as(1, &fast, &small);
        assert_eq!((answers_as(1, &fast), answers_as(2, &fast)), (Some(small.clone()), None));
        assert_eq!(memory.answers_as(1, &fast, Instant::now() + RENAMED), None, "it is asked again");
        memory.answered_as(1, &fast, &fast);
        assert_eq!(answers_as(1, &fast), None);
        for number in 0..=MODELS {
            let asked = Label::new(&format!("alias-{number}"));
            memory.answered_as(1, &asked, &small);
            assert_eq!(answers_as(1, &asked), Some(small.clone()));
        }
        assert!(memory.answering.lock().unwrap().len() <= MODELS);
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
