//! What all books share: how a record changes the rows, and how that is told.

use rustc_hash::FxHashMap;

use super::bills::Bills;
use super::family::{Families, Move};
use super::heap::Heap;
use super::names::Names;
use super::slim::Slim;
use super::{Change, Posted};
use crate::domain::{Bill, Call, CallKey, Instant, Label, Record};
use crate::pricing::Pricer;

/// Rows, the families their keys depend on, and the names of both.
#[derive(Debug, Default)]
pub(super) struct Core {
    pub(super) names: Names,
    pub(super) heap: Heap,
    pub(super) families: Families,
    pub(super) bills: Bills,
    /// Calls before this were pruned, and stay so.
    pub(super) horizon: Option<Instant>,
}

impl Core {
    /// A call as a row under the key it is kept under.
    pub(super) fn slim(&mut self, call: &Call) -> Slim {
        let mut slim = Slim::of(call, &mut self.names);
        if call.lineage.is_some() {
            slim.key = self.rooted(slim.key, slim.lineage);
        }
        slim
    }

    /// The key under which a call of this session is kept; of a kept key, the one the log gave.
    pub(super) fn rooted(&self, key: CallKey, session: u32) -> CallKey {
        self.names.label(self.families.kept(session)).map_or(key, |root| key.under(root))
    }

    /// Moves rows to the roots of their families, prices every row that is new, or grew, and books what bills have beyond
    /// the calls.
    pub(super) fn settle(&mut self, pricer: &dyn Pricer) {
        for moved in self.families.moves() {
            self.follow(&moved);
        }
        // Prices may solve the lifetimes of cache writes, and bills are compared with those.
        self.heap.settle(pricer, &mut self.names);
        self.balance();
        self.heap.settle(pricer, &mut self.names);
    }

    /// Computes the rows of sessions whose bills or calls changed.
    fn balance(&mut self) {
        if self.bills.is_empty() {
            return;
        }
        let touched = self.heap.take_touched();
        for family in self.bills.take_due(touched.into_iter()) {
            let Some(spending) = self.heap.spending() else { continue };
            let (calls, gone) = self.bills.rest(&family, spending, self.horizon, &self.names);
            for key in gone {
                self.heap.remove(key, &self.names);
            }
            for call in calls {
                let slim = Slim::of(&call, &mut self.names);
                self.heap.put(slim, &self.names);
            }
        }
    }

    /// Takes in what an agent states of a session; whose session it is must say so.
    pub(super) fn learn_bill(&mut self, bill: &Bill) {
        if let Some(session) = &bill.from.session {
            let session = self.names.number(Some(session));
            if self.bills.learn(session, bill) {
                self.heap.watch(session, None, &self.names);
            }
        }
    }

    /// Takes in one record, saying nothing. What it moves and costs is known after [`Core::settle`].
    pub(super) fn absorb(&mut self, record: &Record) {
        match record {
            Record::Call(call) => {
                let slim = self.slim(call);
                self.heap.feed(slim, &mut self.names);
            }
            Record::Descends { child, parent } => self.learn(child, parent),
            Record::Bill(bill) => self.learn_bill(bill),
            // Only books that outlive a version hold what an older one booked.
            Record::Rekeyed { .. } => {}
        }
    }

    /// Takes in one record and says what it changed. The heap must keep a journal.
    pub(super) fn post(&mut self, record: &Record, pricer: &dyn Pricer, told: &mut Vec<Posted>) {
        let mark = self.heap.mark();
        let key = match record {
            Record::Call(call) => {
                let slim = self.slim(call);
                let key = slim.key;
                self.heap.feed(slim, &mut self.names);
                Some(key)
            }
            Record::Descends { .. } | Record::Bill(_) | Record::Rekeyed { .. } => {
                self.absorb(record);
                None
            }
        };
        self.settle(pricer);
        self.tell(mark, key, told);
    }

    /// Learns a descent. Rows follow it with the next [`Core::settle`].
    pub(super) fn learn(&mut self, child: &Label, parent: &Label) {
        let (child, parent) = (self.names.number(Some(child)), self.names.number(Some(parent)));
        self.families.learn(child, parent, &self.names);
    }

    /// Moves the rows of a family to its new root.
    pub(super) fn follow(&mut self, moved: &Move) {
        let (Some(from), Some(to)) = (self.names.label(moved.from).cloned(), self.names.label(moved.to).cloned())
        else {
            return;
        };
        self.heap.rekey(&moved.sessions, &from, &to, &mut self.names);
    }

    /// Says what changed since a mark; `key` names the call that was posted, if it was a call.
    pub(super) fn tell(&self, mark: usize, key: Option<CallKey>, told: &mut Vec<Posted>) {
        let row = |slim: &Slim| slim.row(&self.names);
        let mut gone: Vec<Slim> = Vec::new();
        let mut born: Vec<Slim> = Vec::new();
        let mut grown: Vec<(Slim, Slim)> = Vec::new();
        for (key, before) in self.heap.changes_since(mark) {
            match (before, self.heap.get(key)) {
                (Some(before), Some(after)) if *before != *after => grown.push((*before, after.clone())),
                (None, Some(after)) => born.push(after.clone()),
                (Some(before), None) => gone.push(*before),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        if let Some(key) = key {
            let shown = self.heap.shown_for(key).map_or(key, |shown| shown.key);
            if let Some(at) = grown.iter().position(|(_, after)| after.key == shown) {
                let (before, after) = grown.remove(at);
                told.push(Posted::Grown(Change { before: Some(row(&before)), after: row(&after) }));
            } else if let Some(at) = born.iter().position(|after| after.key == shown) {
                let after = row(&born.remove(at));
                let is_call = |before: &Slim| !self.heap.is_computed(before.key);
                told.push(match gone.iter().rposition(is_call).map(|at| gone.remove(at)) {
                    Some(before) => Posted::Grown(Change { before: Some(row(&before)), after }),
                    None => Posted::New(Change { before: None, after }),
                });
            } else {
                told.push(Posted::Repeat);
            }
        }
        // Which row became which no longer shows in their keys; their moments and numbers tell.
        let mut places: FxHashMap<(Instant, [u64; 6]), Vec<Slim>> = FxHashMap::default();
        for after in born {
            places.entry((after.at, after.tokens.fields())).or_default().push(after);
        }
        let moved =
            |before: Option<&Slim>, after: &Slim| Posted::Moved(Change { before: before.map(&row), after: row(after) });
        told.extend(grown.iter().map(|(before, after)| moved(Some(before), after)));
        let mut rest = Vec::new();
        for before in gone {
            match places.get_mut(&(before.at, before.tokens.fields())).and_then(Vec::pop) {
                Some(after) => told.push(moved(Some(&before), &after)),
                None => rest.push(before),
            }
        }
        let mut appeared: Vec<Slim> = places.into_values().flatten().collect();
        appeared.sort_unstable_by_key(|after| after.key);
        told.extend(appeared.iter().map(|after| moved(None, after)));
        told.extend(rest.iter().map(|before| Posted::Gone(row(before))));
    }
}
