//! Joins two sightings of one call: the greater counts, with the attribution of the strongest claim.

use std::cmp::Ordering;

use super::{CompactRow, RowCost};
use crate::domain::{Call, Dimension};
use crate::ledger::interner::{Interner, NONE, place};

/// Dimensions that are joined on their own rather than taken from the winning attribution.
const MODEL: usize = place(Dimension::Model);
const BRANCH: usize = place(Dimension::Branch);

/// The greater of two names, given as interned ids.
fn greater(kept: u32, sighting: u32, names: &Interner) -> u32 {
    let is_kept = kept == sighting || sighting == NONE || (kept != NONE && names.label(kept) >= names.label(sighting));
    if is_kept { kept } else { sighting }
}

impl CompactRow {
    /// Joins another sighting into this row; `None` if it changes nothing.
    ///
    /// Equivalent to [`Call::join`], usually without comparing labels. The booked cost is kept while its inputs are
    /// unchanged.
    pub(in crate::ledger) fn join(&self, sighting: &Self, names: &mut Interner) -> Option<Self> {
        let Some((from, charge)) = self.winners(sighting, names) else { return self.join_slowly(sighting, names) };
        let lineage = greater(self.lineage, sighting.lineage, names);
        let branch_of = |row: &Self| names.set(row.set)[BRANCH];
        let branch = greater(branch_of(self), branch_of(sighting), names);
        let alias = self.alias.max(sighting.alias);
        let ends_turn = self.ends_turn || sighting.ends_turn;
        let is_known =
            (lineage, alias, branch, ends_turn) == (self.lineage, self.alias, branch_of(self), self.ends_turn);
        if from == Winner::Kept && charge == Winner::Kept && is_known {
            return None;
        }
        let (first, most) = (from.pick(self, sighting), charge.pick(self, sighting));
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
            booked: self.booked || sighting.booked,
            lineage,
            alias,
            ends_turn,
            ..most.clone()
        };
        Some(joined.keep_cost(self, sighting, names))
    }

    /// Joins this row with telemetry of the same call. On a tie this row's attribution wins, whichever was stored
    /// first.
    pub(in crate::ledger) fn show_with(&self, telemetry: &Self, names: &mut Interner) -> Self {
        let host = Self { booked: true, ..self.clone() };
        let shown = host.join(&Self { booked: false, ..telemetry.clone() }, names).unwrap_or(host);
        Self { booked: self.booked, ..shown }
    }

    /// The winning attribution and the winning counts, if they can be found without comparing labels.
    fn winners(&self, sighting: &Self, names: &Interner) -> Option<(Winner, Winner)> {
        let (mine, theirs) = (names.set(self.set), names.set(sighting.set));
        let same_attribution = || {
            let mut pairs = mine.iter().zip(theirs).enumerate();
            let same = pairs.all(|(at, (mine, theirs))| at == MODEL || at == BRANCH || mine == theirs);
            same && self.folder == sighting.folder
                && (self.path, self.offset, self.machine) == (sighting.path, sighting.offset, sighting.machine)
        };
        let from = match sighting.claim.cmp(&self.claim).then_with(|| self.at.cmp(&sighting.at)) {
            Ordering::Less => Winner::Kept,
            Ordering::Greater => Winner::New,
            Ordering::Equal if same_attribution() => Winner::Kept,
            Ordering::Equal => return None,
        };
        let size = |compact: &Self| {
            (compact.is_refused(), compact.fidelity.is_stated(), compact.tokens.output, compact.tokens.total())
        };
        let charge = match size(self).cmp(&size(sighting)) {
            Ordering::Greater => Winner::Kept,
            Ordering::Less => Winner::New,
            Ordering::Equal if mine[MODEL] == theirs[MODEL] && self.charges_the_same(sighting) => Winner::Kept,
            Ordering::Equal => return None,
        };
        Some((from, charge))
    }

    fn join_slowly(&self, sighting: &Self, names: &mut Interner) -> Option<Self> {
        let (mine, theirs) = (self.call(names), Call { key: self.key, ..sighting.call(names) });
        let order = match (mine.from.evidence(&theirs.from), self.booked, sighting.booked) {
            (Ordering::Equal, true, false) => Ordering::Less,
            (Ordering::Equal, false, true) => Ordering::Greater,
            (_, _, _) => mine.from.precedence(&theirs.from),
        };
        let machine = match order {
            Ordering::Less => self.machine,
            Ordering::Equal if names.label(self.machine) <= names.label(sighting.machine) => self.machine,
            Ordering::Equal | Ordering::Greater => sighting.machine,
        };
        let booked = self.booked || sighting.booked;
        let joined = Self { machine, booked, ..Self::from_call(&mine.join_in_order(theirs, order), names) };
        (!joined.says_the_same(self)).then(|| joined.keep_cost(self, sighting, names))
    }

    fn keep_cost(mut self, kept: &Self, sighting: &Self, names: &Interner) -> Self {
        let priced_alike = |other: &Self| {
            let kind = |compact: &Self| {
                let set = names.set(compact.set);
                (compact.at, set[MODEL], set[place(Dimension::Source)])
            };
            self.charges_the_same(other) && kind(&self) == kind(other)
        };
        self.cost = if priced_alike(kept) {
            kept.cost
        } else if priced_alike(sighting) {
            sighting.cost
        } else {
            RowCost::Pending
        };
        self
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Winner {
    Kept,
    New,
}

impl Winner {
    fn pick<'a>(self, kept: &'a CompactRow, sighting: &'a CompactRow) -> &'a CompactRow {
        match self {
            Self::Kept => kept,
            Self::New => sighting,
        }
    }
}
