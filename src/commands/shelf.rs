//! Where a command's books stand: in the ledger, in memory, or shown from memory and booked beside.

use std::path::Path;
use std::sync::Arc;

use crate::domain::{CallKey, Filter, Instant, Label, Span};
use crate::ledger::{
    self, BooksError, FileState, Ledger, Memory, Note, Options, Posted, Posting, Query, Report, Row, Sqlite, Sums,
};
use crate::pricing::PriceBook;
use crate::tui::LedgerView;

/// Books, wherever they are kept.
pub(super) struct Shelf {
    kept: Kept,
    /// Also written, never asked: what given paths hold, when it is to be booked.
    beside: Option<Box<Sqlite>>,
}

enum Kept {
    Memory(Box<Memory>),
    Sqlite(Box<Sqlite>),
    /// Between two openings; never seen from outside.
    Nothing(Box<Memory>),
}

impl Shelf {
    /// Books that live as long as the command.
    pub(super) fn memory(prices: &Arc<PriceBook>) -> Self {
        Self { kept: Kept::Memory(Box::new(Memory::new(Arc::clone(prices) as _))), beside: None }
    }

    /// The ledger, and what there is to say about it.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub(super) fn ledger(
        path: &Path,
        options: Options,
        prices: &Arc<PriceBook>,
    ) -> Result<(Self, Vec<Note>), BooksError> {
        let opened = ledger::open(path, options, Arc::clone(prices) as _)?;
        Ok((Self { kept: Kept::Sqlite(Box::new(opened.books)), beside: None }, opened.notes))
    }

    /// Books everything into this ledger too.
    pub(super) fn beside(&mut self, ledger: Self) {
        if let Kept::Sqlite(books) = ledger.kept {
            self.beside = Some(books);
        }
    }

    /// The ledger itself, for what only it can do.
    pub(super) fn sqlite(&mut self) -> Option<&mut Sqlite> {
        match &mut self.kept {
            Kept::Sqlite(books) => Some(books),
            Kept::Memory(_) | Kept::Nothing(_) => None,
        }
    }

    /// Opens a ledger again that was damaged, replaced or removed. True when that helped: what it lacks must
    /// then be read again from the logs.
    pub(super) fn mend(&mut self, error: &BooksError, prices: &Arc<PriceBook>, now: Instant) -> Option<Vec<Note>> {
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
    pub(super) fn close(self) {
        if let Kept::Memory(books) | Kept::Nothing(books) = self.kept {
            std::mem::forget(books);
        }
    }

    /// How the screen speaks of these books.
    pub(super) fn view(&self) -> LedgerView {
        match &self.kept {
            Kept::Memory(_) | Kept::Nothing(_) => LedgerView::Memory,
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

impl Ledger for Shelf {
    fn post(&mut self, posting: &Posting) -> Result<Vec<Posted>, BooksError> {
        if let Some(beside) = &mut self.beside {
            beside.post(posting)?;
        }
        self.books_mut().post(posting)
    }

    fn absorb(&mut self, posting: &Posting) -> Result<(), BooksError> {
        if let Some(beside) = &mut self.beside {
            beside.absorb(posting)?;
        }
        self.books_mut().absorb(posting)
    }

    fn flush(&mut self) -> Result<(), BooksError> {
        if let Some(beside) = &mut self.beside {
            beside.flush()?;
        }
        self.books_mut().flush()
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

    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, BooksError> {
        self.books().spans(spans, filter)
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, BooksError> {
        self.books().call(key)
    }

    fn files(&self) -> Result<Vec<FileState>, BooksError> {
        self.books().files()
    }

    fn file(&self, path: &Path) -> Result<Option<FileState>, BooksError> {
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
