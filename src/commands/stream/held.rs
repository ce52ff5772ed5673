//! Calls held back while they may still grow, so that a streamed answer gives one line.

use std::sync::Arc;

use crate::domain::Instant;
use crate::ledger::Row;

/// How long a call is held back after it has grown.
const HELD: chrono::Duration = chrono::Duration::seconds(1);

/// Calls that may still grow, and when they last did.
#[derive(Default)]
pub(crate) struct Held(Vec<(Instant, Arc<Row>)>);

impl Held {
    /// Holds a call until it stops growing. Returns earlier calls in its thread, which are complete now.
    pub(crate) fn hold(&mut self, row: &Arc<Row>, now: Instant) -> Vec<Arc<Row>> {
        let thread =
            |row: &Row| (row.call.from.source.clone(), row.call.from.session.clone(), row.call.from.agent.clone());
        self.0.retain(|(_, held)| held.call.key != row.call.key);
        let done = self.take(|_, held| thread(held) == thread(row));
        self.0.push((now, Arc::clone(row)));
        done
    }

    /// The calls that have not grown for long enough at this time; without a time, all calls.
    pub(crate) fn done(&mut self, now: Option<Instant>) -> Vec<Arc<Row>> {
        let since = now.map(|now| now.checked_sub_signed(HELD));
        // If the subtraction underflows, no call has been held for long enough.
        self.take(|grew, _| since.is_none_or(|since| since.is_some_and(|since| grew <= since)))
    }

    /// When the next call will have been held for long enough.
    pub(crate) fn changes_at(&self) -> Option<Instant> {
        self.0.iter().filter_map(|(grew, _)| grew.checked_add_signed(HELD)).min()
    }

    fn take(&mut self, is_done: impl Fn(Instant, &Row) -> bool) -> Vec<Arc<Row>> {
        let (done, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|(grew, row)| is_done(*grew, row));
        self.0 = held;
        done.into_iter().map(|(_, row)| row).collect()
    }
}
