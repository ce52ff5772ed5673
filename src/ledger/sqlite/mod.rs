//! The durable ledger: one SQLite file, safe to share between processes.

mod answers;
mod bill;
mod bill_index;
mod bill_json;
mod bulk_load;
mod db_file;
mod export_import;
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
mod status;
mod temporary;
mod unwritten;
mod verify;
mod verify_bills;
mod warning;
mod working_set;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Error, ErrorCode};

use self::db_file::identity;
use self::new_file::NewFile;
use self::open::Standing;
use self::read::Reading;
use self::unwritten::Unwritten;
use self::working_set::WorkingSet;
use super::merge_state::MergeState;
use super::{Batch, BooksError, Checkpoint};
use crate::domain::{Instant, Record};
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
/// Owned by one thread. Every change is one transaction of rows, sums and checkpoints. After an error the ledger is
/// unchanged, and the same batch may be posted again. [`BooksError::Damaged`] and [`BooksError::Replaced`] are repaired
/// by [`Sqlite::open_again`]; missing calls must then be read again from the logs.
pub struct Sqlite {
    path: PathBuf,
    conn: Connection,
    /// Temporary file of a new ledger until it is moved into place.
    new_file: Option<NewFile>,
    options: Options,
    pricer: Arc<dyn Pricer>,
    standing: Standing,
    identity: Option<(u64, u64)>,
    damaged: Cell<bool>,
    working_set: RefCell<WorkingSet>,
    /// Buffered batches, not yet written.
    gathered: Gathered,
    /// True after a failed write: queries must include the buffered rows.
    stuck: bool,
    /// Cache: the buffered rows joined with the ledger.
    held: RefCell<Option<Unwritten>>,
    /// SQLite's data version when last checked for other writers.
    version: Option<i64>,
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

#[derive(Default)]
struct Gathered {
    core: MergeState,
    /// Latest checkpoint of each file.
    files: BTreeMap<PathBuf, Checkpoint>,
    /// Calls that an older version may have stored under another key.
    rekeyed: Vec<Record>,
    anything: bool,
}

impl Sqlite {
    fn new(
        path: PathBuf,
        conn: Connection,
        options: Options,
        pricer: Arc<dyn Pricer>,
        standing: open::Standing,
    ) -> Self {
        let identity = identity(&path);
        let version = conn.pragma_query_value(None, "data_version", |row| row.get(0)).ok();
        Self {
            path,
            conn,
            new_file: None,
            options,
            pricer,
            standing,
            identity,
            damaged: Cell::new(false),
            working_set: RefCell::default(),
            gathered: Gathered::default(),
            stuck: false,
            held: RefCell::default(),
            version,
            home: Home::Place,
        }
    }

    /// Path of the database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True when nothing can be written: newer schema, full disk, or no permission.
    pub fn is_read_only(&self) -> bool {
        self.standing != Standing::Writable
    }

    /// False once the file was removed or replaced; it must be reopened before the next write. Costs one `stat`.
    pub fn is_in_place(&self) -> bool {
        self.home == Home::Temporary
            || identity(self.new_file.as_ref().map_or(&self.path, NewFile::path)) == self.identity
    }

    /// Reopens the ledger after [`BooksError::Damaged`] or [`BooksError::Replaced`]. A file that a full check finds
    /// damaged is moved aside first. Buffered batches are kept.
    ///
    /// # Errors
    /// When it can be neither read nor created.
    pub fn open_again(self, now: Instant) -> Result<Opened, BooksError> {
        let Self { path, conn, options, pricer, damaged, gathered, identity: known, .. } = self;
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
            salvage::begin(&opened.books.conn, aside).map_err(|error| opened.books.because(&error))?;
        }
        // The new ledger has its own checkpoints: logs of the old one are read again.
        opened.books.gathered = Gathered { files: BTreeMap::new(), ..gathered };
        opened.notes.splice(0..0, notes);
        Ok(opened)
    }

    /// Runs `work` in an immediate transaction, all or nothing.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut WorkingSet, &dyn Pricer, working_set::Step<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, BooksError> {
        self.be_born(true)?;
        self.write_here(work)
    }

    /// Like [`Sqlite::write`], but also in a file not yet moved into place.
    fn write_here<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut WorkingSet, &dyn Pricer, working_set::Step<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, BooksError> {
        match self.standing {
            Standing::Writable => {}
            Standing::ReadOnly => return Err(BooksError::ReadOnly { path: self.path.clone() }),
            Standing::Full => return Err(BooksError::Full { path: self.path.clone() }),
            Standing::Newer { found } => {
                return Err(BooksError::Newer { path: self.path.clone(), found, known: schema::KNOWN });
            }
        }
        // Writes to an unlinked file would succeed and be lost.
        if !self.is_in_place() {
            return Err(BooksError::Replaced { path: self.path.clone() });
        }
        let Self { conn, working_set, options, pricer, .. } = self;
        let working_set = working_set.get_mut();
        let step = |name| {
            if let Some(step) = &options.step {
                step(name);
            }
        };
        let mut found = schema::KNOWN;
        let attempt = || {
            step("begin");
            // A draft holds a transaction already.
            if conn.is_autocommit() {
                conn.execute_batch("BEGIN IMMEDIATE")?;
            }
            // A newer version may have migrated the tables since they were opened.
            found = schema::version(conn)?;
            if found > schema::KNOWN {
                return Err(Error::InvalidQuery);
            }
            working_set.open(conn)?;
            let done = work(conn, working_set, &**pricer, &step)?;
            step("commit");
            conn.execute_batch("COMMIT")?;
            step("committed");
            Ok(done)
        };
        let done = attempt();
        if done.is_ok() {
            working_set.clear();
        } else {
            working_set.forget();
            if !conn.is_autocommit() {
                // If even this fails nothing more can be done; the file is unchanged either way.
                conn.execute_batch("ROLLBACK").unwrap_or_default();
            }
        }
        if found > schema::KNOWN {
            self.standing = Standing::Newer { found };
            return Err(BooksError::Newer { path: self.path.clone(), found, known: schema::KNOWN });
        }
        done.map_err(|error| self.because(&error))
    }

    /// Writes the buffered batches.
    fn book(&mut self, gathered: &mut Gathered) -> Result<(), BooksError> {
        let mut draft = self.new_file.as_mut().and_then(NewFile::draft);
        self.write_here(|conn, working_set, pricer, step| {
            let empty: bool = conn.query_row(
                "SELECT NOT EXISTS(SELECT 1 FROM calls) AND NOT EXISTS(SELECT 1 FROM apart)
                 AND NOT EXISTS(SELECT 1 FROM lineage) AND NOT EXISTS(SELECT 1 FROM bills) AND NOT EXISTS(SELECT 1 FROM meta WHERE name = 'horizon')",
                [],
                |row| row.get(0),
            )?;
            if let Some(draft) = &mut draft {
                draft.finish(conn, &mut gathered.core, pricer, step)?;
            } else if empty {
                // With too small a cache, pages would be written and read again before the commit.
                conn.pragma_update(None, "cache_size", -4 * CACHE_KIB)?;
                let written = bulk_load::write_all(conn, &mut gathered.core, pricer, step);
                conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
                written?;
                // The families just written may differ from those cached.
                working_set.forget();
            } else {
                working_set.take_all(conn, &gathered.core)?;
                for record in &gathered.rekeyed {
                    working_set.rekey(conn, record)?;
                }
                working_set.settle(conn, pricer)?;
                working_set.write_changes(conn, step)?;
            }
            status::write(conn, gathered.core.statuses.iter())?;
            step("write files");
            files::write_files(conn, gathered.files.values())
        })
    }

    /// Runs `answer` in one read transaction.
    fn read<T>(&self, answer: impl FnOnce(Reading<'_>) -> rusqlite::Result<T>) -> Result<T, BooksError> {
        let attempt = || {
            let _snapshot = self.conn.unchecked_transaction()?;
            if self.stuck {
                let mut held = self.held.borrow_mut();
                return answer(self.joined(&mut held)?.reading(&self.conn));
            }
            answer(Reading::new(&self.conn, &mut self.working_set.borrow_mut()))
        };
        attempt().map_err(|error| self.because(&error))
    }

    /// The buffered rows joined with the ledger in this transaction.
    fn joined<'a>(&self, held: &'a mut Option<Unwritten>) -> rusqlite::Result<&'a mut Unwritten> {
        let fresh = match held.as_ref() {
            Some(held) => held.is_fresh(&self.conn)?,
            None => false,
        };
        let joined = if fresh { held.take() } else { None };
        let joined = joined.map_or_else(|| Unwritten::from_gathered(&self.conn, &self.gathered, &*self.pricer), Ok)?;
        Ok(held.insert(joined))
    }

    fn gather(&mut self, batch: &Batch) {
        self.gathered.anything |= !batch.records.is_empty() || !batch.files.is_empty();
        for record in &batch.records {
            match record {
                // A new ledger has no calls from older versions.
                Record::Rekeyed { .. } if self.new_file.is_some() => {}
                Record::Rekeyed { .. } => self.gathered.rekeyed.push(record.clone()),
                Record::Call(_) | Record::Descends { .. } | Record::Bill(_) | Record::Status(_) => {
                    self.gathered.core.absorb(record);
                }
            }
        }
        self.gathered.files.extend(batch.files.iter().map(|file| (file.path.clone(), file.clone())));
    }

    fn because(&self, error: &Error) -> BooksError {
        let error = because(&self.path, error);
        if matches!(error, BooksError::Damaged { .. }) {
            self.damaged.set(true);
        }
        error
    }
}

/// Converts an SQLite error, adding the path.
fn because(path: &Path, error: &Error) -> BooksError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BooksError::Busy { path },
        Some(ErrorCode::DiskFull) => BooksError::Full { path },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => BooksError::ReadOnly { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            BooksError::Damaged { path, what: error.to_string() }
        }
        // The header claims a future SQLite format.
        Some(_) if error.to_string().contains("unsupported file format") => {
            BooksError::Damaged { path, what: error.to_string() }
        }
        Some(_) => BooksError::Other { path, what: error.to_string() },
        None if matches!(error, Error::ToSqlConversionFailure(_)) => {
            BooksError::Other { path, what: error.to_string() }
        }
        // A value of the wrong type means damage, because the tables are strict.
        None => BooksError::Damaged { path, what: error.to_string() },
    }
}
