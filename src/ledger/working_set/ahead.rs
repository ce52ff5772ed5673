//! Many calls at once: their rows are looked for together, and those that are new to everybody are priced together.

use rustc_hash::FxHashSet;

use super::WorkingSet;
use crate::domain::{CallKey, Record};
use crate::ledger::spending::session_of;
use crate::ledger::store::{Store, Stored, Table};
use crate::ledger::{Change, RowChange};
use crate::pricing::Pricer;

/// Calls from which on one lookup for all is quicker than one for each.
const MANY: usize = 16;

impl<Ids: Default> WorkingSet<Ids> {
    /// Loads the rows of these calls, and those that share an alias with them, before they are merged one by one.
    pub(super) fn fetch_ahead(&mut self, store: &impl Store<Ids = Ids>, records: &[Record]) -> Stored<()> {
        if records.len() < MANY || self.reads_only {
            return Ok(());
        }
        let (mut keys, mut aliases) = (FxHashSet::default(), FxHashSet::default());
        for record in records {
            // Where its row is depends on the family.
            let Record::Call(call) = record else { continue };
            if call.lineage.is_none() {
                keys.insert(call.key);
            }
            aliases.extend(call.alias);
        }
        if records.iter().any(|record| matches!(record, Record::Call(call) if call.alias == Some(call.key))) {
            self.expect_telemetry(store)?;
        }
        if self.telemetry {
            aliases.retain(|alias| !self.gathered.contains(alias));
            keys.extend(&aliases);
            let mut aliases: Vec<CallKey> = aliases.into_iter().collect();
            aliases.sort_unstable();
            keys.extend(store.keys_by_aliases(&aliases)?);
            self.gathered.extend(aliases);
        }
        keys.retain(|key| !self.fetched.contains(key));
        // In the order of the index.
        let mut keys: Vec<CallKey> = keys.into_iter().collect();
        keys.sort_unstable();
        self.fetched.extend(&keys);
        let apart = if self.telemetry {
            store.rows(&mut self.core.names, &mut self.ids, Table::Apart, &keys)?
        } else {
            Vec::new()
        };
        for row in store.rows(&mut self.core.names, &mut self.ids, Table::Shown, &keys)? {
            self.restore(store, row, true)?;
        }
        for row in apart {
            self.restore(store, row, false)?;
        }
        // What a loaded row is joined with.
        for alias in self.core.row_store.aliases_of(&keys) {
            self.gather(store, alias, Some(alias))?;
        }
        Ok(())
    }

    /// Adds a call of telemetry that neither the store nor this transaction has anything of; its key, if it was one.
    /// Its change is told with [`WorkingSet::tell_new`], because prices are looked up sooner for many at once.
    pub(super) fn add_new(&mut self, store: &impl Store<Ids = Ids>, record: &Record) -> Stored<Option<CallKey>> {
        let Record::Call(call) = record else { return Ok(None) };
        let key = call.key;
        let is_telemetry = call.alias == Some(key) && call.lineage.is_none() && self.telemetry;
        let is_looked_for = self.fetched.contains(&key) && self.gathered.contains(&key);
        if !is_telemetry || !is_looked_for || !self.core.row_store.is_free(key) {
            return Ok(None);
        }
        let compact = self.core.slim(call);
        if compact.is_refused() || self.horizon.is_some_and(|horizon| compact.at < horizon) {
            return Ok(None);
        }
        self.account(store, session_of(&compact, &self.core.names))?;
        // Bills are compared after each call.
        if !self.core.bills.is_empty() {
            return Ok(None);
        }
        self.core.row_store.add_free(compact, &self.core.names);
        Ok(Some(key))
    }

    /// Prices new calls, and appends their changes.
    pub(super) fn tell_new(&mut self, news: &mut Vec<CallKey>, pricer: &dyn Pricer, told: &mut Vec<Change>) {
        if news.is_empty() {
            return;
        }
        self.core.settle(pricer);
        let rows = news.drain(..).filter_map(|key| self.core.row_store.get(key));
        told.extend(rows.map(|row| Change::New(RowChange { before: None, after: row.row(&self.core.names) })));
    }
}
