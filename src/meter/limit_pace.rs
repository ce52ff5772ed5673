//! Usage per minute of one limit, for its forecast.

use std::collections::BTreeMap;

use super::limit::{Limit, Rules};
use super::rate::{Minutes, Spent};
use super::recent::MinuteCalls;
use super::subject::Subject;
use super::window::Window;
use crate::domain::Instant;
use crate::ledger::{Row, Sums};

/// Usage per minute of each subject, regardless of the limit's window: work in progress is not forgotten when the
/// window resets.
#[derive(Clone, Debug, Default)]
pub(crate) struct LimitPace {
    of: BTreeMap<Subject, Minutes>,
}

impl LimitPace {
    /// Adds calls of one minute.
    pub(crate) fn add(&mut self, limit: &Limit, calls: &MinuteCalls, rules: &Rules, now: Instant) {
        let call = &calls.last.call;
        if let Some(subject) = Subject::from_call(call, limit, rules) {
            self.of.entry(subject).or_default().add(call.at(), &spent(&calls.sums, rules), now);
        }
    }

    /// Applies a change. Call limits have no rate.
    pub(crate) fn apply(
        &mut self,
        limit: &Limit,
        before: Option<&Row>,
        after: Option<&Row>,
        rules: &Rules,
        now: Instant,
    ) {
        if limit.window == Window::Call {
            return;
        }
        let subject = |row: &Row| Subject::from_call(&row.call, limit, rules);
        let (old, new) = (before.and_then(subject), after.and_then(subject));
        if let (Some(row), Some(minutes)) = (before, old.and_then(|old| self.of.get_mut(&old))) {
            minutes.sub(row.call.at(), &spent(&Sums::from_row(row), rules));
        }
        if let (Some(row), Some(new)) = (after, new) {
            self.of.entry(new).or_default().add(row.call.at(), &spent(&Sums::from_row(row), rules), now);
        }
    }

    /// The minutes of a subject.
    pub(crate) fn minutes(&self, subject: &Subject) -> Option<&Minutes> {
        self.of.get(subject)
    }

    /// Drops subjects that had no recent usage.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.of.retain(|_, minutes| minutes.is_moving(now));
    }

    /// True while the forecast changes without calls.
    pub(crate) fn is_moving(&self, now: Instant) -> bool {
        self.of.values().any(|minutes| minutes.is_moving(now))
    }
}

fn spent(sums: &Sums, rules: &Rules) -> Spent {
    Spent::from_sums(sums, rules.fallback.as_ref())
}
