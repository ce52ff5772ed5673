//! The project and the users of a session.

use std::collections::BTreeMap;

use super::freshness::Freshness;
use crate::domain::{Attribution, Label};
use crate::ledger::{SessionRow, common_name};

/// The project and the users of a session, by the rules of a [`SessionRow`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    pub(crate) project: Option<Label>,
    /// Number of calls by project, without a session.
    pub(crate) projects: BTreeMap<Option<Label>, u64>,
    /// Number of calls by user.
    pub(crate) users: BTreeMap<Option<Label>, u64>,
}

impl Owner {
    pub(crate) fn open(row: &SessionRow) -> Self {
        Self { project: row.project.clone(), projects: row.projects.clone(), users: row.users.clone() }
    }

    /// Adds a call, which may be the session's first so far.
    pub(crate) fn add(&mut self, from: &Attribution, is_first: bool) {
        *self.users.entry(from.user.clone()).or_default() += 1;
        if from.session.is_none() {
            *self.projects.entry(from.project.clone()).or_default() += 1;
            self.project = common_name(&self.projects, false);
        } else if from.project.is_some() && (self.project.is_none() || is_first) {
            self.project.clone_from(&from.project);
        }
    }

    /// Subtracts a call. Stale if it was not counted.
    pub(crate) fn sub(&mut self, from: &Attribution) -> Freshness {
        let of_user = take(&mut self.users, from.user.as_ref());
        if from.session.is_some() {
            return of_user;
        }
        let of_project = take(&mut self.projects, from.project.as_ref());
        self.project = common_name(&self.projects, false);
        of_user.and(of_project)
    }

    /// The user, if there is exactly one.
    pub(crate) fn user(&self, is_named: bool) -> Option<Label> {
        common_name(&self.users, is_named)
    }
}

fn take(calls: &mut BTreeMap<Option<Label>, u64>, name: Option<&Label>) -> Freshness {
    let name = name.cloned();
    let Some(count) = calls.get_mut(&name) else { return Freshness::Stale };
    *count = count.saturating_sub(1);
    if *count == 0 {
        calls.remove(&name);
    }
    Freshness::Exact
}
