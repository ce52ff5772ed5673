//! Ledgers that have no file at their path: temporary files, and buffers that cannot be written.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::connect::CACHE_KIB;
use super::file::{Home, Sqlite, SqliteFile, at};
use super::open::open;
use super::options::{Options, WriteAccess};
use super::schema;
use crate::domain::Instant;
use crate::ledger::{LedgerError, Memory};
use crate::pricing::Pricer;

impl Sqlite {
    /// A ledger in an anonymous temporary file, for more calls than fit into memory.
    ///
    /// # Errors
    /// When there is not enough room for it.
    pub fn temporary(memory: Memory, pricer: Arc<dyn Pricer>) -> Result<Self, Box<(LedgerError, Memory)>> {
        let options = Options::new(Instant::default());
        let made = (|| {
            // SQLite picks the name, creates the file once its page cache is full, and unlinks it at once.
            let mut conn = Connection::open("")?;
            conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
            conn.set_prepared_statement_cache_capacity(64);
            schema::create(&mut conn)?;
            Ok(conn)
        })();
        match made {
            Ok(conn) => {
                let mut file = SqliteFile::new(PathBuf::new(), conn, options, WriteAccess::Writable);
                file.home = Home::Temporary;
                let mut books = Self::over(file, pricer);
                books.adopt(memory);
                Ok(books)
            }
            Err(error) => Err(Box::new((at(Path::new("(temporary)"), &error), memory))),
        }
    }

    /// Takes over an in-memory ledger. The next `Ledger::flush` writes it.
    pub fn adopt(&mut self, memory: Memory) {
        self.gathered = memory.into_gathered();
        self.held = RefCell::default();
    }

    /// Reopens a ledger that was read-only, in case the cause is gone. Buffered batches are kept.
    pub(super) fn look_again(&mut self) {
        if self.backing.standing.get() == WriteAccess::Writable
            || self.backing.options.read_only
            || self.backing.new_file.is_some()
        {
            return;
        }
        let full = self.backing.standing.get() == WriteAccess::Full;
        if full && let Ok(nothing) = Connection::open_in_memory() {
            // An exclusive lock held by this connection would prevent reopening.
            self.backing.conn = nothing;
        }
        if let Ok(opened) = open(&self.backing.path, self.backing.options.clone(), Arc::clone(&self.pricer))
            && (full || opened.books.backing.standing.get() == WriteAccess::Writable)
        {
            let (gathered, stuck) = (std::mem::take(&mut self.gathered), self.stuck);
            *self = Self { gathered, stuck, ..opened.books };
        }
    }

    /// True when the ledger could not be moved into place. It contains only what this process has read.
    pub fn is_nowhere(&self) -> bool {
        self.backing.home == Home::Nowhere
    }

    /// The buffered rows as an in-memory ledger.
    pub fn into_memory(self) -> Memory {
        Memory::from_gathered(self.gathered, self.pricer)
    }

    /// Sets the lock timeout.
    pub fn wait_for_others(&self, busy: Duration) {
        // If this fails, the old timeout stays.
        let _ = self.backing.conn.busy_timeout(busy);
    }

    /// The time passed when the ledger was opened.
    pub fn opened(&self) -> Instant {
        self.backing.options.now
    }

    /// The lock timeout passed when the ledger was opened.
    pub fn lock_timeout(&self) -> Duration {
        self.backing.options.busy
    }
}
