//! A SQLite file behind its connection: read-only states, drafts, bulk loads.

use std::path::PathBuf;

use rusqlite::Connection;

use super::connect::CACHE_KIB;
use super::db_file::back_up;
use super::file::{Sqlite, SqliteFile};
use super::new_file::NewFile;
use super::options::WriteAccess;
use super::{bulk_load, damage, schema};
use crate::ledger::books::{Backing, Reopened};
use crate::ledger::interner::Interner;
use crate::ledger::store::{Step, Stored};
use crate::ledger::write_buffer::WriteBuffer;
use crate::ledger::{LedgerError, StoreError};
use crate::pricing::Pricer;

impl Backing for SqliteFile {
    type Store = Connection;

    fn store(&self) -> &Connection {
        &self.conn
    }

    fn error(&self, error: StoreError) -> LedgerError {
        match error {
            StoreError::Damaged(_) => self.damaged.set(true),
            StoreError::Newer { found, .. } => self.standing.set(WriteAccess::Newer { found }),
            StoreError::Busy | StoreError::Full | StoreError::ReadOnly | StoreError::Other(_) => {}
        }
        error.at(&self.path)
    }

    fn step(&self, name: &'static str) {
        if let Some(step) = &self.options.step {
            step(name);
        }
    }

    fn is_new(&self) -> bool {
        self.new_file.is_some()
    }

    fn admit(&self) -> Result<(), LedgerError> {
        let refused = match self.standing.get() {
            // Writes to an unlinked file would succeed and be lost.
            WriteAccess::Writable if !self.is_in_place() => {
                return Err(LedgerError::Replaced { path: self.path.clone() });
            }
            WriteAccess::Writable => return Ok(()),
            WriteAccess::ReadOnly => StoreError::ReadOnly,
            WriteAccess::Full => StoreError::Full,
            WriteAccess::Newer { found } => StoreError::Newer { found, known: schema::KNOWN },
        };
        Err(refused.at(&self.path))
    }

    fn inspect(&self) -> Stored<()> {
        // A newer version may have migrated the tables since they were opened.
        let found = schema::version(&self.conn)?;
        if found > schema::KNOWN { Err(StoreError::Newer { found, known: schema::KNOWN }) } else { Ok(()) }
    }

    fn prepare(books: &mut Sqlite) -> Result<(), LedgerError> {
        books.move_into_place(true).map(drop)
    }

    fn flush(books: &mut Sqlite) -> Result<(), LedgerError> {
        if books.backing.new_file.is_some() {
            return books.flush_first_fill();
        }
        if books.gathered.anything {
            books.look_again();
        }
        books.flush_gathered()
    }

    fn absorbed(books: &mut Sqlite) {
        books.draft();
    }

    fn load(
        &self,
        gathered: &mut WriteBuffer,
        _names: &mut Interner,
        pricer: &dyn Pricer,
        step: Step<'_>,
    ) -> Stored<bool> {
        let conn = &self.conn;
        if let Some(mut draft) = self.new_file.as_ref().and_then(NewFile::draft) {
            draft.finish(conn, &mut gathered.state, pricer, step)?;
            return Ok(true);
        }
        if !bulk_load::is_empty(conn)? {
            return Ok(false);
        }
        // If the cache is too small, pages are written and read again before the commit.
        conn.pragma_update(None, "cache_size", -4 * CACHE_KIB)?;
        let written = bulk_load::write_all(conn, &mut gathered.state, pricer, step);
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(written.map(|()| true)?)
    }

    fn check(&self) -> Stored<Vec<String>> {
        Ok(damage::problems(&self.conn)?)
    }

    fn distrust(&self) {
        self.damaged.set(true);
    }

    fn back_up(&self, why: &str) -> Stored<Option<PathBuf>> {
        Ok(Some(back_up(&self.conn, &self.path, why)?))
    }

    fn reopen(books: &mut Sqlite) -> Reopened {
        // While the disk is full, the file is read as if nobody wrote to it; reopen it once there is room.
        if books.backing.standing.get() != WriteAccess::Full {
            return Reopened::NotNeeded;
        }
        books.look_again();
        if books.backing.standing.get() == WriteAccess::Full { Reopened::NotYet } else { Reopened::Done }
    }
}
