//! Signals worth acting on: plain facts about rows, in exact numbers.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;

use super::judge::share;
use super::summary::SessionId;
use crate::domain::{Fidelity, Label, Tokens, Usd};
use crate::ledger::{Row, Sums};

/// Calls in a row that must read nothing from a cache before a session counts as growing without one.
const WITHOUT_CACHE: usize = 4;
/// A prompt smaller than this is not worth a cache.
const WORTH_CACHING: u64 = 4_096;

/// The facts about some calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// The share of the prompts that came from a cache, in whole per cent; nothing without prompts.
    pub cache_hit: Option<u8>,
    /// What caching saved; negative where writing cost more than reading saved.
    pub saved: Usd,
    /// Calls that had to write again what a cache had forgotten, oldest first.
    pub expired: Vec<Expired>,
    /// Sessions whose prompts grow from call to call while nothing is read from a cache.
    pub uncached: Vec<Uncached>,
    /// The sub-agents' share of the cost, in whole per cent (of tokens where no cost is known).
    pub agent_share: u8,
    /// The dearest calls, dearest first.
    pub dearest: Vec<Arc<Row>>,
}

/// A call that found its cache expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The call.
    pub row: Arc<Row>,
    /// How long nothing had been asked.
    pub idle: Duration,
    /// Tokens that were written again.
    pub rewritten: u64,
}

/// A session that grows without a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncached {
    /// The session.
    pub session: SessionId,
    /// How many calls in a row, up to its last, read nothing from a cache.
    pub calls: usize,
    /// The prompt of the last of them, in tokens.
    pub prompt: u64,
}

/// The share of the prompts that came from a cache, in whole per cent; nothing without prompts.
pub fn cache_hit(tokens: &Tokens) -> Option<u8> {
    let part = u128::from(tokens.cache_read) * 100;
    part.checked_div(tokens.prompt().into()).map(|per_cent| u8::try_from(per_cent.min(100)).unwrap_or(100))
}

/// The facts about these calls, whatever their order; `most` of the dearest.
pub fn signals(rows: &[Arc<Row>], most: usize) -> Signals {
    let (mut all, mut in_agents) = (Sums::default(), Sums::default());
    let mut threads: BTreeMap<(SessionId, Option<Label>), Vec<&Arc<Row>>> = BTreeMap::new();
    for row in rows {
        let sums = Sums::of(row);
        all.add(&sums);
        if row.call.from.agent.is_some() {
            in_agents.add(&sums);
        }
        threads.entry((SessionId::of(&row.call), row.call.from.agent.clone())).or_default().push(row);
    }
    let (mut expired, mut uncached) = (Vec::new(), Vec::new());
    for ((session, agent), mut thread) in threads {
        thread.sort_by_key(|row| (row.call.at(), row.call.key));
        expired.extend(expired_in(&thread));
        // A sub-agent is short; its conversation is the session's.
        if agent.is_none() {
            uncached.extend(uncached_in(session, &thread));
        }
    }
    expired.sort_by_key(|call: &Expired| (call.row.call.at(), call.row.call.key));
    let mut dearest: Vec<Arc<Row>> = rows.iter().filter(|row| row.cost.usd().is_some()).cloned().collect();
    dearest.sort_by_key(|row| (Reverse(row.cost.usd()), row.call.at(), row.call.key));
    dearest.truncate(most);
    Signals {
        cache_hit: cache_hit(&all.tokens),
        saved: all.saved,
        expired,
        uncached,
        agent_share: share(&in_agents, &all),
        dearest,
    }
}

/// The calls of a thread, oldest first, that wrote again what the call before had in its cache.
///
/// A cache lives five minutes or one hour from its last use. Written again after longer than that, with
/// next to nothing read, is expired; sooner than that it is another prompt, which is no one's loss.
fn expired_in(thread: &[&Arc<Row>]) -> Vec<Expired> {
    let mut expired = Vec::new();
    let mut lives = Duration::minutes(5);
    for pair in thread.windows(2) {
        let [before, after] = pair else { continue };
        let (had, has) = (&before.call.tokens, &after.call.tokens);
        if had.cache_write() > 0 {
            lives = if had.cache_write_1h > 0 { Duration::hours(1) } else { Duration::minutes(5) };
        }
        let cached = had.cache_read.saturating_add(had.cache_write());
        let idle = after.call.at().signed_duration_since(before.call.at());
        let forgotten = has.cache_read <= cached / 10 && has.cache_write() >= cached / 2;
        if cached >= WORTH_CACHING && before.call.model == after.call.model && idle > lives && forgotten {
            let rewritten = has.cache_write().min(cached - has.cache_read);
            expired.push(Expired { row: Arc::clone(after), idle, rewritten });
        }
    }
    expired
}

/// The last calls of a thread, oldest first, when their prompts grow and nothing is read from a cache.
fn uncached_in(session: SessionId, thread: &[&Arc<Row>]) -> Option<Uncached> {
    let mut calls: usize = 0;
    let mut later: Option<u64> = None;
    // A sum of calls has no prompt.
    let thread: Vec<_> = thread.iter().filter(|row| row.call.fidelity != Fidelity::Summed).collect();
    for row in thread.iter().rev() {
        let prompt = row.call.tokens.prompt();
        if row.call.tokens.cache_read > 0 || later.is_some_and(|later| prompt > later) {
            break;
        }
        calls += 1;
        later = Some(prompt);
    }
    let (first, last) = (thread.get(thread.len().checked_sub(calls)?)?, thread.last()?);
    let prompt = last.call.tokens.prompt();
    let grew = prompt > first.call.tokens.prompt();
    (calls >= WITHOUT_CACHE && grew && prompt >= WORTH_CACHING).then_some(Uncached { session, calls, prompt })
}
