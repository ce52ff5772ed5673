//! Opens regular files. Never blocks on a pipe or device, and never reads beyond a limit.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a text file of at most `most` bytes.
///
/// The file is opened in non-blocking mode, so that a named pipe without a writer is an error rather than a hang. The
/// kind is checked on the open file, so it cannot be swapped in between.
///
/// # Errors
/// When the file does not exist, is unreadable, not regular, too large, or not UTF-8. The error's text completes a
/// sentence that begins with the file's name.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let bytes = read_bytes(path, most, |_| false)?;
    String::from_utf8(bytes).map_err(|error| not_text(error.as_bytes(), error.utf8_error().valid_up_to()))
}

/// Opens a file named on the command line: a regular file, or an open descriptor, such as `<(…)` and `/dev/stdin`.
///
/// # Errors
/// When it cannot be opened, or is a named pipe, a folder or a device, which may be endless.
pub(crate) fn open_operand(path: &Path) -> io::Result<File> {
    let is_descriptor = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|open| path.starts_with(open));
    if is_descriptor {
        return File::open(path);
    }
    let file = open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, kind_words(kind))) }
}

/// Opens a file for appending, creating it with mode 0600 if it does not exist.
///
/// # Errors
/// When it cannot be opened, or is a link, a named pipe, a folder or a device, such as a terminal.
pub(crate) fn open_for_appending(path: &Path) -> io::Result<File> {
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
        return refused("is a link, which is not followed");
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        // Again without following links: the file may have been replaced in between.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { refused(kind_words(kind)) }
}

/// Reads at most `most` bytes of a regular file, or of another kind allowed by `accepts`.
pub(crate) fn read_bytes(path: &Path, most: u64, accepts: impl Fn(FileType) -> bool) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !accepts(kind) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, kind_words(kind)));
    }
    read_whole(file, most)
}

/// Reads text to its end.
///
/// # Errors
/// When it cannot be read, exceeds `most` bytes (nothing is truncated silently), or is not UTF-8.
pub(crate) fn read_whole_text(from: impl io::Read, most: u64) -> io::Result<String> {
    let bytes = read_whole(from, most)?;
    String::from_utf8(bytes).map_err(|error| not_text(error.as_bytes(), error.utf8_error().valid_up_to()))
}

fn read_whole(from: impl io::Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        let why = format!("is larger than {}", crate::text::bytes(most));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Error for a file that is not UTF-8, with the line of the first invalid byte.
pub(crate) fn not_text(bytes: &[u8], valid: usize) -> io::Error {
    let line = bytes[..valid].split(|byte| *byte == b'\n').count();
    io::Error::new(io::ErrorKind::InvalidData, format!("is not UTF-8 text: see line {line}"))
}

/// Why a file cannot be used, as the rest of a sentence that begins with its name.
pub(crate) fn why(error: &io::Error) -> String {
    let ours = [io::ErrorKind::InvalidInput, io::ErrorKind::FileTooLarge, io::ErrorKind::InvalidData];
    if ours.contains(&error.kind()) && error.get_ref().is_some() {
        return error.to_string();
    }
    format!("cannot be read: {error}")
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

fn kind_words(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "is a named pipe, not a regular file";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "is a device, not a regular file";
        }
    }
    if kind.is_dir() { "is a folder, not a file" } else { "is not a regular file" }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn refused(path: &Path) -> String {
        why(&read_text(path, 1 << 20).unwrap_err())
    }

    #[test]
    fn j17_what_is_no_regular_file_is_an_error_and_never_a_hang() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            assert_eq!(refused(&pipe), "is a named pipe, not a regular file");
        } else {
            eprintln!("skipped: no mkfifo");
        }
        assert_eq!(refused(Path::new("/dev/zero")), "is a device, not a regular file");
        assert_eq!(refused(folder.path()), "is a folder, not a file");
        let socket = folder.path().join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(refused(&socket).starts_with("cannot be read: "), "{}", refused(&socket));
        let endless = folder.path().join("endless");
        File::create(&endless).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(refused(&endless), "is larger than 1 MB");
        assert!(refused(&folder.path().join("none")).starts_with("cannot be read: No such file"));
        let text = folder.path().join("text");
        fs::write(&text, b"one\n\xff").unwrap();
        assert_eq!(refused(&text), "is not UTF-8 text: see line 2");
        fs::write(&text, "one").unwrap();
        assert_eq!(read_text(&text, 3).unwrap(), "one");
    }
}
