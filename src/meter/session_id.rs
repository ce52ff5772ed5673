//! The identity of a session.

use crate::domain::{Call, Label};
use crate::ledger::SessionRow;

/// Identifies a session. Different log formats may use the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The log format.
    pub source: Label,
    /// Name; `None` collects calls without a session.
    pub session: Option<Label>,
}

impl SessionId {
    /// The session of a call.
    pub fn from_call(call: &Call) -> Self {
        Self { source: call.from.source.clone(), session: call.from.session.clone() }
    }

    /// The session of a row.
    pub(crate) fn from_row(row: &SessionRow) -> Self {
        Self { source: row.source.clone(), session: row.session.clone() }
    }
}
