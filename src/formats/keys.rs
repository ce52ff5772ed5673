//! Names that several formats agree on, so that one answer reported by two logs is counted once.

use crate::domain::CallKey;

/// The key of an Anthropic answer, named by its `msg_…` id.
///
/// A transcript, a proxy's log and a trace of the same answer all carry this id.
pub(crate) fn message_key(id: &str) -> CallKey {
    CallKey::of(&["anthropic", id])
}

/// The key of an OpenAI-style answer, named by its `resp_…`, `chatcmpl-…` or other response id.
pub(crate) fn response_key(id: &str) -> CallKey {
    CallKey::of(&["openai", id])
}

/// The second name of an answer: the id of the request that asked for it.
pub(crate) fn request_key(id: &str) -> CallKey {
    CallKey::of(&["request", id])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_in_two_roles_names_two_things() {
        let keys = [message_key("msg_1"), response_key("msg_1"), request_key("msg_1")];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_eq!(message_key("msg_1"), CallKey::of(&["anthropic", "msg_1"]));
    }
}
