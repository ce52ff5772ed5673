//! Folder listing on Linux: reads many names per system call, and metadata relative to the folder, which costs a
//! fraction of lookups by full path.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};

use super::Kind;
use super::fs::{Entry, FileId, FileKind, Listing, Stat};

/// Buffer for names per system call, in bytes.
const NAMES: usize = 16 * 1024;

/// Metadata of a path.
pub(super) fn stat(path: &Path) -> io::Result<Stat> {
    Ok(stat_of(&rustix::fs::stat(path)?))
}

/// Entries of a folder, with metadata for those with wanted names.
pub(super) fn read_folder(folder: &Path, wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Listing> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = rustix::io::retry_on_intr(|| rustix::fs::open(folder, flags, Mode::empty()))?;
    let stat = stat_of(&rustix::fs::fstat(&open)?);
    let mut entries = Vec::new();
    let mut names = [const { MaybeUninit::uninit() }; NAMES];
    let mut found = RawDir::new(&open, &mut names);
    while let Some(entry) = found.next() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            // Some file systems do not report the kind.
            match rustix::fs::statat(&open, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => kind = FileType::from_raw_mode(stat.st_mode),
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        let sort = sort_of(kind);
        let look = sort == FileKind::File && wanted(name);
        // If this fails, the entry is looked up by path later, which reports the error.
        let stat = look.then(|| rustix::fs::statat(&open, entry.file_name(), AtFlags::empty()).ok()).flatten();
        entries.push(Entry { name: name.to_owned(), sort, inode: entry.ino(), stat: stat.as_ref().map(stat_of) });
    }
    Ok(Listing { stat, entries })
}

fn sort_of(kind: FileType) -> FileKind {
    match kind {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Folder,
        FileType::Symlink => FileKind::Link,
        FileType::Fifo => FileKind::Other(Kind::Fifo),
        FileType::Socket => FileKind::Other(Kind::Socket),
        FileType::BlockDevice | FileType::CharacterDevice => FileKind::Other(Kind::Device),
        FileType::Unknown => FileKind::Other(Kind::Unknown),
    }
}

#[allow(clippy::useless_conversion, reason = "field widths depend on the architecture")]
fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let time = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    let rest = |nanoseconds| i64::try_from(nanoseconds).unwrap_or_default();
    Stat {
        id: FileId { device: stat.st_dev.into(), inode: stat.st_ino.into() },
        sort: sort_of(FileType::from_raw_mode(stat.st_mode)),
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        modified_ns: time(stat.st_mtime.into(), rest(stat.st_mtime_nsec)),
        changed_ns: time(stat.st_ctime.into(), rest(stat.st_ctime_nsec)),
        links: stat.st_nlink.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_folder_is_told_with_the_files_that_are_wanted_and_nothing_else_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.jsonl"), "12345").unwrap();
        fs::write(at("b.txt"), "1").unwrap();
        fs::create_dir(at("below")).unwrap();
        std::os::unix::fs::symlink("a.jsonl", at("link.jsonl")).unwrap();
        let listing = read_folder(folder.path(), &|name| name.as_bytes().ends_with(b".jsonl")).unwrap();
        assert_eq!(listing.stat, stat(folder.path()).unwrap());
        let mut listed: Vec<_> =
            listing.entries.iter().map(|entry| (entry.name.to_str().unwrap(), entry.sort)).collect();
        listed.sort_unstable_by_key(|(name, _)| *name);
        let expected = [
            ("a.jsonl", FileKind::File),
            ("b.txt", FileKind::File),
            ("below", FileKind::Folder),
            ("link.jsonl", FileKind::Link),
        ];
        assert_eq!(listed, expected);
        for entry in &listing.entries {
            let wanted = (entry.name == "a.jsonl").then(|| stat(&at("a.jsonl")).unwrap());
            assert_eq!(entry.stat, wanted, "{:?}", entry.name);
        }
        let (ours, theirs) = (stat(&at("a.jsonl")).unwrap(), fs::metadata(at("a.jsonl")).unwrap());
        assert_eq!((ours.id.device, ours.id.inode, ours.size), (theirs.dev(), theirs.ino(), 5));
        assert_eq!(ours.changed_ns, theirs.ctime() * 1_000_000_000 + theirs.ctime_nsec());
        assert_eq!(ours.modified_ns, theirs.mtime() * 1_000_000_000 + theirs.mtime_nsec());
    }

    #[test]
    fn more_names_than_one_call_tells_are_all_told() {
        let folder = tempfile::tempdir().unwrap();
        let name = |number: usize| format!("{number:0>200}");
        for number in 0..200 {
            fs::write(folder.path().join(name(number)), "").unwrap();
        }
        let mut names: Vec<_> =
            read_folder(folder.path(), &|_| false).unwrap().entries.into_iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        assert!(names.iter().map(|name| name.to_str().unwrap().to_owned()).eq((0..200).map(name)));
    }

    #[test]
    fn what_is_no_folder_cannot_be_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jsonl"), "").unwrap();
        let kind = |name: &str| read_folder(&folder.path().join(name), &|_| true).unwrap_err().kind();
        assert_eq!(kind("a.jsonl"), io::ErrorKind::NotADirectory);
        assert_eq!(kind("missing"), io::ErrorKind::NotFound);
    }
}
