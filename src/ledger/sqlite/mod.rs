//! Books that outlive the logs and the program: one SQLite file, safe to share between processes.

mod answers;
mod bill;
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
mod temporary;
mod unwritten;
mod verify;
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

/// Books in a SQLite file.
///
/// One thread owns them. Every change is one transaction: rows, sums and the offsets up to which logs
/// were read stand or fall together. After an error the books are as they were before, and the same
/// posting may be posted again. [`BooksError::Damaged`] and [`BooksError::Replaced`] are mended by
/// [`Sqlite::open_again`]; whatever the new books lack is then read again from the logs.
pub struct Sqlite {
    path: PathBuf,
    conn: Connection,
    /// While nobody has seen these books: where they grow.
    new_file: Option<NewFile>,
    options: Options,
    pricer: Arc<dyn Pricer>,
    standing: Standing,
    identity: Option<(u64, u64)>,
    damaged: Cell<bool>,
    working_set: RefCell<WorkingSet>,
    /// Absorbed, not yet booked.
    gathered: Gathered,
    /// True when the last attempt to book failed: every answer must include the gathered rows.
    stuck: bool,
    /// Cache: the gathered rows joined with the ledger.
    held: RefCell<Option<Unwritten>>,
    /// The version of the data when it was last asked whether others have written.
    version: Option<i64>,
    /// These are in no place of their own.
    home: Home,
}

/// Where books are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// In their place, or on the way to it.
    Place,
    /// In a temporary file that only this process knows.
    Temporary,
    /// Nowhere: they could not be put into their place. All they hold is what was gathered.
    Nowhere,
}

/// Pages kept in memory, in KiB.
const CACHE_KIB: i64 = 8_000;

#[derive(Default)]
struct Gathered {
    core: MergeState,
    /// How far each file was read, as it was said last.
    files: BTreeMap<PathBuf, Checkpoint>,
    /// Calls that an older version may have booked under another key.
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

    /// Where the books lie.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True when nothing can be booked: a newer version made them, the disk is full, or the file system forbids it.
    pub fn is_read_only(&self) -> bool {
        self.standing != Standing::Writable
    }

    /// False once the file was removed, or another put in its place: nothing more can be booked before the books
    /// are opened again. Costs one look at the file system.
    pub fn is_in_place(&self) -> bool {
        self.home == Home::Temporary
            || identity(self.new_file.as_ref().map_or(&self.path, NewFile::path)) == self.identity
    }

    /// Opens the books again after [`BooksError::Damaged`] or [`BooksError::Replaced`]. Damaged ones are
    /// put aside first, if a thorough check finds them so. What was absorbed and not yet booked is kept.
    ///
    /// # Errors
    /// When they can be neither read nor made.
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
        // How far logs were read is told by the new books: what the old ones had is read again.
        opened.books.gathered = Gathered { files: BTreeMap::new(), ..gathered };
        opened.notes.splice(0..0, notes);
        Ok(opened)
    }

    /// Everything or nothing: `work` within one transaction that has the right to write from its first moment.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut WorkingSet, &dyn Pricer, working_set::Step<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, BooksError> {
        self.be_born(true)?;
        self.write_here(work)
    }

    /// Like [`Sqlite::write`], in books that may not be in their place yet.
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
        // Writes to a file that has lost its name would succeed into nothing.
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
            // A draft has begun already.
            if conn.is_autocommit() {
                conn.execute_batch("BEGIN IMMEDIATE")?;
            }
            // A newer version may have changed the tables since they were opened.
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
                // Nothing more can be done where even this fails; the file is as it was either way.
                conn.execute_batch("ROLLBACK").unwrap_or_default();
            }
        }
        if found > schema::KNOWN {
            self.standing = Standing::Newer { found };
            return Err(BooksError::Newer { path: self.path.clone(), found, known: schema::KNOWN });
        }
        done.map_err(|error| self.because(&error))
    }

    /// Books what was gathered.
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
                // Pages that find no room would be written, and read again, before the end.
                conn.pragma_update(None, "cache_size", -4 * CACHE_KIB)?;
                let written = bulk_load::write_all(conn, &mut gathered.core, pricer, step);
                conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
                written?;
                // The families that were just written are not the ones this working set may have read before.
                working_set.forget();
            } else {
                working_set.take_all(conn, &gathered.core)?;
                for record in &gathered.rekeyed {
                    working_set.rekey(conn, record)?;
                }
                working_set.settle(conn, pricer)?;
                working_set.write_changes(conn, step)?;
            }
            step("write files");
            files::write_files(conn, gathered.files.values())
        })
    }

    /// An answer from one consistent state of the books.
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

    /// Unbooked rows joined with the ledger as it is in this transaction.
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
                // A new ledger holds nothing of an older version.
                Record::Rekeyed { .. } if self.new_file.is_some() => {}
                Record::Rekeyed { .. } => self.gathered.rekeyed.push(record.clone()),
                Record::Call(_) | Record::Descends { .. } | Record::Bill(_) => self.gathered.core.absorb(record),
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

/// What SQLite says, as a sentence that names the file.
fn because(path: &Path, error: &Error) -> BooksError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BooksError::Busy { path },
        Some(ErrorCode::DiskFull) => BooksError::Full { path },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => BooksError::ReadOnly { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            BooksError::Damaged { path, what: error.to_string() }
        }
        // A header that says it was written by a SQLite that is not born yet.
        Some(_) if error.to_string().contains("unsupported file format") => {
            BooksError::Damaged { path, what: error.to_string() }
        }
        Some(_) => BooksError::Other { path, what: error.to_string() },
        None if matches!(error, Error::ToSqlConversionFailure(_)) => {
            BooksError::Other { path, what: error.to_string() }
        }
        // Nothing but damage puts a value where it does not belong: the tables are strict.
        None => BooksError::Damaged { path, what: error.to_string() },
    }
}
