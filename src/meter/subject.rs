//! Subjects of limits: everyone together, each user, a session, a run.

use super::limit::{Limit, Rules};
use super::session_id::SessionId;
use super::window::Window;
use crate::domain::{Call, Dimension, Label};

/// A subject that is limited separately: the names matched by a default, a session, a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) names: Vec<Label>,
    pub(crate) session: Option<SessionId>,
    pub(crate) agent: Option<Label>,
}

impl Subject {
    /// The subject of a call; `None` when the limit does not cover it.
    pub(crate) fn from_call(call: &Call, limit: &Limit, rules: &Rules) -> Option<Self> {
        if !limit.scope.covers(call) {
            return None;
        }
        let names: Vec<Label> =
            grouped(limit).map(|dimension| dimension.label_of(call).cloned()).collect::<Option<Vec<_>>>()?;
        let from = &call.from;
        if limit.window.is_per_session() && from.session.is_none() {
            return None;
        }
        let session = limit.window.is_per_session().then(|| SessionId::from_call(call));
        let agent = if limit.window == Window::Run { Some(from.agent.clone()?) } else { None };
        (!overridden(limit, &names, rules)).then_some(Self { names, session, agent })
    }

    /// Display name; `None` when the limit applies to everyone together.
    pub(crate) fn name(&self) -> Option<String> {
        let session = self.session.as_ref().and_then(|id| id.session.as_ref());
        let words: Vec<&str> = self.names.iter().chain(self.agent.as_ref().or(session)).map(Label::as_str).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// Dimensions whose names a default limits separately.
pub(crate) fn grouped(limit: &Limit) -> impl Iterator<Item = Dimension> {
    let each = limit.scope.each;
    limit.scope.only.iter().filter(move |(_, names)| each && names.as_str() == "*").map(|(dimension, _)| *dimension)
}

/// True when a limit for exactly these names replaces the default.
pub(crate) fn overridden(limit: &Limit, names: &[Label], rules: &Rules) -> bool {
    if !limit.scope.each {
        return false;
    }
    let dimensions: Vec<Dimension> = grouped(limit).collect();
    rules.limits.iter().any(|other| {
        !other.scope.each
            && other.window == limit.window
            && other.scope.only.len() == limit.scope.only.len()
            && limit.scope.only.iter().all(|(dimension, pattern)| {
                other.scope.only.iter().any(|(of, theirs)| {
                    let name = dimensions.iter().position(|grouped| grouped == dimension).map(|at| &names[at]);
                    of == dimension && name.map_or(theirs == pattern, |name| theirs.as_str() == name.as_str())
                })
            })
    })
}
