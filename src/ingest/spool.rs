//! The spool: calls that a ledger could not take, kept in a file that is read like any other log.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::domain::Record;
use crate::formats;

/// Appends calls to the spool in a single write. The file has mode 0600.
///
/// # Errors
/// When it cannot be written, or a record is not a call: the spool has no lines for anything else.
pub(crate) fn spool(path: &Path, records: &[Record]) -> io::Result<()> {
    let mut lines = String::new();
    for (at, record) in records.iter().enumerate() {
        match record {
            Record::Call(call) => {
                let hold = if let Some(Record::Settled(hold)) = records.get(at + 1) { Some(*hold) } else { None };
                lines += &(formats::kept_line(call, None, hold) + "\n");
            }
            // Only the latest report counts, and another one follows. A hold ends with the call before it, or lapses.
            Record::Status(_) | Record::Settled(_) => {}
            Record::Descends { .. } | Record::Bill(_) | Record::Rekeyed { .. } => {
                return Err(io::ErrorKind::Unsupported.into());
            }
        }
    }
    append_lines(path, lines.as_bytes())
}

/// Appends whole lines to a log in a single write. The file has mode 0600. If an earlier writer left a line unfinished,
/// because the disk was full or it was killed, that line is ended first so that it does not spoil the following ones.
///
/// # Errors
/// When it cannot be written. The file may then contain some of the lines.
pub(crate) fn append_lines(path: &Path, lines: &[u8]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        // What a pipe or a device takes is lost.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if ends_within_a_line(&mut file)? {
        return file.write_all(&[b"\n", lines].concat());
    }
    file.write_all(lines)
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_a_line_that_a_full_disk_cut_off_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.jsonl");
        append_lines(&path, b"one\n").unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"tw").unwrap();
        append_lines(&path, b"").unwrap();
        append_lines(&path, b"three\n").unwrap();
        append_lines(&path, b"four\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntw\nthree\nfour\n");
    }
}
