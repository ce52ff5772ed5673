//! Whether a call may be made: the question before its first byte goes upstream, and the settlement after its last.

use std::sync::Arc;

pub(crate) use crate::domain::HoldId;
use crate::domain::{Dimension, Instant, Label};
pub(crate) use crate::engine::LimitState;

/// API that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    /// `OpenAI`'s chat completions, and the older completions.
    Chat,
    /// `OpenAI`'s Responses.
    Responses,
    /// `OpenAI`'s embeddings.
    Embeddings,
    /// Anthropic's Messages.
    Messages,
}

/// Who makes a call, from its headers, its key and its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Who {
    /// User.
    pub(crate) user: Option<Label>,
    /// The user's team.
    pub(crate) team: Option<Label>,
    /// Session.
    pub(crate) session: Option<Label>,
    /// Agent.
    pub(crate) agent: Option<Label>,
    /// Project.
    pub(crate) project: Option<Label>,
    /// Part of the program that calls.
    pub(crate) feature: Option<Label>,
    /// Name of the key that was presented.
    pub(crate) key: Option<Label>,
}

/// User, team and organisation of calls that name none, from the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Defaults {
    /// User.
    pub(crate) user: Label,
    /// Team.
    pub(crate) team: Option<Label>,
    /// Organisation.
    pub(crate) org: Option<Label>,
}

/// A call that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Its API.
    pub(crate) protocol: Protocol,
    /// The model, if the beginning of the body names it.
    pub(crate) model: Option<Label>,
    /// Who makes it.
    pub(crate) who: Who,
    /// The organisation that it is booked to.
    pub(crate) org: Option<Label>,
    /// Estimate of its input tokens.
    pub(crate) input: u64,
    /// Most output tokens, if the request bounds them.
    pub(crate) output: Option<u64>,
    /// Time of the request.
    pub(crate) at: Instant,
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A limit is reached.
    Over(LimitState),
    /// The books cannot be read, and the gate denies calls then.
    Books,
}

/// Answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The call may be made.
    Go {
        /// Amount held for it; settled or released once.
        hold: Option<HoldId>,
        /// The limit that is near, if one is.
        near: Option<LimitState>,
    },
    /// It may not.
    Refuse(Refusal),
}

/// Owner of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Name of the key.
    pub(crate) key: Option<Label>,
    /// User of its calls.
    pub(crate) user: Option<Label>,
    /// Team of its calls.
    pub(crate) team: Option<Label>,
}

/// Decides about calls before they are made.
pub(crate) trait Admission: Send + Sync {
    /// Owner of the presented key; `None` refuses the request with 401. Called on the network thread: it must not wait.
    fn owner(&self, key: Option<&str>) -> Option<Owner>;

    /// The dimensions that limits depend on; `None` when there is no limit. Otherwise [`Admission::admit`] is asked, once
    /// the body has said what it says of them.
    fn limited(&self) -> Option<Arc<[Dimension]>>;

    /// As [`Admission::admit`], without waiting: `None` if that is not possible now.
    fn admit_at_once(&self, ask: &Ask) -> Option<Decision>;

    /// Checks the limits and holds the call's estimated cost, in one transaction. May wait for the books a few
    /// milliseconds; called on a thread of its own.
    fn admit(&self, ask: &Ask) -> Decision;
}
