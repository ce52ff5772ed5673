//! The agent that wrote a log. For readers that derive each call's time, session and project in the same way.

use super::Origin;
use crate::domain::{Attribution, Instant, Label, Labels, Place};

/// An agent, and the names that repeat in its logs.
#[derive(Debug)]
pub(super) struct Author {
    source: Label,
    labels: Labels,
}

impl Author {
    /// The agent whose format has this name.
    pub(super) fn new(name: &str) -> Self {
        Self { source: Label::new(name), labels: Labels::default() }
    }

    /// The agent, by the name of its format.
    pub(super) fn source(&self) -> &Label {
        &self.source
    }

    /// The label for a name; `None` without one.
    pub(super) fn label(&mut self, name: Option<&str>) -> Option<Label> {
        self.labels.find(name)
    }

    /// Attribution of a call: its time (or that of the file), session and project.
    pub(super) fn attribution(
        &mut self,
        at: Option<Instant>,
        session: Option<&str>,
        project: Option<&str>,
        origin: &Origin,
    ) -> Attribution {
        Attribution {
            session: self.labels.find(session),
            project: self.labels.find(project),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            ..Attribution::new(at.unwrap_or(origin.modified), self.source.clone())
        }
    }
}
