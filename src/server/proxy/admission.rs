//! Decides whether a call may be made: the check before its first byte goes upstream, and the settlement after its
//! last.

use std::sync::Arc;

pub(crate) use crate::domain::HoldId;
use crate::domain::{Dimension, Instant, Label};
pub(crate) use crate::engine::LimitState;

/// The API that a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    /// `OpenAI`'s chat completions, and its older completions.
    Chat,
    /// `OpenAI`'s Responses.
    Responses,
    /// `OpenAI`'s embeddings.
    Embeddings,
    /// Anthropic's Messages.
    Messages,
}

/// The caller, according to headers, key and body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) user: Option<Label>,
    /// The user's team.
    pub(crate) team: Option<Label>,
    pub(crate) session: Option<Label>,
    pub(crate) agent: Option<Label>,
    pub(crate) project: Option<Label>,
    /// The part of the program that makes the call.
    pub(crate) feature: Option<Label>,
    /// Name of the key that was presented.
    pub(crate) key: Option<Label>,
}

impl Who {
    /// The caller whose limits count and under whom the call is booked: as headers and key say, else as the request's
    /// body says, else as configured. A key without a team has none that a body could name.
    pub(super) fn completed(&self, body: &Self, defaults: &Defaults) -> Self {
        let pick = |own: &Option<Label>, body: &Option<Label>| own.clone().or_else(|| body.clone());
        let team = if self.key.is_some() { self.team.clone() } else { pick(&self.team, &body.team) };
        Self {
            user: pick(&self.user, &body.user).or_else(|| Some(defaults.user.clone())),
            team: team.or_else(|| defaults.team.clone()),
            session: pick(&self.session, &body.session),
            agent: pick(&self.agent, &body.agent),
            project: pick(&self.project, &body.project),
            feature: pick(&self.feature, &body.feature),
            key: self.key.clone(),
        }
    }
}

/// User, team and organisation for calls that give none, from the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) user: Label,
    pub(crate) team: Option<Label>,
    /// Organisation.
    pub(crate) org: Option<Label>,
}

/// A call that asks for admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Its API.
    pub(crate) protocol: Protocol,
    /// The model, if the beginning of the body gives it.
    pub(crate) model: Option<Label>,
    /// The model under which the last call to it was booked, if the upstream gave it another name.
    pub(crate) answers_as: Option<Label>,
    /// The caller.
    pub(crate) who: Who,
    /// The organisation under which it is booked.
    pub(crate) org: Option<Label>,
    /// Estimate of its input tokens.
    pub(crate) input: u64,
    /// Maximum output tokens, if the request sets a maximum.
    pub(crate) output: Option<u64>,
    /// Time of the request.
    pub(crate) at: Instant,
}

/// Why a call must not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A limit is reached.
    Over(LimitState),
    /// The ledger cannot be read, and the config says to deny calls in that case.
    Books,
}

/// Answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The call may be made.
    Go {
        /// Amount held for it, which must be settled or released exactly once.
        hold: Option<HoldId>,
        /// The limit that is near, if any.
        near: Option<LimitState>,
    },
    /// The call must not be made.
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
    /// Owner of the presented key; `None` rejects the request with 401. Called on the network thread, so it must not
    /// block.
    fn owner(&self, key: Option<&str>) -> Option<Owner>;

    /// The dimensions that limits depend on; `None` when there are no limits. Only with limits is [`Admission::admit`]
    /// called, once the body has named what they depend on.
    fn limited(&self) -> Option<Arc<[Dimension]>>;

    /// Like [`Admission::admit`], but without waiting: `None` if that is not possible now.
    fn admit_at_once(&self, ask: &Ask) -> Option<Decision>;

    /// Checks the limits and holds the call's estimated cost, in one transaction. May wait a few milliseconds for the
    /// ledger, so it is called on a separate thread.
    fn admit(&self, ask: &Ask) -> Decision;

    /// The decision when neither of the others can be made.
    fn undecided(&self) -> Decision;
}
