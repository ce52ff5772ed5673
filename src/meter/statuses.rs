//! Status reports of agents and providers, as the meter shows them.

use std::collections::BTreeMap;

use super::activity::{ACTIVE, Activity, WAITING, WORKING};
use super::fleet::{FleetLine, LastCall};
use super::session_id::SessionId;
use crate::domain::{Instant, Label, Quota, Status, Turn};

/// The latest status reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statuses {
    quotas: Vec<Quota>,
    /// Context size of each session, by log format and name.
    sizes: BTreeMap<(Label, Label), u64>,
    /// The latest start or end of a turn, by log format, session and sub-agent.
    turns: BTreeMap<(Label, Label, Option<Label>), (Turn, Instant)>,
}

impl Statuses {
    pub(crate) fn new(all: Vec<Status>) -> Self {
        let quotas = Status::quotas(&all);
        let (mut sizes, mut turns) = (BTreeMap::new(), BTreeMap::new());
        for status in all {
            match status {
                Status::Quota(_) => {}
                Status::Session(status) => {
                    sizes.extend(status.context_size.map(|size| ((status.source, status.session), size)));
                }
                Status::Turn(status) => {
                    turns.insert((status.source, status.session, status.agent), (status.turn, status.seen));
                }
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

    /// The start of a turn after this last call, or its end since then: of a session's main thread or of a sub-agent.
    fn turn_since(&self, id: &SessionId, agent: Option<&Label>, last: Instant) -> Option<(Turn, Instant)> {
        if self.turns.is_empty() {
            return None;
        }
        let (turn, at) = *self.turns.get(&(id.source.clone(), id.session.clone()?, agent.cloned()))?;
        // A report is stored in milliseconds.
        let (last, reported) = (last.timestamp_millis(), at.timestamp_millis());
        let is_since = match turn {
            // An answer may have the time at which it began, and its agent may report that as well.
            Turn::Begun => last < reported,
            Turn::Ended | Turn::Closed => last <= reported,
        };
        is_since.then_some((turn, at))
    }

    /// Whether a session works or waits, by its last call and what its log says of its turn since then.
    pub(crate) fn activity(&self, id: &SessionId, last: Instant, ends_turn: bool, now: Instant) -> Activity {
        match self.turn_since(id, None, last) {
            Some((Turn::Begun, at)) => Activity::at(at, now),
            Some((Turn::Ended, at)) => Activity::of(at, true, now),
            Some((Turn::Closed, _)) => Activity::Ended,
            None => Activity::of(last, ends_turn, now),
        }
    }

    /// The same for a sub-agent. It has ended once its turn has, because nobody replies to it.
    pub(crate) fn agent_activity(&self, id: &SessionId, agent: &Label, last: &LastCall, now: Instant) -> Activity {
        match self.turn_since(id, Some(agent), last.at) {
            Some((Turn::Begun, at)) => Activity::at(at, now),
            Some((Turn::Ended | Turn::Closed, _)) => Activity::Ended,
            None if last.ends_turn => Activity::Ended,
            None => Activity::at(last.at, now),
        }
    }

    /// True when the agent's process has ended since this last call of the session, by any of its threads.
    pub(crate) fn is_closed(&self, id: &SessionId, last: Instant) -> bool {
        matches!(self.turn_since(id, None, last), Some((Turn::Closed, _)))
    }

    /// When the activity of sessions with a turn that began or ended after their last call changes without a call.
    pub(crate) fn turns(&self) -> impl Iterator<Item = Instant> {
        self.turns.values().flat_map(|(turn, at)| {
            let kept: &[_] = if *turn == Turn::Begun { &[WORKING, ACTIVE, WAITING] } else { &[WAITING] };
            kept.iter().filter_map(|kept| at.checked_add_signed(*kept))
        })
    }

    /// Fills in context sizes as agents report them: they know better than the list which of its sizes a model has.
    pub(crate) fn complete(&self, fleet: &mut [FleetLine]) {
        if self.sizes.is_empty() {
            return;
        }
        for line in fleet {
            let Some(session) = &line.id.session else { continue };
            let id = (line.id.source.clone(), session.clone());
            if let (Some(main), Some(size)) = (&mut line.main, self.sizes.get(&id)) {
                main.context_size = Some(*size);
            }
        }
    }
}
