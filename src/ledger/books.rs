//! A ledger over any store. Merge rules, buffer and queries are the same for all stores.

mod backing;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

pub use self::backing::{Backing, Reopened};
use super::interface::within;
use super::key_value::{Fact, FactChange, FactKind, KeyValue};
use super::reading::{Reading, is_aligned};
use super::store::{Access, Step, Store, Stored};
use super::unwritten::Unwritten;
use super::working_set::WorkingSet;
use super::write_buffer::WriteBuffer;
use super::{Batch, Change, Checkpoint, Decide, Ledger, LedgerError, Order, Query, Report, Row, Sums};
use crate::domain::{CallKey, Filter, Instant, Span, Status, one_by_one, sort_by};
use crate::pricing::Pricer;

/// The ids that a backing's store uses for names.
type Ids<B> = <<B as Backing>::Store as Store>::Ids;

/// A ledger over a store.
///
/// Owned by one thread. Every change is one transaction of rows, sums and checkpoints. After an error the store is
/// unchanged, and the same batch can be posted again.
pub struct Books<B: Backing> {
    pub(super) backing: B,
    pub(super) pricer: Arc<dyn Pricer>,
    pub(super) working_set: RefCell<WorkingSet<Ids<B>>>,
    /// Buffered batches, not yet written.
    pub(super) gathered: WriteBuffer,
    /// True after a failed write: queries must include the buffered rows.
    pub(super) stuck: bool,
    /// Cache: the buffered rows joined with the store.
    pub(super) held: RefCell<Option<Unwritten<Ids<B>>>>,
    /// Version of the store when it was last checked for other writers.
    pub(super) version: Option<i64>,
    /// True during [`Ledger::exclusively`] and [`Ledger::on_one_state`], when queries run in their transaction.
    pub(super) has_begun: Cell<bool>,
}

impl<B: Backing> Books<B> {
    /// A ledger over an open store, with this price book.
    pub fn over(backing: B, pricer: Arc<dyn Pricer>) -> Self {
        let version = backing.store().version().ok();
        Self {
            backing,
            pricer,
            working_set: RefCell::default(),
            gathered: WriteBuffer::default(),
            stuck: false,
            held: RefCell::default(),
            version,
            has_begun: Cell::new(false),
        }
    }

    /// Runs `work` in a writing transaction, all or nothing.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&B::Store, &mut WorkingSet<Ids<B>>, &dyn Pricer, Step<'_>) -> Stored<T>,
    ) -> Result<T, LedgerError> {
        B::prepare(self)?;
        self.write_here(|backing, working_set, pricer, step| work(backing.store(), working_set, pricer, step))
    }

    /// Like [`Books::write`], but does not prepare the store first.
    fn write_here<T>(
        &mut self,
        work: impl FnOnce(&B, &mut WorkingSet<Ids<B>>, &dyn Pricer, Step<'_>) -> Stored<T>,
    ) -> Result<T, LedgerError> {
        self.backing.admit()?;
        let Self { backing, working_set, pricer, .. } = self;
        let (store, working_set) = (backing.store(), working_set.get_mut());
        let step = |name| backing.step(name);
        let attempt = || {
            step("begin");
            store.begin(Access::Write)?;
            backing.inspect()?;
            working_set.open(store)?;
            let done = work(backing, working_set, &**pricer, &step)?;
            step("commit");
            store.commit()?;
            step("committed");
            Ok(done)
        };
        let done = attempt();
        if done.is_ok() {
            working_set.clear();
        } else {
            working_set.forget();
            store.roll_back();
        }
        done.map_err(|error| self.backing.error(error))
    }

    /// Writes batches as one transaction.
    pub(super) fn book(&mut self, gathered: &mut WriteBuffer) -> Result<(), LedgerError> {
        self.write_here(|backing, working_set, pricer, step| {
            if backing.load(gathered, &mut working_set.state.names, pricer, step)? {
                // The families just written may differ from the cached ones.
                working_set.forget();
            } else {
                gathered.write(backing.store(), working_set, pricer, step)?;
            }
            backing.store().write_statuses(&gathered.state.statuses)?;
            for hold in &gathered.settled {
                backing.store().put_fact(FactKind::Hold, &hold.to_string(), None)?;
            }
            step("write files");
            backing.store().write_files(&mut gathered.files.values())
        })
    }

    /// Writes the buffered batches, if there are any.
    pub(super) fn flush_gathered(&mut self) -> Result<(), LedgerError> {
        if !self.gathered.anything {
            return Ok(());
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        let done = self.book(&mut gathered);
        self.stuck = done.is_err();
        if done.is_err() {
            self.gathered = gathered;
        } else {
            self.held = RefCell::default();
        }
        done
    }

    /// Runs `answer` in one reading transaction.
    pub(super) fn read<T>(&self, answer: impl FnOnce(Reading<'_, B::Store>) -> Stored<T>) -> Result<T, LedgerError> {
        self.view(|store| {
            if self.stuck {
                let mut held = self.held.borrow_mut();
                let (ids, names, held) = self.joined(&mut held)?.parts();
                return answer(Reading { store, ids, names, held: Some(held) });
            }
            answer(Reading::new(store, &mut self.working_set.borrow_mut()))
        })
    }

    /// Runs `look` in one reading transaction.
    pub(super) fn view<T>(&self, look: impl FnOnce(&B::Store) -> Stored<T>) -> Result<T, LedgerError> {
        let store = self.backing.store();
        if self.has_begun.get() {
            return look(store).map_err(|error| self.backing.error(error));
        }
        let seen = store.begin(Access::Read).and_then(|()| {
            let seen = look(store);
            store.roll_back();
            seen
        });
        seen.map_err(|error| self.backing.error(error))
    }

    /// The buffered rows joined with the store in this transaction.
    fn joined<'a>(&self, held: &'a mut Option<Unwritten<Ids<B>>>) -> Stored<&'a mut Unwritten<Ids<B>>> {
        let store = self.backing.store();
        let fresh = match held.as_ref() {
            Some(held) => held.is_fresh(store)?,
            None => false,
        };
        let joined = if fresh { held.take() } else { None };
        let join = || {
            let names = &self.working_set.borrow().state.names;
            Unwritten::from_gathered(store, &self.gathered, names, &*self.pricer)
        };
        Ok(held.insert(joined.map_or_else(join, Ok)?))
    }

    /// Buffers a batch that cannot be written now, and returns the changes it would make. From then on queries include
    /// it. The next successful [`Ledger::flush`] writes it.
    ///
    /// # Errors
    /// When the ledger cannot be read either. The batch is buffered all the same.
    pub fn hold(&mut self, batch: &Batch) -> Result<Vec<Change>, LedgerError> {
        let mut held = self.held.take();
        let changes = self.view(|store| self.joined(&mut held)?.post(store, batch, &*self.pricer));
        self.gathered.add(batch, self.backing.is_new());
        self.stuck = true;
        self.held = RefCell::new(held.filter(|_| changes.is_ok()));
        changes
    }

    /// Number of unwritten calls.
    pub fn unbooked(&self) -> usize {
        self.gathered.state.row_store.rows().len()
    }
}

impl<B: Backing> Ledger for Books<B> {
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, LedgerError> {
        self.flush()?;
        if batch.records.is_empty() && batch.files.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|store, working_set, pricer, step| {
            let mut changes = Vec::with_capacity(batch.records.len());
            working_set.post(store, &batch.records, pricer, &mut changes)?;
            working_set.write_changes(store, step)?;
            step("write files");
            store.write_files(&mut batch.files.iter())?;
            Ok(changes)
        })
    }

    fn post_with(
        &mut self,
        batch: &mut Batch,
        more: &mut dyn FnMut(&mut Batch) -> bool,
    ) -> Result<Vec<Change>, LedgerError> {
        self.flush()?;
        if batch.records.is_empty() && batch.files.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|store, working_set, pricer, step| {
            let (mut changes, mut posted) = (Vec::with_capacity(batch.records.len()), 0);
            loop {
                working_set.post(store, &batch.records[posted..], pricer, &mut changes)?;
                working_set.write_changes(store, step)?;
                posted = batch.records.len();
                if !more(batch) {
                    break;
                }
                working_set.state.row_store.keep_journal();
            }
            step("write files");
            store.write_files(&mut batch.files.iter())?;
            Ok(changes)
        })
    }

    fn absorb(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        self.gathered.add(batch, self.backing.is_new());
        // It is joined with the store again when a query needs it.
        self.held = RefCell::default();
        B::absorbed(self);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        B::flush(self)
    }

    fn on_one_state(&self, ask: &mut dyn FnMut()) -> Result<(), LedgerError> {
        if self.has_begun.get() {
            ask();
            return Ok(());
        }
        let store = self.backing.store();
        store.begin(Access::Read).map_err(|error| self.backing.error(error))?;
        self.has_begun.set(true);
        ask();
        self.has_begun.set(false);
        store.roll_back();
        Ok(())
    }

    fn report(&self, query: &Query) -> Result<Report, LedgerError> {
        self.read(|reading| reading.report(query))
    }

    fn sums(&self, filter: &Filter) -> Result<Sums, LedgerError> {
        self.read(|reading| reading.sums(filter))
    }

    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, LedgerError> {
        self.read(|mut reading| {
            let rows = reading.newest(filter, limit)?;
            Ok(rows.into_iter().map(|row| row.row(reading.names)).collect())
        })
    }

    fn each(&self, filter: &Filter, order: Order, each: &mut dyn FnMut(&Arc<Row>) -> bool) -> Result<(), LedgerError> {
        self.read(|mut reading| reading.in_order(filter, order, &mut |row, names| each(&row.row(names))))
    }

    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, LedgerError> {
        let aligned = |at: &Option<Instant>| at.is_none_or(is_aligned);
        if spans.iter().all(|span| is_aligned(span.from) && is_aligned(span.until))
            && aligned(&filter.since)
            && aligned(&filter.until)
        {
            return self.read(|reading| reading.spans(spans, filter));
        }
        spans.iter().map(|span| self.sums(&within(span, filter))).collect()
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, LedgerError> {
        self.read(|mut reading| {
            let row = reading.call(key)?;
            Ok(row.map(|row| row.row(reading.names)))
        })
    }

    fn files(&self) -> Result<Vec<Checkpoint>, LedgerError> {
        let mut files = self.backing.store().files().map_err(|error| self.backing.error(error))?;
        if self.stuck {
            // Buffered checkpoints are ahead of the stored ones.
            let held = &self.gathered.files;
            files.retain(|file| !held.contains_key(file.path.as_os_str()));
            files.extend(held.values().cloned());
            sort_by(&mut files, |one, other| one.path.cmp(&other.path));
        }
        Ok(files)
    }

    fn file(&self, path: &Path) -> Result<Option<Checkpoint>, LedgerError> {
        match self.gathered.files.get(path.as_os_str()).filter(|_| self.stuck) {
            Some(file) => Ok(Some(file.clone())),
            None => self.backing.store().file(path).map_err(|error| self.backing.error(error)),
        }
    }

    fn statuses(&self) -> Result<Vec<Status>, LedgerError> {
        let mut all = self.backing.store().statuses().map_err(|error| self.backing.error(error))?;
        for (name, value) in &self.gathered.state.statuses {
            let known = all.entry(name.clone()).or_default();
            *known = std::mem::take(known).max(value.clone());
        }
        Ok(all.iter().filter_map(|(name, value)| Status::from_entry(name, value)).collect())
    }

    fn exclusively(&mut self, decide: Decide<'_>) -> Result<(), LedgerError> {
        self.decide(decide)
    }

    fn changed_elsewhere(&mut self) -> bool {
        match B::reopen(self) {
            Reopened::NotNeeded => {}
            Reopened::Done => return true,
            Reopened::NotYet => return false,
        }
        let version = self.backing.store().version().ok();
        let before = std::mem::replace(&mut self.version, version);
        before.is_some() && version != before
    }
}

impl<B: Backing> KeyValue for Books<B> {
    fn update(&mut self, space: FactKind, key: &str, change: FactChange<'_>) -> Result<bool, LedgerError> {
        self.write(|store, _, _, _| {
            let Some(fact) = change(store.fact(space, key)?.as_ref()) else { return Ok(false) };
            store.put_fact(space, key, Some(&fact)).map(|()| true)
        })
    }

    fn remove(&mut self, space: FactKind, key: &str) -> Result<(), LedgerError> {
        self.write(|store, _, _, _| store.put_fact(space, key, None))
    }

    fn facts(&self, space: FactKind, prefix: &str) -> Result<Vec<(String, Fact)>, LedgerError> {
        let mut facts = self.backing.store().facts(space, prefix).map_err(|error| self.backing.error(error))?;
        if space == FactKind::Hold {
            // The calls that these amounts were held for are buffered by now.
            let settled: BTreeSet<String> = one_by_one(self.gathered.settled.iter().map(ToString::to_string));
            facts.retain(|(id, _)| !settled.contains(id));
        }
        Ok(facts)
    }
}
