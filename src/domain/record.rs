//! Content of a log line.

use super::bill::Bill;
use super::call::Call;
use super::{CallKey, HoldId, Label, Status};

/// Content of a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A call.
    Call(Call),
    /// A session descends from another, whose history it may replay.
    Descends {
        /// The descendant.
        child: Label,
        /// The session it was forked from or spawned by.
        parent: Label,
    },
    /// A session's total, as stated by its agent.
    Bill(Bill),
    /// An older version stored a call under another key.
    Rekeyed {
        /// The old key, within the family of `lineage`.
        from: CallKey,
        /// The session that made the call.
        lineage: Label,
        /// The current key.
        to: CallKey,
        /// Whether the current key, too, is relative to the family.
        in_family: bool,
    },
    /// A statement about a provider's window or a session.
    Status(Status),
    /// The call for which this amount was held is over: booked, in the same batch, or known to have cost nothing.
    Settled(HoldId),
}
