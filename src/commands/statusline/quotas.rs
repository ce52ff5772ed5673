//! The providers' windows: what the agent states, what is kept of it, and how the line shows them.

use super::SOURCE;
use super::facts::Facts;
use crate::domain::{Instant, Label, Record, SessionStatus, Status};
use crate::ledger::{Batch, Ledger};

/// Percentage from which a longer window is shown too.
const SCARCE: u32 = 80;

impl Facts {
    /// Keeps what the agent states, if it is new, and completes it from what was stated before.
    pub(super) fn keep(&mut self, books: &mut dyn Ledger, now: Instant) {
        let Ok(known) = books.statuses() else { return };
        let stated = self.quotas.iter().cloned().map(Status::Quota).chain(self.agent.session.as_ref().map(|session| {
            let (source, session) = (Label::new(SOURCE), session.clone());
            let (context_size, cost) = (self.agent.context_size, self.agent.cost);
            Status::Session(SessionStatus { source, session, context_size, cost, seen: now })
        }));
        let new: Vec<Record> = stated.filter(|status| status.is_news(&known)).map(Record::Status).collect();
        if !new.is_empty() {
            // What cannot be kept now is stated again with the next answer.
            let _ = books.post(&Batch { records: new, files: Vec::new() });
        }
        let others = Status::quotas(&known)
            .into_iter()
            .filter(|quota| quota.source.as_str() == SOURCE || self.agent.session.is_none());
        for quota in others {
            if self.quotas.iter().all(|own| (&own.source, own.minutes) != (&quota.source, quota.minutes)) {
                self.quotas.push(quota);
            }
        }
    }

    /// `5h 23%`, with longer windows when they are scarce: `5h 23% 7d 91%`.
    pub(super) fn quota(&self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        for quota in &self.quotas {
            let shorter = self.quotas.iter().any(|other| other.source == quota.source && other.minutes < quota.minutes);
            if !shorter || quota.percent() >= SCARCE {
                let whose = if quota.source.as_str() == SOURCE { String::new() } else { format!("{} ", quota.source) };
                words.push(format!("{whose}{} {}%", quota.window().replace(' ', ""), quota.percent()));
            }
        }
        (!words.is_empty()).then(|| words.join(" "))
    }
}
