//! Ledgers without a file at their path: temporary files, and buffers that cannot be written.

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
    /// A ledger in an anonymous temporary file, for more calls than fit into memory.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn temporary(memory: Memory, pricer: Arc<dyn Pricer>) -> Result<Self, Box<(BooksError, Memory)>> {
        let options = Options::new(Instant::default());
        let made = (|| {
            // SQLite names the file, creates it once its page cache is full, and unlinks it at once.
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

    /// Takes over an in-memory ledger; written with the next `Ledger::flush`.
    pub fn adopt(&mut self, memory: Memory) {
        let (core, files) = memory.into_parts();
        let anything = !core.row_store.rows().is_empty() || !files.is_empty() || !core.statuses.is_empty();
        let files = files.into_iter().map(|file| (file.path.clone(), file)).collect();
        self.gathered = Gathered { core, files, rekeyed: Vec::new(), anything };
        self.held = RefCell::default();
    }

    /// Reopens a ledger that was read-only, since the cause may be gone. Buffered batches are kept.
    pub(super) fn look_again(&mut self) {
        if self.standing == Standing::Writable || self.options.read_only || self.new_file.is_some() {
            return;
        }
        let full = self.standing == Standing::Full;
        if full && let Ok(nothing) = Connection::open_in_memory() {
            // An exclusive lock held by this connection would block the reopening.
            self.conn = nothing;
        }
        if let Ok(opened) = open(&self.path, self.options.clone(), Arc::clone(&self.pricer))
            && (full || opened.books.standing == Standing::Writable)
        {
            let (gathered, stuck) = (std::mem::take(&mut self.gathered), self.stuck);
            *self = Self { gathered, stuck, ..opened.books };
        }
    }

    /// True when the ledger could not be moved into place: it holds only what this process read.
    pub fn is_nowhere(&self) -> bool {
        self.home == Home::Nowhere
    }

    /// The buffered rows as an in-memory ledger.
    pub fn into_memory(self) -> Memory {
        Memory::with(self.gathered.core, self.gathered.files.into_values(), self.pricer)
    }

    /// Sets the lock timeout.
    pub fn wait_for_others(&self, busy: Duration) {
        // On failure the old timeout remains.
        let _ = self.conn.busy_timeout(busy);
    }

    /// Time given when the ledger was opened.
    pub fn opened(&self) -> Instant {
        self.options.now
    }

    /// Lock timeout given when the ledger was opened.
    pub fn patience(&self) -> Duration {
        self.options.busy
    }

    /// Holds a batch that cannot be written now and returns the changes it would make. Queries include it from now on,
    /// and the next successful `Ledger::flush` writes it.
    ///
    /// # Errors
    /// When the ledger cannot be read either. The batch is held all the same.
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

    /// Number of unwritten calls.
    pub fn unbooked(&self) -> usize {
        self.gathered.core.row_store.rows().len()
    }
}
