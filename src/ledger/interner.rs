//! Small numbers for labels and for whole attributions, so that a row is a few words and grouping never hashes text.

use rustc_hash::FxHashMap;

use crate::domain::{Call, Dimension, Instant, Label, Place};

/// How many dimensions an attribution has.
pub(super) const DIMENSIONS: usize = Dimension::ALL.len();
/// The number of no label.
pub(super) const NONE: u32 = 0;

/// The labels of one attribution, by their numbers, in the order of [`Dimension::ALL`].
pub(super) type AttributeSet = [u32; DIMENSIONS];

/// Every label met so far, and every combination of labels that a call carried.
#[derive(Debug, Default)]
pub(super) struct Interner {
    labels: Vec<Label>,
    numbers: FxHashMap<Label, u32>,
    sets: Vec<AttributeSet>,
    set_numbers: FxHashMap<AttributeSet, u32>,
    /// The set met last, since neighbours in a log share it. Holding its labels keeps their addresses theirs.
    last: Option<([Option<Label>; DIMENSIONS], u32)>,
    /// The path met last, likewise.
    last_path: Option<(Label, u32)>,
    /// When the logs at these paths began.
    began: FxHashMap<u32, Instant>,
}

impl Interner {
    /// The number of a label; [`NONE`] for none.
    pub(super) fn number(&mut self, label: Option<&Label>) -> u32 {
        let Some(label) = label else { return NONE };
        if let Some(number) = self.numbers.get(label) {
            return *number;
        }
        self.labels.push(label.clone());
        let number = count(self.labels.len());
        self.numbers.insert(label.clone(), number);
        number
    }

    /// The number of a label that has one.
    pub(super) fn find(&self, label: &Label) -> Option<u32> {
        self.numbers.get(label).copied()
    }

    /// The number of the path of a place, which is most often the one asked for last; `began` is when that log began.
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

    /// When the log at this path began, if a call read from it says so.
    pub(super) fn began(&self, path: u32) -> Option<Instant> {
        self.began.get(&path).copied()
    }

    /// The label of a number.
    pub(super) fn label(&self, number: u32) -> Option<&Label> {
        self.labels.get(index(number).checked_sub(1)?)
    }

    /// The number of a call's attribution.
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

    /// The number of a combination of labels.
    pub(super) fn set_number(&mut self, set: AttributeSet) -> u32 {
        if let Some(number) = self.set_numbers.get(&set) {
            return *number;
        }
        let number = count(self.sets.len());
        self.sets.push(set);
        self.set_numbers.insert(set, number);
        number
    }

    /// The combination of labels of a number.
    pub(super) fn set(&self, number: u32) -> &AttributeSet {
        &self.sets[index(number)]
    }

    /// How many combinations there are.
    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// The value of one dimension of a set.
    pub(super) fn value(&self, set: u32, dimension: Dimension) -> Option<&Label> {
        self.label(self.set(set)[place(dimension)])
    }
}

/// Where a dimension stands in an [`AttributeSet`].
pub(super) const fn place(dimension: Dimension) -> usize {
    match dimension {
        Dimension::Model => 0,
        Dimension::Source => 1,
        Dimension::User => 2,
        Dimension::Project => 3,
        Dimension::Team => 4,
        Dimension::Agent => 5,
        Dimension::Feature => 6,
        Dimension::Org => 7,
        Dimension::Session => 8,
    }
}

/// A number as an index.
pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A length as a number; four billion names do not fit into memory.
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
