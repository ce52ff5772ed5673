//! A record decoded from a log.

use super::bill::Bill;
use super::call::Call;
use super::{CallKey, HoldId, Label, Status};

/// A record decoded from a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A call.
    Call(Call),
    /// A session descends from another one and may replay its history.
    Descends {
        /// The descendant.
        child: Label,
        /// The session it was forked from or spawned by.
        parent: Label,
    },
    /// A session's total, as reported by its agent.
    Bill(Bill),
    /// A call that an older version stored under another key.
    Rekeyed {
        /// The old key, relative to the family of `lineage`.
        from: CallKey,
        /// The session that made the call.
        lineage: Label,
        /// The current key.
        to: CallKey,
        /// True when the current key is relative to the family as well.
        in_family: bool,
    },
    /// A report on a provider's quota or on a session.
    Status(Status),
    /// The call that this amount was held for is over: it was booked in the same batch, or is known to have cost
    /// nothing.
    Settled(HoldId),
}
