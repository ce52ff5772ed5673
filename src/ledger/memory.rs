//! In-memory store, for reports on given paths and for when no file can be written.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ffi::OsString;
use std::sync::Arc;

use super::books::{Backing, Books};
use super::compact_row::CompactRow;
use super::grouping::{self, Stretch, admits, in_time};
use super::interner::{Interner, index};
use super::merge_state::{Billed, MergeState};
use super::row_store::RowTable;
use super::spending::{Part, session_of};
use super::store::{Access, Delta, Place, Quarters, Step, Store, Stored, Table};
use super::write_buffer::WriteBuffer;
use super::{Checkpoint, Fact, FactKind, Ledger, LedgerError, Order, StoreError};
use crate::domain::{Bill, CallKey, Dimension, Filter, Instant};
use crate::pricing::Pricer;

/// Ledger in memory.
pub type Memory = Books<MemoryStore>;

/// Rows and the data stored with them. The store belongs to a single ledger and uses that ledger's interned ids.
///
/// No operation can fail, so nothing ever has to be rolled back.
#[derive(Default)]
pub struct MemoryStore(RefCell<Data>);

#[derive(Default)]
struct Data {
    shown: RowTable,
    unmerged: RowTable,
    has_aliases: bool,
    /// Keys by the properties they are searched by. Built on the first search.
    index: Option<BTreeSet<(Indexed, Table, CallKey)>>,
    descents: Vec<(u32, u32)>,
    bills: BTreeMap<(u32, CallKey), Bill>,
    spent: BTreeMap<(u32, u32), Part>,
    horizon: Option<Instant>,
    files: BTreeMap<OsString, Checkpoint>,
    statuses: BTreeMap<String, String>,
    facts: BTreeMap<(FactKind, String), Fact>,
}

/// The first key in order.
const LEAST: CallKey = CallKey::from_bytes([0; 16]);

/// A property that rows are searched by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Indexed {
    Alias(CallKey),
    Lineage(u32),
    Session(u32),
}

fn indexed(row: &CompactRow, names: &Interner) -> impl Iterator<Item = Indexed> {
    let alias = row.alias.map(Indexed::Alias);
    alias.into_iter().chain([Indexed::Lineage(row.lineage), Indexed::Session(session_of(row, names))])
}

impl Data {
    fn table(&self, table: Table) -> &RowTable {
        match table {
            Table::Shown => &self.shown,
            Table::Unmerged => &self.unmerged,
        }
    }

    fn put(&mut self, table: Table, key: CallKey, row: Option<&CompactRow>, names: &Interner) {
        let rows = match table {
            Table::Shown => &mut self.shown,
            Table::Unmerged => &mut self.unmerged,
        };
        let before = rows.put(key, row.cloned());
        if let Some(all) = &mut self.index {
            for before in before.iter().flat_map(|before| indexed(before, names)) {
                all.remove(&(before, table, key));
            }
            all.extend(row.into_iter().flat_map(|row| indexed(row, names)).map(|by| (by, table, key)));
        }
    }

    /// Keys of the rows with a property, from both tables.
    fn keys(&mut self, by: Indexed, names: &Interner) -> Vec<CallKey> {
        let Self { shown, unmerged, index, .. } = self;
        let all = index.get_or_insert_with(|| {
            let rows = [(Table::Shown, shown), (Table::Unmerged, unmerged)];
            let rows = rows.into_iter().flat_map(|(table, rows)| rows.rows().iter().map(move |row| (table, row)));
            rows.flat_map(|(table, row)| indexed(row, names).map(move |by| (by, table, row.key))).collect()
        });
        let first = (by, Table::Shown, LEAST);
        all.range(first..).take_while(|(other, _, _)| *other == by).map(|(_, _, key)| *key).collect()
    }

    /// The shown rows that pass a filter, in no particular order.
    fn admitted<'a>(&'a self, filter: &Filter, names: &Interner) -> impl Iterator<Item = &'a CompactRow> {
        let mut admitted: Vec<Option<bool>> = vec![None; names.sets()];
        let rows = self.shown.rows().iter().filter(move |row| in_time(filter, row.at));
        rows.filter(move |row| *admitted[index(row.set)].get_or_insert_with(|| admits(filter, row.set, names)))
    }
}

impl Memory {
    /// An empty ledger with this price book.
    pub fn new(pricer: Arc<dyn Pricer>) -> Self {
        Self::over(MemoryStore::default(), pricer)
    }

    /// A ledger made of buffered batches.
    pub(super) fn from_gathered(gathered: WriteBuffer, pricer: Arc<dyn Pricer>) -> Self {
        let mut books = Self { gathered: WriteBuffer { anything: true, ..gathered }, ..Self::new(pricer) };
        // Batches that cannot be written stay buffered, and queries include them.
        let _ = books.flush();
        books
    }

    /// Its whole content as buffered batches, for another store.
    pub(super) fn into_gathered(mut self) -> WriteBuffer {
        if self.backing.0.get_mut().is_unused() || self.flush().is_err() {
            return self.gathered;
        }
        let data = self.backing.0.into_inner();
        let names = self.working_set.into_inner().state.names;
        let mut state = MergeState { names, statuses: data.statuses, ..MergeState::default() };
        for (child, parent) in data.descents {
            state.families.learn(child, parent, &state.names);
        }
        state.families.moves();
        data.bills.values().for_each(|bill| state.learn_bill(bill));
        let computed = data.bills.values().flat_map(super::bills::row_keys).collect::<BTreeSet<_>>();
        let is_plain = |row: &&CompactRow| data.unmerged.get(row.key).is_none() && !computed.contains(&row.key);
        for row in data.unmerged.rows().iter().chain(data.shown.rows().iter().filter(is_plain)) {
            state.row_store.feed(row.clone(), &mut state.names);
        }
        state.settle(&*self.pricer);
        WriteBuffer { state, files: data.files, anything: true, ..WriteBuffer::default() }
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.backing.0.borrow().shown.rows().len() + self.unbooked()
    }

    /// True if it has no calls.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Data {
    /// True until anything other than facts has been written.
    fn is_unused(&self) -> bool {
        let is_empty = self.shown.rows().is_empty() && self.unmerged.rows().is_empty() && self.descents.is_empty();
        is_empty && self.bills.is_empty() && self.files.is_empty() && self.statuses.is_empty()
    }
}

impl Backing for MemoryStore {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn error(&self, error: StoreError) -> LedgerError {
        error.at("(memory)".as_ref())
    }

    fn is_new(&self) -> bool {
        true
    }

    fn load(
        &self,
        gathered: &mut WriteBuffer,
        names: &mut Interner,
        pricer: &dyn Pricer,
        _step: Step<'_>,
    ) -> Stored<bool> {
        let mut data = self.0.borrow_mut();
        if !data.is_unused() || data.horizon.is_some() {
            return Ok(false);
        }
        let state = &mut gathered.state;
        state.settle(pricer);
        let Billed { bills, spent } = state.take_all_billed();
        data.bills.extend(bills.into_iter().map(|(session, bill)| ((session, bill.id), bill)));
        data.spent.extend(spent.into_iter().map(|(session, model, part)| ((session, model), part)));
        data.descents.extend(state.families.descents());
        data.has_aliases = state.row_store.has_telemetry();
        (data.shown, data.unmerged) = std::mem::take(&mut state.row_store).into_tables();
        *names = std::mem::take(&mut state.names);
        Ok(true)
    }
}

impl Store for MemoryStore {
    type Ids = ();

    fn begin(&self, _access: Access) -> Stored<()> {
        Ok(())
    }

    fn commit(&self) -> Stored<()> {
        Ok(())
    }

    fn roll_back(&self) {}

    fn version(&self) -> Stored<i64> {
        Ok(0)
    }

    fn horizon(&self) -> Stored<Option<Instant>> {
        Ok(self.0.borrow().horizon)
    }

    fn row(&self, _names: &mut Interner, (): &mut (), table: Table, key: CallKey) -> Stored<Option<CompactRow>> {
        Ok(self.0.borrow().table(table).get(key).cloned())
    }

    fn set_horizon(&self, at: Instant) -> Stored<()> {
        self.0.borrow_mut().horizon = Some(at);
        Ok(())
    }

    fn machine(&self) -> Stored<String> {
        Ok("memory".to_owned())
    }

    fn rows(&self, _names: &mut Interner, (): &mut (), table: Table, place: &mut Place) -> Stored<Vec<CompactRow>> {
        let is_first = place.replace(0).is_none();
        Ok(if is_first { self.0.borrow().table(table).rows().to_vec() } else { Vec::new() })
    }

    fn has_aliases(&self) -> Stored<bool> {
        Ok(self.0.borrow().has_aliases)
    }

    fn index_aliases(&self) -> Stored<()> {
        self.0.borrow_mut().has_aliases = true;
        Ok(())
    }

    fn keys_by_alias(&self, names: &Interner, alias: CallKey) -> Stored<Vec<CallKey>> {
        Ok(self.0.borrow_mut().keys(Indexed::Alias(alias), names))
    }

    fn keys_by_lineage(&self, names: &Interner, (): &mut (), session: u32) -> Stored<Vec<CallKey>> {
        Ok(self.0.borrow_mut().keys(Indexed::Lineage(session), names))
    }

    fn keys_by_session(&self, names: &Interner, (): &mut (), session: u32) -> Stored<Vec<CallKey>> {
        let mut data = self.0.borrow_mut();
        let mut keys = data.keys(Indexed::Session(session), names);
        keys.retain(|key| data.shown.get(*key).is_some());
        Ok(keys)
    }

    fn descents(&self, _names: &mut Interner, (): &mut ()) -> Stored<Vec<(u32, u32)>> {
        Ok(self.0.borrow().descents.clone())
    }

    fn has_bills(&self) -> Stored<bool> {
        Ok(!self.0.borrow().bills.is_empty())
    }

    fn bills(&self, _names: &mut Interner, (): &mut (), session: u32) -> Stored<Vec<Bill>> {
        let data = self.0.borrow();
        let of_session = data.bills.range((session, LEAST)..).take_while(|((of, _), _)| *of == session);
        Ok(of_session.map(|(_, bill)| bill.clone()).collect())
    }

    fn each_bill(&self, _names: &mut Interner, (): &mut (), each: &mut dyn FnMut(u32, &Bill)) -> Stored<()> {
        self.0.borrow().bills.iter().for_each(|((session, _), bill)| each(*session, bill));
        Ok(())
    }

    fn spent(&self, _names: &mut Interner, (): &mut (), session: u32) -> Stored<Vec<(u32, Part)>> {
        let data = self.0.borrow();
        Ok(data.spent.range((session, 0)..=(session, u32::MAX)).map(|((_, model), part)| (*model, *part)).collect())
    }

    fn apply(&self, names: &mut Interner, (): &mut (), delta: &Delta<'_>, _step: Step<'_>) -> Stored<()> {
        let mut data = self.0.borrow_mut();
        for (key, _, after) in &delta.rows {
            data.put(Table::Shown, *key, *after, names);
        }
        for (key, row) in &delta.unmerged {
            data.put(Table::Unmerged, *key, row.as_ref(), names);
        }
        data.bills.extend(delta.bills.iter().map(|(session, bill)| ((*session, bill.id), bill.clone())));
        data.spent.extend(delta.spent.iter().map(|(session, model, part)| ((*session, *model), *part)));
        data.descents.extend(&delta.descents);
        Ok(())
    }

    fn write_files(&self, files: &mut dyn Iterator<Item = &Checkpoint>) -> Stored<()> {
        self.0.borrow_mut().files.extend(files.map(|file| (file.path.as_os_str().to_owned(), file.clone())));
        Ok(())
    }

    fn files(&self) -> Stored<Vec<Checkpoint>> {
        Ok(self.0.borrow().files.values().cloned().collect())
    }

    fn write_statuses(&self, statuses: &BTreeMap<String, String>) -> Stored<()> {
        let mut data = self.0.borrow_mut();
        for (name, value) in statuses {
            let known = data.statuses.entry(name.clone()).or_default();
            if *known < *value {
                known.clone_from(value);
            }
        }
        Ok(())
    }

    fn statuses(&self) -> Stored<BTreeMap<String, String>> {
        Ok(self.0.borrow().statuses.clone())
    }

    fn fact(&self, space: FactKind, key: &str) -> Stored<Option<Fact>> {
        Ok(self.0.borrow().facts.get(&(space, key.to_owned())).cloned())
    }

    fn put_fact(&self, space: FactKind, key: &str, fact: Option<&Fact>) -> Stored<()> {
        let (mut data, place) = (self.0.borrow_mut(), (space, key.to_owned()));
        data.facts.remove(&place);
        data.facts.extend(fact.map(|fact| (place, fact.clone())));
        Ok(())
    }

    fn facts(&self, space: FactKind, prefix: &str) -> Stored<Vec<(String, Fact)>> {
        let data = self.0.borrow();
        let from = data.facts.range((space, prefix.to_owned())..);
        let found = from.take_while(|((of, key), _)| *of == space && key.starts_with(prefix));
        Ok(found.map(|((_, key), fact)| (key.clone(), fact.clone())).collect())
    }

    fn each_row(
        &self,
        names: &mut Interner,
        (): &mut (),
        filter: &Filter,
        order: Option<Order>,
        each: &mut dyn FnMut(CompactRow, &Interner) -> bool,
    ) -> Stored<()> {
        let (data, names) = (self.0.borrow(), &*names);
        let mut rows = data.admitted(filter, names);
        let Some(order) = order else {
            let _ = rows.all(|row| each(row.clone(), names));
            return Ok(());
        };
        // Usually only the first few are wanted.
        let sign = if order == Order::Descending { 1 } else { -1 };
        let mut heap: BinaryHeap<_> = rows.map(|row| (sign * row.at.timestamp(), row.key)).collect();
        while let Some((_, key)) = heap.pop() {
            if data.shown.get(key).is_some_and(|row| !each(row.clone(), names)) {
                break;
            }
        }
        Ok(())
    }

    fn quarters<'a>(
        &'a self,
        _names: &mut Interner,
        (): &mut (),
        filter: &Filter,
        _by: &[Dimension],
        _timeless: bool,
    ) -> Stored<Quarters<'a, ()>> {
        let times = Filter { since: filter.since, until: filter.until, ..Filter::default() };
        Ok(Box::new(move |(), each| {
            let data = self.0.borrow();
            data.shown.rows().iter().filter(|row| in_time(&times, row.at)).map(grouping::quarter).for_each(each);
            Ok(())
        }))
    }

    fn stretches(&self, names: &mut Interner, (): &mut (), filter: &Filter) -> Stored<Vec<Stretch>> {
        Ok(grouping::united(self.0.borrow().admitted(filter, names).map(grouping::stretch)))
    }
}
