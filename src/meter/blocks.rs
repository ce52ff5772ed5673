//! Where the blocks of block limits start and end.

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::{Dimension, Filter, Instant, Label, Zone, sort_by};
use crate::ledger::{Grain, Ledger, LedgerError, PeriodKey, Query};

/// Length of a block.
pub(super) const BLOCK: Duration = Duration::hours(5);
/// How far ahead of this clock a call may be dated, by another machine's clock, and still begin a block at once. A
/// later one counts when its time has come.
pub(super) const AHEAD: Duration = BLOCK;
/// How far back to look at first for a pause of at least a block. Doubled until one is found.
const LOOK_BACK: Duration = Duration::days(2);
const HOUR: Duration = Duration::hours(1);

/// Clock hours in which one subject made calls, in order.
pub(super) type Hours = Vec<Instant>;

/// The subjects with their hours, starting at an hour that no earlier call's block can reach.
pub(super) fn subjects(
    books: &dyn Ledger,
    filter: &Filter,
    by: &[Dimension],
    now: Instant,
) -> Result<BTreeMap<Vec<Label>, Hours>, LedgerError> {
    let mut back = LOOK_BACK;
    loop {
        let since = now.checked_sub_signed(back);
        let filter = Filter { since, ..filter.clone() };
        let query = Query { by: by.to_vec(), filter, ..Query::new(Grain::Hour, Zone::UTC) };
        let mut all: BTreeMap<Vec<Label>, Hours> = BTreeMap::new();
        for row in books.report(&query)?.rows {
            let PeriodKey::Hour(hour) = row.period else { continue };
            let names: Option<Vec<Label>> = row.by.into_iter().collect();
            if let Some(names) = names {
                all.entry(names).or_default().push(hour);
            }
        }
        let mut is_enough = true;
        for hours in all.values_mut() {
            sort_by(hours, Ord::cmp);
            // True if at least a whole block lies between the last call of one hour and the first call of the other.
            let pause = |one: Instant, other: Instant| other.signed_duration_since(one) >= BLOCK;
            // All calls of the current hour may be ahead of the clock.
            let begun = hours.iter().rposition(|hour| end_of(*hour) <= now).unwrap_or(0);
            let begins = (1..=begun).rev().find(|at| pause(end_of(hours[at - 1]), hours[*at]));
            let is_first = hours.first().zip(since).is_none_or(|(first, since)| pause(since, *first));
            match begins {
                Some(at) => _ = hours.drain(..at),
                None => is_enough &= is_first,
            }
        }
        if is_enough || since.is_none() {
            return Ok(all);
        }
        back = back.checked_mul(2).unwrap_or(Duration::MAX);
    }
}

fn end_of(hour: Instant) -> Instant {
    hour.checked_add_signed(HOUR).unwrap_or(Instant::MAX_UTC)
}

/// The first call at or after a time.
pub(super) fn first_call(
    books: &dyn Ledger,
    filter: &Filter,
    hours: &Hours,
    since: Instant,
) -> Result<Option<Instant>, LedgerError> {
    for hour in hours.iter().filter(|hour| end_of(**hour) > since) {
        let filter = Filter { since: Some(since.max(*hour)), until: Some(end_of(*hour)), ..filter.clone() };
        let oldest = books.calls(&filter, usize::MAX)?.last().map(|row| row.call.at());
        if oldest.is_some() {
            return Ok(oldest);
        }
    }
    Ok(None)
}
