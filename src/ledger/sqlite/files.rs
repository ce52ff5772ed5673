//! The table of file checkpoints.

use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::ledger::Checkpoint;

/// Columns of a checkpoint, in the order in which they are read.
const COLUMNS: &str =
    "path, device, inode, offset, size, modified_ns, head_hash, head_len, tail_hash, reader, lines, bad_lines";

/// Writes checkpoints.
pub(super) fn write_files<'a>(conn: &Connection, files: impl Iterator<Item = &'a Checkpoint>) -> Result<()> {
    let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for file in files {
        insert.execute(params![
            path_bytes(&file.path),
            file.device.cast_signed(),
            file.inode.cast_signed(),
            file.offset.cast_signed(),
            file.size.cast_signed(),
            file.modified_ns,
            file.head_hash.cast_signed(),
            file.head_len,
            file.tail_hash.cast_signed(),
            file.reader,
            file.lines.cast_signed(),
            file.bad_lines.cast_signed(),
        ])?;
    }
    Ok(())
}

/// Reads all checkpoints.
pub(super) fn read_files(conn: &Connection) -> Result<Vec<Checkpoint>> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM files ORDER BY path"))?;
    let files = select.query_map([], file_state)?;
    files.collect()
}

/// Reads one file's checkpoint.
pub(super) fn read_file(conn: &Connection, path: &std::path::Path) -> Result<Option<Checkpoint>> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM files WHERE path = ?"))?;
    select.query_row([path_bytes(path)], file_state).optional()
}

/// Removes checkpoints of files that no longer exist and were last written before this time, in nanoseconds since 1970.
/// If such a file comes back, it is read again, and its calls still count once.
pub(super) fn forget_gone(conn: &Connection, before: i64) -> Result<usize> {
    let mut select = conn.prepare("SELECT path FROM files WHERE modified_ns < ?")?;
    let paths: Vec<Vec<u8>> = select.query_map([before], |row| row.get(0))?.collect::<Result<_>>()?;
    let mut forgotten = 0;
    for bytes in paths {
        let path = bytes_path(bytes);
        let gone = std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if gone {
            forgotten += conn.execute("DELETE FROM files WHERE path = ?", [path_bytes(&path)])?;
        }
    }
    Ok(forgotten)
}

fn file_state(row: &rusqlite::Row<'_>) -> Result<Checkpoint> {
    let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(Checkpoint {
        path: bytes_path(row.get(0)?),
        device: number(1)?,
        inode: number(2)?,
        offset: number(3)?,
        size: number(4)?,
        modified_ns: row.get(5)?,
        head_hash: number(6)?,
        head_len: row.get(7)?,
        tail_hash: number(8)?,
        reader: row.get(9)?,
        lines: number(10)?,
        bad_lines: number(11)?,
    })
}

#[cfg(unix)]
fn path_bytes(path: &std::path::Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

#[cfg(unix)]
fn bytes_path(bytes: Vec<u8>) -> std::path::PathBuf {
    <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_bytes(path: &std::path::Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
fn bytes_path(bytes: Vec<u8>) -> std::path::PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
