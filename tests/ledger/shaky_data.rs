//! Everything that the third store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokmeter::testing::domain::{Bill, CallKey, Label};
use tokmeter::testing::ledger::{Checkpoint, Fact, Interner, Space, StoredRow, Table};

/// Everything that a store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    pub rows: BTreeMap<(Table, CallKey), StoredRow>,
    pub has_aliases: bool,
    pub descents: BTreeSet<(Label, Label)>,
    pub bills: BTreeMap<(Label, CallKey), Bill>,
    pub spent: BTreeMap<(Label, Option<Label>), [u64; 7]>,
    pub files: BTreeMap<PathBuf, Checkpoint>,
    pub statuses: BTreeMap<String, String>,
    pub facts: BTreeMap<(Space, String), Fact>,
    /// Number of transactions by handle.
    pub commits: BTreeMap<usize, i64>,
}

impl Data {
    /// Sessions with a bill of this kind.
    pub fn sessions(&self, names: &mut Interner, is_one: impl Fn(&Bill) -> bool) -> Vec<u32> {
        let found: BTreeSet<&Label> =
            self.bills.iter().filter(|(_, bill)| is_one(bill)).map(|((session, _), _)| session).collect();
        found.into_iter().map(|session| names.number(Some(session))).collect()
    }

    /// Takes in statements that are newer than those there.
    pub fn state(&mut self, statuses: &BTreeMap<String, String>) {
        for (name, value) in statuses {
            let known = self.statuses.entry(name.clone()).or_default();
            *known = std::mem::take(known).max(value.clone());
        }
    }
}
