//! The file system as the readers see it, so that a test can script its faults.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::Kind;

/// What the readers ask of a file system.
pub trait Fs: Send + Sync {
    /// What stands at a path, symbolic links followed.
    ///
    /// # Errors
    /// As the system reports them.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// What a folder holds.
    ///
    /// # Errors
    /// As the system reports them.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// What a folder holds, and what it was itself just before it was read.
    ///
    /// What stands under the names that are `wanted` may be told along with them, where that costs less than asking
    /// for each.
    ///
    /// # Errors
    /// As the system reports them.
    fn survey(&self, folder: &Path, _wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Listing> {
        Ok(Listing { stat: self.stat(folder)?, entries: self.list(folder)? })
    }

    /// Opens a file for reading; never waits for a writer, whatever the file turns out to be.
    ///
    /// # Errors
    /// As the system reports them.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>>;

    /// The path without symbolic links.
    ///
    /// # Errors
    /// As the system reports them.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// True for a file system on which other machines' or processes' writes raise no events.
    fn is_remote(&self, _path: &Path) -> bool {
        false
    }
}

/// An open file.
pub trait Handle: Send + Sync {
    /// What is known of it now.
    ///
    /// # Errors
    /// As the system reports them.
    fn stat(&self) -> io::Result<Stat>;

    /// Reads from a byte offset; 0 at the end of the file.
    ///
    /// # Errors
    /// As the system reports them.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// What names a file for as long as it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The device that holds it.
    pub device: u64,
    /// Its inode there.
    pub inode: u64,
}

/// What the system knows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What names it.
    pub id: FileId,
    /// What it is.
    pub sort: FileKind,
    /// Its size in bytes.
    pub size: u64,
    /// When its content was written last, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When anything about it changed last, in nanoseconds since 1970; unlike `modified_ns` nobody can set it back.
    pub changed_ns: i64,
    /// How many names it has.
    pub links: u64,
}

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, not followed.
    Link,
    /// Something that is not read.
    Other(Kind),
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// What it is.
    pub sort: FileKind,
    /// Its inode; 0 where the system does not tell.
    pub inode: u64,
    /// What stands there, symbolic links followed, if that was found out along the way.
    pub stat: Option<Stat>,
}

/// A folder that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What it was just before.
    pub stat: Stat,
    /// What it holds.
    pub entries: Vec<Entry>,
}

/// How many descriptors may be kept open for reading on: a quarter of what the process may open.
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

/// Reads until `into` is full or the file ends; an interrupted read is begun again.
pub(crate) fn fill(handle: &dyn Handle, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match handle.read_at(&mut into[filled..], offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// True when the process, or the system, may open no more files.
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
