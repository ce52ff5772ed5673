//! The ledger a command works on: the ledger file, memory, or memory with a copy written to the ledger file.

mod reopen;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{CallKey, Filter, Label, Span, Status};
use crate::engine::LedgerView;
use crate::ingest::{self, Condition};
use crate::ledger::{
    self, Batch, Change, Checkpoint, Decide, Fact, FactChange, FactKind, KeyValue, Ledger, LedgerError, Lost, Memory,
    Note, Options, Order, Query, Report, Row, Salvaged, Sqlite, Sums,
};
use crate::pricing::PriceBook;

/// Lock timeout while writes keep failing.
const HARDLY: Duration = Duration::from_millis(50);
/// Number of calls buffered in memory before the first write. They are written as one batch, and memory use does not
/// grow with the logs. A call takes about 450 bytes until it is written.
const FIRST: usize = 260_000;
/// Number of calls in an in-memory ledger before it moves to a temporary file.
const IN_MEMORY: usize = 200_000;
/// Number of calls buffered after the first write. Joining them with rows that are already written takes more memory.
const NEXT: usize = 40_000;

/// A ledger in any kind of store.
pub(crate) struct AnyLedger {
    backend: Backend,
    prices: Arc<PriceBook>,
    /// Path and options of the ledger that could not be opened.
    wanted: Option<(PathBuf, Options)>,
    /// Why an intermediate write failed. The next attempt is made at the end.
    failed: Option<LedgerError>,
    /// Maximum number of calls buffered in memory before a write.
    most: usize,
    /// Why the ledger was opened read-only, if it was.
    only_read: Option<String>,
    /// A second ledger that receives every write but answers no queries: `--book` with paths.
    second: Option<Box<Sqlite>>,
}

enum Backend {
    Memory(Box<Memory>),
    Sqlite(Box<Sqlite>),
}

impl AnyLedger {
    /// An in-memory ledger for the duration of the command.
    pub(crate) fn memory(prices: &Arc<PriceBook>) -> Self {
        Self::with_backend(Backend::Memory(Box::new(Memory::new(Arc::clone(prices) as _))), prices)
    }

    /// An in-memory ledger in place of one that cannot be opened yet, see [`AnyLedger::reopen_wanted`].
    pub(crate) fn instead_of(path: PathBuf, options: Options, prices: &Arc<PriceBook>) -> Self {
        Self { wanted: Some((path, options)), ..Self::memory(prices) }
    }

    fn with_backend(backend: Backend, prices: &Arc<PriceBook>) -> Self {
        Self {
            backend,
            prices: Arc::clone(prices),
            wanted: None,
            failed: None,
            most: FIRST,
            only_read: None,
            second: None,
        }
    }

    /// Opens the ledger, and returns the warnings about it.
    ///
    /// # Errors
    /// When it can neither be opened nor created.
    pub(crate) fn ledger(
        path: &Path,
        options: Options,
        prices: &Arc<PriceBook>,
    ) -> Result<(Self, Vec<Note>), LedgerError> {
        let opened = ledger::open(path, options, Arc::clone(prices) as _)?;
        let only_read = opened.notes.iter().find(|note| note.is_only_read()).map(ToString::to_string);
        let any_ledger = Self { only_read, ..Self::with_backend(Backend::Sqlite(Box::new(opened.books)), prices) };
        Ok((any_ledger, opened.notes))
    }

    /// Why the ledger is read-only, as a sentence; `None` when it is writable.
    pub(crate) fn why_only_read(&self) -> Option<&str> {
        self.only_read.as_deref()
    }

    /// Sends every write to this ledger as well.
    pub(crate) fn also_write_to(&mut self, ledger: Self) {
        if let Backend::Sqlite(books) = ledger.backend {
            self.only_read = ledger.only_read;
            self.second = Some(books);
        }
    }

    /// The SQLite ledger, for operations that only it has.
    pub(crate) fn sqlite(&mut self) -> Option<&mut Sqlite> {
        match &mut self.backend {
            Backend::Sqlite(books) => Some(books),
            Backend::Memory(_) => None,
        }
    }

    /// Opens the ledger that could not be opened before, and writes the calls buffered in its place.
    ///
    /// # Errors
    /// When it still cannot be opened or written. No calls are lost.
    pub(crate) fn reopen_wanted(&mut self) -> Result<Vec<Note>, LedgerError> {
        let Some((path, options)) = &self.wanted else { return Ok(Vec::new()) };
        let opened = ledger::open(path, options.clone(), Arc::clone(&self.prices) as _)?;
        let mut books = Box::new(opened.books);
        let spare = Backend::Memory(Box::new(Memory::new(Arc::clone(&self.prices) as _)));
        if let Backend::Memory(memory) = std::mem::replace(&mut self.backend, spare) {
            books.adopt(*memory);
        }
        self.backend = Backend::Sqlite(books);
        self.wanted = None;
        Ok(opened.notes)
    }

    /// True while a damaged ledger still has calls to recover that are in no log.
    pub(crate) fn to_salvage(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(books) => books.to_salvage().is_some(),
            Backend::Memory(_) => false,
        }
    }

    /// Recovers those calls.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub(crate) fn salvage(&mut self) -> Result<Option<Salvaged>, LedgerError> {
        self.sqlite().map_or(Ok(None), Sqlite::salvage)
    }

    /// Calls of a damaged ledger that could not be recovered, as a condition of that file.
    pub(crate) fn lost(&self) -> Option<ingest::Note> {
        let Backend::Sqlite(books) = &self.backend else { return None };
        let Lost { from, calls } = books.lost()?;
        Some(ingest::Note { path: Label::from_path(&from), what: Condition::LostCalls { calls } })
    }

    /// True when this stands in for a ledger that could not be opened.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.wanted.is_some()
    }

    /// Number of calls read but not written yet.
    pub(crate) fn unbooked(&self) -> usize {
        let held = match &self.backend {
            Backend::Memory(books) if self.wanted.is_some() => books.len(),
            Backend::Memory(_) => 0,
            Backend::Sqlite(books) => books.unbooked(),
        };
        held.max(self.second.as_ref().map_or(0, |second| second.unbooked()))
    }

    /// Buffers a batch that cannot be written now, and returns the changes it makes.
    ///
    /// # Errors
    /// When the ledger cannot be read. The batch is buffered all the same.
    pub(crate) fn hold(&mut self, batch: &Batch) -> Result<Vec<Change>, LedgerError> {
        let second = self.second.as_mut().map_or(Ok(Vec::new()), |second| second.hold(batch));
        let changes = match &mut self.backend {
            Backend::Memory(books) => books.post(batch),
            Backend::Sqlite(books) => books.hold(batch),
        };
        second.and(changes)
    }

    /// Shortens or restores the lock timeout.
    pub(crate) fn retry_soon(&self, hurried: bool) {
        let first = if let Backend::Sqlite(books) = &self.backend { Some(books) } else { None };
        for books in first.into_iter().chain(&self.second) {
            books.wait_for_others(if hurried { HARDLY } else { books.lock_timeout() });
        }
    }

    /// Writes some calls if too many are buffered, either to the ledger or to a temporary file.
    fn make_room(&mut self) -> Result<(), LedgerError> {
        match &mut self.backend {
            Backend::Memory(books) if books.len() >= self.most.min(IN_MEMORY) && self.wanted.is_none() => {
                let spare = Memory::new(Arc::clone(&self.prices) as _);
                let memory = std::mem::replace(&mut **books, spare);
                match Sqlite::temporary(memory, Arc::clone(&self.prices) as _) {
                    Ok(temporary) => self.backend = Backend::Sqlite(Box::new(temporary)),
                    Err(failed) => {
                        // There is no room for a file: stay in memory.
                        **books = failed.1;
                        self.most = usize::MAX;
                        return Ok(());
                    }
                }
            }
            Backend::Sqlite(books) if books.unbooked() >= self.most && self.failed.is_none() => {}
            Backend::Memory(_) | Backend::Sqlite(_) => return Ok(()),
        }
        self.most = NEXT;
        self.flush()
    }

    /// Closes the ledger. In-memory ledgers are leaked, because freeing them takes longer than exiting.
    pub(crate) fn close(self) {
        if let Backend::Memory(books) = self.backend {
            std::mem::forget(books);
        }
    }

    /// The state of the ledger being written, for the screen.
    pub(crate) fn view(&self) -> LedgerView {
        let of = |books: &Sqlite| {
            let path = Label::from_path(books.path());
            if books.is_read_only() { LedgerView::ReadOnly(path) } else { LedgerView::Open(path) }
        };
        match (&self.backend, &self.second) {
            (_, Some(second)) => of(second),
            (Backend::Memory(_), None) => match &self.wanted {
                Some((path, _)) => {
                    let path = Label::from_path(path);
                    LedgerView::Failed(Label::new(&format!("the ledger {path} cannot be opened")))
                }
                None => LedgerView::Memory,
            },
            (Backend::Sqlite(books), None) => of(books),
        }
    }

    fn books(&self) -> &dyn Ledger {
        match &self.backend {
            Backend::Memory(books) => &**books,
            Backend::Sqlite(books) => &**books,
        }
    }

    fn books_mut(&mut self) -> &mut dyn Ledger {
        match &mut self.backend {
            Backend::Memory(books) => &mut **books,
            Backend::Sqlite(books) => &mut **books,
        }
    }
}

fn traced<T>(outcome: &Result<T, LedgerError>, batch: &Batch, done: &'static str) {
    let (records, files) = (batch.records.len(), batch.files.len());
    match outcome {
        Ok(_) => tracing::debug!(records, files, "{done}"),
        Err(error) => tracing::warn!(%error, records, files, "batch refused"),
    }
}

impl Ledger for AnyLedger {
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, LedgerError> {
        if let Some(second) = &mut self.second {
            second.post(batch)?;
        }
        let written = self.books_mut().post(batch);
        traced(&written, batch, "batch written");
        let changes = written?;
        // An in-memory ledger may be too large to move. Calls that are written are safe either way.
        let _ = self.make_room();
        Ok(changes)
    }

    fn post_with(
        &mut self,
        batch: &mut Batch,
        more: &mut dyn FnMut(&mut Batch) -> bool,
    ) -> Result<Vec<Change>, LedgerError> {
        if self.second.is_some() {
            return self.post(batch);
        }
        let written = self.books_mut().post_with(batch, more);
        traced(&written, batch, "batch written");
        let changes = written?;
        let _ = self.make_room();
        Ok(changes)
    }

    fn absorb(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        if let Some(second) = &mut self.second {
            second.absorb(batch)?;
            if second.unbooked() >= NEXT && self.failed.is_none() {
                self.failed = second.flush().err();
            }
        }
        let absorbed = self.books_mut().absorb(batch);
        traced(&absorbed, batch, "batch taken");
        absorbed?;
        // While a ledger cannot be opened, calls are shown at once and written later.
        if let Backend::Memory(books) = &mut self.backend
            && self.wanted.is_some()
        {
            books.flush()?;
        }
        if let Err(error) = self.make_room() {
            // The calls stay buffered. The error is reported at the end.
            self.failed.get_or_insert(error);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let second = self.second.as_mut().map_or(Ok(()), |second| second.flush());
        let held = self.unbooked();
        let flushed = self.books_mut().flush();
        match &flushed {
            Ok(()) if held > 0 => tracing::debug!(calls = held, "held calls written"),
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, calls = held, "held calls not written"),
        }
        if let Backend::Sqlite(books) = &mut self.backend
            && books.is_nowhere()
        {
            // There is no room for a ledger, so all calls are here and stay in memory.
            let memory = Memory::new(Arc::clone(&self.prices) as _);
            let (path, options) = (books.path().to_owned(), Options::new(books.opened()));
            let books = std::mem::replace(&mut self.backend, Backend::Memory(Box::new(memory)));
            if let Backend::Sqlite(books) = books {
                self.backend = Backend::Memory(Box::new(books.into_memory()));
            }
            self.wanted = Some((path, options));
        }
        flushed.and(second)
    }

    fn on_one_state(&self, ask: &mut dyn FnMut()) -> Result<(), LedgerError> {
        self.books().on_one_state(ask)
    }

    fn report(&self, query: &Query) -> Result<Report, LedgerError> {
        self.books().report(query)
    }

    fn sums(&self, filter: &Filter) -> Result<Sums, LedgerError> {
        self.books().sums(filter)
    }

    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, LedgerError> {
        self.books().calls(filter, limit)
    }

    fn each(&self, filter: &Filter, order: Order, each: &mut dyn FnMut(&Arc<Row>) -> bool) -> Result<(), LedgerError> {
        self.books().each(filter, order, each)
    }

    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, LedgerError> {
        self.books().spans(spans, filter)
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, LedgerError> {
        self.books().call(key)
    }

    fn files(&self) -> Result<Vec<Checkpoint>, LedgerError> {
        self.books().files()
    }

    fn file(&self, path: &Path) -> Result<Option<Checkpoint>, LedgerError> {
        self.books().file(path)
    }

    fn statuses(&self) -> Result<Vec<Status>, LedgerError> {
        self.books().statuses()
    }

    fn exclusively(&mut self, decide: Decide<'_>) -> Result<(), LedgerError> {
        self.books_mut().exclusively(decide)
    }

    fn changed_elsewhere(&mut self) -> bool {
        self.books_mut().changed_elsewhere()
    }
}

impl KeyValue for AnyLedger {
    fn update(&mut self, space: FactKind, key: &str, change: FactChange<'_>) -> Result<bool, LedgerError> {
        self.books_mut().update(space, key, change)
    }

    fn remove(&mut self, space: FactKind, key: &str) -> Result<(), LedgerError> {
        self.books_mut().remove(space, key)
    }

    fn facts(&self, space: FactKind, prefix: &str) -> Result<Vec<(String, Fact)>, LedgerError> {
        self.books().facts(space, prefix)
    }
}

#[cfg(test)]
mod tests;
