//! Decides which limits apply to the displayed calls, and which to others.

use super::app::App;
use crate::domain::{Dimension, Filter};
use crate::meter::LimitState;

impl App {
    /// True when displayed calls may count against this limit: calls of the pinned session, or calls that pass the
    /// command line's filter.
    pub(super) fn concerns(&self, limit: &LimitState) -> bool {
        self.summary.follows(limit) && may_admit(&self.summary.view, limit)
    }

    /// Limits on other calls that are near or over.
    pub(super) fn limits_elsewhere(&self) -> Vec<&LimitState> {
        let is_hidden = |limit: &&LimitState| limit.warns() && !may_admit(&self.summary.view, limit);
        let filtered = self.summary.limits_followed().filter(is_hidden);
        self.summary.limits_elsewhere().chain(filtered).collect()
    }
}

/// False if no call that passes this filter can count against the limit.
fn may_admit(view: &Filter, limit: &LimitState) -> bool {
    let of_session = limit.session.as_ref().is_none_or(|session| {
        view.admits_value(Dimension::Source, Some(&session.id.source))
            && view.admits_value(Dimension::Session, session.id.session.as_deref())
            && view.admits_value(Dimension::Project, session.project.as_deref())
    });
    let scope = &limit.limit.scope;
    let of_names = scope.only.iter().all(|(dimension, names)| {
        let own = limit.subject.as_deref().filter(|_| scope.each && scope.only.len() == 1);
        match own {
            Some(subject) => view.admits_value(*dimension, Some(subject)),
            None if names.is_glob() || *dimension == Dimension::Model => {
                let mut asked = view.only.iter().filter(|(of, _)| of == dimension).peekable();
                asked.peek().is_none() || asked.any(|(_, asked)| asked.is_glob() || names.matches(asked.as_str()))
            }
            None => view.admits_value(*dimension, Some(names.as_str())),
        }
    });
    of_session && of_names
}
