//! File system interface of the readers, so that tests can inject faults.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::Kind;

/// File system operations needed by the readers.
pub trait Fs: Send + Sync {
    /// Metadata of a path, following symbolic links.
    ///
    /// # Errors
    /// As reported by the system.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// Entries of a folder.
    ///
    /// # Errors
    /// As reported by the system.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// Entries of a folder, and the folder's metadata from just before they were read.
    ///
    /// Metadata of entries with `wanted` names may be included where that is cheaper than separate calls.
    ///
    /// # Errors
    /// As reported by the system.
    fn read_folder(&self, folder: &Path, _wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Listing> {
        Ok(Listing { stat: self.stat(folder)?, entries: self.list(folder)? })
    }

    /// Opens a file for reading. Never blocks, whatever kind of file it is.
    ///
    /// # Errors
    /// As reported by the system.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>>;

    /// The path with symbolic links resolved.
    ///
    /// # Errors
    /// As reported by the system.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// True for a file system that reports no events for writes by other machines or processes.
    fn is_remote(&self, _path: &Path) -> bool {
        false
    }
}

/// An open file.
pub trait Handle: Send + Sync {
    /// Current metadata.
    ///
    /// # Errors
    /// As reported by the system.
    fn stat(&self) -> io::Result<Stat>;

    /// Reads from a byte offset; 0 at the end of the file.
    ///
    /// # Errors
    /// As reported by the system.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// Identifies a file for as long as it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// Metadata of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Device and inode.
    pub id: FileId,
    /// Kind of file.
    pub sort: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last write to its content, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Time of the last change of any kind, in nanoseconds since 1970. Unlike `modified_ns`, it cannot be set back.
    pub changed_ns: i64,
    /// Number of hard links.
    pub links: u64,
}

/// Kind of a folder's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, not followed.
    Link,
    /// A kind that is not read.
    Other(Kind),
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Kind of file.
    pub sort: FileKind,
    /// Inode number; 0 where the system has none.
    pub inode: u64,
    /// Metadata, following symbolic links, if it was read at the same time.
    pub stat: Option<Stat>,
}

/// Result of reading a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The folder's metadata from just before its entries were read.
    pub stat: Stat,
    /// Entries.
    pub entries: Vec<Entry>,
}

/// Number of descriptors that may be kept open: a quarter of the process's limit.
pub(crate) fn descriptors() -> usize {
    #[cfg(unix)]
    {
        let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let allowed = allowed.and_then(|number| usize::try_from(number).ok()).unwrap_or(1024);
        (allowed / 4).clamp(4, 256)
    }
    #[cfg(not(unix))]
    {
        128
    }
}

/// Reads once, retrying if interrupted.
pub(crate) fn read_at(handle: &dyn Handle, into: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match handle.read_at(into, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Reads until `into` is full or the file ends.
pub(crate) fn fill(handle: &dyn Handle, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match read_at(handle, &mut into[filled..], offset.saturating_add(filled as u64))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// True when the path does not exist.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Joins folder and name with a single allocation.
pub(super) fn inside(folder: &Path, name: &OsStr) -> PathBuf {
    let mut path = PathBuf::with_capacity(folder.as_os_str().len() + 1 + name.len());
    path.push(folder);
    path.push(name);
    path
}

/// True when the process or the system has no descriptors left.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let errno = error.raw_os_error();
        errno == Some(Errno::MFILE.raw_os_error()) || errno == Some(Errno::NFILE.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}
