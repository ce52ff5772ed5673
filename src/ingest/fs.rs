//! The file system as the readers see it, so that a test can script its faults.

use std::ffi::OsString;
use std::fs::{File, FileType, Metadata, OpenOptions};
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
    pub sort: Sort,
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
pub enum Sort {
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
    pub sort: Sort,
    /// Its inode; 0 where the system does not tell.
    pub inode: u64,
}

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Fs for Disk {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        std::fs::metadata(path).map(|metadata| stat_of(&metadata, path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        std::fs::read_dir(folder)?
            .map(|entry| {
                let entry = entry?;
                Ok(Entry { sort: sort_of(entry.file_type()?), inode: inode_of(&entry), name: entry.file_name() })
            })
            .collect()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // A pipe without a writer would block, and a terminal would become ours.
            let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
            options.custom_flags(flags.bits().cast_signed());
        }
        Ok(Box::new(Open { file: options.open(path)?, path: path.to_owned() }))
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn is_remote(&self, path: &Path) -> bool {
        is_remote(path)
    }
}

struct Open {
    file: File,
    /// Names the file where the system has no inodes.
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

fn sort_of(kind: FileType) -> Sort {
    if kind.is_file() {
        return Sort::File;
    }
    if kind.is_dir() {
        return Sort::Folder;
    }
    if kind.is_symlink() {
        return Sort::Link;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Sort::Other(Kind::Fifo);
        }
        if kind.is_socket() {
            return Sort::Other(Kind::Socket);
        }
        if kind.is_block_device() || kind.is_char_device() {
            return Sort::Other(Kind::Device);
        }
    }
    Sort::Other(Kind::Unknown)
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

/// Where a file has no inode that std can tell, its path names it, and the hashes find a replacement.
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

#[cfg(unix)]
fn inode_of(entry: &std::fs::DirEntry) -> u64 {
    std::os::unix::fs::DirEntryExt::ino(entry)
}

#[cfg(not(unix))]
fn inode_of(_entry: &std::fs::DirEntry) -> u64 {
    0
}

/// The types of network and user-space file systems, from `linux/magic.h` and the file systems' own sources.
#[cfg(target_os = "linux")]
const REMOTE: [u64; 13] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x0102_1997, // 9p, which is also how WSL and some virtual machines share folders
    0x6573_5546, // FUSE: sshfs, rclone, s3fs
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x7375_7245, // Coda
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x7c7c_6673, // Parallels shared folders
    0x786f_4256, // VirtualBox shared folders
];

#[cfg(target_os = "linux")]
fn is_remote(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|found| {
        // The field is signed on some architectures; the numbers are 32 bits wide on all.
        let kind = u64::try_from(found.f_type & 0xffff_ffff).unwrap_or_default();
        REMOTE.contains(&kind)
    })
}

#[cfg(not(target_os = "linux"))]
fn is_remote(_path: &Path) -> bool {
    false
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
