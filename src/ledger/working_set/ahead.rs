//! Handles many calls at once: their rows are looked up together, and calls that are neither in the store nor in this
//! transaction are priced together.

use rustc_hash::FxHashSet;

use super::WorkingSet;
use crate::domain::{CallKey, Record};
use crate::ledger::spending::session_of;
use crate::ledger::store::{Store, Stored, Table};
use crate::ledger::{Change, RowChange};
use crate::pricing::Pricer;

/// From this many calls on, a single lookup for all of them is faster.
const MANY: usize = 16;

impl<Ids: Default> WorkingSet<Ids> {
    /// Loads the rows of these calls, and those that share an alias with them, before they are merged one by one.
    pub(super) fn fetch_ahead(&mut self, store: &impl Store<Ids = Ids>, records: &[Record]) -> Stored<()> {
        if records.len() < MANY || self.reads_only {
            return Ok(());
        }
        let (mut keys, mut aliases) = (FxHashSet::default(), FxHashSet::default());
        for record in records {
            // Its row's key depends on the family.
            let Record::Call(call) = record else { continue };
            if call.lineage.is_none() {
                keys.insert(call.key);
            }
            aliases.extend(call.alias);
        }
        if records.iter().any(|record| matches!(record, Record::Call(call) if call.is_grouped())) {
            self.expect_telemetry(store)?;
        }
        if self.telemetry {
            aliases.retain(|alias| !self.gathered.contains(alias));
            keys.extend(&aliases);
            let mut aliases: Vec<CallKey> = aliases.into_iter().collect();
            aliases.sort_unstable();
            keys.extend(store.keys_by_aliases(&self.state.names, &aliases)?);
            self.gathered.extend(aliases);
        }
        keys.retain(|key| !self.fetched.contains(key));
        // In index order.
        let mut keys: Vec<CallKey> = keys.into_iter().collect();
        keys.sort_unstable();
        self.fetched.extend(&keys);
        let unmerged = if self.telemetry {
            store.rows_of(&mut self.state.names, &mut self.ids, Table::Unmerged, &keys)?
        } else {
            Vec::new()
        };
        for row in store.rows_of(&mut self.state.names, &mut self.ids, Table::Shown, &keys)? {
            self.restore(store, row, true)?;
        }
        for row in unmerged {
            self.restore(store, row, false)?;
        }
        // Also load the rows that the loaded ones are joined with.
        for alias in self.state.row_store.aliases_of(&keys) {
            self.gather(store, alias, Some(alias))?;
        }
        Ok(())
    }

    /// Adds a telemetry call that is new to both the store and this transaction. Returns its key if it was one.
    /// [`WorkingSet::report_new`] reports the change, because pricing many calls at once is faster.
    pub(super) fn add_new(&mut self, store: &impl Store<Ids = Ids>, record: &Record) -> Stored<Option<CallKey>> {
        let Record::Call(call) = record else { return Ok(None) };
        let key = call.key;
        let is_telemetry = call.alias == Some(key) && call.lineage.is_none() && self.telemetry;
        let is_looked_for = self.fetched.contains(&key) && self.gathered.contains(&key);
        if !is_telemetry || !is_looked_for || !self.state.row_store.is_free(key) {
            return Ok(None);
        }
        let compact = self.state.compact_row(call);
        if compact.is_refused() || self.horizon.is_some_and(|horizon| compact.at < horizon) {
            return Ok(None);
        }
        self.account(store, session_of(&compact, &self.state.names))?;
        // Bills are compared after each call.
        if !self.state.bills.is_empty() {
            return Ok(None);
        }
        self.state.row_store.add_free(compact, &self.state.names);
        Ok(Some(key))
    }

    /// Prices new calls, and appends their changes.
    pub(super) fn report_new(&mut self, new_keys: &mut Vec<CallKey>, pricer: &dyn Pricer, changes: &mut Vec<Change>) {
        if new_keys.is_empty() {
            return;
        }
        self.state.settle(pricer);
        let rows = new_keys.drain(..).filter_map(|key| self.state.row_store.get(key));
        changes.extend(rows.map(|row| Change::New(RowChange { before: None, after: row.row(&self.state.names) })));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::domain::{Attribution, Call, CallKey, Filter, Instant, Label, Record, Tokens, Usd};
    use crate::ledger::{Batch, Change, Ledger, Memory, Options, Row, open};
    use crate::pricing::{Cost, Pricer};

    struct ByOutput;

    impl Pricer for ByOutput {
        fn cost(&self, call: &Call) -> Cost {
            Cost::Quoted(Usd::from_micro(i64::try_from(call.tokens.output).unwrap()))
        }
    }

    /// A sighting of one of a few answers: from telemetry, from a transcript that names the request, or from one that
    /// does not.
    fn sighting((answer, kind, output): (u8, u8, u64)) -> Record {
        let request = CallKey::from_parts(&["request", &answer.to_string()]);
        let message = CallKey::from_parts(&["message", &answer.to_string()]);
        let attempts = CallKey::of_attempts(&["attempts", &(answer % 3).to_string()]);
        let (key, alias, source) = match kind {
            0..=3 => (request, Some(request), "otlp"),
            4 => (request.named(&[[kind]]), Some(request), "otlp"),
            // Attempts of a client, with ids of their own or none.
            5 => (attempts, Some(attempts), "proxy"),
            8 => (CallKey::from_parts(&["attempt", &(output % 3).to_string()]), Some(attempts), "proxy"),
            6 | 7 => (message, Some(request), "claude-code"),
            _ => (message, None, "claude-code"),
        };
        let at = Instant::from_timestamp(1_790_000_000 + i64::from(answer), 0).unwrap();
        let from = Attribution { session: Some(Label::new("s")), ..Attribution::new(at, Label::new(source)) };
        let model = Some(Label::new("claude-opus-5"));
        Record::Call(Call { alias, ..Call::new(key, from, model, Tokens { output, ..Tokens::ZERO }) })
    }

    fn rows_of(books: &dyn Ledger) -> BTreeMap<CallKey, Row> {
        let rows = books.calls(&Filter::default(), usize::MAX).unwrap();
        rows.into_iter().map(|row| (row.call.key, Arc::unwrap_or_clone(row))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn many_calls_at_once_are_merged_and_reported_as_one_after_the_other(
            sightings in prop::collection::vec((0_u8..30, 0_u8..10, 1_u64..4), 0..120),
            size in 1_usize..60,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.db");
            let mut books = open(&path, Options::new(Instant::default()), Arc::new(ByOutput)).unwrap().books;
            let mut single = Memory::new(Arc::new(ByOutput));
            let records: Vec<Record> = sightings.into_iter().map(sighting).collect();
            let mut reported: BTreeMap<CallKey, Row> = BTreeMap::new();
            // Every second group arrives while the one before it is being written.
            for records in records.chunks(2 * size) {
                let (first, second) = records.split_at(size.min(records.len()));
                let (mut batch, mut second) = (Batch { records: first.to_vec(), files: Vec::new() }, second.to_vec());
                let mut more = |batch: &mut Batch| {
                    let before = batch.records.len();
                    batch.records.append(&mut second);
                    batch.records.len() > before
                };
                for change in books.post_with(&mut batch, &mut more).unwrap() {
                    let (before, after) = change.rows();
                    if let Some(before) = before {
                        let known = reported.remove(&before.call.key);
                        prop_assert_eq!(known.as_ref(), Some(&**before));
                    }
                    if let Some(after) = after {
                        prop_assert!(reported.insert(after.call.key, (**after).clone()).is_none());
                    }
                    prop_assert!(!matches!(&change, Change::New(change) if change.before.is_some()));
                }
            }
            for record in records {
                single.post(&Batch { records: vec![record], files: Vec::new() }).unwrap();
            }
            prop_assert_eq!(&rows_of(&books), &reported);
            prop_assert_eq!(rows_of(&books), rows_of(&single));
            prop_assert!(books.verify().unwrap().problems.is_empty());
        }
    }
}
