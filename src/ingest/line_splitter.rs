//! Cuts a stream of bytes into lines, in one buffer that is used over and over.

use std::io;

use super::fingerprint::Fingerprint;
use crate::formats::whole;

/// The longest line that is read, unless told otherwise.
pub(crate) const LONGEST_LINE: usize = 64 * 1024 * 1024;
/// Bytes read at a time: small enough to stay in the processor's second cache between reading and searching.
const CHUNK: usize = 256 * 1024;
/// A run of NUL bytes longer than this is not kept while it waits for the line after it.
const HOLE: usize = 64 * 1024;

/// Cuts lines out of what is read, and knows where in the stream each of them stands.
///
/// It holds no more than the longest line allowed and one chunk. A line may arrive in any number of
/// pieces; the lines are the same.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    buffer: Vec<u8>,
    /// How much of the buffer holds bytes of the stream.
    filled: usize,
    /// Where the line that is being cut begins.
    at: usize,
    /// No line ends between `at` and here.
    searched: usize,
    /// What has been consumed up to here has been told to the fingerprint.
    told: usize,
    /// The stream's offset of the first byte of the buffer.
    base: u64,
    /// NUL bytes before `at` that were dropped from the buffer, and belong to the line after them.
    hole: u64,
    /// The rest of the line is passed over: it is too long.
    skipping: bool,
    /// The longest line that is handed out.
    longest: usize,
}

/// What is cut out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A line without its end, and without the NUL bytes around it.
    Line {
        /// Its bytes.
        text: &'a [u8],
        /// The stream's offset of the first of them.
        offset: u64,
        /// How many NUL bytes were taken off.
        nuls: u64,
    },
    /// A line that is longer than allowed begins here; it is said as soon as that is known.
    TooLong {
        /// The stream's offset at which it begins.
        offset: u64,
    },
    /// The end of what is passed over: of a line that is too long.
    Skipped,
}

impl LineSplitter {
    /// A line splitter for lines up to this many bytes.
    pub(crate) fn new(longest: usize) -> Self {
        Self { buffer: Vec::new(), filled: 0, at: 0, searched: 0, told: 0, base: 0, hole: 0, skipping: false, longest }
    }

    /// Begins a stream, or goes on with one, at an offset; `skipping` when inside a line that is too long.
    pub(crate) fn begin(&mut self, offset: u64, skipping: bool) {
        (self.filled, self.at, self.searched, self.told) = (0, 0, 0, 0);
        (self.base, self.hole, self.skipping) = (offset, 0, skipping);
        if self.buffer.len() != CHUNK {
            self.buffer = vec![0; CHUNK];
        }
    }

    /// Fills the buffer once from `read`, which gets where to put bytes and their offset in the stream.
    ///
    /// Everything consumed so far must have been told to the fingerprint, see [`LineSplitter::tell`].
    pub(crate) fn fill(&mut self, read: impl FnOnce(&mut [u8], u64) -> io::Result<usize>) -> io::Result<usize> {
        debug_assert_eq!(self.told, self.at);
        if self.at > 0 {
            self.buffer.copy_within(self.at..self.filled, 0);
            self.base += self.at as u64;
            (self.filled, self.searched) = (self.filled - self.at, self.searched - self.at);
            (self.at, self.told) = (0, 0);
        }
        if self.filled > HOLE && self.buffer[..self.filled].iter().all(|byte| *byte == 0) {
            self.hole += self.filled as u64;
            self.base += self.filled as u64;
            (self.filled, self.searched) = (0, 0);
        }
        if self.filled == self.buffer.len() {
            let longer = self.buffer.len().saturating_mul(2).min(self.longest.saturating_add(CHUNK / 4));
            self.buffer.reserve_exact(longer - self.buffer.len());
            self.buffer.resize(longer, 0);
        }
        let count = read(&mut self.buffer[self.filled..], self.base + self.filled as u64)?;
        self.filled += count;
        Ok(count)
    }

    /// The next line that is complete.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Frame<'_>> {
        let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..self.filled]) else {
            return self.incomplete();
        };
        let (begin, end) = (self.at, self.searched + length);
        (self.at, self.searched) = (end + 1, end + 1);
        if std::mem::take(&mut self.skipping) {
            return Some(Frame::Skipped);
        }
        Some(self.piece(begin, end))
    }

    /// No line ends in what is there; it may still be known to be too long.
    #[cold]
    fn incomplete(&mut self) -> Option<Frame<'_>> {
        self.searched = self.filled;
        if self.skipping {
            self.at = self.filled;
            return None;
        }
        if self.filled - self.at <= self.longest || self.buffer[self.at..self.filled].iter().all(|byte| *byte == 0) {
            return None;
        }
        let offset = self.base + self.at as u64;
        (self.at, self.skipping) = (self.filled, true);
        Some(Frame::TooLong { offset })
    }

    fn piece(&mut self, begin: usize, end: usize) -> Frame<'_> {
        let mut text = &self.buffer[begin..end];
        let (mut leading, mut nuls) = (0, 0);
        if self.hole > 0 || text.first() == Some(&0) || text.last() == Some(&0) {
            let whole = text.len();
            leading = text.iter().take_while(|byte| **byte == 0).count();
            text = trim_nuls(text);
            nuls = (whole - text.len()) as u64 + self.hole;
        }
        let offset = self.base + (begin + leading) as u64;
        if text.len() > self.longest { Frame::TooLong { offset } } else { Frame::Line { text, offset, nuls } }
    }

    /// What follows the last complete line, without NUL bytes and white space around it, and its offset.
    pub(crate) fn rest(&self) -> (&[u8], u64) {
        let rest = &self.buffer[self.at..self.filled];
        let text = trim_nuls(rest).trim_ascii();
        let leading = if text.is_empty() { 0 } else { text.as_ptr().addr() - rest.as_ptr().addr() };
        (text, self.base + (self.at + leading) as u64)
    }

    /// Hands out what follows the last complete line, as far as it is whole already.
    pub(crate) fn whole_rest(&mut self) -> Option<Frame<'_>> {
        let (text, offset) = self.rest();
        let length = if self.skipping || text.len() > self.longest { 0 } else { whole(text) };
        if length == 0 {
            return None;
        }
        let begin = usize::try_from(offset - self.base).unwrap_or(self.at);
        let end = begin + length;
        let nuls = (begin - self.at) as u64 + self.hole;
        (self.at, self.searched) = (end, self.searched.max(end));
        Some(Frame::Line { text: &self.buffer[begin..end], offset, nuls })
    }

    /// Hands out what follows the last complete line as it is: nothing will come after it.
    pub(crate) fn torn_rest(&mut self) -> Option<Frame<'_>> {
        let (begin, end) = (self.at, self.filled);
        (self.at, self.searched) = (end, end);
        (!self.skipping && !self.buffer[begin..end].trim_ascii().is_empty()).then(|| self.piece(begin, end))
    }

    /// Tells the fingerprint what has been consumed since it was last told.
    pub(crate) fn tell(&mut self, fingerprint: &mut Fingerprint) {
        if self.at > self.told {
            fingerprint.push_nuls(std::mem::take(&mut self.hole));
            fingerprint.push(&self.buffer[self.told..self.at]);
            self.told = self.at;
        }
    }

    /// The offset after the last byte consumed.
    pub(crate) fn consumed(&self) -> u64 {
        // A hole that no line has followed yet is not consumed: its writer may still fill it.
        let hole = if self.at == self.told { self.hole } else { 0 };
        self.base + self.at as u64 - hole
    }

    /// The offset after the last byte seen.
    pub(crate) fn seen(&self) -> u64 {
        self.base + self.filled as u64
    }

    /// The longest line that is handed out.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// True inside a line that is too long.
    pub(crate) fn is_skipping(&self) -> bool {
        self.skipping
    }
}

fn trim_nuls(mut text: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., 0] = text {
        text = rest;
    }
    text
}
