//! Books that are not in their place: in a temporary file, or in memory because they cannot be written now.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::open::Standing;
use super::unwritten::Unwritten;
use super::{CACHE_KIB, Gathered, Home, Options, Sqlite, because, open, schema};
use crate::domain::Instant;
use crate::ledger::{Batch, BooksError, Change, Memory};
use crate::pricing::Pricer;

impl Sqlite {
    /// Books in a temporary file of this process, for more calls than fit into memory. It is gone with them.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn temporary(memory: Memory, pricer: Arc<dyn Pricer>) -> Result<Self, Box<(BooksError, Memory)>> {
        let options = Options::new(Instant::default());
        let made = (|| {
            // SQLite names it, makes it when the pages in memory no longer suffice, and removes its name at once.
            let mut conn = Connection::open("")?;
            conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
            conn.set_prepared_statement_cache_capacity(64);
            schema::create(&mut conn)?;
            Ok(conn)
        })();
        match made {
            Ok(conn) => {
                let books = Self::new(PathBuf::new(), conn, options, pricer, Standing::Writable);
                let mut books = Self { home: Home::Temporary, ..books };
                books.adopt(memory);
                Ok(books)
            }
            Err(error) => Err(Box::new((because(Path::new("(temporary)"), &error), memory))),
        }
    }

    /// Takes over what books in memory hold; it is booked with the next `Ledger::flush`.
    pub fn adopt(&mut self, memory: Memory) {
        let (core, files) = memory.into_parts();
        let anything = !core.row_store.rows().is_empty() || !files.is_empty();
        let files = files.into_iter().map(|file| (file.path.clone(), file)).collect();
        self.gathered = Gathered { core, files, rekeyed: Vec::new(), anything };
        self.held = RefCell::default();
    }

    /// Opens books again that could only be read: the cause may be gone. What was gathered stays.
    pub(super) fn look_again(&mut self) {
        if self.standing == Standing::Writable || self.options.read_only || self.new_file.is_some() {
            return;
        }
        let full = self.standing == Standing::Full;
        if full && let Ok(nothing) = Connection::open_in_memory() {
            // It may have the file for itself alone, and would be waited for.
            self.conn = nothing;
        }
        if let Ok(opened) = open(&self.path, self.options.clone(), Arc::clone(&self.pricer))
            && (full || opened.books.standing == Standing::Writable)
        {
            let (gathered, stuck) = (std::mem::take(&mut self.gathered), self.stuck);
            *self = Self { gathered, stuck, ..opened.books };
        }
    }

    /// True when these books could not be put into their place: all they hold was gathered by this process.
    pub fn is_nowhere(&self) -> bool {
        self.home == Home::Nowhere
    }

    /// The gathered rows as an in-memory ledger.
    pub fn into_memory(self) -> Memory {
        Memory::with(self.gathered.core, self.gathered.files.into_values(), self.pricer)
    }

    /// Waits no longer than this for another process that is writing.
    pub fn wait_for_others(&self, busy: Duration) {
        // A wait that cannot be changed stays as it is.
        let _ = self.conn.busy_timeout(busy);
    }

    /// When these books were opened, as their owner says.
    pub fn opened(&self) -> Instant {
        self.options.now
    }

    /// How long these books were opened to wait for another process.
    pub fn patience(&self) -> Duration {
        self.options.busy
    }

    /// Keeps what cannot be booked now, and says what it would change. Every answer holds it from now on, and it is
    /// booked with the next `Ledger::flush` that works.
    ///
    /// # Errors
    /// When the books cannot be read either. It is kept all the same.
    pub fn hold(&mut self, batch: &Batch) -> Result<Vec<Change>, BooksError> {
        let attempt = |held: &mut Option<Unwritten>| {
            let _snapshot = self.conn.unchecked_transaction()?;
            self.joined(held)?.post(&self.conn, batch, &*self.pricer)
        };
        let mut held = self.held.take();
        let told = attempt(&mut held).map_err(|error| self.because(&error));
        self.gather(batch);
        self.stuck = true;
        self.held = RefCell::new(held.filter(|_| told.is_ok()));
        told
    }

    /// How many calls wait to be booked.
    pub fn unbooked(&self) -> usize {
        self.gathered.core.row_store.rows().len()
    }
}
