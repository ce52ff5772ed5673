//! Which sessions descend from which, and the root whose name is part of their calls' keys.

use rustc_hash::{FxHashMap, FxHashSet};

use super::names::{Names, count, index};

/// Families of sessions, by the numbers of their names.
///
/// A family's root is the session in it that descends from none (the first in the alphabet where logs
/// contradict each other). It depends on what was told, never on the order in which.
#[derive(Debug, Default)]
pub(super) struct Families {
    descents: FxHashSet<(u32, u32)>,
    children: FxHashSet<u32>,
    of: FxHashMap<u32, u32>,
    all: Vec<Family>,
}

#[derive(Debug, Default)]
struct Family {
    root: u32,
    members: Vec<u32>,
}

/// Sessions whose calls now belong under another root.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) sessions: Vec<u32>,
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Families {
    /// The root of a session's family.
    pub(super) fn root(&self, session: u32) -> u32 {
        self.of.get(&session).map_or(session, |family| self.all[index(*family)].root)
    }

    /// Every descent told so far: child, parent.
    pub(super) fn descents(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.descents.iter().copied()
    }

    /// True when this was told before.
    pub(super) fn knows(&self, child: u32, parent: u32) -> bool {
        child == parent || self.descents.contains(&(child, parent))
    }

    /// Learns a descent, and says whose root changed by it.
    pub(super) fn descends(&mut self, child: u32, parent: u32, names: &Names) -> Vec<Move> {
        if child == parent || !self.descents.insert((child, parent)) {
            return Vec::new();
        }
        self.children.insert(child);
        let (one, other) = (self.family(child), self.family(parent));
        let mut before = vec![(self.all[index(one)].root, self.all[index(one)].members.clone())];
        if one != other {
            let joining = std::mem::take(&mut self.all[index(other)]);
            for member in &joining.members {
                self.of.insert(*member, one);
            }
            self.all[index(one)].members.extend(&joining.members);
            before.push((joining.root, joining.members));
        }
        let members = &self.all[index(one)].members;
        let first = |among: &mut dyn Iterator<Item = u32>| among.min_by_key(|member| names.label(*member));
        let to = first(&mut members.iter().copied().filter(|member| !self.children.contains(member)))
            .or_else(|| first(&mut members.iter().copied()))
            .unwrap_or(parent);
        self.all[index(one)].root = to;
        before.into_iter().filter(|(from, _)| *from != to).map(|(from, sessions)| Move { sessions, from, to }).collect()
    }

    fn family(&mut self, session: u32) -> u32 {
        *self.of.entry(session).or_insert_with(|| {
            self.all.push(Family { root: session, members: vec![session] });
            count(self.all.len() - 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Label;

    fn names() -> Names {
        let mut names = Names::default();
        for name in ["a", "b", "c", "d", "e", "f"] {
            names.number(Some(&Label::new(name)));
        }
        names
    }

    #[test]
    fn a_grandchild_told_first_moves_when_its_grandparent_is_named() {
        let (names, mut families) = (names(), Families::default());
        assert_eq!(families.descends(3, 2, &names), [Move { sessions: vec![3], from: 3, to: 2 }]);
        assert_eq!(families.descends(2, 1, &names), [Move { sessions: vec![3, 2], from: 2, to: 1 }]);
        assert_eq!((families.root(3), families.root(2), families.root(9)), (1, 1, 9));
        assert_eq!(families.descends(3, 2, &names), []);
    }

    proptest! {
        #[test]
        fn roots_do_not_depend_on_the_order_of_telling(told in prop::collection::vec((1_u32..7, 1_u32..7), 0..8), turn in any::<prop::sample::Index>()) {
            let names = names();
            let roots = |told: &[(u32, u32)]| {
                let mut families = Families::default();
                for (child, parent) in told {
                    families.descends(*child, *parent, &names);
                }
                (1..7).map(|session| families.root(session)).collect::<Vec<_>>()
            };
            let mut retold = told.clone();
            if !retold.is_empty() {
                let at = turn.index(retold.len());
                retold.rotate_left(at);
                retold.push(told[at]);
            }
            prop_assert_eq!(roots(&told), roots(&retold));
        }
    }
}
