//! The rows that share an alias, and which of them are one call.
//!
//! Telemetry whose ids appear in no other log is matched one to one in order of time, so that there are as many answers
//! with equal counts as in the log that lists most of them. Telemetry without ids of its own cannot tell them apart and
//! adds nothing.

use crate::domain::CallKey;
use crate::ledger::compact_row::CompactRow;

/// The plain rows with one alias.
#[derive(Debug, Default)]
pub(in crate::ledger) struct AliasRows {
    /// The telemetry row whose key is the alias.
    pub(super) unnamed: Option<CompactRow>,
    /// Telemetry rows with keys of their own.
    pub(super) named: Vec<CompactRow>,
    /// Rows of other logs. Each is one call with the named row at its place, if there is one.
    pub(super) others: Vec<CompactRow>,
}

impl AliasRows {
    /// Sorts the plain rows with this alias by what they are.
    pub(super) fn new(alias: CallKey, rows: impl IntoIterator<Item = CompactRow>) -> Self {
        let mut twins = Self::default();
        for row in rows.into_iter().filter(|row| row.alias == Some(alias)) {
            if row.key == alias {
                twins.unnamed = Some(row);
            } else if row.is_telemetry() {
                twins.named.push(row);
            } else {
                twins.others.push(row);
            }
        }
        for rows in [&mut twins.named, &mut twins.others] {
            rows.sort_unstable_by_key(|row| (row.at, row.key));
            rows.dedup_by_key(|row| row.key);
        }
        twins
    }

    /// The row among these plain rows with one alias in which a hidden one is shown.
    pub(in crate::ledger) fn host_among(alias: CallKey, rows: Vec<CompactRow>, key: CallKey) -> Option<CallKey> {
        if alias.is_of_attempts() {
            let is_one = |row: &&CompactRow| row.alias == Some(alias) && !row.is_refused();
            let host = |row: &CompactRow| (row.key == alias, row.key);
            return rows.iter().filter(is_one).map(host).min().map(|(_, key)| key);
        }
        Self::new(alias, rows).host_of(key)
    }

    /// The row that shows the unnamed one.
    pub(super) fn host_of_unnamed(&self) -> Option<CallKey> {
        let least = |rows: &[CompactRow]| rows.iter().map(|row| row.key).min();
        least(&self.others).or_else(|| least(&self.named))
    }

    /// The row in which one of these is shown, if that is another.
    pub(super) fn host_of(&self, key: CallKey) -> Option<CallKey> {
        if self.unnamed.as_ref().is_some_and(|row| row.key == key) {
            return self.host_of_unnamed();
        }
        let place = self.named.iter().position(|row| row.key == key)?;
        self.others.get(place).map(|row| row.key)
    }
}
