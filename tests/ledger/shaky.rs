//! A third store: ordered maps behind a mutex, which fail on purpose. It keeps names, no ids of them, and no sums: the
//! ledger adds up its rows. Several handles share one store, as processes do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokmeter::testing::domain::{Bill, CallKey, Filter, Instant, Label};
use tokmeter::testing::ledger::{
    Access, Backing, Books, Checkpoint, CompactRow, Delta, Fact, FactKind, Interner, LedgerError, Order, Part, Place,
    Step, Store, StoreError, Stored, StoredRow, Table,
};

use super::common::prices;
use super::shaky_data::Data;

/// State shared by the handles.
#[derive(Default)]
struct Shared {
    data: Mutex<Data>,
    /// The handle that writes, and what the store held before.
    writer: Mutex<Option<(usize, Data)>>,
    handles: AtomicUsize,
    /// Operations until one fails; 0 for never.
    fuse: AtomicUsize,
}

/// A handle of the store.
pub struct Shaky {
    shared: Arc<Shared>,
    number: usize,
}

impl Shaky {
    pub fn new() -> Self {
        Self { shared: Arc::default(), number: 0 }
    }

    /// Another handle of the same store.
    pub fn another(&self) -> Self {
        let number = self.shared.handles.fetch_add(1, Ordering::SeqCst) + 1;
        Self { shared: Arc::clone(&self.shared), number }
    }

    /// A ledger over another handle.
    pub fn books(&self) -> Books<Self> {
        Books::over(self.another(), prices())
    }

    /// Everything in the store.
    pub fn data(&self) -> Data {
        self.locked().clone()
    }

    /// Lets the operation of this number fail, counted from 1, once.
    pub fn fail_at(&self, operation: usize) {
        self.shared.fuse.store(operation, Ordering::SeqCst);
    }

    /// True when the operation that was to fail has not come.
    pub fn holds(&self) -> bool {
        self.shared.fuse.swap(0, Ordering::SeqCst) > 0
    }

    fn locked(&self) -> MutexGuard<'_, Data> {
        self.shared.data.lock().unwrap()
    }

    /// The data, unless this operation is to fail.
    fn ask(&self) -> Stored<MutexGuard<'_, Data>> {
        let burnt = |left: usize| left.checked_sub(1);
        match self.shared.fuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, burnt) {
            Ok(1) => Err(StoreError::Other("it failed on purpose".to_owned())),
            Ok(_) | Err(_) => Ok(self.locked()),
        }
    }

    fn keys(&self, is_one: impl Fn(Table, &StoredRow) -> bool) -> Stored<Vec<CallKey>> {
        let data = self.ask()?;
        let found = data.rows.iter().filter(|((table, _), row)| is_one(*table, row)).map(|((_, key), _)| *key);
        Ok(found.collect::<BTreeSet<_>>().into_iter().collect())
    }
}

fn name(names: &Interner, number: u32) -> Label {
    names.label(number).cloned().unwrap()
}

impl Backing for Shaky {
    type Store = Self;

    fn store(&self) -> &Self {
        self
    }

    fn error(&self, error: StoreError) -> LedgerError {
        error.at("shaky".as_ref())
    }
}

impl Store for Shaky {
    type Ids = ();

    fn begin(&self, access: Access) -> Stored<()> {
        let data = self.ask()?.clone();
        if access == Access::Write {
            let mut writer = self.shared.writer.lock().unwrap();
            if writer.is_some() {
                return Err(StoreError::Busy);
            }
            *writer = Some((self.number, data));
        }
        Ok(())
    }

    fn commit(&self) -> Stored<()> {
        *self.ask()?.commits.entry(self.number).or_default() += 1;
        *self.shared.writer.lock().unwrap() = None;
        Ok(())
    }

    fn roll_back(&self) {
        let mut writer = self.shared.writer.lock().unwrap();
        if let Some((_, before)) = writer.take_if(|(number, _)| *number == self.number) {
            *self.locked() = before;
        }
    }

    fn version(&self) -> Stored<i64> {
        let data = self.ask()?;
        Ok(data.commits.iter().filter(|(number, _)| **number != self.number).map(|(_, commits)| commits).sum())
    }

    fn horizon(&self) -> Stored<Option<Instant>> {
        Ok(self.ask()?.horizon)
    }

    fn set_horizon(&self, at: Instant) -> Stored<()> {
        self.ask()?.horizon = Some(at);
        Ok(())
    }

    fn machine(&self) -> Stored<String> {
        Ok("shaky".to_owned())
    }

    fn rows(&self, names: &mut Interner, (): &mut (), table: Table, place: &mut Place) -> Stored<Vec<CompactRow>> {
        // Those of one second at a time, so that the ledger has to ask again.
        let (data, last) = (self.ask()?, *place);
        let of_table = data.rows.iter().filter(|((of, _), _)| *of == table).map(|(_, row)| row);
        let second = |row: &StoredRow| row.row.call.at().timestamp();
        let later = of_table.filter(|row| last.is_none_or(|last| second(row) > last));
        *place = later.clone().map(second).min();
        let page = later.filter(|row| Some(second(row)) == *place);
        Ok(page.map(|row| CompactRow::from_stored(row, names)).collect())
    }

    fn row(&self, names: &mut Interner, (): &mut (), table: Table, key: CallKey) -> Stored<Option<CompactRow>> {
        Ok(self.ask()?.rows.get(&(table, key)).map(|row| CompactRow::from_stored(row, names)))
    }

    fn has_aliases(&self) -> Stored<bool> {
        Ok(self.ask()?.has_aliases)
    }

    fn index_aliases(&self) -> Stored<()> {
        self.ask()?.has_aliases = true;
        Ok(())
    }

    fn keys_by_alias(&self, _names: &Interner, alias: CallKey) -> Stored<Vec<CallKey>> {
        self.keys(|_, row| row.row.call.alias == Some(alias))
    }

    fn keys_by_lineage(&self, names: &Interner, (): &mut (), session: u32) -> Stored<Vec<CallKey>> {
        self.keys(|_, row| row.row.call.lineage.as_ref() == names.label(session))
    }

    fn keys_by_session(&self, names: &Interner, (): &mut (), session: u32) -> Stored<Vec<CallKey>> {
        self.keys(|table, row| table == Table::Shown && row.row.call.from.session.as_ref() == names.label(session))
    }

    fn descents(&self, names: &mut Interner, (): &mut ()) -> Stored<Vec<(u32, u32)>> {
        let mut number = |label: &Label| names.number(Some(label));
        Ok(self.ask()?.descents.iter().map(|(child, parent)| (number(child), number(parent))).collect())
    }

    fn has_bills(&self) -> Stored<bool> {
        Ok(!self.ask()?.bills.is_empty())
    }

    fn each_bill(&self, names: &mut Interner, (): &mut (), each: &mut dyn FnMut(u32, &Bill)) -> Stored<()> {
        self.ask()?.bills.iter().for_each(|((session, _), bill)| each(names.number(Some(session)), bill));
        Ok(())
    }

    fn spent(&self, names: &mut Interner, (): &mut (), session: u32) -> Stored<Vec<(u32, Part)>> {
        let session = name(names, session);
        let data = self.ask()?;
        let of_session = data.spent.iter().filter(|((of, _), _)| *of == session);
        Ok(of_session.map(|((_, model), sums)| (names.number(model.as_ref()), Part::from_fields(*sums))).collect())
    }

    fn apply(&self, names: &mut Interner, (): &mut (), delta: &Delta<'_>, step: Step<'_>) -> Stored<()> {
        for (key, _, after) in &delta.rows {
            step("write a row");
            let mut data = self.ask()?;
            let _ = match after {
                Some(row) => data.rows.insert((Table::Shown, *key), row.stored(names)),
                None => data.rows.remove(&(Table::Shown, *key)),
            };
        }
        for (key, row) in &delta.unmerged {
            let mut data = self.ask()?;
            let _ = match row {
                Some(row) => data.rows.insert((Table::Unmerged, *key), row.stored(names)),
                None => data.rows.remove(&(Table::Unmerged, *key)),
            };
        }
        let mut data = self.ask()?;
        data.bills.extend(delta.bills.iter().map(|(of, bill)| ((name(names, *of), bill.id), bill.clone())));
        let spent = delta.spent.iter();
        let spent = spent.map(|(of, model, part)| ((name(names, *of), names.label(*model).cloned()), part.fields()));
        data.spent.extend(spent);
        data.descents.extend(delta.descents.iter().map(|(child, parent)| (name(names, *child), name(names, *parent))));
        Ok(())
    }

    fn write_files(&self, files: &mut dyn Iterator<Item = &Checkpoint>) -> Stored<()> {
        self.ask()?.files.extend(files.map(|file| (file.path.clone(), file.clone())));
        Ok(())
    }

    fn files(&self) -> Stored<Vec<Checkpoint>> {
        Ok(self.ask()?.files.values().cloned().collect())
    }

    fn write_statuses(&self, statuses: &BTreeMap<String, String>) -> Stored<()> {
        self.ask()?.state(statuses);
        Ok(())
    }

    fn statuses(&self) -> Stored<BTreeMap<String, String>> {
        Ok(self.ask()?.statuses.clone())
    }

    fn fact(&self, space: FactKind, key: &str) -> Stored<Option<Fact>> {
        Ok(self.ask()?.facts.get(&(space, key.to_owned())).cloned())
    }

    fn put_fact(&self, space: FactKind, key: &str, fact: Option<&Fact>) -> Stored<()> {
        let place = (space, key.to_owned());
        let mut data = self.ask()?;
        data.facts.remove(&place);
        data.facts.extend(fact.map(|fact| (place, fact.clone())));
        Ok(())
    }

    fn facts(&self, space: FactKind, prefix: &str) -> Stored<Vec<(String, Fact)>> {
        let data = self.ask()?;
        let found = data.facts.iter().filter(|((of, key), _)| *of == space && key.starts_with(prefix));
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
        let data = self.ask()?;
        let shown = data.rows.iter().filter(|((table, _), row)| *table == Table::Shown && filter.admits(&row.row.call));
        let mut rows: Vec<&StoredRow> = shown.map(|(_, row)| row).collect();
        rows.sort_by_key(|row| row.row.call.at());
        if order == Some(Order::Descending) {
            rows.reverse();
        }
        let _ = rows.into_iter().all(|row| each(CompactRow::from_stored(row, names), names));
        Ok(())
    }
}
