//! Status reports of agents and providers, as the meter shows them.

use std::collections::BTreeMap;

use super::fleet::FleetLine;
use crate::domain::{Instant, Label, Quota, Status, one_by_one};

/// The latest status reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statuses {
    quotas: Vec<Quota>,
    /// Context size of each session, by log format and name.
    sizes: BTreeMap<(Label, Label), u64>,
}

impl Statuses {
    pub(crate) fn new(all: Vec<Status>) -> Self {
        let quotas = Status::quotas(&all);
        let sizes = all.into_iter().filter_map(|status| match status {
            Status::Session(status) => Some(((status.source, status.session), status.context_size?)),
            Status::Quota(_) => None,
        });
        Self { quotas, sizes: one_by_one(sizes) }
    }

    /// The providers' windows for which there is a current report.
    pub(crate) fn quotas(&self, now: Instant) -> Vec<Quota> {
        self.quotas.iter().filter(|quota| !quota.is_forgotten(now)).cloned().collect()
    }

    /// When the windows reset.
    pub(crate) fn resets(&self) -> impl Iterator<Item = Instant> {
        self.quotas.iter().filter_map(|quota| quota.resets_at)
    }

    /// Fills in context sizes reported by agents. They know better than the list which of its sizes a model has.
    pub(crate) fn complete(&self, fleet: &mut [FleetLine]) {
        if self.sizes.is_empty() {
            return;
        }
        for line in fleet {
            let id = line.id.session.as_ref().map(|session| (line.id.source.clone(), session.clone()));
            if let (Some(main), Some(size)) = (&mut line.main, id.and_then(|id| self.sizes.get(&id))) {
                main.context_size = Some(*size);
            }
        }
    }
}
