//! The real file system.

#[cfg(target_os = "linux")]
use std::ffi::OsStr;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Kind;
#[cfg(target_os = "linux")]
use super::fs::Listing;
use super::fs::{Entry, FileId, FileKind, Fs, Handle, Stat};
#[cfg(target_os = "linux")]
use super::read_dir;
use crate::ledger::is_network;

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFs;

impl Fs for OsFs {
    #[cfg(target_os = "linux")]
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        read_dir::stat(path)
    }

    #[cfg(target_os = "linux")]
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        Ok(read_dir::read_folder(folder, &|_| false)?.entries)
    }

    #[cfg(target_os = "linux")]
    fn read_folder(&self, folder: &Path, wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Listing> {
        read_dir::read_folder(folder, wanted)
    }

    #[cfg(not(target_os = "linux"))]
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        std::fs::metadata(path).map(|metadata| stat_of(&metadata, path))
    }

    #[cfg(not(target_os = "linux"))]
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        std::fs::read_dir(folder)?
            .map(|entry| {
                let entry = entry?;
                let (sort, inode) = (sort_of(entry.file_type()?), inode_of(&entry));
                Ok(Entry { name: entry.file_name(), sort, inode, stat: None })
            })
            .collect()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // A pipe without a writer would block, and a terminal would become our controlling terminal.
            let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
            options.custom_flags(flags.bits().cast_signed());
        }
        Ok(Box::new(Open { file: options.open(path)?, path: path.to_owned() }))
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn is_remote(&self, path: &Path) -> bool {
        is_network(path)
    }
}

struct Open {
    file: File,
    /// Identifies the file on systems that have no inodes.
    path: PathBuf,
}

impl Handle for Open {
    fn stat(&self) -> io::Result<Stat> {
        self.file.metadata().map(|metadata| stat_of(&metadata, &self.path))
    }

    #[cfg(unix)]
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, into, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, into, offset)
    }
}

fn sort_of(kind: FileType) -> FileKind {
    if kind.is_file() {
        return FileKind::File;
    }
    if kind.is_dir() {
        return FileKind::Folder;
    }
    if kind.is_symlink() {
        return FileKind::Link;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return FileKind::Other(Kind::Fifo);
        }
        if kind.is_socket() {
            return FileKind::Other(Kind::Socket);
        }
        if kind.is_block_device() || kind.is_char_device() {
            return FileKind::Other(Kind::Device);
        }
    }
    FileKind::Other(Kind::Unknown)
}

#[cfg(unix)]
fn stat_of(metadata: &Metadata, _path: &Path) -> Stat {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    Stat {
        id: FileId { device: metadata.dev(), inode: metadata.ino() },
        sort: sort_of(metadata.file_type()),
        size: metadata.len(),
        modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        links: metadata.nlink(),
    }
}

/// Where std exposes no inodes, the path identifies the file and hashes detect that it was replaced.
#[cfg(not(unix))]
fn stat_of(metadata: &Metadata, path: &Path) -> Stat {
    let modified_ns = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or_default();
    Stat {
        id: FileId { device: 0, inode: xxhash_rust::xxh3::xxh3_64(path.as_os_str().as_encoded_bytes()) },
        sort: sort_of(metadata.file_type()),
        size: metadata.len(),
        modified_ns,
        changed_ns: modified_ns,
        links: 1,
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn inode_of(entry: &std::fs::DirEntry) -> u64 {
    std::os::unix::fs::DirEntryExt::ino(entry)
}

#[cfg(not(unix))]
fn inode_of(_entry: &std::fs::DirEntry) -> u64 {
    0
}
