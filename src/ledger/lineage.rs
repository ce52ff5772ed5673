//! Descent of sessions, and the root session whose name is part of its family's call keys.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::interner::{Interner, count, index};
use crate::domain::Label;

/// Families of related sessions, by interned name.
///
/// A family's root is the session that descends from no other (the first by name if logs contradict each other). It
/// depends only on which descents there are, not on their order.
///
/// Rows move to a new root in [`Families::moves`], not with each descent, because reading a long chain from its end
/// changes the root with every link. Until then the rows of each [`Part`] stay under that part's root.
#[derive(Debug, Default)]
pub(super) struct Families {
    descents: FxHashSet<(u32, u32)>,
    children: FxHashSet<u32>,
    /// The part that each session belongs to.
    of: FxHashMap<u32, u32>,
    parts: Vec<Part>,
    /// Parts of families that have changed since the last call of [`Families::moves`].
    touched: Vec<u32>,
}

/// Sessions whose rows are stored under the same root.
#[derive(Debug)]
struct Part {
    kept: u32,
    members: Vec<u32>,
    /// Union-find parent: another part of the same family, or the part itself if it holds the family.
    up: u32,
    family: Option<Lineage>,
}

/// A family.
#[derive(Debug)]
struct Lineage {
    /// Sessions without a parent, ordered by name.
    founders: BTreeSet<(Label, u32)>,
    /// The first session by name.
    least: (Label, u32),
    parts: Vec<u32>,
    size: usize,
}

impl Lineage {
    fn root(&self) -> u32 {
        self.founders.first().unwrap_or(&self.least).1
    }

    fn join(&mut self, mut other: Self) {
        if other.founders.len() > self.founders.len() {
            std::mem::swap(&mut self.founders, &mut other.founders);
        }
        if other.parts.len() > self.parts.len() {
            std::mem::swap(&mut self.parts, &mut other.parts);
        }
        self.founders.append(&mut other.founders);
        self.parts.append(&mut other.parts);
        self.least = self.least.clone().min(other.least);
        self.size += other.size;
    }
}

/// Sessions whose calls move to another root.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) sessions: Vec<u32>,
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Families {
    /// The root under which a session's rows are stored. After [`Families::moves`], the root of its family.
    pub(super) fn storage_root(&self, session: u32) -> u32 {
        self.of.get(&session).map_or(session, |part| self.parts[index(*part)].kept)
    }

    /// All descents as (child, parent).
    pub(super) fn descents(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.descents.iter().copied()
    }

    /// True when this descent is known.
    pub(super) fn knows(&self, child: u32, parent: u32) -> bool {
        child == parent || self.descents.contains(&(child, parent))
    }

    /// Adds a descent.
    pub(super) fn learn(&mut self, child: u32, parent: u32, names: &Interner) {
        if child == parent || !self.descents.insert((child, parent)) {
            return;
        }
        let (one, other) = (self.family(child, names), self.family(parent, names));
        let family = self.unite(one, other);
        if self.children.insert(child)
            && let Some(family) = &mut self.parts[index(family)].family
        {
            family.founders.remove(&(label(child, names), child));
        }
        self.touched.push(family);
    }

    /// Takes the pending moves of rows to new roots, which the caller must carry out.
    pub(super) fn moves(&mut self) -> Vec<Move> {
        let mut moves = Vec::new();
        for touched in std::mem::take(&mut self.touched) {
            let holder = self.holder(touched);
            let Some(family) = &mut self.parts[index(holder)].family else { continue };
            let (to, mut parts) = (family.root(), std::mem::take(&mut family.parts));
            for part in &parts {
                let part = &mut self.parts[index(*part)];
                if part.kept != to {
                    moves.push(Move { sessions: part.members.clone(), from: part.kept, to });
                    part.kept = to;
                }
            }
            let size = |part: &u32| self.parts[index(*part)].members.len();
            let largest =
                parts.iter().copied().reduce(|one, other| if size(&other) > size(&one) { other } else { one });
            let Some(main) = largest else { continue };
            parts.retain(|part| *part != main);
            for part in parts {
                let members = std::mem::take(&mut self.parts[index(part)].members);
                self.of.extend(members.iter().map(|member| (*member, main)));
                self.parts[index(main)].members.extend(members);
            }
            if let Some(family) = &mut self.parts[index(holder)].family {
                family.parts.push(main);
            }
        }
        moves
    }

    /// Unites the families held by two parts; returns the part that holds the result.
    fn unite(&mut self, one: u32, other: u32) -> u32 {
        if one == other {
            return one;
        }
        let size = |part: u32| self.parts[index(part)].family.as_ref().map_or(0, |family| family.size);
        let (stays, goes) = if size(one) < size(other) { (other, one) } else { (one, other) };
        self.parts[index(goes)].up = stays;
        let gone = self.parts[index(goes)].family.take();
        if let (Some(family), Some(gone)) = (&mut self.parts[index(stays)].family, gone) {
            family.join(gone);
        }
        stays
    }

    /// The part that holds the family of a session.
    fn family(&mut self, session: u32, names: &Interner) -> u32 {
        let part = *self.of.entry(session).or_insert_with(|| {
            let (part, name) = (count(self.parts.len()), (label(session, names), session));
            let family = Lineage { founders: BTreeSet::from([name.clone()]), least: name, parts: vec![part], size: 1 };
            self.parts.push(Part { kept: session, members: vec![session], up: part, family: Some(family) });
            part
        });
        self.holder(part)
    }

    /// The part that holds the family of a part. Paths are short because the smaller family joins the larger one.
    fn holder(&self, mut part: u32) -> u32 {
        loop {
            let up = self.parts[index(part)].up;
            if up == part {
                return part;
            }
            part = up;
        }
    }
}

fn label(session: u32, names: &Interner) -> Label {
    names.label(session).cloned().unwrap_or_else(|| Label::new(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Interner {
        let mut names = Interner::default();
        for name in ["a", "b", "c", "d", "e", "f"] {
            names.number(Some(&Label::new(name)));
        }
        names
    }

    #[test]
    fn a_grandchild_told_first_moves_when_its_grandparent_is_named() {
        let (names, mut families) = (names(), Families::default());
        families.learn(3, 2, &names);
        assert_eq!(families.moves(), [Move { sessions: vec![3], from: 3, to: 2 }]);
        families.learn(2, 1, &names);
        assert_eq!(families.storage_root(3), 2, "rows stay where they are until they are moved");
        assert_eq!(families.moves(), [Move { sessions: vec![3, 2], from: 2, to: 1 }]);
        assert_eq!((families.storage_root(3), families.storage_root(2), families.storage_root(9)), (1, 1, 9));
        families.learn(3, 2, &names);
        assert_eq!(families.moves(), []);
    }

    #[test]
    fn j12_a_chain_of_20_000_descents_learnt_from_its_end_moves_each_session_once() {
        let mut names = Interner::default();
        let chain: Vec<u32> =
            (0..20_001).map(|number| names.number(Some(&Label::new(&format!("{number:05}"))))).collect();
        let mut families = Families::default();
        for pair in chain.windows(2).rev() {
            families.learn(pair[1], pair[0], &names);
        }
        let moves = families.moves();
        assert_eq!(moves.iter().map(|moved| moved.sessions.len()).sum::<usize>(), 20_000);
        assert!(moves.iter().all(|moved| moved.to == chain[0]));
        assert!(chain.iter().all(|session| families.storage_root(*session) == chain[0]));
    }

    proptest! {
        #[test]
        fn roots_do_not_depend_on_the_order_of_telling(links in prop::collection::vec((1_u32..7, 1_u32..7), 0..8), turn in any::<prop::sample::Index>(), pause in 0_usize..8) {
            let names = names();
            let roots = |links: &[(u32, u32)], pause: usize| {
                let mut families = Families::default();
                for (at, (child, parent)) in links.iter().enumerate() {
                    families.learn(*child, *parent, &names);
                    if at == pause {
                        families.moves();
                    }
                }
                families.moves();
                (1..7).map(|session| families.storage_root(session)).collect::<Vec<_>>()
            };
            let mut repeated = links.clone();
            if !repeated.is_empty() {
                let at = turn.index(repeated.len());
                repeated.rotate_left(at);
                repeated.push(links[at]);
            }
            prop_assert_eq!(roots(&links, 99), roots(&repeated, pause));
        }
    }
}
