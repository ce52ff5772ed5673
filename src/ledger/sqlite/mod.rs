//! The durable ledger: one SQLite file, safe to share between processes.

mod bill;
mod bulk_load;
mod db_file;
mod export_import;
mod facts;
mod files;
#[cfg(test)]
mod fixture;
mod full_disk;
mod id_map;
mod import;
mod insert;
mod leftover_files;
mod maintenance;
mod migrate_wide_rows;
mod new_file;
mod open;
mod quick_check;
mod read;
mod rollup;
mod rollup_delta;
mod rollup_plan;
mod row_codec;
mod row_mapping;
mod salvage;
mod schema;
mod session_index;
mod store;
mod temporary;
mod verify;
mod warning;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use self::db_file::identity;
use self::new_file::NewFile;
use self::open::Standing;
use super::books::{Backing, Books};
use super::gathered::Gathered;
use super::store::{Step, Stored};
use super::{BooksError, StoreError};
use crate::domain::Instant;
use crate::pricing::Pricer;

pub(crate) use export_import::ExportError;
pub(crate) use import::ImportError;
pub(crate) use leftover_files::remove_strays;
pub(crate) use maintenance::{Info, Repriced};
pub use open::{Opened, Options, open};
pub(crate) use salvage::Salvaged;
pub(crate) use verify::mend;
pub use warning::Note;

/// Ledger in a SQLite file.
///
/// [`BooksError::Damaged`] and [`BooksError::Replaced`] are repaired by [`Sqlite::open_again`]; missing calls must then
/// be read again from the logs.
pub type Sqlite = Books<SqliteFile>;

/// An open SQLite file.
pub struct SqliteFile {
    path: PathBuf,
    conn: Connection,
    /// Temporary file of a new ledger until it is moved into place.
    new_file: Option<NewFile>,
    options: Options,
    standing: Cell<Standing>,
    identity: Option<(u64, u64)>,
    damaged: Cell<bool>,
    home: Home,
}

/// Location of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// At its path, or about to be moved there.
    Place,
    /// In an anonymous temporary file.
    Temporary,
    /// No file: it could not be moved into place. Everything is in the buffer.
    Nowhere,
}

/// SQLite's page cache in KiB.
const CACHE_KIB: i64 = 8_000;

impl SqliteFile {
    fn new(path: PathBuf, conn: Connection, options: Options, standing: Standing) -> Self {
        let identity = identity(&path);
        Self {
            path,
            conn,
            new_file: None,
            options,
            standing: Cell::new(standing),
            identity,
            damaged: Cell::new(false),
            home: Home::Place,
        }
    }

    /// False once the file was removed or replaced; it must be reopened before the next write. Costs one `stat`.
    fn is_in_place(&self) -> bool {
        self.home == Home::Temporary
            || identity(self.new_file.as_ref().map_or(&self.path, NewFile::path)) == self.identity
    }
}

impl Backing for SqliteFile {
    type Store = Connection;

    fn store(&self) -> &Connection {
        &self.conn
    }

    fn error(&self, error: StoreError) -> BooksError {
        match error {
            StoreError::Damaged(_) => self.damaged.set(true),
            StoreError::Newer { found, .. } => self.standing.set(Standing::Newer { found }),
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

    fn admit(&self) -> Result<(), BooksError> {
        let refused = match self.standing.get() {
            // Writes to an unlinked file would succeed and be lost.
            Standing::Writable if !self.is_in_place() => {
                return Err(BooksError::Replaced { path: self.path.clone() });
            }
            Standing::Writable => return Ok(()),
            Standing::ReadOnly => StoreError::ReadOnly,
            Standing::Full => StoreError::Full,
            Standing::Newer { found } => StoreError::Newer { found, known: schema::KNOWN },
        };
        Err(refused.at(&self.path))
    }

    fn inspect(&self) -> Stored<()> {
        // A newer version may have migrated the tables since they were opened.
        let found = schema::version(&self.conn)?;
        if found > schema::KNOWN { Err(StoreError::Newer { found, known: schema::KNOWN }) } else { Ok(()) }
    }

    fn prepare(books: &mut Sqlite) -> Result<(), BooksError> {
        books.be_born(true).map(drop)
    }

    fn flush(books: &mut Sqlite) -> Result<(), BooksError> {
        if books.backing.new_file.is_some() {
            return books.flush_at_birth();
        }
        if books.gathered.anything {
            books.look_again();
        }
        books.flush_gathered()
    }

    fn absorbed(books: &mut Sqlite) {
        books.draft();
    }

    fn load(&self, gathered: &mut Gathered, pricer: &dyn Pricer, step: Step<'_>) -> Stored<bool> {
        let conn = &self.conn;
        if let Some(mut draft) = self.new_file.as_ref().and_then(NewFile::draft) {
            draft.finish(conn, &mut gathered.core, pricer, step)?;
            return Ok(true);
        }
        if !bulk_load::is_empty(conn)? {
            return Ok(false);
        }
        // With too small a cache, pages would be written and read again before the commit.
        conn.pragma_update(None, "cache_size", -4 * CACHE_KIB)?;
        let written = bulk_load::write_all(conn, &mut gathered.core, pricer, step);
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(written.map(|()| true)?)
    }

    fn reopen(books: &mut Sqlite) -> Option<bool> {
        // With a full disk the file is read as if there were no writers; reopen once there is room.
        if books.backing.standing.get() != Standing::Full {
            return None;
        }
        books.look_again();
        Some(books.backing.standing.get() != Standing::Full)
    }
}

impl Sqlite {
    /// Path of the database.
    pub fn path(&self) -> &Path {
        &self.backing.path
    }

    /// True when nothing can be written: newer schema, full disk, or no permission.
    pub fn is_read_only(&self) -> bool {
        self.backing.standing.get() != Standing::Writable
    }

    /// False once the file was removed or replaced; it must be reopened before the next write. Costs one `stat`.
    pub fn is_in_place(&self) -> bool {
        self.backing.is_in_place()
    }

    /// Reopens the ledger after [`BooksError::Damaged`] or [`BooksError::Replaced`]. A file that a full check finds
    /// damaged is moved aside first. Buffered batches are kept.
    ///
    /// # Errors
    /// When it can be neither read nor created.
    pub fn open_again(self, now: Instant) -> Result<Opened, BooksError> {
        let Self { backing, pricer, gathered, .. } = self;
        let SqliteFile { path, conn, options, damaged, identity: known, .. } = backing;
        drop(conn);
        let mut notes = Vec::new();
        if damaged.get()
            && !options.read_only
            && identity(&path) == known
            && let Err(what) = verify::check(&path)
        {
            notes.push(Note::SetAside { to: db_file::set_aside(&path, now)?, what });
        }
        let aside = notes.iter().find_map(Note::set_aside);
        let mut opened = open(&path, Options { now, ..options }, pricer)?;
        if let Some(aside) = aside {
            salvage::begin(&opened.books.backing.conn, aside).map_err(|error| opened.books.because(&error))?;
        }
        // The new ledger has its own checkpoints: logs of the old one are read again.
        opened.books.gathered = Gathered { files: std::collections::BTreeMap::new(), ..gathered };
        opened.notes.splice(0..0, notes);
        Ok(opened)
    }

    fn because(&self, error: impl Into<StoreError>) -> BooksError {
        self.backing.error(error.into())
    }
}

/// Adds the path to an error of the database.
fn because(path: &Path, error: impl Into<StoreError>) -> BooksError {
    error.into().at(path)
}
