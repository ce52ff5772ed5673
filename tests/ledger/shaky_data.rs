//! Everything that the third store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokmeter::testing::domain::{Bill, CallKey, Instant, Label};
use tokmeter::testing::ledger::{Checkpoint, Fact, FactKind, StoredRow, Table};

/// Everything that a store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    pub rows: BTreeMap<(Table, CallKey), StoredRow>,
    pub has_aliases: bool,
    pub descents: BTreeSet<(Label, Label)>,
    pub bills: BTreeMap<(Label, CallKey), Bill>,
    pub spent: BTreeMap<(Label, Option<Label>), [u64; 8]>,
    pub files: BTreeMap<PathBuf, Checkpoint>,
    pub statuses: BTreeMap<String, String>,
    pub horizon: Option<Instant>,
    pub facts: BTreeMap<(FactKind, String), Fact>,
    /// Number of transactions by handle.
    pub commits: BTreeMap<usize, i64>,
}

impl Data {
    /// Takes in statements that are newer than those there.
    pub fn state(&mut self, statuses: &BTreeMap<String, String>) {
        for (name, value) in statuses {
            let known = self.statuses.entry(name.clone()).or_default();
            *known = std::mem::take(known).max(value.clone());
        }
    }
}
