//! Interns labels and attributions as small integers, so that rows are compact and grouping needs no string hashing.

use rustc_hash::FxHashMap;

use crate::domain::{Call, Dimension, Instant, Label, Place};

/// Number of dimensions of an attribution.
pub(super) const DIMENSIONS: usize = Dimension::ALL.len();
/// The id of no label.
pub(super) const NONE: u32 = 0;

/// Dimensions of a kind of calls: those that stay the same within a session. SQLite stores them in this order.
pub(super) const KIND: [Dimension; 7] = [
    Dimension::Model,
    Dimension::Source,
    Dimension::User,
    Dimension::Project,
    Dimension::Team,
    Dimension::Feature,
    Dimension::Org,
];

/// Label ids of one attribution, in the order of [`Dimension::ALL`].
pub(super) type AttributeSet = [u32; DIMENSIONS];

/// Interned labels, and interned combinations of labels.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    labels: Vec<Label>,
    numbers: FxHashMap<Label, u32>,
    sets: Vec<AttributeSet>,
    set_numbers: FxHashMap<AttributeSet, u32>,
    /// The last set interned, because neighbouring lines of a log share it. Holding the labels keeps their addresses
    /// valid for comparison.
    last: Option<([Option<Label>; DIMENSIONS], u32)>,
    /// The last path interned, for the same reason.
    last_path: Option<(Label, u32)>,
    /// Start times of logs by path.
    began: FxHashMap<u32, Instant>,
}

impl Interner {
    /// Interns a label; [`NONE`] for `None`.
    pub fn number(&mut self, label: Option<&Label>) -> u32 {
        let Some(label) = label else { return NONE };
        if let Some(number) = self.numbers.get(label) {
            return *number;
        }
        self.labels.push(label.clone());
        let number = count(self.labels.len());
        self.numbers.insert(label.clone(), number);
        number
    }

    /// The id of a label that is already interned.
    pub(super) fn find(&self, label: &Label) -> Option<u32> {
        self.numbers.get(label).copied()
    }

    /// Interns the path of a log, which is usually the last one used. `began` is the log's start time.
    pub(super) fn path(&mut self, place: Option<&Place>, began: Option<Instant>) -> u32 {
        match (&self.last_path, place.map(|place| &place.path)) {
            (Some((last, number)), Some(path)) if same(Some(last), Some(path)) => *number,
            (_, None) => NONE,
            (_, Some(label)) => {
                let number = self.number(Some(label));
                self.last_path = Some((label.clone(), number));
                if let Some(began) = began {
                    let earliest = self.began.entry(number).or_insert(began);
                    *earliest = (*earliest).min(began);
                }
                number
            }
        }
    }

    /// Start time of the log at this path, if one is known from its calls.
    pub(super) fn began(&self, path: u32) -> Option<Instant> {
        self.began.get(&path).copied()
    }

    /// The label with this id.
    pub fn label(&self, number: u32) -> Option<&Label> {
        self.labels.get(index(number).checked_sub(1)?)
    }

    /// Interns a call's attribution.
    pub(super) fn set_of(&mut self, call: &Call) -> u32 {
        if let Some((labels, number)) = &self.last
            && Dimension::ALL
                .iter()
                .zip(labels)
                .all(|(dimension, label)| same(dimension.label_of(call), label.as_ref()))
        {
            return *number;
        }
        let set = Dimension::ALL.map(|dimension| self.number(dimension.label_of(call)));
        let number = self.set_number(set);
        self.last = Some((Dimension::ALL.map(|dimension| dimension.label_of(call).cloned()), number));
        number
    }

    /// Interns a combination of labels.
    pub(super) fn set_number(&mut self, set: AttributeSet) -> u32 {
        if let Some(number) = self.set_numbers.get(&set) {
            return *number;
        }
        let number = count(self.sets.len());
        self.sets.push(set);
        self.set_numbers.insert(set, number);
        number
    }

    /// The labels of a set.
    pub(super) fn set(&self, number: u32) -> &AttributeSet {
        &self.sets[index(number)]
    }

    /// Number of sets.
    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// The value of one dimension of a set.
    pub(super) fn value(&self, set: u32, dimension: Dimension) -> Option<&Label> {
        self.label(self.set(set)[place(dimension)])
    }
}

/// Index of a dimension in an [`AttributeSet`]. For a derived dimension, the index of its base.
pub(super) const fn place(dimension: Dimension) -> usize {
    match dimension {
        Dimension::Model => 0,
        Dimension::Source | Dimension::Fidelity => 1,
        Dimension::User => 2,
        Dimension::Project | Dimension::Repo => 3,
        Dimension::Team => 4,
        Dimension::Agent => 5,
        Dimension::Feature => 6,
        Dimension::Org => 7,
        Dimension::Session => 8,
        Dimension::Branch | Dimension::Ticket => 9,
    }
}

pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Converts a length to an id. Four billion names do not fit into memory.
pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn same(one: Option<&Label>, other: Option<&Label>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => std::ptr::eq(one.as_str(), other.as_str()),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_order_of_all_dimensions() {
        for (at, dimension) in Dimension::ALL.into_iter().enumerate() {
            assert_eq!(place(dimension), at);
        }
    }
}
