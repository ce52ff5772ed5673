//! Bills in a working set, loaded together with the rows of their sessions, which they are compared with.

use rustc_hash::FxHashMap;

use super::WorkingSet;
use crate::domain::{Bill, Counter};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::inherited::{before, total};
use crate::ledger::interner::NONE;
use crate::ledger::restored::horizon_of;
use crate::ledger::session_bills::{NEAREST, started};
use crate::ledger::spending::{self, Part};
use crate::ledger::store::{Store, Stored};

impl<Ids: Default> WorkingSet<Ids> {
    /// Merges a bill.
    pub(in crate::ledger) fn bill(&mut self, store: &impl Store<Ids = Ids>, bill: &Bill) -> Stored<()> {
        let Some(session) = &bill.from.session else { return Ok(()) };
        self.has_bills = true;
        let session = self.state.names.number(Some(session));
        self.account(store, session)?;
        if let Some(started) = started(bill) {
            self.family(store, started)?;
        }
        self.fetch_parents(store, bill)?;
        let known = self.state.bills.bill_by_id(session, bill.id).cloned();
        for bill in known.iter().chain([bill]) {
            self.fetch_heirs(store, bill)?;
        }
        let is_first = !self.state.bills.has(session);
        if is_first {
            for key in store.keys_by_session(&self.state.names, &mut self.ids, session)? {
                self.fetch(store, key)?;
            }
        }
        self.read_families(store, bill.counter == Counter::Piece)?;
        self.state.learn_bill(bill);
        if is_first {
            let pruned = self.spent(store, session)?;
            let sums = self.state.row_store.look_for_spending(&self.state.names);
            sums.add_pruned(session, pruned.into_iter());
        }
        Ok(())
    }

    /// The stored sums of a session: those of its calls if it has a bill, otherwise those of its pruned calls.
    fn spent(&mut self, store: &impl Store<Ids = Ids>, session: u32) -> Stored<FxHashMap<u32, Part>> {
        Ok(store.spent(&mut self.state.names, &mut self.ids, session)?.into_iter().collect())
    }

    /// Loads a session's bills and those of sessions that share its counter.
    pub(super) fn account(&mut self, store: &impl Store<Ids = Ids>, session: u32) -> Stored<()> {
        if !self.has_bills || session == NONE || !self.accounts.insert(session) {
            return Ok(());
        }
        if self.state.horizon.is_some() {
            let own = horizon_of(store, &self.state.names, session)?;
            if own != self.state.horizon {
                self.state.bills.set_horizon(session, own);
            }
        }
        let bills = store.bills(&mut self.state.names, &mut self.ids, session)?;
        if bills.is_empty() {
            return Ok(());
        }
        self.read_families(store, bills.iter().any(|bill| bill.counter == Counter::Piece))?;
        for bill in bills {
            self.fetch_parents(store, &bill)?;
            self.state.bills.restore(session, bill);
        }
        let keys: Vec<_> = self.state.bills.booked(session).collect();
        self.state.row_store.look_for_spending(&self.state.names).compute(keys.iter().copied());
        for key in keys {
            self.fetch(store, key)?;
        }
        let sums = self.spent(store, session)?;
        self.state.row_store.watch(session, Some(sums), &self.state.names);
        for counter in self.state.bills.counters_of(session) {
            self.family(store, counter)?;
        }
        Ok(())
    }

    /// Updates the sums of sessions after rows had their cache writes split again. Rows are given as (before, after).
    pub(in crate::ledger) fn follow_solved(
        &mut self,
        store: &impl Store<Ids = Ids>,
        solved: &[(CompactRow, CompactRow)],
    ) -> Stored<()> {
        for (before, after) in solved {
            self.account(store, spending::session_of(after, &self.state.names))?;
            let sums = self.state.row_store.look_for_spending(&self.state.names);
            sums.take(before, &self.state.names);
            sums.add(after, &self.state.names);
        }
        Ok(())
    }

    /// Loads the bills that a bill may have inherited from.
    fn fetch_parents(&mut self, store: &impl Store<Ids = Ids>, bill: &Bill) -> Stored<()> {
        let Some(whole) = before(bill).filter(|whole| self.parents.insert(*whole)) else { return Ok(()) };
        // One more than will be examined.
        let found = store.bills_by_total(&mut self.state.names, &mut self.ids, whole, NEAREST + 1)?;
        for (session, bill) in found {
            self.state.bills.note(session, &bill);
        }
        Ok(())
    }

    /// Loads the sessions that may have inherited from a bill.
    fn fetch_heirs(&mut self, store: &impl Store<Ids = Ids>, bill: &Bill) -> Stored<()> {
        let Some(whole) = total(bill).filter(|whole| self.heirs.insert(*whole)) else { return Ok(()) };
        for session in store.sessions_by_inherited(&mut self.state.names, &mut self.ids, whole)? {
            self.account(store, session)?;
        }
        Ok(())
    }

    /// Loads the bills of the sessions that share a counter.
    fn family(&mut self, store: &impl Store<Ids = Ids>, counter: i64) -> Stored<()> {
        if !self.counters.insert(counter) {
            return Ok(());
        }
        for session in store.sessions_by_counter(&mut self.state.names, &mut self.ids, counter)? {
            self.account(store, session)?;
        }
        Ok(())
    }
}
