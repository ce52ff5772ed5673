//! Opens the ledger in any state: creates, migrates, moves a damaged file aside, or opens read-only.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::db_file::{back_up, current_copy, drop_copy, identity, is_network, make, set_aside};
use super::schema::{self, KNOWN, MIGRATIONS, Migration};
use super::store::WorkingSet;
use super::warning::Note;
use super::{Sqlite, SqliteFile, files, full_disk, leftover_files, quick_check, salvage};
use crate::domain::Instant;
use crate::ledger::reading::Reading;
use crate::ledger::{BooksError, StoreError};
use crate::pricing::Pricer;

/// How to open a ledger.
#[derive(Clone)]
pub struct Options {
    /// Timeout for another process's lock.
    pub busy: Duration,
    /// Open read-only even if writing is possible.
    pub read_only: bool,
    /// Build a new ledger in a temporary file and move it into place with the first flush. Until then other processes
    /// do not see it, it does not see theirs, and queries return nothing.
    pub beside: bool,
    /// Changes written at once while building a new ledger.
    pub together: usize,
    /// Size limit in pages of 4 KiB, reported like a full disk.
    pub max_pages: Option<u32>,
    /// Current time, for the names of files moved aside.
    pub now: Instant,
    /// Detects network file systems, where SQLite's write-ahead log does not work.
    pub is_network: fn(&Path) -> bool,
    /// Number of sums checked for consistency on opening.
    pub glance: usize,
    /// Called before each step of an atomic sequence, where tests kill the process.
    pub step: Option<Arc<dyn Fn(&'static str) + Send + Sync>>,
}

impl Options {
    /// For screens and reports: lock timeout of five seconds.
    pub fn new(now: Instant) -> Self {
        Self {
            busy: Duration::from_secs(5),
            read_only: false,
            beside: false,
            // Large enough that neighbours share pages, small enough that readers need not wait.
            together: 1_024,
            max_pages: None,
            now,
            is_network,
            glance: 0,
            step: None,
        }
    }

    /// For hooks and status lines: lock timeout of a quarter of a second.
    pub fn hurried(now: Instant) -> Self {
        Self { busy: Duration::from_millis(250), ..Self::new(now) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("busy", &self.busy)
            .field("read_only", &self.read_only)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// An open ledger, with warnings.
pub struct Opened {
    /// The open ledger.
    pub books: Sqlite,
    /// Warnings for the user.
    pub notes: Vec<Note>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Opened").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// Opens the ledger at a path, creating it and its folder if needed, private to the user.
///
/// # Errors
/// When it can be neither read nor created; the caller then uses [`crate::ledger::Memory`].
pub fn open(path: &Path, options: Options, pricer: Arc<dyn Pricer>) -> Result<Opened, BooksError> {
    open_with(path, options, pricer, MIGRATIONS, KNOWN)
}

pub(super) fn open_with(
    path: &Path,
    options: Options,
    pricer: Arc<dyn Pricer>,
    migrations: &[Migration],
    known: i64,
) -> Result<Opened, BooksError> {
    let mut notes = Vec::new();
    if let Some(books) = Sqlite::unborn(path, &options, &pricer) {
        return Ok(Opened { books, notes });
    }
    for second_try in [false, true] {
        let seen = identity(path);
        match try_open(path, &options, migrations, known, &mut notes) {
            Ok((conn, standing)) => {
                if let Some(aside) = notes.iter().find_map(Note::set_aside) {
                    salvage::begin(&conn, aside).map_err(|error| super::because(path, &error))?;
                }
                let books = Sqlite::new(SqliteFile::new(path.to_owned(), conn, options, standing), pricer);
                return Ok(Opened { books, notes });
            }
            Err(BooksError::Damaged { what, .. }) if !second_try && !options.read_only && seen.is_some() => {
                // Another process may have replaced it in the meantime.
                if identity(path) == seen {
                    notes.push(Note::SetAside { to: set_aside(path, options.now)?, what });
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(BooksError::Damaged { path: path.to_owned(), what: "it is damaged again and again".to_owned() })
}

/// Whether the ledger can be written, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Writable,
    ReadOnly,
    /// The disk has no room for the files SQLite needs for writing.
    Full,
    Newer {
        found: i64,
    },
}

fn try_open(
    path: &Path,
    options: &Options,
    migrations: &[Migration],
    known: i64,
    notes: &mut Vec<Note>,
) -> Result<(Connection, Standing), BooksError> {
    let step = |name| {
        if let Some(step) = &options.step {
            step(name);
        }
    };
    let mut standing = if options.read_only { Standing::ReadOnly } else { Standing::Writable };
    if standing == Standing::Writable
        && let Err(error) = make(path)
    {
        let denied = matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
        if !denied {
            return Err(BooksError::Other { path: path.to_owned(), what: error.to_string() });
        }
        if !path.exists() {
            return Err(BooksError::ReadOnly { path: path.to_owned() });
        }
        standing = Standing::ReadOnly;
        notes.push(Note::ReadOnly { path: path.to_owned() });
    }
    if standing == Standing::Writable {
        leftover_files::remove_drafts(path);
    }
    step("opened file");
    let because = |error| super::because(path, &error);
    let mut connected = connect(path, standing, options);
    if connected.as_ref().is_err_and(|error| full_disk::no_room(path, error)) {
        // Existing data can still be read.
        connected = full_disk::connect(path, options);
        if standing == Standing::Writable {
            standing = Standing::Full;
            notes.push(Note::Full { path: path.to_owned() });
        }
    }
    let mut conn = connected.map_err(|error| {
        // SQLite's message has no reason; since the file exists, it is a matter of permissions.
        let denied = error.sqlite_error_code().is_some_and(needs_a_log) && standing == Standing::ReadOnly;
        if denied && path.exists() { BooksError::ReadOnly { path: path.to_owned() } } else { because(error) }
    })?;
    let found = schema::version(&conn).map_err(because)?;
    if schema::is_foreign(&conn).map_err(because)? {
        let what = "it is a database of another program; name another place with --data-dir".to_owned();
        return Err(BooksError::Other { path: path.to_owned(), what });
    }
    if found < 0 {
        return Err(BooksError::Damaged { path: path.to_owned(), what: format!("schema {found}") });
    }
    if found > known {
        // A newer version may have added to the tables. If it changed existing ones they cannot be read.
        if !is_understood(&conn) {
            return Err(BooksError::Newer { path: path.to_owned(), found, known });
        }
        notes.push(Note::Newer { found });
        return Ok((conn, Standing::Newer { found }));
    }
    let look = |conn: &Connection| {
        if options.glance == 0 {
            return Ok(());
        }
        let looked = quick_check::glance(conn, options.glance).map_err(because)?;
        looked.map_err(|what| BooksError::Damaged { path: path.to_owned(), what })
    };
    if standing != Standing::Writable {
        if found == known {
            look(&conn)?;
            return Ok((conn, standing));
        }
        let path = path.to_owned();
        return Err(if standing == Standing::Full { BooksError::Full { path } } else { BooksError::ReadOnly { path } });
    }
    journal(&conn, path, options, notes).map_err(because)?;
    if found == 0 {
        step("create");
        schema::create(&mut conn).map_err(because)?;
    } else if found < known {
        let why = format!("schema-{found}");
        let backup = current_copy(path, &why).map_or_else(|| back_up(&conn, path, &why), Ok).map_err(because)?;
        step("backed up");
        if let Err(error) = schema::migrate(&mut conn, migrations, &step) {
            // The ledger is unchanged. Every run retries the migration, and one backup is enough.
            drop_copy(path, &why, &backup);
            return Err(because(error));
        }
        // Return the space of the old tables; without room for that, SQLite reuses it later.
        let _ = conn.execute_batch("VACUUM");
        notes.push(Note::Migrated { from: found, backup });
    } else {
        look(&conn)?;
    }
    Ok((conn, standing))
}

/// True when a newer version's tables can be read like ours: they have what queries need, and the newest sums are
/// consistent.
fn is_understood(conn: &Connection) -> bool {
    let read = || -> Result<bool, StoreError> {
        let mut working_set = WorkingSet::default();
        files::read_files(conn)?;
        working_set.read_families(conn, true)?;
        let newest = crate::domain::Filter::default();
        Reading::new(conn, &mut working_set).newest(&newest, 10)?;
        Reading::new(conn, &mut working_set).sums(&newest)?;
        conn.prepare("SELECT space, key, at, value FROM facts")?;
        Ok(quick_check::glance(conn, NEWEST)?.is_ok())
    };
    read().unwrap_or(false)
}

/// Sums checked in a ledger of a newer version.
const NEWEST: usize = 2_000;

pub(super) fn connect(path: &Path, standing: Standing, options: &Options) -> rusqlite::Result<Connection> {
    let access = match standing {
        Standing::Writable => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Standing::ReadOnly | Standing::Full | Standing::Newer { .. } => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let conn = match schema::version(&conn) {
        // A write-ahead log needs a file next to it even for reading. If none can be created, open as immutable: there
        // can be no writer.
        Err(error) if standing == Standing::ReadOnly && error.sqlite_error_code().is_some_and(needs_a_log) => {
            let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(full_disk::immutable(path), flags)?
        }
        Err(error) if full_disk::no_room(path, &error) => return Err(error),
        Ok(_) | Err(_) => conn,
    };
    prepare(conn, options)
}

/// Configures a connection.
pub(super) fn prepare(conn: Connection, options: &Options) -> rusqlite::Result<Connection> {
    conn.busy_timeout(options.busy)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -super::CACHE_KIB)?;
    if let Some(pages) = options.max_pages {
        conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(conn)
}

fn needs_a_log(code: rusqlite::ErrorCode) -> bool {
    matches!(
        code,
        rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::PermissionDenied
    )
}

/// Enables the write-ahead log where possible, and warns of other journal modes.
fn journal(conn: &Connection, path: &Path, options: &Options, notes: &mut Vec<Note>) -> rusqlite::Result<()> {
    let network = (options.is_network)(path);
    let wanted = if network { "delete" } else { "wal" };
    let mut mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != wanted {
        mode = conn.query_row(&format!("PRAGMA journal_mode = {wanted}"), [], |row| row.get(0))?;
    }
    if network {
        conn.pragma_update(None, "synchronous", "FULL")?;
        notes.push(Note::Network { mode });
    } else if mode != wanted {
        conn.pragma_update(None, "synchronous", "FULL")?;
        notes.push(Note::Journal { mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use super::super::fixture::Free;
    use super::*;
    use crate::ledger::{Batch, Checkpoint, Ledger};

    const STEPS: &[Migration] = &[
        Migration { to: KNOWN + 1, sql: "ALTER TABLE files ADD COLUMN note TEXT", fill: |_| Ok(()) },
        Migration {
            to: KNOWN + 2,
            sql: "CREATE TABLE extra(x INTEGER) STRICT",
            fill: |conn| conn.execute("INSERT INTO extra VALUES(1)", []).map(drop),
        },
    ];

    fn file(offset: u64) -> Checkpoint {
        Checkpoint {
            path: "/log".into(),
            device: 1,
            inode: 1,
            offset,
            size: 1,
            modified_ns: 1,
            head_hash: 1,
            head_len: 1,
            tail_hash: 1,
            reader: String::new(),
            lines: 1,
            bad_lines: 0,
        }
    }

    fn schema_of(path: &Path) -> (i64, bool, bool) {
        let conn = Connection::open(path).unwrap();
        let has = |sql: &str| conn.prepare(sql).is_ok();
        (schema::version(&conn).unwrap(), has("SELECT note FROM files"), has("SELECT x FROM extra"))
    }

    #[test]
    fn d10_a_migration_that_is_killed_leaves_the_old_schema_or_the_new_and_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let now = Instant::default();
        let mut old = open(&path, Options::new(now), Arc::new(Free)).unwrap().books;
        old.post(&Batch { records: Vec::new(), files: vec![file(7)] }).unwrap();
        drop(old);
        // A copy of the files at a step equals what a killed process would leave.
        let copies = Arc::new(Mutex::new(Vec::new()));
        let (from, taken) = (folder.path().to_owned(), Arc::clone(&copies));
        let step = move |name: &'static str| {
            let mut taken = taken.lock().unwrap();
            let to = tempfile::tempdir().unwrap();
            for entry in fs::read_dir(&from).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
            }
            taken.push((name, to));
        };
        let options = Options { step: Some(Arc::new(step)), ..Options::new(now) };
        let opened = open_with(&path, options, Arc::new(Free), STEPS, KNOWN + 2).unwrap();
        let backup = folder.path().join(format!("ledger.db.schema-{KNOWN}"));
        assert_eq!(opened.notes, [Note::Migrated { from: KNOWN, backup: backup.clone() }]);
        drop(opened);
        assert_eq!((schema_of(&path), schema_of(&backup)), ((KNOWN + 2, true, true), (KNOWN, false, false)));
        let copies = std::mem::take(&mut *copies.lock().unwrap());
        let names: Vec<&str> = copies.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["opened file", "backed up", "migrate", "migrate", "commit migration"]);
        for (name, copy) in copies {
            let path = copy.path().join("ledger.db");
            assert_eq!(schema_of(&path), (KNOWN, false, false), "killed at {name}");
            let opened = open_with(&path, Options::new(now), Arc::new(Free), STEPS, KNOWN + 2).unwrap();
            assert_eq!(opened.books.files().unwrap(), [file(7)]);
            assert_eq!(schema_of(&path), (KNOWN + 2, true, true), "gone on after {name}");
        }
    }

    #[test]
    fn j8_a_migration_that_fails_at_every_run_leaves_one_copy() {
        const FAILING: &[Migration] =
            &[Migration { to: KNOWN + 1, sql: "ALTER TABLE files ADD COLUMN path TEXT", fill: |_| Ok(()) }];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let now = Instant::default();
        let mut old = open(&path, Options::new(now), Arc::new(Free)).unwrap().books;
        old.post(&Batch { records: Vec::new(), files: vec![file(7)] }).unwrap();
        drop(old);
        let copies = || {
            let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().starts_with("ledger.db.")).count()
        };
        for run in 0..5 {
            let error = open_with(&path, Options::new(now), Arc::new(Free), FAILING, KNOWN + 1).unwrap_err();
            assert!(error.to_string().contains("duplicate column"), "{error}");
            assert_eq!(copies(), 1, "after run {run}");
            // A write in between makes the copy outdated.
            let mut books = open(&path, Options::new(now), Arc::new(Free)).unwrap().books;
            assert_eq!(books.files().unwrap(), [file(7 + run)]);
            books.post(&Batch { records: Vec::new(), files: vec![file(8 + run)] }).unwrap();
        }
        let backup = folder.path().join(format!("ledger.db.schema-{KNOWN}"));
        assert_eq!(schema_of(&backup), (KNOWN, false, false));
    }
}
