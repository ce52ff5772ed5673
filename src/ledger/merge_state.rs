//! Merge rules shared by all stores: applying records to rows, and reporting the changes.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::bills::Bills;
use super::compact_row::CompactRow;
use super::interner::Interner;
use super::lineage::{Families, Move};
use super::row_store::RowStore;
use super::spending::Part;
use super::{Change, RowChange};
use crate::domain::{Bill, Call, CallKey, Instant, Label, Record};
use crate::pricing::Pricer;

/// Rows, bills, session families, and interned names.
#[derive(Debug, Default)]
pub(super) struct MergeState {
    pub(super) names: Interner,
    pub(super) row_store: RowStore,
    pub(super) families: Families,
    pub(super) bills: Bills,
    /// Calls before this time were pruned and are rejected.
    pub(super) horizon: Option<Instant>,
    /// Status reports by name, see `Status::entry`.
    pub(super) statuses: BTreeMap<String, String>,
}

/// Bills to write, with the ids of their sessions, and sums by interned session and model.
#[derive(Debug, Default)]
pub(super) struct Billed {
    pub(super) bills: Vec<(u32, Bill)>,
    pub(super) spent: Vec<(u32, u32, Part)>,
}

impl MergeState {
    /// Converts a call to a row under its stored key.
    pub(super) fn compact_row(&mut self, call: &Call) -> CompactRow {
        let mut compact = CompactRow::from_call(call, &mut self.names);
        if call.lineage.is_some() {
            compact.key = self.rooted(compact.key, compact.lineage);
        }
        compact
    }

    /// The stored key of a call in this session, from the key in the log. Applying it twice restores the key.
    pub(super) fn rooted(&self, key: CallKey, session: u32) -> CallKey {
        self.names.label(self.families.storage_root(session)).map_or(key, |root| key.under(root))
    }

    /// Moves rows to the roots of their families, prices new and changed rows, and recomputes the rows derived from
    /// bills.
    pub(super) fn settle(&mut self, pricer: &dyn Pricer) {
        for moved in self.families.moves() {
            self.follow(&moved);
        }
        // Pricing may solve the lifetimes of cache writes, which bills are compared with.
        self.row_store.settle(pricer, &mut self.names);
        self.balance();
        self.row_store.settle(pricer, &mut self.names);
    }

    /// Recomputes the rows of sessions whose bills or calls changed.
    fn balance(&mut self) {
        if self.bills.is_empty() {
            return;
        }
        let touched = self.row_store.take_touched();
        for family in self.bills.take_due(touched.into_iter()) {
            let Some(spending) = self.row_store.spending() else { continue };
            let (calls, gone) = self.bills.unlisted_calls(&family, spending, self.horizon, &self.names, &self.families);
            for key in gone {
                self.row_store.remove(key, &self.names);
            }
            for call in calls {
                let compact = CompactRow::from_call(&call, &mut self.names);
                self.row_store.put(compact, &self.names);
            }
        }
    }

    /// Merges a bill. Bills that name no session are ignored.
    pub(super) fn learn_bill(&mut self, bill: &Bill) {
        if let Some(session) = &bill.from.session {
            let session = self.names.number(Some(session));
            if self.bills.learn(session, bill) {
                self.row_store.watch(session, None, &self.names);
            }
        }
    }

    /// Merges one record without reporting changes. Moves and costs are not complete until [`MergeState::settle`].
    pub(super) fn absorb(&mut self, record: &Record) {
        match record {
            Record::Call(call) => {
                let compact = self.compact_row(call);
                self.row_store.feed(compact, &mut self.names);
            }
            Record::Descends { child, parent } => self.learn(child, parent),
            Record::Bill(bill) => self.learn_bill(bill),
            // The former only concerns ledgers written by an older version, the latter no rows.
            Record::Rekeyed { .. } | Record::Settled(_) => {}
            Record::Status(status) => {
                let (name, value) = status.entry();
                let known = self.statuses.entry(name).or_default();
                if *known < value {
                    *known = value;
                }
            }
        }
    }

    /// Takes the new bills, and the changed sums of sessions that have a bill, by interned session and model.
    pub(super) fn take_billed(&mut self) -> Billed {
        if self.bills.is_empty() {
            return Billed::default();
        }
        let bills = self.bills.take_fresh();
        let unsaved = self.row_store.take_unsaved();
        let Some(spending) = self.row_store.spending() else { return Billed { bills, spent: Vec::new() } };
        let of = |session| spending.parts_of(session).map(move |(model, part)| (session, model, *part));
        Billed { bills, spent: unsaved.into_iter().flat_map(of).collect() }
    }

    /// Like [`MergeState::take_billed`], but takes all bills and sums, for a new ledger. An earlier attempt may have
    /// failed after taking the new ones.
    pub(super) fn take_all_billed(&mut self) -> Billed {
        let bills = self.bills.take_all();
        self.row_store.all_unsaved();
        Billed { bills, ..self.take_billed() }
    }

    /// Adds a descent. Rows move with the next [`MergeState::settle`].
    pub(super) fn learn(&mut self, child: &Label, parent: &Label) {
        let (child, parent) = (self.names.number(Some(child)), self.names.number(Some(parent)));
        self.families.learn(child, parent, &self.names);
        self.bills.descended(child);
    }

    /// Moves the rows of a family to its new root.
    pub(super) fn follow(&mut self, moved: &Move) {
        // A descent gives the whole family a new root, not only the session it names.
        moved.sessions.iter().for_each(|session| self.bills.descended(*session));
        let (Some(from), Some(to)) = (self.names.label(moved.from).cloned(), self.names.label(moved.to).cloned())
        else {
            return;
        };
        self.row_store.rekey(&moved.sessions, &from, &to, &mut self.names);
    }

    /// Appends the changes since a mark. `key` is the key of the posted call, if it was a call.
    pub(super) fn report_changes(&self, mark: usize, key: Option<CallKey>, changes: &mut Vec<Change>) {
        let row = |compact: &CompactRow| compact.row(&self.names);
        let mut gone: Vec<CompactRow> = Vec::new();
        let mut new: Vec<CompactRow> = Vec::new();
        let mut grown: Vec<(CompactRow, CompactRow)> = Vec::new();
        for (key, before) in self.row_store.changes_since(mark) {
            match (before, self.row_store.get(key)) {
                (Some(before), Some(after)) if *before != *after => grown.push((*before, after.clone())),
                (None, Some(after)) => new.push(after.clone()),
                (Some(before), None) => gone.push(*before),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        if let Some(key) = key {
            let shown = self.row_store.shown_for(key).map_or(key, |shown| shown.key);
            if let Some(at) = grown.iter().position(|(_, after)| after.key == shown) {
                let (before, after) = grown.remove(at);
                changes.push(Change::Grown(RowChange { before: Some(row(&before)), after: row(&after) }));
            } else if let Some(at) = new.iter().position(|after| after.key == shown) {
                let after = row(&new.remove(at));
                let is_call = |before: &CompactRow| !self.row_store.is_computed(before.key);
                changes.push(match gone.iter().rposition(is_call).map(|at| gone.remove(at)) {
                    Some(before) => Change::Grown(RowChange { before: Some(row(&before)), after }),
                    None => Change::New(RowChange { before: None, after }),
                });
            } else {
                changes.push(Change::Repeat);
            }
        }
        // Moved rows have new keys, so they are matched by time and counts.
        let mut places: FxHashMap<(Instant, [u64; 6]), Vec<CompactRow>> = FxHashMap::default();
        for after in new {
            places.entry((after.at, after.tokens.fields())).or_default().push(after);
        }
        let moved = |before: Option<&CompactRow>, after: &CompactRow| {
            Change::Moved(RowChange { before: before.map(&row), after: row(after) })
        };
        changes.extend(grown.iter().map(|(before, after)| moved(Some(before), after)));
        let mut rest = Vec::new();
        for before in gone {
            match places.get_mut(&(before.at, before.tokens.fields())).and_then(Vec::pop) {
                Some(after) => changes.push(moved(Some(&before), &after)),
                None => rest.push(before),
            }
        }
        let mut appeared: Vec<CompactRow> = places.into_values().flatten().collect();
        appeared.sort_unstable_by_key(|after| after.key);
        changes.extend(appeared.iter().map(|after| moved(None, after)));
        changes.extend(rest.iter().map(|before| Change::Gone(row(before))));
    }
}
