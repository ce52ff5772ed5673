//! The remembered parts of a call that has been emitted, by which another report of it is recognised.

use serde::{Deserialize, Serialize};

use crate::domain::{Call, CallKey};

/// A call that has already been emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) key: [u8; 16],
    /// The key from before it was joined with another; absent in states from older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<[u8; 16]>,
    /// True when the key is the vendor's id of the answer.
    pub(super) is_named: bool,
    pub(super) prompt: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    /// True once a nested call shares its key.
    pub(super) is_joined: bool,
}

impl Seen {
    /// A call that no other shares its key with yet. `span` is the key that it has from its span.
    pub(super) fn from_call(call: &Call, span: CallKey) -> Self {
        let tokens = &call.tokens;
        Self {
            key: call.key.bytes(),
            own: Some(call.key.bytes()),
            is_named: call.key != span,
            prompt: tokens.prompt(),
            input: tokens.input,
            output: tokens.output,
            is_joined: false,
        }
    }

    /// True when an outer span reports the same request: the prompt has the same size (with or without cached tokens)
    /// or, if one has no prompt, the output is the same.
    pub(super) fn is_one_with(&self, within: &Self) -> bool {
        if self.is_named && within.is_named {
            return self.key == within.key;
        }
        if self.prompt == 0 || within.prompt == 0 {
            return self.output == within.output;
        }
        self.prompt == within.prompt || self.prompt == within.input || self.input == within.prompt
    }
}

/// The call under the key of another sighting. If its alias is its own span, it is dropped, because it would hide the
/// other's alias.
pub(super) fn joined(call: Call, span: CallKey, seen: &Seen) -> Call {
    let alias = call.alias.filter(|alias| *alias != span || !seen.is_joined);
    Call { key: CallKey::from_bytes(seen.key), alias, ..call }
}
