//! Opening the ledger whatever state its file is in: made, migrated, put aside when damaged, only read when it must be.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Sqlite;
use super::schema::{self, KNOWN, MIGRATIONS, Migration};
use crate::domain::Instant;
use crate::ledger::BooksError;
use crate::pricing::Pricer;

/// How to open a ledger.
#[derive(Clone)]
pub struct Options {
    /// How long to wait for another process that is writing.
    pub busy: Duration,
    /// Only read, whatever the file system allows.
    pub read_only: bool,
    /// The greatest size of the file, in pages of 4 KiB; what does not fit is answered like a full disk.
    pub max_pages: Option<u32>,
    /// The time now, for the names of files put aside.
    pub now: Instant,
    /// Tells whether a path lies on a network file system, where SQLite's write-ahead log does not work.
    pub is_network: fn(&Path) -> bool,
    /// Called before each step that must happen together with others or not at all: tests stop the
    /// process here.
    pub step: Option<Arc<dyn Fn(&'static str) + Send + Sync>>,
}

impl Options {
    /// For a screen or a report: waits up to five seconds.
    pub fn new(now: Instant) -> Self {
        Self { busy: Duration::from_secs(5), read_only: false, max_pages: None, now, is_network, step: None }
    }

    /// For a hook or a status line: waits up to a quarter of a second.
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

/// An open ledger, and what was met on the way.
pub struct Opened {
    /// The books.
    pub books: Sqlite,
    /// What a person should know.
    pub notes: Vec<Note>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Opened").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// Something about the ledger that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The file was damaged; it was kept under another name, and the books begin anew from the logs.
    SetAside {
        /// Where it lies now.
        to: PathBuf,
        /// What was wrong.
        what: String,
    },
    /// A newer version made the books; they are only read.
    Newer {
        /// Their schema.
        found: i64,
    },
    /// They cannot be written, and are only read.
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// They lie on a network file system.
    Network {
        /// SQLite's journal mode.
        mode: String,
    },
    /// The write-ahead log could not be used; SQLite chose another journal.
    Journal {
        /// SQLite's journal mode.
        mode: String,
    },
    /// They were brought to a newer schema.
    Migrated {
        /// The schema they had.
        from: i64,
        /// The copy that was made before.
        backup: PathBuf,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { to, what } => write!(
                out,
                "the ledger was damaged ({what}); it is kept as {}, and a new one is filled from the logs",
                to.display()
            ),
            Self::Newer { found } => write!(
                out,
                "the ledger was made by a newer version of tokmeter (schema {found}, this one knows {KNOWN}); it is only read"
            ),
            Self::ReadOnly { path } => write!(
                out,
                "the ledger {} is read-only; give this user write access to it and its folder, or name another place with --data-dir",
                path.display()
            ),
            Self::Network { mode } => write!(
                out,
                "the ledger lies on a network file system: journal mode {mode}, slower, and safe only where its locks work"
            ),
            Self::Journal { mode } => {
                write!(out, "the ledger runs with journal mode {mode} instead of a write-ahead log")
            }
            Self::Migrated { from, backup } => write!(
                out,
                "the ledger was brought from schema {from} to {KNOWN}; the old one is kept as {}",
                backup.display()
            ),
        }
    }
}

/// Opens the ledger at a path, making it and its folder if need be, for this user alone.
///
/// # Errors
/// When it can be neither read nor made; the caller then keeps the books in [`crate::ledger::Memory`].
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
    for second_try in [false, true] {
        let seen = identity(path);
        match try_open(path, &options, migrations, known, &mut notes) {
            Ok((conn, standing)) => {
                let books = Sqlite::new(path.to_owned(), conn, options, pricer, standing);
                return Ok(Opened { books, notes });
            }
            Err(BooksError::Damaged { what, .. }) if !second_try && !options.read_only && seen.is_some() => {
                // Another process may have put it aside, and made a new one, since we looked.
                if identity(path) == seen {
                    notes.push(Note::SetAside { to: set_aside(path, options.now)?, what });
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(BooksError::Damaged { path: path.to_owned(), what: "it is damaged again and again".to_owned() })
}

/// Whether and why the books are only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Writable,
    ReadOnly,
    Newer { found: i64 },
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
    step("opened file");
    let because = |error| super::because(path, &error);
    let mut conn = connect(path, standing, options).map_err(|error| {
        // SQLite says no more than that it cannot; the file is there, so it is a matter of rights.
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
        notes.push(Note::Newer { found });
        return Ok((conn, Standing::Newer { found }));
    }
    if standing == Standing::ReadOnly {
        if found == known {
            return Ok((conn, standing));
        }
        return Err(BooksError::ReadOnly { path: path.to_owned() });
    }
    journal(&conn, path, options, notes).map_err(because)?;
    if found == 0 {
        step("create");
        schema::create(&mut conn).map_err(because)?;
    } else if found < known {
        let backup = back_up(&conn, path, &format!("schema-{found}")).map_err(because)?;
        step("backed up");
        schema::migrate(&mut conn, migrations, &step).map_err(because)?;
        notes.push(Note::Migrated { from: found, backup });
    }
    Ok((conn, standing))
}

fn connect(path: &Path, standing: Standing, options: &Options) -> rusqlite::Result<Connection> {
    let access = match standing {
        Standing::Writable => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Standing::ReadOnly | Standing::Newer { .. } => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let conn = match schema::version(&conn) {
        // A write-ahead log needs a file beside it even to be read; where none can be made, SQLite may
        // be told that nobody writes.
        Err(error) if standing == Standing::ReadOnly && error.sqlite_error_code().is_some_and(needs_a_log) => {
            let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(immutable(path), flags)?
        }
        Ok(_) | Err(_) => conn,
    };
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

fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for letter in path.to_string_lossy().chars() {
        match letter {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            letter => uri.push(letter),
        }
    }
    uri + "?immutable=1"
}

/// Uses a write-ahead log where that works, and looks at what SQLite made of it.
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

/// Makes the folder and an empty file, which only this user may read. SQLite gives its log the same mode.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    match private(path, true) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A ledger that others may read is made private again, where it is ours.
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::metadata(path)?.permissions().mode();
                if mode & 0o077 != 0 {
                    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                }
            }
            File::options().read(true).write(true).open(path).map(drop)
        }
        made => made.map(drop),
    }
}

fn private(path: &Path, new: bool) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(new).create(!new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a copy of the whole ledger beside it.
pub(super) fn back_up(conn: &Connection, path: &Path, why: &str) -> rusqlite::Result<PathBuf> {
    let copy = free_name(path, why);
    // An empty file is one that SQLite will fill, and ours has the right mode.
    private(&copy, true)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(format!("{}: {error}", copy.display()).into()))?;
    conn.execute("VACUUM INTO ?", [copy.to_string_lossy()])?;
    Ok(copy)
}

/// Gives a damaged ledger another name, with what SQLite keeps beside it.
pub(super) fn set_aside(path: &Path, now: Instant) -> Result<PathBuf, BooksError> {
    let to = free_name(path, &format!("corrupt-{}", now.format("%Y%m%dT%H%M%SZ")));
    let fail = |error: io::Error| BooksError::Damaged {
        path: path.to_owned(),
        what: format!("it could not be put aside: {error}"),
    };
    fs::rename(path, &to).map_err(fail)?;
    for ending in ["-wal", "-shm", "-journal"] {
        match fs::rename(with(path, ending), with(&to, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(to)
}

/// `ledger.db.why`, or `ledger.db.why-2` and so on where that is taken.
fn free_name(path: &Path, why: &str) -> PathBuf {
    let first = with(path, &format!(".{why}"));
    let others = (2_u32..).map(|number| with(path, &format!(".{why}-{number}")));
    std::iter::once(first.clone()).chain(others).find(|name| fs::symlink_metadata(name).is_err()).unwrap_or(first)
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What tells one file from another at the same path.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    return Some((std::os::unix::fs::MetadataExt::dev(&metadata), std::os::unix::fs::MetadataExt::ino(&metadata)));
    #[cfg(not(unix))]
    return metadata.is_file().then_some((0, 0));
}

/// True on file systems whose locks or shared memory cannot be relied on.
#[cfg(target_os = "linux")]
pub fn is_network(path: &Path) -> bool {
    // NFS, SMB, CIFS, SMB2, 9p, FUSE, Ceph, AFS (both), Coda, NCP, Lustre, GFS2, OCFS2: linux/magic.h
    // and their own headers.
    const NETWORK: [i64; 14] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x6573_5546,
        0x00c3_6400,
        0x5346_414f,
        0x6b41_4653,
        0x7375_7245,
        0x564c,
        0x0bd0_0bd0,
        0x0116_1970,
        0x7461_636f,
    ];
    let folder = path.parent().unwrap_or(path);
    rustix::fs::statfs(folder).is_ok_and(|found| NETWORK.contains(&found.f_type))
}

/// True on file systems whose locks or shared memory cannot be relied on.
#[cfg(not(target_os = "linux"))]
pub fn is_network(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::Call;
    use crate::ledger::{FileState, Ledger, Posting};
    use crate::pricing::Cost;

    struct Free;

    impl Pricer for Free {
        fn cost(&self, _: &Call) -> Cost {
            Cost::Quoted(crate::domain::Usd::ONE)
        }
    }

    const STEPS: &[Migration] = &[
        Migration { to: 2, sql: "ALTER TABLE files ADD COLUMN note TEXT" },
        Migration { to: 3, sql: "CREATE TABLE extra(x INTEGER) STRICT; INSERT INTO extra VALUES(1)" },
    ];

    fn file(offset: u64) -> FileState {
        FileState {
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
        old.post(&Posting { records: Vec::new(), files: vec![file(7)] }).unwrap();
        drop(old);
        // A copy of the files at a step is what a process killed there leaves behind.
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
        let opened = open_with(&path, options, Arc::new(Free), STEPS, 3).unwrap();
        let backup = folder.path().join("ledger.db.schema-1");
        assert_eq!(opened.notes, [Note::Migrated { from: 1, backup: backup.clone() }]);
        drop(opened);
        assert_eq!((schema_of(&path), schema_of(&backup)), ((3, true, true), (1, false, false)));
        let copies = std::mem::take(&mut *copies.lock().unwrap());
        let names: Vec<&str> = copies.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["opened file", "backed up", "migrate", "migrate", "commit migration"]);
        for (name, copy) in copies {
            let path = copy.path().join("ledger.db");
            assert_eq!(schema_of(&path), (1, false, false), "killed at {name}");
            let opened = open_with(&path, Options::new(now), Arc::new(Free), STEPS, 3).unwrap();
            assert_eq!(opened.books.files().unwrap(), [file(7)]);
            assert_eq!(schema_of(&path), (3, true, true), "gone on after {name}");
        }
    }
}
