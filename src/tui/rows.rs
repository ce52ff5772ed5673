//! Rows of the lists, and the sort order of the sessions.

use crate::domain::Label;
use crate::meter::{AgentLine, FleetLine, SessionId};

/// Sort order of the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Started,
    Duration,
    Project,
    Tokens,
    Cost,
    Rate,
}

impl SortBy {
    pub(super) const ALL: [Self; 6] =
        [Self::Started, Self::Duration, Self::Project, Self::Tokens, Self::Cost, Self::Rate];

    /// True when the smallest comes first: names are sorted from A to Z, everything else from the largest.
    pub(super) const fn is_ascending(self) -> bool {
        matches!(self, Self::Project)
    }

    pub(super) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|by| *by == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// A row of the sessions table: a session, or a sub-agent below it.
pub(super) enum FleetRow<'a> {
    Session(&'a FleetLine),
    Agent(&'a FleetLine, &'a AgentLine),
}

impl FleetRow<'_> {
    /// The session it belongs to.
    pub(super) fn session(&self) -> &SessionId {
        match self {
            Self::Session(line) | Self::Agent(line, _) => &line.id,
        }
    }

    /// Name of the row.
    pub(super) fn name(&self) -> (SessionId, Option<Label>) {
        match self {
            Self::Session(line) => (line.id.clone(), None),
            Self::Agent(line, agent) => (line.id.clone(), Some(agent.name.clone())),
        }
    }
}
