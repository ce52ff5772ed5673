//! Corrects the sums of pruned calls after an import has restored some of them.

use std::collections::{BTreeMap, BTreeSet};

use super::export_line::Missing;
use crate::domain::{Bill, Dimension, Instant};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::place;
use crate::ledger::restored::{self, horizon_of, set_horizon_of};
use crate::ledger::spending::{Part, part, session_of};
use crate::ledger::store::{Delta, Step, Store, Stored};
use crate::ledger::working_set::WorkingSet;

/// The sessions that one transaction of an import restores.
#[derive(Default)]
pub(super) struct RestoredSessions {
    /// Start of each session whose bills are in the export, and the usage that the exporting ledger had pruned from it.
    billed: BTreeMap<u32, (Instant, Missing)>,
    /// Horizons of sessions.
    horizons: BTreeMap<u32, Option<Instant>>,
    /// Remaining sums of pruned calls, for sessions without a bill.
    spent: Vec<(u32, u32, Part)>,
}

impl RestoredSessions {
    /// Takes note of a bill in the export.
    pub(super) fn bill<S: Store>(&mut self, working_set: &mut WorkingSet<S::Ids>, bill: &Bill, missing: &Missing) {
        if let Some(session) = &bill.from.session {
            let session = working_set.state.names.number(Some(session));
            let began = bill.since().map_or(bill.from.at, |since| since.min(bill.from.at));
            let known = self.billed.entry(session).or_insert_with(|| (began, missing.clone()));
            known.0 = began.min(known.0);
            if missing.before < known.1.before {
                known.1 = missing.clone();
            }
        }
    }

    /// Corrects the sums of the sessions whose calls or bills were imported, as if only what is still missing had been
    /// pruned. True if rows computed from bills may have changed.
    ///
    /// A session's pruned calls are known only as sums. The restored calls are subtracted from them. A bill covers the
    /// session up to its time, including what no call lists. So once it is in the export, only what the exporting
    /// ledger had pruned itself can be missing.
    pub(super) fn balance<S: Store>(&mut self, store: &S, working_set: &mut WorkingSet<S::Ids>) -> Stored<bool> {
        if store.horizon()?.is_none() {
            return Ok(false);
        }
        let gains = self.gains(store, working_set)?;
        let gained = gains.keys().map(|(session, _)| *session);
        let sessions: BTreeSet<u32> = gained.chain(self.billed.keys().copied()).collect();
        let mut is_changed = false;
        for session in sessions {
            // Nothing is missing from this session.
            let Some(horizon) = self.horizon(store, working_set, session)? else { continue };
            let WorkingSet { state, ids, .. } = &mut *working_set;
            let there = self.billed.get(&session);
            let elsewhere = there.map(|(_, there)| there.sums(&mut state.names));
            let missing = restored::missing(store, &mut state.names, ids, session)?;
            let is_pruned = |began: Instant| began < horizon || !missing.is_empty();
            let before = there.filter(|(began, _)| is_pruned(*began)).map(|(_, there)| there.before);
            for (model, part) in missing {
                let mut rest = part;
                rest.take(&mut gains.get(&(session, model)).copied().unwrap_or_default());
                if let Some(elsewhere) = &elsewhere {
                    let mut beyond = rest;
                    beyond.take(&mut elsewhere.get(&model).copied().unwrap_or_default());
                    rest.sub(&beyond);
                }
                if state.bills.has(session) {
                    let mut back = part;
                    back.sub(&rest);
                    state.row_store.look_for_spending(&state.names).bring_back(session, model, &back);
                    is_changed = true;
                } else {
                    self.spent.push((session, model, rest));
                }
            }
            if let Some(before) = before.filter(|before| *before < Some(horizon)) {
                set_horizon_of(store, &state.names, session, before)?;
                state.bills.set_horizon(session, before);
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    /// Writes the sums of sessions without a bill.
    pub(super) fn write<S: Store>(self, store: &S, working_set: &mut WorkingSet<S::Ids>, step: Step<'_>) -> Stored<()> {
        if self.spent.is_empty() {
            return Ok(());
        }
        let WorkingSet { state, ids, .. } = working_set;
        store.apply(&mut state.names, ids, &Delta { spent: self.spent, ..Delta::default() }, step)
    }

    fn horizon<S: Store>(
        &mut self,
        store: &S,
        working_set: &WorkingSet<S::Ids>,
        session: u32,
    ) -> Stored<Option<Instant>> {
        if let Some(known) = self.horizons.get(&session) {
            return Ok(*known);
        }
        let horizon = horizon_of(store, &working_set.state.names, session)?;
        self.horizons.insert(session, horizon);
        Ok(horizon)
    }

    /// Sums by session and model of the calls from before the horizon that this transaction added.
    fn gains<S: Store>(&mut self, store: &S, working_set: &WorkingSet<S::Ids>) -> Stored<BTreeMap<(u32, u32), Part>> {
        let state = &working_set.state;
        let of = |row: &CompactRow| (session_of(row, &state.names), state.names.set(row.set)[place(Dimension::Model)]);
        let (mut gains, mut losses) = (BTreeMap::<_, Part>::new(), BTreeMap::<_, Part>::new());
        for (key, before) in state.row_store.changes_since(0) {
            if state.row_store.is_computed(key) {
                continue;
            }
            let (before, after) = (before.as_deref(), state.row_store.get(key));
            let mut is_old = false;
            for row in before.into_iter().chain(after) {
                is_old |= self.horizon(store, working_set, of(row).0)?.is_some_and(|horizon| row.at < horizon);
            }
            if is_old {
                for (row, sums) in [(after, &mut gains), (before, &mut losses)] {
                    if let Some(row) = row {
                        sums.entry(of(row)).or_default().add(&part(row));
                    }
                }
            }
        }
        for (of, gain) in &mut gains {
            gain.take(&mut losses.get(of).copied().unwrap_or_default());
        }
        Ok(gains)
    }
}
