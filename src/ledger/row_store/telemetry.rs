//! Telemetry rows, which identify an answer by its request, and the rows of other logs that they belong to.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::domain::CallKey;
use crate::ledger::compact_row::CompactRow;

#[derive(Debug, Default)]
pub(super) struct Telemetry {
    /// Keys of the rows that carry each alias.
    pub(super) carriers: FxHashMap<CallKey, Vec<CallKey>>,
    /// Plain rows that are not shown as they are: telemetry rows of calls that another row names, and those other rows.
    pub(super) unmerged: FxHashMap<CallKey, CompactRow>,
    /// Keys whose entry in `unmerged` changed since it was last taken.
    pub(super) changed: FxHashSet<CallKey>,
}

impl Telemetry {
    pub(super) fn carry(&mut self, alias: Option<CallKey>, key: CallKey) {
        if let Some(alias) = alias.filter(|alias| *alias != key) {
            let keys = self.carriers.entry(alias).or_default();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }

    pub(super) fn has_carriers(&self, alias: CallKey) -> bool {
        self.carriers.get(&alias).is_some_and(|keys| !keys.is_empty())
    }

    pub(super) fn drop_carrier(&mut self, alias: Option<CallKey>, key: CallKey) {
        if let Some(keys) = alias.and_then(|alias| self.carriers.get_mut(&alias)) {
            keys.retain(|carrier| *carrier != key);
        }
    }
}
