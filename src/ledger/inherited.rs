//! Totals that a run inherited from the session it was forked from.
//!
//! The result of `claude -p --resume … --fork-session` continues from its parent's total (2.1.299 to 2.1.332, November
//! 2026). Minus the run's own usage, it is exactly one of the parent's bills, unless sub-agents worked in the run.
//! Equal counts in all four classes are sufficient proof; a total that is merely large enough proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::interner::Interner;
use super::session_bills::NEAREST;
use super::spending::Part;
use crate::domain::{Bill, Billed, CallKey, Counter, Tokens};

/// Tokens of a bill over all models: input, cache reads, cache writes of any lifetime, output.
pub type Whole = [u64; 4];

/// Bills by their total, and by the part of it that a run inherited.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    totals: FxHashMap<Whole, BTreeMap<(u32, CallKey), Vec<Billed>>>,
    heirs: FxHashMap<Whole, BTreeSet<(u32, CallKey)>>,
}

impl Inherited {
    /// Adds a bill.
    pub(super) fn insert(&mut self, session: u32, bill: &Bill) {
        self.note(session, bill);
        if let Some(before) = before(bill) {
            self.heirs.entry(before).or_default().insert((session, bill.id));
        }
    }

    /// Adds a bill that others may have inherited from.
    pub(super) fn note(&mut self, session: u32, bill: &Bill) {
        if let Some(total) = total(bill) {
            self.totals.entry(total).or_default().insert((session, bill.id), bill.models.clone());
        }
    }

    /// Removes a bill.
    pub(super) fn remove(&mut self, session: u32, bill: &Bill) {
        if let Some(all) = total(bill).and_then(|total| self.totals.get_mut(&total)) {
            all.remove(&(session, bill.id));
        }
        if let Some(all) = before(bill).and_then(|before| self.heirs.get_mut(&before)) {
            all.remove(&(session, bill.id));
        }
    }

    /// Sessions that may have inherited from a bill that is in here, is new, or is about to be removed.
    pub(super) fn heirs_of(&self, bill: &Bill) -> impl Iterator<Item = u32> + '_ {
        let is_few = |total: &Whole| self.totals.get(total).is_some_and(|all| all.len() <= NEAREST + 1);
        let heirs = total(bill).filter(is_few).and_then(|total| self.heirs.get(&total));
        heirs.into_iter().flatten().map(|(session, _)| *session)
    }

    /// Amount that a session's bill inherited from another session; `None` if too many bills have this total.
    pub(super) fn inherited_by(&self, session: u32, bill: &Bill, names: &Interner) -> Option<&[Billed]> {
        let parents = self.totals.get(&before(bill)?).filter(|all| all.len() <= NEAREST)?;
        let covers = |billed: &Billed| {
            let mut own = bill.models.iter().filter(|own| own.model == billed.model);
            own.any(|own| Part::of_bill(own).covers(&Part::of_bill(billed)))
        };
        let others = parents.iter().filter(|((other, _), models)| *other != session && models.iter().all(covers));
        // Chosen by name, because interned ids depend on reading order.
        others.min_by_key(|((other, id), _)| (names.label(*other), *id)).map(|(_, models)| &**models)
    }
}

fn sides(tokens: Tokens) -> Whole {
    [tokens.input, tokens.cache_read, tokens.cache_write(), tokens.output]
}

/// The total that others may inherit; `None` for a run without usage of its own, which may have inherited all of it,
/// and for a partial bill, which is not a total.
pub fn total(bill: &Bill) -> Option<Whole> {
    let is_own = match bill.counter {
        Counter::Session { .. } => true,
        Counter::Run { own } => !own.is_zero(),
        // No other session continues its counter.
        Counter::Snapshot { .. } | Counter::Piece => false,
    };
    Some(sides(bill.tokens())).filter(|total| is_own && *total != [0; 4])
}

/// The part of a run's total that is not its own usage, if any.
pub fn before(bill: &Bill) -> Option<Whole> {
    let Counter::Run { own } = bill.counter else { return None };
    let mut before = sides(bill.tokens());
    for (before, own) in before.iter_mut().zip(sides(own)) {
        *before = before.checked_sub(own)?;
    }
    Some(before).filter(|before| *before != [0; 4])
}
