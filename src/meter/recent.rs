//! The calls of the last hours, summed by minute and kept from one snapshot to the next.
//!
//! Rates and forecasts need every minute, which the ledger's sums do not have. On a busy day, reading tens of thousands
//! of rows would take up most of a snapshot. Only quarter hours whose sums have changed are read again.

use std::collections::{BTreeMap, btree_map, hash_map};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use chrono::Duration;
use rustc_hash::{FxHashMap, FxHasher};

use super::pages::every_call;
use crate::domain::{Dimension, Filter, Instant, Label, Zone, quarter_start};
use crate::ledger::{Grain, Ledger, LedgerError, PeriodKey, Query, Row, Sums};

const QUARTER: Duration = Duration::minutes(15);

/// Minutes since 1970.
pub(crate) fn minute_of(at: Instant) -> i64 {
    at.timestamp().div_euclid(60)
}

/// Calls within one minute that share all their names.
#[derive(Clone, Debug)]
pub(crate) struct MinuteCalls {
    /// The latest of these calls.
    pub(crate) last: Arc<Row>,
    pub(crate) sums: Sums,
}

/// Quarter hours by start time, each with a hash of its sums for all names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    quarters: BTreeMap<Instant, (u64, Vec<MinuteCalls>)>,
}

impl Recent {
    /// Reads the changed quarter hours, and passes every minute after this one to `each`, starting with the oldest
    /// quarter hour.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn each(
        &mut self,
        books: &dyn Ledger,
        after: i64,
        each: &mut dyn FnMut(&MinuteCalls),
    ) -> Result<(), LedgerError> {
        let since = quarter_start(Instant::from_timestamp(after.saturating_mul(60), 0).unwrap_or_default());
        // Hash before reading the rows: anything written in between is read again next time.
        let hashes = hashes(books, since)?;
        self.quarters.retain(|from, (hash, _)| hashes.get(from) == Some(hash));
        for (from, hash) in hashes {
            if let btree_map::Entry::Vacant(place) = self.quarters.entry(from) {
                place.insert((hash, read(books, from)?));
            }
        }
        let minutes = self.quarters.values().flat_map(|(_, minutes)| minutes);
        minutes.filter(|minute| minute_of(minute.last.call.at()) > after).for_each(each);
        Ok(())
    }
}

/// A hash of the sums of each quarter hour since then.
fn hashes(books: &dyn Ledger, since: Instant) -> Result<BTreeMap<Instant, u64>, LedgerError> {
    let by = Dimension::ALL.to_vec();
    let filter = Filter { since: Some(since), ..Filter::default() };
    let mut hashes: BTreeMap<Instant, u64> = BTreeMap::new();
    for row in books.report(&Query { by, filter, ..Query::new(Grain::Quarter, Zone::UTC) })?.rows {
        let Some(from) = quarter(&row.period) else { continue };
        let mut hasher = FxHasher::default();
        row.by.hash(&mut hasher);
        row.sums.hash(&mut hasher);
        let hash = hashes.entry(from).or_default();
        // Independent of the order of rows.
        *hash = hash.wrapping_add(hasher.finish());
    }
    Ok(hashes)
}

fn quarter(period: &PeriodKey) -> Option<Instant> {
    if let PeriodKey::Quarter(from) = period { Some(*from) } else { None }
}

/// Sums up the rows of a quarter hour.
fn read(books: &dyn Ledger, from: Instant) -> Result<Vec<MinuteCalls>, LedgerError> {
    type Names = ([Option<Label>; Dimension::ALL.len()], i64, bool);
    let filter = Filter { since: Some(from), until: from.checked_add_signed(QUARTER), ..Filter::default() };
    let mut all: FxHashMap<Names, MinuteCalls> = FxHashMap::default();
    every_call(books, &filter, &mut |row| {
        let sums = Sums::from_row(row);
        let names = Dimension::ALL.map(|dimension| dimension.label_of(&row.call).cloned());
        // Fallback rates apply to the tokens of calls without a price.
        let kind = (names, minute_of(row.call.at()), sums.unpriced_tokens > 0);
        match all.entry(kind) {
            hash_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.sums.add(&sums);
                if (known.last.call.at(), known.last.call.key) < (row.call.at(), row.call.key) {
                    known.last = Arc::clone(row);
                }
            }
            hash_map::Entry::Vacant(place) => {
                place.insert(MinuteCalls { last: Arc::clone(row), sums });
            }
        }
    })?;
    Ok(all.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, Call, CallKey, Record, Tokens};
    use crate::ledger::{Batch, Memory};
    use crate::pricing::{CostMode, PriceBook};

    /// A minute, a session with spending in it, and the amount.
    type Minute = (i64, Label, u64);

    /// Every minute, and the rows they consist of.
    fn minutes(recent: &mut Recent, books: &Memory) -> (Vec<Minute>, Vec<Arc<Row>>) {
        let (mut all, mut rows) = (Vec::new(), Vec::new());
        recent
            .each(books, 1_000, &mut |minute| {
                let call = &minute.last.call;
                let session = call.from.session.clone().unwrap();
                all.push((minute_of(call.at()), session, minute.sums.tokens.input));
                rows.push(Arc::clone(&minute.last));
            })
            .unwrap();
        all.sort();
        (all, rows)
    }

    #[test]
    fn what_is_kept_is_what_a_new_reading_finds_and_only_changed_quarter_hours_are_read() {
        let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
        let call = |key: &str, second: i64, session: &str, input: u64| {
            let at = Instant::from_timestamp(second, 0).unwrap();
            let from = Attribution { session: Some(Label::new(session)), ..Attribution::new(at, Label::new("t")) };
            Record::Call(Call::new(CallKey::from_parts(&[key]), from, None, Tokens { input, ..Tokens::ZERO }))
        };
        let post = |books: &mut Memory, records: Vec<Record>| {
            books.post(&Batch { records, files: Vec::new() }).unwrap();
        };
        // Minute 1000 is out of range. 1010 and 1011 are in the same quarter hour, 1030 is in another.
        let first = [("a", 60_000, 1), ("b", 60_600, 2), ("c", 60_610, 4), ("d", 60_660, 8), ("e", 61_800, 16)];
        post(&mut books, first.map(|(key, second, input)| call(key, second, "one", input)).to_vec());
        let mut kept = Recent::default();
        let (all, rows) = minutes(&mut kept, &books);
        let one = Label::new("one");
        assert_eq!(all, [(1_010, one.clone(), 6), (1_011, one.clone(), 8), (1_030, one, 16)]);
        // A new call, one that has grown, and one that differs only in its session.
        for change in [call("f", 61_810, "one", 32), call("e", 61_800, "one", 64), call("g", 61_810, "two", 32)] {
            post(&mut books, vec![change]);
            let (all, now) = minutes(&mut kept, &books);
            assert_eq!(all, minutes(&mut Recent::default(), &books).0);
            for row in rows.iter().filter(|row| minute_of(row.call.at()) < 1_030) {
                assert!(now.iter().any(|other| Arc::ptr_eq(row, other)), "read again");
            }
        }
        assert_eq!(minutes(&mut kept, &books).0.iter().map(|(_, _, input)| input).sum::<u64>(), 142);
    }
}
