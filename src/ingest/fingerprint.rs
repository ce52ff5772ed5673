//! Recognises files by device and inode, by their first bytes, and by the bytes before the offset.

use std::io;

use xxhash_rust::xxh3::xxh3_64;

use super::fs::{Handle, fill};
use crate::ledger::Checkpoint;

/// Length of the head, in bytes.
const HEAD: usize = 1024;
/// Length of the tail before the offset, in bytes.
const TAIL: usize = 256;

/// The first bytes of a file and the last bytes consumed from it, used to recognise it.
///
/// Taken from the consumed bytes, never from a second read, so that a file that is rewritten during the read is not
/// mistaken for the one that was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Fingerprint {
    /// The fingerprint at the offset in `state`; `None` if the file's content before the offset has changed.
    pub(crate) fn check(handle: &dyn Handle, state: &Checkpoint, size: u64) -> io::Result<Option<Self>> {
        if state.offset == 0 {
            return Ok(Some(Self::default()));
        }
        if size < state.offset {
            return Ok(None);
        }
        let head = first(handle, state.offset)?;
        if head.len() != usize::try_from(state.head_len).unwrap_or(usize::MAX) || xxh3_64(&head) != state.head_hash {
            return Ok(None);
        }
        let length = usize::try_from(state.offset).unwrap_or(usize::MAX).min(TAIL);
        let mut tail = vec![0; length];
        let from = state.offset - length as u64;
        let count = if state.offset <= HEAD as u64 {
            tail.copy_from_slice(&head[head.len() - length..]);
            length
        } else {
            fill(handle, &mut tail, from)?
        };
        Ok((count == length && xxh3_64(&tail) == state.tail_hash).then_some(Self { head, tail }))
    }

    /// Adds consumed bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let more = bytes.len().min(HEAD.saturating_sub(self.head.len()));
        self.head.extend_from_slice(&bytes[..more]);
        let last = &bytes[bytes.len().saturating_sub(TAIL)..];
        let keep = TAIL - last.len();
        self.tail.drain(..self.tail.len().saturating_sub(keep));
        self.tail.extend_from_slice(last);
    }

    /// Adds consumed NUL bytes.
    pub(crate) fn push_nuls(&mut self, count: u64) {
        let shown = usize::try_from(count).unwrap_or(usize::MAX).min(HEAD);
        self.push(&[0; HEAD][..shown]);
    }

    /// Stores the hashes in a checkpoint.
    pub(crate) fn seal(&self, state: &mut Checkpoint) {
        state.head_hash = xxh3_64(&self.head);
        state.head_len = u32::try_from(self.head.len()).unwrap_or(u32::MAX);
        state.tail_hash = xxh3_64(&self.tail);
    }

    /// True when the last consumed byte is not a line end.
    pub(crate) fn is_inside_a_line(&self) -> bool {
        self.tail.last().is_some_and(|byte| *byte != b'\n')
    }
}

/// The head of a file, limited to bytes before `end`.
fn first(handle: &dyn Handle, end: u64) -> io::Result<Vec<u8>> {
    let mut head = vec![0; usize::try_from(end).unwrap_or(usize::MAX).min(HEAD)];
    let count = fill(handle, &mut head, 0)?;
    head.truncate(count);
    Ok(head)
}

/// Describes a file that is not text, judged by its first bytes.
pub(crate) fn unsupported(head: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 8] = [
        (b"\x1f\x8b", "compressed with gzip"),
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"\x04\x22\x4d\x18", "compressed with lz4"),
        (b"PK\x03\x04", ARCHIVE),
        (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
        (b"\xff\xfe", "text in UTF-16"),
        (b"\xfe\xff", "text in UTF-16"),
    ];
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what)
}

/// An archive of several files.
pub(crate) const ARCHIVE: &str = "an archive";

/// Describes an unsupported compression, judged by the file name's extension.
pub(crate) fn unsupported_name(ending: &[u8]) -> Option<&'static str> {
    match ending {
        b"gz" => Some("compressed with gzip"),
        b"bz2" => Some("compressed with bzip2"),
        b"xz" => Some("compressed with xz"),
        b"lz4" => Some("compressed with lz4"),
        b"br" => Some("compressed with brotli"),
        b"zip" | b"7z" | b"tgz" | b"txz" | b"tzst" => Some(ARCHIVE),
        _ => None,
    }
}
