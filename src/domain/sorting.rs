//! Sorting for short or rarely sorted lists.
//!
//! The standard library's sort compiles to some ten kilobytes of code for each element type. These functions sort
//! indexes instead, so one copy serves every type. Long lists on hot paths use the standard library.

use std::cmp::Ordering;

/// Sorts a list with a comparison function. Stable.
pub(crate) fn sort_by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    if list.len() < 2 {
        return;
    }
    let mut order: Vec<usize> = (0..list.len()).collect();
    sort_places(&mut order, &mut |one, other| compare(&list[one], &list[other]));
    arrange(list, &mut order);
}

/// Sorts a list by a key of each element. Stable.
pub(crate) fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(list, |one, other| key(one).cmp(&key(other)));
}

/// Collects into a map or a set, item by item. `collect` would sort everything first, with another copy of the sort for
/// each type.
pub(crate) fn one_by_one<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut all = C::default();
    all.extend(items);
    all
}

/// Not inlined, so that there is one copy for all callers.
#[inline(never)]
fn sort_places(order: &mut [usize], compare: &mut dyn FnMut(usize, usize) -> Ordering) {
    order.sort_by(|one, other| compare(*one, *other));
}

/// Moves each element to its final position: `order[i]` is the current index of the element that belongs at `i`.
fn arrange<T>(list: &mut [T], order: &mut [usize]) {
    for first in 0..order.len() {
        let mut place = first;
        while order[place] != first {
            let from = order[place];
            list.swap(place, from);
            order[place] = place;
            place = from;
        }
        order[place] = place;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_list_is_sorted_as_the_standard_library_sorts_it(list in prop::collection::vec((0..9_u8, any::<u8>()), 0..80)) {
            let (mut ours, mut theirs) = (list.clone(), list);
            sort_by_key(&mut ours, |(key, _)| *key);
            theirs.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(&ours, &theirs);
            sort_by(&mut ours, |one, other| other.cmp(one));
            theirs.sort_by(|one, other| other.cmp(one));
            prop_assert_eq!(ours, theirs);
        }
    }
}
