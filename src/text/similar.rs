//! Finds the names that the user probably meant.

use crate::domain::sort_by;

/// Minimum likeness of names that count as similar.
const ALIKE: f64 = 0.6;

/// Likeness of two names from 0 to 1, ignoring case.
fn likeness(one: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

/// Sorts names by their likeness to one, most similar first.
pub(crate) fn most_similar_first<'n>(found: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    rated(found, names).into_iter().map(|(_, name)| name).collect()
}

/// The known names that are similar to one, most similar first.
pub(crate) fn similar<'n>(found: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    rated(found, known).into_iter().take_while(|(likeness, _)| *likeness >= ALIKE).map(|(_, name)| name).collect()
}

/// The known name most similar to one, if any is similar.
pub(crate) fn meant<'n>(found: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    similar(found, known).first().copied()
}

fn rated<'n>(found: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<(f64, &'n str)> {
    let mut rated: Vec<(f64, &str)> = names.into_iter().map(|name| (likeness(found, name), name)).collect();
    sort_by(&mut rated, |(one, first), (other, second)| other.total_cmp(one).then_with(|| first.cmp(second)));
    rated
}
