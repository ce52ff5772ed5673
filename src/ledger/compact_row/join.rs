//! The join of two sightings of one call: the greater counts, with the attribution of the strongest claim.

use std::cmp::Ordering;

use super::{CompactRow, RowCost};
use crate::domain::{Call, Dimension};
use crate::ledger::interner::{Interner, NONE, place};

/// Places in an attribution of what is not the winner's as a whole.
const MODEL: usize = place(Dimension::Model);
const BRANCH: usize = place(Dimension::Branch);

/// The greater of two names, by their numbers.
fn greater(kept: u32, seen: u32, names: &Interner) -> u32 {
    let is_kept = kept == seen || seen == NONE || (kept != NONE && names.label(kept) >= names.label(seen));
    if is_kept { kept } else { seen }
}

impl CompactRow {
    /// Joins another sighting into this row; `None` if it changes nothing.
    ///
    /// Equivalent to [`Call::join`], usually without comparing labels. The booked cost is kept as long as its inputs
    /// are unchanged.
    pub(in crate::ledger) fn join(&self, seen: &Self, names: &mut Interner) -> Option<Self> {
        let Some((from, charge)) = self.winners(seen, names) else { return self.join_slowly(seen, names) };
        let lineage = greater(self.lineage, seen.lineage, names);
        let branch_of = |row: &Self| names.set(row.set)[BRANCH];
        let branch = greater(branch_of(self), branch_of(seen), names);
        let alias = self.alias.max(seen.alias);
        let is_known = lineage == self.lineage && alias == self.alias && branch == branch_of(self);
        if from == Winner::Kept && charge == Winner::Kept && is_known {
            return None;
        }
        let (first, most) = (from.pick(self, seen), charge.pick(self, seen));
        let mut set = *names.set(first.set);
        let model = names.set(most.set)[MODEL];
        let set = if (set[MODEL], set[BRANCH]) == (model, branch) {
            first.set
        } else {
            (set[MODEL], set[BRANCH]) = (model, branch);
            names.set_number(set)
        };
        let joined = Self {
            key: self.key,
            at: first.at,
            set,
            path: first.path,
            folder: first.folder,
            offset: first.offset,
            machine: first.machine,
            claim: first.claim,
            booked: self.booked || seen.booked,
            lineage,
            alias,
            ..most.clone()
        };
        Some(joined.keep_cost(self, seen, names))
    }

    /// Joins this row with telemetry of the same call. On a tie this row's attribution is kept, whichever was stored
    /// first.
    pub(in crate::ledger) fn show_with(&self, telemetry: &Self, names: &mut Interner) -> Self {
        let host = Self { booked: true, ..self.clone() };
        let shown = host.join(&Self { booked: false, ..telemetry.clone() }, names).unwrap_or(host);
        Self { booked: self.booked, ..shown }
    }

    /// The winning attribution and the winning counts, if decidable without comparing labels.
    fn winners(&self, seen: &Self, names: &Interner) -> Option<(Winner, Winner)> {
        let (mine, theirs) = (names.set(self.set), names.set(seen.set));
        let same_attribution = || {
            let mut pairs = mine.iter().zip(theirs).enumerate();
            let same = pairs.all(|(at, (mine, theirs))| at == MODEL || at == BRANCH || mine == theirs);
            same && self.folder == seen.folder
                && (self.path, self.offset, self.machine) == (seen.path, seen.offset, seen.machine)
        };
        let from = match seen.claim.cmp(&self.claim).then_with(|| self.at.cmp(&seen.at)) {
            Ordering::Less => Winner::Kept,
            Ordering::Greater => Winner::Seen,
            Ordering::Equal if same_attribution() => Winner::Kept,
            Ordering::Equal => return None,
        };
        let size = |compact: &Self| {
            (compact.is_refused(), compact.fidelity.is_stated(), compact.tokens.output, compact.tokens.total())
        };
        let charge = match size(self).cmp(&size(seen)) {
            Ordering::Greater => Winner::Kept,
            Ordering::Less => Winner::Seen,
            Ordering::Equal if mine[MODEL] == theirs[MODEL] && self.charges_the_same(seen) => Winner::Kept,
            Ordering::Equal => return None,
        };
        Some((from, charge))
    }

    fn join_slowly(&self, seen: &Self, names: &mut Interner) -> Option<Self> {
        let (mine, theirs) = (self.call(names), Call { key: self.key, ..seen.call(names) });
        let order = match (mine.from.evidence(&theirs.from), self.booked, seen.booked) {
            (Ordering::Equal, true, false) => Ordering::Less,
            (Ordering::Equal, false, true) => Ordering::Greater,
            (_, _, _) => mine.from.precedence(&theirs.from),
        };
        let machine = match order {
            Ordering::Less => self.machine,
            Ordering::Equal if names.label(self.machine) <= names.label(seen.machine) => self.machine,
            Ordering::Equal | Ordering::Greater => seen.machine,
        };
        let booked = self.booked || seen.booked;
        let joined = Self { machine, booked, ..Self::from_call(&mine.join_in_order(theirs, order), names) };
        (!joined.says_the_same(self)).then(|| joined.keep_cost(self, seen, names))
    }

    fn keep_cost(mut self, kept: &Self, seen: &Self, names: &Interner) -> Self {
        let priced_alike = |other: &Self| {
            let kind = |compact: &Self| {
                let set = names.set(compact.set);
                (compact.at, set[MODEL], set[place(Dimension::Source)])
            };
            self.charges_the_same(other) && kind(&self) == kind(other)
        };
        self.cost = if priced_alike(kept) {
            kept.cost
        } else if priced_alike(seen) {
            seen.cost
        } else {
            RowCost::Pending
        };
        self
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Winner {
    Kept,
    Seen,
}

impl Winner {
    fn pick<'a>(self, kept: &'a CompactRow, seen: &'a CompactRow) -> &'a CompactRow {
        match self {
            Self::Kept => kept,
            Self::Seen => seen,
        }
    }
}
