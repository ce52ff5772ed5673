//! Operations on the ledger's file: private creation, copies, moving aside, identity.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::file_names::with_ending;
use super::leftover_files::MARK;
use crate::domain::{Instant, Label};
use crate::ledger::LedgerError;

/// Creates the folder and an empty file with mode 0600. SQLite uses the same mode for its log.
pub(super) fn make(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    match private(path, true) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // If others can read our ledger, make it private again.
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

/// Creates the ledger's folder with mode 0700.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file with mode 0600. With `new`, the file must not exist yet.
pub(super) fn private(path: &Path, new: bool) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(new).create(!new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a copy of the ledger next to it. The copy gets its name once it is complete; a failed copy is removed.
pub(super) fn back_up(conn: &Connection, path: &Path, why: &str) -> rusqlite::Result<PathBuf> {
    let copy = free_name(path, why);
    let draft = free_name(path, &format!("{MARK}{}-{why}", std::process::id()));
    let failed = |file: &Path, error: io::Error| {
        rusqlite::Error::ToSqlConversionFailure(format!("{}: {error}", file.display()).into())
    };
    // SQLite fills this empty file and keeps its mode.
    private(&draft, true).map_err(|error| failed(&draft, error))?;
    let written = conn.execute("VACUUM INTO ?", [draft.to_string_lossy()]);
    written.and_then(|_| fs::rename(&draft, &copy).map_err(|error| failed(&copy, error))).inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })?;
    Ok(copy)
}

/// The copy made for this reason, if the ledger has not changed since.
pub(super) fn current_copy(path: &Path, why: &str) -> Option<PathBuf> {
    let copy = with_ending(path, &format!(".{why}"));
    let changed = |path: &Path| fs::symlink_metadata(path).ok()?.modified().ok();
    let copied = changed(&copy)?;
    let last = std::iter::once(path.to_owned()).chain(BESIDE.iter().map(|ending| with_ending(path, ending)));
    last.filter_map(|path| changed(&path)).all(|at| at <= copied).then_some(copy)
}

/// Removes a copy that is not needed, unless it is the only one made for this reason.
pub(super) fn drop_copy(path: &Path, why: &str, copy: &Path) {
    if copy != with_ending(path, &format!(".{why}")) {
        let _ = fs::remove_file(copy);
    }
}

/// Renames a damaged ledger together with SQLite's other files.
pub(super) fn set_aside(path: &Path, now: Instant) -> Result<PathBuf, LedgerError> {
    let to = free_name(path, &format!("corrupt-{}", now.format("%Y%m%dT%H%M%SZ")));
    let fail = |error: io::Error| LedgerError::Damaged {
        path: path.to_owned(),
        what: format!("it could not be moved aside: {error}"),
    };
    fs::rename(path, &to).map_err(fail)?;
    for ending in BESIDE {
        match fs::rename(with_ending(path, ending), with_ending(&to, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(to)
}

/// Suffixes of the files that SQLite keeps next to a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// True if neither a ledger nor leftovers of one exist. SQLite would apply an old log to a new ledger.
pub(super) fn is_free(path: &Path) -> bool {
    let is_absent =
        |path: &Path| matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound);
    is_absent(path) && BESIDE.iter().all(|ending| is_absent(&with_ending(path, ending)))
}

/// A message if one of the database's files is not a regular file. SQLite would wait for ever on a named pipe.
pub(super) fn irregular(path: &Path) -> Option<String> {
    let files = std::iter::once(path.to_owned()).chain(BESIDE.iter().map(|ending| with_ending(path, ending)));
    files.into_iter().find_map(|file| {
        let kind = fs::metadata(&file).ok()?.file_type();
        let name = || Label::from_path(Path::new(file.file_name().unwrap_or_default()));
        (!kind.is_file()).then(|| format!("{} is not a regular file; move it away", name()))
    })
}

/// `ledger.db.why`, or `ledger.db.why-2` and so on if that name is taken.
pub(super) fn free_name(path: &Path, why: &str) -> PathBuf {
    let first = with_ending(path, &format!(".{why}"));
    let others = (2_u32..).map(|number| with_ending(path, &format!(".{why}-{number}")));
    std::iter::once(first.clone()).chain(others).find(|name| fs::symlink_metadata(name).is_err()).unwrap_or(first)
}

/// True for a complete database by its header, as opposed to one that is still being copied.
pub(super) fn is_whole(path: &Path) -> bool {
    use std::io::Read as _;
    let mut header = [0; 32];
    let Ok(metadata) = fs::metadata(path) else { return false };
    if !metadata.is_file() || File::open(path).and_then(|mut file| file.read_exact(&mut header)).is_err() {
        return false;
    }
    // https://www.sqlite.org/fileformat2.html#the_database_header
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        size => size,
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    header.starts_with(b"SQLite format 3\0") && metadata.len() >= page * pages
}

/// Device and inode, used to notice that another file has taken the same path.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    return Some((std::os::unix::fs::MetadataExt::dev(&metadata), std::os::unix::fs::MetadataExt::ino(&metadata)));
    #[cfg(not(unix))]
    return metadata.is_file().then_some((0, 0));
}
