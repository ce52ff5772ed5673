//! Status reports of agents and providers, as the meter shows them.

use std::collections::BTreeMap;

use super::activity::Activity;
use super::fleet::FleetLine;
use crate::domain::{Instant, Label, Quota, Status};

/// The latest status reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statuses {
    quotas: Vec<Quota>,
    /// Context size of each session, by log format and name.
    sizes: BTreeMap<(Label, Label), u64>,
    /// When the agents that wait for their user ended their turn, by log format and session.
    turns: BTreeMap<(Label, Label), Instant>,
}

impl Statuses {
    pub(crate) fn new(all: Vec<Status>) -> Self {
        let quotas = Status::quotas(&all);
        let sessions = all.into_iter().filter_map(|status| match status {
            Status::Session(status) => Some(status),
            Status::Quota(_) => None,
        });
        let (mut sizes, mut turns) = (BTreeMap::new(), BTreeMap::new());
        for status in sessions {
            let id = (status.source, status.session);
            if status.ends_turn {
                turns.insert(id.clone(), status.seen);
            }
            if let Some(size) = status.context_size {
                sizes.insert(id, size);
            }
        }
        Self { quotas, sizes, turns }
    }

    /// The providers' windows for which there is a current report.
    pub(crate) fn quotas(&self, now: Instant) -> Vec<Quota> {
        self.quotas.iter().filter(|quota| !quota.is_forgotten(now)).cloned().collect()
    }

    /// When the windows reset.
    pub(crate) fn resets(&self) -> impl Iterator<Item = Instant> {
        self.quotas.iter().filter_map(|quota| quota.resets_at)
    }

    /// Fills in what agents report: context sizes, as they know better than the list which of its sizes a model has, and
    /// that they wait for their user.
    pub(crate) fn complete(&self, fleet: &mut [FleetLine]) {
        if self.sizes.is_empty() && self.turns.is_empty() {
            return;
        }
        for line in fleet {
            let Some(session) = &line.id.session else { continue };
            let id = (line.id.source.clone(), session.clone());
            if let (Some(main), Some(size)) = (&mut line.main, self.sizes.get(&id)) {
                main.context_size = Some(*size);
            }
            // A report is stored in milliseconds.
            let millis = Instant::timestamp_millis;
            if self.turns.get(&id).is_some_and(|ended| millis(&line.last) <= millis(ended)) {
                line.activity = line.activity.max(Activity::Waiting);
            }
        }
    }
}
