//! A new ledger: drafted in a temporary file while the logs are read, then moved into place.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::bulk_load::Draft;
use super::db_file::identity;
use super::file::{Home, Sqlite, SqliteFile};
use super::new_file::NewFile;
use super::open::open;
use super::options::{Options, WriteAccess};
use crate::ledger::{Ledger, LedgerError};
use crate::pricing::Pricer;

impl Sqlite {
    /// A new ledger in a temporary file; `None` in the same cases as [`NewFile::begin`].
    pub(super) fn begin_first_fill(path: &Path, options: &Options, pricer: &Arc<dyn Pricer>) -> Option<Self> {
        let (conn, new_file) = NewFile::begin(path, options)?;
        let file = SqliteFile::new(path.to_owned(), conn, options.clone(), WriteAccess::Writable);
        let mut new = Self::over(file, Arc::clone(pricer));
        new.backing.identity = identity(new_file.path());
        new.backing.new_file = Some(new_file);
        new.gathered.state.row_store.keep_journal();
        Some(new)
    }

    /// Writes part of the buffered rows to the draft, once there are enough of them.
    pub(super) fn draft(&mut self) {
        let Some(new_file) = self.backing.new_file.as_mut().filter(|new_file| !new_file.spoilt) else { return };
        if self.gathered.state.row_store.mark() < self.backing.options.together {
            return;
        }
        if let Some(step) = &self.backing.options.step {
            step("draft rows");
        }
        let conn = &self.backing.conn;
        let mut write = || -> rusqlite::Result<()> {
            let draft = new_file.draft.get_mut();
            let begun = draft.take().map_or_else(|| Draft::begin(conn), Ok)?;
            draft.insert(begun).write(conn, &mut self.gathered.state, &*self.pricer)
        };
        // The rows are still buffered. If the draft is abandoned, they are written in place.
        new_file.spoilt = write().is_err();
    }

    /// Writes the rest of the draft and moves the database into place.
    pub(super) fn flush_first_fill(&mut self) -> Result<(), LedgerError> {
        let mut gathered = std::mem::take(&mut self.gathered);
        let spoilt = self.backing.new_file.as_ref().is_some_and(|new_file| new_file.spoilt);
        if let Some(new_file) = &mut self.backing.new_file {
            new_file.settle();
        }
        let whole = !spoilt && (!gathered.anything || self.book(&mut gathered).is_ok());
        let placed = self.move_into_place(whole);
        if matches!(placed, Ok(true)) {
            // Freeing this many rows takes so long that a thread does it.
            let _ = std::thread::Builder::new().name("letting go".to_owned()).spawn(move || drop(gathered));
        } else {
            self.gathered = gathered;
        }
        // If the move failed or another process was faster, write the normal way.
        if placed? { Ok(()) } else { self.flush() }
    }

    /// Opens the ledger at its path, after moving this file there if it is complete and the path is free. True when
    /// this file's data is in the ledger.
    pub(super) fn move_into_place(&mut self, whole: bool) -> Result<bool, LedgerError> {
        let Some(new_file) = self.backing.new_file.take() else { return Ok(true) };
        let spare = Connection::open_in_memory().map_err(|error| self.because(&error))?;
        let conn = std::mem::replace(&mut self.backing.conn, spare);
        let step = |name| {
            if let Some(step) = &self.backing.options.step {
                step(name);
            }
        };
        let placed = whole && new_file.put(conn, &self.backing.path, &step).is_ok();
        // A file we just moved into place needs no check of its sums, unlike one from another process.
        let quick_check = if placed { 0 } else { self.backing.options.quick_check };
        let options = Options { as_draft: false, quick_check, ..self.backing.options.clone() };
        let opened = open(&self.backing.path, options, Arc::clone(&self.pricer))
            .inspect_err(|_| self.backing.home = Home::Nowhere)?;
        let gathered = std::mem::take(&mut self.gathered);
        *self = Self { gathered, ..opened.books };
        Ok(placed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Free, call};
    use super::*;
    use crate::domain::{Filter, Instant};
    use crate::ledger::Batch;

    #[test]
    fn d3_what_a_draft_that_failed_was_told_is_booked_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { as_draft: true, together: 100, ..Options::new(Instant::default()) };
        let mut books =
            Sqlite::begin_first_fill(&folder.path().join("ledger.db"), &options, &(Arc::new(Free) as _)).unwrap();
        let pages = |count: i64, books: &mut Sqlite, hours: std::ops::Range<i64>| {
            books.backing.conn.query_row(&format!("PRAGMA max_page_count = {count}"), [], |_| Ok(())).unwrap();
            books.absorb(&Batch { records: hours.map(|hour| call(hour, 0)).collect(), files: Vec::new() }).unwrap();
        };
        // The disk is full for some time.
        pages(1, &mut books, 0..1000);
        pages(1_000_000, &mut books, 1000..1200);
        books.flush().unwrap();
        assert_eq!(books.sums(&Filter::default()).unwrap().calls, 1200);
        assert_eq!(books.verify().unwrap().problems, Vec::<String>::new());
    }
}
