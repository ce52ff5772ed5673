//! Insights about calls, in exact numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;

use super::session_id::SessionId;
use super::share::{Share, share};
use crate::domain::{Instant, Label, Tokens};
use crate::ledger::{Row, Sums};

/// Number of consecutive calls without cache reads after which a session counts as uncached.
const WITHOUT_CACHE: usize = 4;
/// Smallest prompt worth caching, in tokens.
const WORTH_CACHING: u64 = 4_096;

/// Insights about a set of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// Share of prompt tokens read from a cache, in whole per cent; `None` without prompts.
    pub cache_hit: Option<u8>,
    /// Sums of the calls. Their savings are negative if cache writes cost more than reads saved.
    pub all: Sums,
    /// Calls that rewrote an expired cache, oldest first.
    pub expired: Vec<Expired>,
    /// Sessions whose prompts keep growing without any cache reads.
    pub uncached: Vec<Uncached>,
    /// The sub-agents' share of the cost in whole per cent (of tokens if no cost is known).
    pub agent_share: Share,
    /// The most expensive calls, in descending order.
    pub dearest: Vec<Arc<Row>>,
}

/// A call that found its cache expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The call.
    pub row: Arc<Row>,
    /// Time since the previous call.
    pub idle: Duration,
    /// Tokens that had to be written again.
    pub rewritten: u64,
}

/// A session that keeps growing without using a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncached {
    /// The session.
    pub session: SessionId,
    /// Number of consecutive calls, up to the last, without cache reads.
    pub calls: usize,
    /// Prompt of the last of them, in tokens.
    pub prompt: u64,
}

/// Share of prompt tokens read from a cache, in whole per cent; `None` without prompts.
pub fn cache_hit(tokens: &Tokens) -> Option<u8> {
    let part = u128::from(tokens.cache_read) * 100;
    part.checked_div(tokens.prompt().into()).map(|per_cent| u8::try_from(per_cent.min(100)).unwrap_or(100))
}

/// Insights about these calls, given in any order, with the `most` most expensive ones.
pub fn signals(rows: &[Arc<Row>], most: usize) -> Signals {
    let mut rows: Vec<&Arc<Row>> = rows.iter().collect();
    rows.sort_by_key(|row| (row.call.at(), row.call.key));
    let mut watch = SignalWatch::new(most);
    for row in rows {
        watch.add(row);
    }
    watch.finish()
}

/// Collects insights from calls in order of time. Keeps only the last call of each thread.
#[derive(Debug)]
pub(crate) struct SignalWatch {
    most: usize,
    all: Sums,
    in_agents: Sums,
    threads: BTreeMap<(SessionId, Option<Label>), Thread>,
    expired: Vec<Expired>,
    dearest: Vec<Arc<Row>>,
}

impl SignalWatch {
    /// An empty collector that keeps the `most` most expensive calls.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            all: Sums::default(),
            in_agents: Sums::default(),
            threads: BTreeMap::new(),
            expired: Vec::new(),
            dearest: Vec::new(),
        }
    }

    /// Adds the next call.
    pub(crate) fn add(&mut self, row: &Arc<Row>) {
        let sums = Sums::from_row(row);
        self.all.add(&sums);
        if row.call.from.agent.is_some() {
            self.in_agents.add(&sums);
        }
        let thread = (SessionId::from_call(&row.call), row.call.from.agent.clone());
        match self.threads.get_mut(&thread) {
            // A row that sums up several calls has no prompt.
            _ if row.call.fidelity.is_sum() => {}
            Some(thread) => self.expired.extend(thread.add(row)),
            None => _ = self.threads.insert(thread, Thread::new(row)),
        }
        if let Some(usd) = row.cost.usd() {
            let place = self.dearest.partition_point(|known| known.cost.usd() >= Some(usd));
            if place < self.most {
                self.dearest.truncate(self.most - 1);
                self.dearest.insert(place, Arc::clone(row));
            }
        }
    }

    /// Number of calls added.
    pub(crate) const fn calls(&self) -> u64 {
        self.all.calls
    }

    pub(crate) fn finish(self) -> Signals {
        // Sub-agents are short-lived; only the session's own conversation counts.
        let sessions = self.threads.into_iter().filter(|((_, agent), _)| agent.is_none());
        Signals {
            cache_hit: cache_hit(&self.all.tokens),
            all: self.all,
            expired: self.expired,
            uncached: sessions.filter_map(|((session, _), thread)| thread.uncached(session)).collect(),
            agent_share: share(&self.in_agents, &self.all),
            dearest: self.dearest,
        }
    }
}

/// The state of a thread that is needed to assess its next call.
#[derive(Debug)]
struct Thread {
    at: Instant,
    model: Option<Label>,
    /// Tokens that its last call read from and wrote to the cache.
    cached: u64,
    /// Lifetime of the tokens it wrote.
    lives: Duration,
    /// Number of consecutive calls, up to the last, with growing prompts and no cache reads.
    uncached: usize,
    /// Prompts of the first and last of those.
    prompts: (u64, u64),
}

impl Thread {
    fn new(row: &Row) -> Self {
        let mut thread = Self {
            at: row.call.at(),
            model: row.call.model.clone(),
            cached: 0,
            lives: Duration::minutes(5),
            uncached: 0,
            prompts: (0, 0),
        };
        thread.go_on(row);
        thread
    }

    /// Adds the next call; returns it if it rewrote an expired cache.
    ///
    /// A cache lives for five minutes or one hour after its last use. A rewrite after that time, with almost nothing
    /// read, means that it expired. A rewrite before that means that the prompt changed, which is not a loss.
    fn add(&mut self, row: &Arc<Row>) -> Option<Expired> {
        let (has, cached) = (&row.call.tokens, self.cached);
        let idle = row.call.at().signed_duration_since(self.at);
        let forgotten = has.cache_read <= cached / 10 && has.cache_write() >= cached / 2;
        let expired = cached >= WORTH_CACHING && self.model == row.call.model && idle > self.lives && forgotten;
        self.go_on(row);
        expired.then(|| {
            let rewritten = has.cache_write().min(cached - has.cache_read);
            Expired { row: Arc::clone(row), idle, rewritten }
        })
    }

    fn go_on(&mut self, row: &Row) {
        let tokens = &row.call.tokens;
        if tokens.cache_write() > 0 {
            self.lives = if tokens.cache_write_1h > 0 { Duration::hours(1) } else { Duration::minutes(5) };
        }
        let prompt = tokens.prompt();
        if tokens.cache_read > 0 {
            (self.uncached, self.prompts) = (0, (0, 0));
        } else if self.uncached > 0 && prompt >= self.prompts.1 {
            (self.uncached, self.prompts.1) = (self.uncached + 1, prompt);
        } else {
            (self.uncached, self.prompts) = (1, (prompt, prompt));
        }
        self.cached = tokens.cache_read.saturating_add(tokens.cache_write());
        self.at = row.call.at();
        self.model.clone_from(&row.call.model);
    }

    /// The thread's last calls, if their prompts keep growing and none reads from a cache.
    fn uncached(&self, session: SessionId) -> Option<Uncached> {
        let (first, prompt) = self.prompts;
        let found = self.uncached >= WITHOUT_CACHE && prompt > first && prompt >= WORTH_CACHING;
        found.then_some(Uncached { session, calls: self.uncached, prompt })
    }
}
