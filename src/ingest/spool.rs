//! The spool: calls that a ledger could not take, kept in a file that is read as a log like any other.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::domain::Record;
use crate::formats;

/// Appends calls to the spool in one write; the file has mode 0600.
///
/// # Errors
/// When it cannot be written, or a record is not a call: the spool has lines for calls only.
pub(crate) fn spool(path: &Path, records: &[Record]) -> io::Result<()> {
    let line = |record: &Record| match record {
        Record::Call(call) => Some(formats::kept_line(call, None) + "\n"),
        // Only the latest statement counts, and the next one follows; what is held for a call lapses by itself.
        Record::Status(_) | Record::Settled(_) => Some(String::new()),
        Record::Descends { .. } | Record::Bill(_) | Record::Rekeyed { .. } => None,
    };
    let lines: Option<String> = records.iter().map(line).collect();
    let text = lines.ok_or(io::ErrorKind::Unsupported)?;
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
