//! Batches buffered in memory until one transaction writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::merge_state::MergeState;
use super::store::{Step, Store, Stored};
use super::working_set::WorkingSet;
use super::{Batch, Checkpoint};
use crate::domain::{HoldId, Record};
use crate::pricing::Pricer;

/// Buffered batches, merged with each other.
#[derive(Default)]
pub struct WriteBuffer {
    pub(super) state: MergeState,
    /// Latest checkpoint of each file, keyed by the path as bytes: comparing paths component by component is slower.
    pub(super) files: BTreeMap<OsString, Checkpoint>,
    /// Calls that an older version may have stored under another key.
    pub(super) rekeyed: Vec<Record>,
    /// Ids of amounts held for calls that are over.
    pub(super) settled: BTreeSet<HoldId>,
    /// True unless empty.
    pub(super) anything: bool,
}

impl WriteBuffer {
    /// Buffers a batch. A new store has no calls from older versions.
    pub(super) fn add(&mut self, batch: &Batch, is_new: bool) {
        self.anything |= !batch.records.is_empty() || !batch.files.is_empty();
        for record in &batch.records {
            match record {
                Record::Rekeyed { .. } if is_new => {}
                Record::Rekeyed { .. } => self.rekeyed.push(record.clone()),
                Record::Settled(hold) => _ = self.settled.insert(*hold),
                Record::Call(_) | Record::Descends { .. } | Record::Bill(_) | Record::Status(_) => {
                    self.state.absorb(record);
                }
            }
        }
        self.files.extend(batch.files.iter().map(|file| (file.path.as_os_str().to_owned(), file.clone())));
    }

    /// Merges the buffered rows with the rows of a store, without writing.
    pub(super) fn join<S: Store>(
        &self,
        store: &S,
        working_set: &mut WorkingSet<S::Ids>,
        pricer: &dyn Pricer,
    ) -> Stored<()> {
        working_set.take_all(store, &self.state)?;
        for record in &self.rekeyed {
            working_set.rekey(store, record)?;
        }
        working_set.settle(store, pricer)
    }

    /// Writes the buffered rows to a store.
    pub(super) fn write<S: Store>(
        &self,
        store: &S,
        working_set: &mut WorkingSet<S::Ids>,
        pricer: &dyn Pricer,
        step: Step<'_>,
    ) -> Stored<()> {
        self.join(store, working_set, pricer)?;
        working_set.write_changes(store, step)
    }
}
