//! Bounds the number of values of a label: names come from outside, and each value makes a series of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::metrics::LabelPair;

/// Maximum number of values of one label.
const VALUES: usize = 100;
/// Maximum number of combinations of call labels.
const COMBINATIONS: usize = 2000;
/// Replaces every value beyond those limits.
const OTHER: &str = "other";

/// The values that labels have had. A value that has had a series keeps it, so that no counter falls because another
/// name has become more frequent.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelSets {
    values: BTreeMap<&'static str, BTreeSet<String>>,
    combinations: BTreeSet<Vec<String>>,
}

impl LabelSets {
    /// The value, or `other` if the label has too many values.
    pub(crate) fn value(&mut self, label: &'static str, value: &str) -> String {
        let known = self.values.entry(label).or_default();
        if value.is_empty() || known.contains(value) {
            return value.to_owned();
        }
        if known.len() >= VALUES {
            return OTHER.to_owned();
        }
        known.insert(value.to_owned());
        value.to_owned()
    }

    /// The labels of calls, in this order. All of them become `other` if there are too many combinations.
    pub(crate) fn labels(&mut self, pairs: &[(&'static str, &str)]) -> Vec<LabelPair> {
        let mut labels: Vec<LabelPair> =
            pairs.iter().map(|(label, value)| (*label, self.value(label, value))).collect();
        let combination: Vec<String> = labels.iter().map(|(_, value)| value.clone()).collect();
        if !self.combinations.contains(&combination) {
            if self.combinations.len() >= COMBINATIONS {
                for (_, value) in &mut labels {
                    OTHER.clone_into(value);
                }
            } else {
                self.combinations.insert(combination);
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_takes_a_bounded_number_of_values_and_those_it_had_stay() {
        let mut sets = LabelSets::default();
        for number in 0..VALUES {
            assert_eq!(sets.value("model", &format!("m{number}")), format!("m{number}"));
        }
        assert_eq!(sets.value("model", "one too many"), "other");
        assert_eq!(sets.value("model", "m7"), "m7");
        assert_eq!((sets.value("model", ""), sets.value("user", "alice")), (String::new(), "alice".to_owned()));
    }

    #[test]
    fn combinations_are_bounded_too() {
        let mut sets = LabelSets::default();
        let mut seen = BTreeSet::new();
        for number in 0..VALUES * VALUES {
            let (user, model) = (format!("u{}", number % VALUES), format!("m{}", number / VALUES));
            seen.insert(sets.labels(&[("user", &user), ("model", &model)]));
        }
        assert_eq!(seen.len(), COMBINATIONS + 1);
        let other = |label| (label, OTHER.to_owned());
        assert!(seen.contains(&vec![other("user"), other("model")]));
    }
}
