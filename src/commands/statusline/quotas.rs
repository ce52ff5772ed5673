//! The providers' windows: as reported by the agent, as stored, and as shown in the line.

use super::SOURCE;
use super::facts::Facts;
use crate::domain::{Instant, Label, Record, SessionStatus, Status};
use crate::ledger::{Batch, Ledger};

/// Percentage from which a longer window is shown as well.
const SCARCE: u32 = 80;

impl Facts {
    /// Stores the agent's reports if they are new, and completes them with earlier ones.
    pub(super) fn keep(&mut self, books: &mut dyn Ledger, now: Instant) {
        let Ok(known) = books.statuses() else { return };
        let stated = self.quotas.iter().cloned().map(Status::Quota).chain(self.agent.session.as_ref().map(|session| {
            let (source, session) = (Label::new(SOURCE), session.clone());
            let (context_size, cost) = (self.agent.context_size, self.agent.cost);
            Status::Session(SessionStatus { source, session, context_size, cost, seen: now })
        }));
        let new: Vec<Record> = stated.filter(|status| status.is_news(&known)).map(Record::Status).collect();
        if !new.is_empty() {
            // If it cannot be stored now, the agent reports it again with its next answer.
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

    /// `5h 23%`, followed by longer windows when they are nearly full: `5h 23% 7d 91%`.
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
