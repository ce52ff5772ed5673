//! The sessions at work: the spend of each session and sub-agent today, its rate, and the time of its last call.

use std::collections::BTreeMap;

use chrono::Duration;

use super::activity::{ACTIVE, Activity, WAITING, WORKING};
use super::freshness::Freshness;
use super::rate::{Minutes, Spent, Trend};
use super::session_id::SessionId;
use super::used::Used;
use crate::domain::{CallKey, Instant, Label, Span, Usd};
use crate::ledger::{Row, Sums};
use crate::pricing::context_size;

/// Sessions of the day in a summary.
pub(crate) const LISTED: usize = 60;

/// A session of today as the Fleet view shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetLine {
    /// Identity of the session.
    pub id: SessionId,
    /// The project it works on.
    pub project: Option<Label>,
    /// When it began.
    pub started: Instant,
    /// Activity by the time since its last call.
    pub activity: Activity,
    /// Sums of today, sub-agents included.
    pub today: Sums,
    /// Dollars an hour in the last five minutes.
    pub cost_per_hour: Usd,
    /// Its last call, whichever of its threads made it.
    pub last: Instant,
    /// The model of its main thread now; of a session that has ended the dearest.
    pub model: Option<Label>,
    /// The main thread's latest call; nothing when that is long ago.
    pub main: Option<LastCall>,
    /// Its spending minute by minute.
    pub trend: Trend,
    /// Its sub-agents that have not ended, in the order of their names.
    pub agents: Vec<AgentLine>,
}

/// A sub-agent below its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLine {
    /// Name of the sub-agent.
    pub name: Label,
    /// Sums of today.
    pub today: Sums,
    /// Dollars an hour in the last five minutes.
    pub cost_per_hour: Usd,
    /// Its latest call.
    pub last: LastCall,
    /// Activity by the time since its last call.
    pub activity: Activity,
}

/// The part of a thread's latest call that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCall {
    /// When.
    pub at: Instant,
    /// By which model.
    pub model: Option<Label>,
    /// Tokens of its prompt, cached ones included: how full the context is.
    pub context: u64,
    /// Tokens that fit into the context: as the agent states, else as listed for the model; nothing where unknown.
    pub context_size: Option<u64>,
    /// Until when the cache that it wrote is kept; nothing when it wrote none.
    pub cached_until: Option<Instant>,
    key: CallKey,
}

impl LastCall {
    pub(crate) fn from_row(row: &Row) -> Self {
        let (call, at) = (&row.call, row.call.at());
        let kept = if call.tokens.cache_write_1h > 0 {
            Some(Duration::hours(1))
        } else {
            (call.tokens.cache_write_5m > 0).then(|| Duration::minutes(5))
        };
        Self {
            at,
            model: call.model.clone(),
            context: call.tokens.prompt(),
            context_size: call.model.as_deref().and_then(context_size),
            cached_until: kept.and_then(|kept| at.checked_add_signed(kept)),
            key: call.key,
        }
    }
}

/// The threads of a session: its main one, without a name, and its sub-agents.
pub(crate) type Threads = BTreeMap<Option<Label>, Thread>;

/// Activity of one thread of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thread {
    pub(crate) today: Sums,
    pub(crate) minutes: Minutes,
    pub(crate) last: Option<LastCall>,
}

impl Thread {
    /// Counts calls of one minute, and notes the latest of them, `row`: their sums of today are counted apart.
    pub(crate) fn add_calls(&mut self, row: &Row, sums: &Sums, now: Instant) {
        self.minutes.add(row.call.at(), &Spent::from(Used::from_sums(sums, None)), now);
        let last = LastCall::from_row(row);
        if self.last.as_ref().is_none_or(|known| (known.at, known.key) <= (last.at, last.key)) {
            self.last = Some(last);
        }
    }

    pub(crate) fn add(&mut self, row: &Row, today: Span, now: Instant) {
        if today.contains(row.call.at()) {
            self.today.add(&Sums::from_row(row));
        }
        self.add_calls(row, &Sums::from_row(row), now);
    }

    /// Takes a call back out. Stale when it was the latest and what was before it is not known.
    pub(crate) fn sub(&mut self, row: &Row, after: Option<&Row>, today: Span) -> Freshness {
        let (at, sums) = (row.call.at(), Sums::from_row(row));
        if today.contains(at) {
            self.today.sub(&sums);
        }
        self.minutes.sub(at, &Spent::from(Used::from_sums(&sums, None)));
        let was_last = self.last.as_ref().is_some_and(|last| last.key == row.call.key);
        let comes_back = after.is_some_and(|after| {
            after.call.key == row.call.key && after.call.at() == at && after.call.from.agent == row.call.from.agent
        });
        Freshness::stale_if(was_last && !comes_back)
    }

    pub(crate) fn cost_per_hour(&self, now: Instant) -> Usd {
        self.minutes.rate(now).1
    }

    /// The moments at which time alone changes what is shown of it.
    pub(crate) fn turns(&self) -> impl Iterator<Item = Instant> {
        let last = self.last.as_ref();
        let ends = last.into_iter().flat_map(|last| {
            [WORKING, ACTIVE, WAITING]
                .into_iter()
                .filter_map(|kept| last.at.checked_add_signed(kept))
                .chain(last.cached_until)
        });
        ends.collect::<Vec<_>>().into_iter()
    }
}

/// The sub-agents that have not ended.
pub(crate) fn agent_lines(threads: &Threads, now: Instant) -> Vec<AgentLine> {
    let lines = threads.iter().filter_map(|(name, thread)| {
        let last = thread.last.clone()?;
        let activity = Activity::at(last.at, now);
        Some(AgentLine {
            name: name.clone()?,
            today: thread.today,
            cost_per_hour: thread.cost_per_hour(now),
            last,
            activity,
        })
    });
    lines.filter(|line| line.activity != Activity::Ended).collect()
}
