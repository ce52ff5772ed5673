//! The active sessions: today's spending of each session and sub-agent, its rate, and the time of its last call.

use std::collections::BTreeMap;

use chrono::Duration;

use super::activity::{ACTIVE, Activity, WAITING, WORKING, is_active};
use super::freshness::Freshness;
use super::rate::{Minutes, Spent, Trend};
use super::session_id::SessionId;
use crate::domain::{CallKey, Instant, Label, Span, Usd};
use crate::ledger::{Row, Sums};
use crate::pricing::context_size;

/// Maximum number of today's sessions in a summary.
pub(crate) const LISTED: usize = 60;

/// One of today's sessions, as the Fleet view shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetLine {
    /// Identity of the session.
    pub id: SessionId,
    /// The project it works on.
    pub project: Option<Label>,
    /// When it started.
    pub started: Instant,
    /// Activity, judged by its last call.
    pub activity: Activity,
    /// Today's sums, including sub-agents.
    pub today: Sums,
    /// Dollars per hour over the last five minutes.
    pub cost_per_hour: Usd,
    /// The calls of these minutes, of which the rate has the marks.
    pub of_rate: Sums,
    /// Its last call, by any of its threads.
    pub last: Instant,
    /// The current model of its main thread; for a session that has ended, the model that cost most.
    pub model: Option<Label>,
    /// The main thread's latest call; `None` if that was long ago.
    pub main: Option<LastCall>,
    /// Spending per minute.
    pub trend: Trend,
    /// Its sub-agents that have not ended, by name.
    pub agents: Vec<AgentLine>,
}

/// A sub-agent, listed below its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLine {
    /// Name of the sub-agent.
    pub name: Label,
    /// Today's sums.
    pub today: Sums,
    /// Dollars per hour over the last five minutes.
    pub cost_per_hour: Usd,
    /// The calls of these minutes, of which the rate has the marks.
    pub of_rate: Sums,
    /// Its latest call.
    pub last: LastCall,
    /// Activity, judged by its last call. It has ended once it has given its result.
    pub activity: Activity,
}

/// The displayed part of a thread's latest call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCall {
    /// Time of the call.
    pub at: Instant,
    /// Model that answered it.
    pub model: Option<Label>,
    /// Tokens in its prompt, including cached ones: how full the context is; `None` for several calls in one row.
    pub context: Option<u64>,
    /// Context size in tokens, as reported by the agent or else as listed for the model; `None` if unknown.
    pub context_size: Option<u64>,
    /// When the cache that it wrote expires; `None` if it wrote none.
    pub cached_until: Option<Instant>,
    /// True if the model ended its turn with this call.
    pub ends_turn: bool,
    key: CallKey,
}

impl LastCall {
    pub(crate) fn from_row(row: &Row) -> Self {
        let (call, at) = (&row.call, row.call.at());
        let is_sum = call.fidelity.is_sum();
        let kept = if is_sum {
            None
        } else if call.tokens.cache_write_1h > 0 {
            Some(Duration::hours(1))
        } else {
            (call.tokens.cache_write_5m > 0).then(|| Duration::minutes(5))
        };
        Self {
            at,
            model: call.model.clone(),
            context: (!is_sum).then(|| call.tokens.prompt()),
            context_size: call.model.as_deref().and_then(context_size),
            cached_until: kept.and_then(|kept| at.checked_add_signed(kept)),
            ends_turn: call.ends_turn,
            key: call.key,
        }
    }
}

/// The threads of a session: its main thread, which has no name, and its sub-agents.
pub(crate) type Threads = BTreeMap<Option<Label>, Thread>;

/// Activity of one thread of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thread {
    pub(crate) today: Sums,
    pub(crate) minutes: Minutes,
    pub(crate) last: Option<LastCall>,
}

impl Thread {
    /// Adds calls of one minute, of which `row` is the latest, to the rate. Today's sums are counted elsewhere.
    pub(crate) fn add_calls(&mut self, row: &Row, sums: &Sums, now: Instant) {
        self.minutes.add(row.call.at(), &Spent::from_sums(sums, None), now);
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

    /// Subtracts a call. Stale if it was the latest call and the one before it is unknown.
    pub(crate) fn sub(&mut self, row: &Row, after: Option<&Row>, today: Span) -> Freshness {
        let (at, sums) = (row.call.at(), Sums::from_row(row));
        if today.contains(at) {
            self.today.sub(&sums);
        }
        self.minutes.sub(at, &Spent::from_sums(&sums, None));
        let was_last = self.last.as_ref().is_some_and(|last| last.key == row.call.key);
        let comes_back = after.is_some_and(|after| {
            after.call.key == row.call.key && after.call.at() == at && after.call.from.agent == row.call.from.agent
        });
        Freshness::stale_if(was_last && !comes_back)
    }

    pub(crate) fn cost_per_hour(&self, began: i64, now: Instant) -> Usd {
        self.minutes.rate(began, now).1
    }

    /// The times at which its display changes without a call.
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

/// The sub-agents that have not ended, or only minutes ago.
pub(crate) fn agent_lines(
    threads: &Threads,
    activity: impl Fn(&Label, &LastCall) -> Activity,
    began: i64,
    now: Instant,
) -> Vec<AgentLine> {
    let lines = threads.iter().filter_map(|(name, thread)| {
        let (name, last) = (name.clone()?, thread.last.clone()?);
        Some(AgentLine {
            activity: activity(&name, &last),
            name,
            today: thread.today,
            cost_per_hour: thread.cost_per_hour(began, now),
            of_rate: thread.minutes.of_rate(now),
            last,
        })
    });
    lines.filter(|line| line.activity != Activity::Ended || is_active(line.last.at, now)).collect()
}
