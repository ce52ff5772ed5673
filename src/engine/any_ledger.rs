//! Where a command's books stand: in the ledger, in memory, or shown from memory and booked beside.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{CallKey, Filter, Instant, Label, Span};
use crate::engine::LedgerView;
use crate::ledger::{
    self, Batch, BooksError, Change, Checkpoint, Ledger, Memory, Note, Options, Order, Query, Report, Row, Salvaged,
    Sqlite, Sums,
};
use crate::pricing::PriceBook;

/// How long another process is waited for while the books cannot be written anyway.
const HARDLY: Duration = Duration::from_millis(50);
/// Calls that are gathered in memory before they are booked: so many are written in one go, and memory does not grow
/// with the logs. A call takes some 450 bytes until it is booked.
const FIRST: usize = 260_000;
/// Calls of books in memory before they move to a temporary file, all in one go.
const IN_MEMORY: usize = 200_000;
/// Calls that are gathered once the first were booked: joined with rows that are booked already, they take more room.
const NEXT: usize = 40_000;

/// Books, wherever they are kept.
pub(crate) struct AnyLedger {
    kept: Kept,
    prices: Arc<PriceBook>,
    /// Where the ledger belongs that could not be opened, and how to open it.
    wanted: Option<(PathBuf, Options)>,
    /// Why what was gathered could not be booked on the way; it is not tried again before the end.
    failed: Option<BooksError>,
    /// How many calls may be gathered.
    most: usize,
    /// Why the ledger was opened to be read only, if it was.
    only_read: Option<String>,
    /// Also written, never asked: what given paths hold, when it is to be booked.
    beside: Option<Box<Sqlite>>,
}

enum Kept {
    Memory(Box<Memory>),
    Sqlite(Box<Sqlite>),
    /// Between two openings; never seen from outside.
    Nothing(Box<Memory>),
}

impl AnyLedger {
    /// Books that live as long as the command.
    pub(crate) fn memory(prices: &Arc<PriceBook>) -> Self {
        Self::with_kept(Kept::Memory(Box::new(Memory::new(Arc::clone(prices) as _))), prices)
    }

    /// Books in memory in the place of a ledger that cannot be opened now, and may be later: [`AnyLedger::come_home`].
    pub(crate) fn instead_of(path: PathBuf, options: Options, prices: &Arc<PriceBook>) -> Self {
        Self { wanted: Some((path, options)), ..Self::memory(prices) }
    }

    fn with_kept(kept: Kept, prices: &Arc<PriceBook>) -> Self {
        Self {
            kept,
            prices: Arc::clone(prices),
            wanted: None,
            failed: None,
            most: FIRST,
            only_read: None,
            beside: None,
        }
    }

    /// The ledger, and what there is to say about it.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub(crate) fn ledger(
        path: &Path,
        options: Options,
        prices: &Arc<PriceBook>,
    ) -> Result<(Self, Vec<Note>), BooksError> {
        let opened = ledger::open(path, options, Arc::clone(prices) as _)?;
        let only_read = opened.notes.iter().find(|note| note.is_only_read()).map(ToString::to_string);
        let any_ledger = Self { only_read, ..Self::with_kept(Kept::Sqlite(Box::new(opened.books)), prices) };
        Ok((any_ledger, opened.notes))
    }

    /// Why the ledger was opened to be read only, in a sentence; `None` where it can be written.
    pub(crate) fn why_only_read(&self) -> Option<&str> {
        self.only_read.as_deref()
    }

    /// Books everything into this ledger too.
    pub(crate) fn beside(&mut self, ledger: Self) {
        if let Kept::Sqlite(books) = ledger.kept {
            self.only_read = ledger.only_read;
            self.beside = Some(books);
        }
    }

    /// The ledger itself, for what only it can do.
    pub(crate) fn sqlite(&mut self) -> Option<&mut Sqlite> {
        match &mut self.kept {
            Kept::Sqlite(books) => Some(books),
            Kept::Memory(_) | Kept::Nothing(_) => None,
        }
    }

    /// Opens the ledger that could not be opened before, and books there what was gathered in its place.
    ///
    /// # Errors
    /// When it still cannot be opened or written. Nothing is lost.
    pub(crate) fn come_home(&mut self) -> Result<Vec<Note>, BooksError> {
        let Some((path, options)) = &self.wanted else { return Ok(Vec::new()) };
        let opened = ledger::open(path, options.clone(), Arc::clone(&self.prices) as _)?;
        let mut books = Box::new(opened.books);
        let spare = Kept::Nothing(Box::new(Memory::new(Arc::clone(&self.prices) as _)));
        match std::mem::replace(&mut self.kept, spare) {
            Kept::Memory(memory) => books.adopt(*memory),
            Kept::Sqlite(_) | Kept::Nothing(_) => {}
        }
        self.kept = Kept::Sqlite(books);
        self.wanted = None;
        Ok(opened.notes)
    }

    /// True while what no log holds any more is to be taken over from a damaged ledger.
    pub(crate) fn to_salvage(&self) -> bool {
        match &self.kept {
            Kept::Sqlite(books) => books.to_salvage().is_some(),
            Kept::Memory(_) | Kept::Nothing(_) => false,
        }
    }

    /// Takes it over.
    ///
    /// # Errors
    /// When the books cannot be written.
    pub(crate) fn salvage(&mut self) -> Result<Option<Salvaged>, BooksError> {
        self.sqlite().map_or(Ok(None), Sqlite::salvage)
    }

    /// True when the ledger could not be opened, and these books stand in its place.
    pub(crate) fn is_away(&self) -> bool {
        self.wanted.is_some()
    }

    /// Calls that were read and are not booked.
    pub(crate) fn unbooked(&self) -> usize {
        match &self.kept {
            Kept::Memory(books) if self.wanted.is_some() => books.len(),
            Kept::Memory(_) | Kept::Nothing(_) => 0,
            Kept::Sqlite(books) => books.unbooked(),
        }
    }

    /// Keeps what cannot be booked now, and says what it changes.
    ///
    /// # Errors
    /// When the books cannot be read. It is kept all the same.
    pub(crate) fn hold(&mut self, batch: &Batch) -> Result<Vec<Change>, BooksError> {
        match &mut self.kept {
            Kept::Memory(books) | Kept::Nothing(books) => books.post(batch),
            Kept::Sqlite(books) => books.hold(batch),
        }
    }

    /// Waits for another process as long as usual, or hardly at all.
    pub(crate) fn hurry(&self, hurried: bool) {
        if let Kept::Sqlite(books) = &self.kept {
            books.wait_for_others(if hurried { HARDLY } else { books.patience() });
        }
    }

    /// Where more calls are gathered than memory should hold, some are booked: in the ledger, or in a temporary file.
    fn make_room(&mut self) -> Result<(), BooksError> {
        match &mut self.kept {
            Kept::Memory(books) if books.len() >= self.most.min(IN_MEMORY) && self.wanted.is_none() => {
                let spare = Memory::new(Arc::clone(&self.prices) as _);
                let memory = std::mem::replace(&mut **books, spare);
                match Sqlite::temporary(memory, Arc::clone(&self.prices) as _) {
                    Ok(temporary) => self.kept = Kept::Sqlite(Box::new(temporary)),
                    Err(failed) => {
                        // Without room for a file, memory has to do.
                        **books = failed.1;
                        self.most = usize::MAX;
                        return Ok(());
                    }
                }
            }
            Kept::Sqlite(books) if books.unbooked() >= self.most && self.failed.is_none() => {}
            Kept::Memory(_) | Kept::Nothing(_) | Kept::Sqlite(_) => return Ok(()),
        }
        self.most = NEXT;
        self.flush()
    }

    /// Opens a ledger again that was damaged, replaced or removed. True when that helped: what it lacks must
    /// then be read again from the logs.
    pub(crate) fn mend(&mut self, error: &BooksError, prices: &Arc<PriceBook>, now: Instant) -> Option<Vec<Note>> {
        if !matches!(error, BooksError::Replaced { .. } | BooksError::Damaged { .. }) {
            return None;
        }
        let spare = || Box::new(Memory::new(Arc::clone(prices) as _));
        match std::mem::replace(&mut self.kept, Kept::Nothing(spare())) {
            Kept::Sqlite(books) => match books.open_again(now) {
                Ok(opened) => {
                    self.kept = Kept::Sqlite(Box::new(opened.books));
                    Some(opened.notes)
                }
                Err(_) => {
                    self.kept = Kept::Memory(spare());
                    Some(Vec::new())
                }
            },
            other @ (Kept::Memory(_) | Kept::Nothing(_)) => {
                self.kept = other;
                None
            }
        }
    }

    /// Closes the ledger. Books in memory are left to the end of the process: to let go of them takes longer.
    pub(crate) fn close(self) {
        if let Kept::Memory(books) | Kept::Nothing(books) = self.kept {
            std::mem::forget(books);
        }
    }

    /// How the screen speaks of these books.
    pub(crate) fn view(&self) -> LedgerView {
        match &self.kept {
            Kept::Memory(_) | Kept::Nothing(_) => match &self.wanted {
                Some((path, _)) => {
                    let path = Label::from_bytes(path.as_os_str().as_encoded_bytes());
                    LedgerView::Failed(Label::new(&format!("the ledger {path} cannot be opened")))
                }
                None => LedgerView::Memory,
            },
            Kept::Sqlite(books) => {
                let path = Label::from_bytes(books.path().as_os_str().as_encoded_bytes());
                if books.is_read_only() { LedgerView::ReadOnly(path) } else { LedgerView::Open(path) }
            }
        }
    }

    fn books(&self) -> &dyn Ledger {
        match &self.kept {
            Kept::Memory(books) | Kept::Nothing(books) => &**books,
            Kept::Sqlite(books) => &**books,
        }
    }

    fn books_mut(&mut self) -> &mut dyn Ledger {
        match &mut self.kept {
            Kept::Memory(books) | Kept::Nothing(books) => &mut **books,
            Kept::Sqlite(books) => &mut **books,
        }
    }
}

impl Ledger for AnyLedger {
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, BooksError> {
        if let Some(beside) = &mut self.beside {
            beside.post(batch)?;
        }
        let told = self.books_mut().post(batch)?;
        // Books in memory may have grown too large for it; what was booked is booked either way.
        let _ = self.make_room();
        Ok(told)
    }

    fn absorb(&mut self, batch: &Batch) -> Result<(), BooksError> {
        if let Some(beside) = &mut self.beside {
            beside.absorb(batch)?;
            if beside.unbooked() >= NEXT && self.failed.is_none() {
                self.failed = beside.flush().err();
            }
        }
        self.books_mut().absorb(batch)?;
        if let Err(error) = self.make_room() {
            // It stays gathered, and is told at the end.
            self.failed.get_or_insert(error);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BooksError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let beside = self.beside.as_mut().map_or(Ok(()), |beside| beside.flush());
        let flushed = self.books_mut().flush();
        if let Kept::Sqlite(books) = &mut self.kept
            && books.is_nowhere()
        {
            // There is no room for a ledger at all: everything read is here, and stays in memory.
            let memory = Memory::new(Arc::clone(&self.prices) as _);
            let (path, options) = (books.path().to_owned(), Options::new(books.opened()));
            let books = std::mem::replace(&mut self.kept, Kept::Nothing(Box::new(memory)));
            if let Kept::Sqlite(books) = books {
                self.kept = Kept::Memory(Box::new(books.into_memory()));
            }
            self.wanted = Some((path, options));
        }
        flushed.and(beside)
    }

    fn report(&self, query: &Query) -> Result<Report, BooksError> {
        self.books().report(query)
    }

    fn sums(&self, filter: &Filter) -> Result<Sums, BooksError> {
        self.books().sums(filter)
    }

    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, BooksError> {
        self.books().calls(filter, limit)
    }

    fn each(&self, filter: &Filter, order: Order, each: &mut dyn FnMut(&Arc<Row>) -> bool) -> Result<(), BooksError> {
        self.books().each(filter, order, each)
    }

    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, BooksError> {
        self.books().spans(spans, filter)
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, BooksError> {
        self.books().call(key)
    }

    fn files(&self) -> Result<Vec<Checkpoint>, BooksError> {
        self.books().files()
    }

    fn file(&self, path: &Path) -> Result<Option<Checkpoint>, BooksError> {
        self.books().file(path)
    }

    fn claim_alert(&mut self, id: &str, at: Instant) -> Result<bool, BooksError> {
        self.books_mut().claim_alert(id, at)
    }

    fn forget_alert(&mut self, id: &str) -> Result<(), BooksError> {
        self.books_mut().forget_alert(id)
    }

    fn alerts(&self, beginning: &str) -> Result<Vec<(String, Instant)>, BooksError> {
        self.books().alerts(beginning)
    }

    fn changed_elsewhere(&mut self) -> bool {
        self.books_mut().changed_elsewhere()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, Settings};
    use crate::domain::{Attribution, Call, Record, Tokens};

    fn batch_of(numbers: std::ops::Range<i64>) -> Batch {
        let call = |number: i64| {
            let at = Instant::from_timestamp(number * 60, 0).unwrap_or_default();
            let key = CallKey::from_parts(&["test", &number.to_string()]);
            let from = Attribution::new(at, Label::new("test"));
            Record::Call(Call::new(key, from, None, Tokens { input: 1, ..Tokens::ZERO }))
        };
        Batch { records: numbers.map(call).collect(), files: Vec::new() }
    }

    #[test]
    fn j11_books_hold_no_more_calls_in_memory_than_they_may() {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::empty(Instant::default());
        let settings = Settings::defaults(&env);
        let prices = Arc::new(PriceBook::new(settings.prices, settings.aliases, settings.cost));
        let options = || Options { beside: true, together: 50, ..Options::new(Instant::default()) };
        let ledger = |name: &str| AnyLedger::ledger(&folder.path().join(name), options(), &prices).unwrap().0;
        let whole = {
            let mut any_ledger = AnyLedger::memory(&prices);
            any_ledger.absorb(&batch_of(0..1000)).unwrap();
            any_ledger.report(&Query::new(crate::ledger::Grain::Day, crate::domain::Zone::UTC)).unwrap()
        };
        for mut any_ledger in [AnyLedger::memory(&prices), ledger("one.db")] {
            any_ledger.most = 100;
            for part in 0..20 {
                // Every call is told twice, in another batch.
                any_ledger.absorb(&batch_of(part * 50..(part * 50 + 50).min(1000))).unwrap();
                any_ledger.absorb(&batch_of((part * 50 - 25).max(0)..part * 50 + 25)).unwrap();
                assert!(any_ledger.sqlite().map_or(0, |books| books.unbooked()) <= 100 || any_ledger.most == NEXT);
            }
            assert!(any_ledger.sqlite().is_some(), "they are in a file by now");
            assert_eq!(any_ledger.most, NEXT);
            any_ledger.flush().unwrap();
            assert_eq!(any_ledger.unbooked(), 0);
            let query = Query::new(crate::ledger::Grain::Day, crate::domain::Zone::UTC);
            assert_eq!(any_ledger.report(&query).unwrap(), whole);
        }
    }
}
