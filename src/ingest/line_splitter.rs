//! Splits a stream of bytes into lines, in one reused buffer.

use std::io;

use super::fingerprint::Fingerprint;
use crate::formats::whole;

/// Default maximum line length, in bytes.
pub(crate) const LONGEST_LINE: usize = 64 * 1024 * 1024;
/// Read size in bytes: small enough for the data to stay in the L2 cache between reading and searching.
const CHUNK: usize = 256 * 1024;
/// A run of NUL bytes longer than this is dropped from the buffer while waiting for the next line.
const HOLE: usize = 64 * 1024;

/// The longest line that closes an object and begins the next one. Only when it is complete is it known to be one.
const END: &[u8] = b"}{\r";

/// Splits the data into lines and gives their offsets in the stream.
///
/// A line that is only an opening brace begins an object over several lines, as pretty printers write it. It is one
/// piece: the lines below are indented, and the first that is not closes it. Any other such line is a new piece.
///
/// Holds at most one line of maximum length and one chunk. A line may arrive in any number of pieces.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    buffer: Vec<u8>,
    /// Number of buffered bytes.
    filled: usize,
    /// Start of the current line.
    at: usize,
    /// Start of the last line, if the current piece is an object over several lines; otherwise `at`.
    last: usize,
    /// There is no line end between `last` and this position.
    searched: usize,
    /// Consumed bytes before this position have been passed to the fingerprint.
    hashed: usize,
    /// Stream offset of the buffer's first byte.
    base: u64,
    /// NUL bytes before `at` that were dropped from the buffer. They belong to the next line.
    hole: u64,
    /// The rest of an over-long piece that is being skipped.
    skipping: Option<Skipping>,
    /// Maximum line length in bytes.
    longest: usize,
}

/// The rest of an over-long piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipping {
    /// The rest of a line.
    Line,
    /// The rest of a line within an object over several lines.
    LineOfObject,
    /// The further lines of an object over several lines.
    Object,
}

/// Output of the splitter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A line, or an object over several lines, without its line end and without NUL bytes around it.
    Line {
        /// Content of the line.
        text: &'a [u8],
        /// Stream offset of the content.
        offset: u64,
        /// Number of NUL bytes removed.
        nuls: u64,
    },
    /// Start of an over-long line, reported as soon as it is known to be one.
    TooLong {
        /// Stream offset of the line.
        offset: u64,
    },
    /// End of an over-long line.
    Skipped,
}

impl LineSplitter {
    /// A splitter for lines up to this length in bytes.
    pub(crate) fn new(longest: usize) -> Self {
        Self {
            buffer: Vec::new(),
            filled: 0,
            at: 0,
            last: 0,
            searched: 0,
            hashed: 0,
            base: 0,
            hole: 0,
            skipping: None,
            longest,
        }
    }

    /// Starts or continues a stream at an offset. `skipping` means that the offset is inside an over-long line.
    pub(crate) fn begin(&mut self, offset: u64, skipping: bool) {
        (self.filled, self.at, self.last, self.searched, self.hashed) = (0, 0, 0, 0, 0);
        (self.base, self.hole, self.skipping) = (offset, 0, skipping.then_some(Skipping::Line));
        if self.buffer.len() != CHUNK {
            self.buffer = vec![0; CHUNK];
        }
    }

    /// Fills the buffer with one call to `read`, which gets the free space and its stream offset.
    ///
    /// All consumed bytes must already have been passed to the fingerprint, see [`LineSplitter::tell`].
    pub(crate) fn fill(&mut self, read: impl FnOnce(&mut [u8], u64) -> io::Result<usize>) -> io::Result<usize> {
        debug_assert_eq!(self.hashed, self.at);
        if self.at > 0 {
            self.buffer.copy_within(self.at..self.filled, 0);
            self.base += self.at as u64;
            (self.filled, self.searched) = (self.filled - self.at, self.searched - self.at);
            (self.at, self.last, self.hashed) = (0, self.last - self.at, 0);
        }
        if self.filled > HOLE && self.buffer[..self.filled].iter().all(|byte| *byte == 0) {
            self.hole += self.filled as u64;
            self.base += self.filled as u64;
            (self.filled, self.last, self.searched) = (0, 0, 0);
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

    /// The next complete line.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Frame<'_>> {
        loop {
            let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..self.filled]) else {
                return self.incomplete();
            };
            let (begin, last, end) = (self.at, self.last, self.searched + length);
            (self.last, self.searched) = (end + 1, end + 1);
            let line = &self.buffer[last..end];
            if let Some(skipping) = self.skipping {
                self.at = end + 1;
                match (skipping, line.first()) {
                    (Skipping::LineOfObject, _) | (Skipping::Object, Some(b' ' | b'\t')) => {
                        self.skipping = Some(Skipping::Object);
                        continue;
                    }
                    (Skipping::Object, Some(b'}')) if matches!(line, b"}{" | b"}{\r") => {
                        (self.at, self.last, self.searched) = (last + 1, last + 1, last + 1);
                    }
                    (Skipping::Line, _) | (Skipping::Object, Some(b'}')) => {}
                    // The object breaks off, and this line is a piece of its own.
                    (Skipping::Object, Some(_) | None) => (self.at, self.last, self.searched) = (last, last, last),
                }
                self.skipping = None;
                return Some(Frame::Skipped);
            }
            let end = match line.first() {
                // The first line of a piece: the others of an object are indented.
                _ if begin == last => {
                    if matches!(line, b"{" | b"{\r") {
                        continue;
                    }
                    end
                }
                Some(b' ' | b'\t') => continue,
                // The next object follows on the same line, as where a program ends its output without a line end.
                Some(b'}') if matches!(line, b"}{" | b"}{\r") => {
                    (self.at, self.last, self.searched) = (last + 1, last + 1, last + 1);
                    return Some(self.piece(begin, last + 1));
                }
                Some(b'}') => end,
                // The object breaks off, and this line is a piece of its own.
                Some(_) | None => {
                    (self.at, self.last, self.searched) = (last, last, last);
                    return Some(self.piece(begin, last - 1));
                }
            };
            self.at = end + 1;
            return Some(self.piece(begin, end));
        }
    }

    /// Handles data without a line end, which may already be over-long.
    #[cold]
    fn incomplete(&mut self) -> Option<Frame<'_>> {
        self.searched = self.filled;
        match (self.skipping, self.buffer[self.at..self.filled].first()) {
            (None, _) | (Some(Skipping::Object), None) => {}
            (Some(Skipping::Object), Some(b' ' | b'\t')) => {
                (self.at, self.last, self.skipping) = (self.filled, self.filled, Some(Skipping::LineOfObject));
            }
            (Some(Skipping::Object), Some(b'}')) if self.filled - self.at <= END.len() => return None,
            (Some(Skipping::Object), Some(first)) => {
                self.skipping = (*first == b'}').then_some(Skipping::Line);
                if self.skipping.is_none() {
                    return Some(Frame::Skipped);
                }
                (self.at, self.last) = (self.filled, self.filled);
            }
            (Some(Skipping::Line | Skipping::LineOfObject), _) => (self.at, self.last) = (self.filled, self.filled),
        }
        if self.skipping.is_some() {
            return None;
        }
        if self.filled - self.at <= self.longest || self.buffer[self.at..self.filled].iter().all(|byte| *byte == 0) {
            return None;
        }
        let (begin, last) = (self.at, self.last);
        let skipping = match self.buffer[last..self.filled].first() {
            _ if last == begin => Skipping::Line,
            None if last - 1 - begin <= self.longest => return None,
            None => Skipping::Object,
            Some(b' ' | b'\t') => Skipping::LineOfObject,
            Some(b'}') if self.filled - last <= END.len() => return None,
            Some(b'}') => Skipping::Line,
            // The object breaks off.
            Some(_) => {
                self.at = last;
                return Some(self.piece(begin, last - 1));
            }
        };
        let offset = self.base + begin as u64;
        (self.at, self.last, self.skipping) = (self.filled, self.filled, Some(skipping));
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

    /// The data after the last complete line, without surrounding NUL bytes and white space, and its offset.
    pub(crate) fn rest(&self) -> (&[u8], u64) {
        let rest = &self.buffer[self.at..self.filled];
        let text = trim_nuls(rest).trim_ascii();
        let leading = if text.is_empty() { 0 } else { text.as_ptr().addr() - rest.as_ptr().addr() };
        (text, self.base + (self.at + leading) as u64)
    }

    /// Returns the data after the last complete line, if it is a complete object.
    pub(crate) fn whole_rest(&mut self) -> Option<Frame<'_>> {
        let (text, offset) = self.rest();
        let length = if self.skipping.is_some() || text.len() > self.longest { 0 } else { whole(text) };
        if length == 0 {
            return None;
        }
        let begin = usize::try_from(offset - self.base).unwrap_or(self.at);
        let end = begin + length;
        let nuls = (begin - self.at) as u64 + self.hole;
        (self.at, self.last, self.searched) = (end, end, self.searched.max(end));
        Some(Frame::Line { text: &self.buffer[begin..end], offset, nuls })
    }

    /// Returns the data after the last complete line as it is. Used at the end of the stream.
    pub(crate) fn torn_rest(&mut self) -> Option<Frame<'_>> {
        let (begin, end) = (self.at, self.filled);
        (self.at, self.last, self.searched) = (end, end, end);
        (self.skipping.is_none() && !self.buffer[begin..end].trim_ascii().is_empty()).then(|| self.piece(begin, end))
    }

    /// Passes newly consumed bytes to the fingerprint.
    pub(crate) fn tell(&mut self, fingerprint: &mut Fingerprint) {
        if self.at > self.hashed {
            fingerprint.push_nuls(std::mem::take(&mut self.hole));
            fingerprint.push(&self.buffer[self.hashed..self.at]);
            self.hashed = self.at;
        }
    }

    /// Stream offset after the last consumed byte.
    pub(crate) fn consumed(&self) -> u64 {
        // Trailing NUL bytes are not consumed, because the writer may still fill them in.
        let hole = if self.at == self.hashed { self.hole } else { 0 };
        self.base + self.at as u64 - hole
    }

    /// Stream offset after the last byte read.
    pub(crate) fn seen(&self) -> u64 {
        self.base + self.filled as u64
    }

    /// Maximum line length in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// True inside an over-long line.
    pub(crate) fn is_skipping(&self) -> bool {
        self.skipping.is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a text that arrives in parts of this length, each with its offset. Over-long ones are `…`.
    fn pieces(text: &str, part: usize, longest: usize) -> Vec<(u64, String)> {
        let mut splitter = LineSplitter::new(longest);
        splitter.begin(0, false);
        let (mut rest, mut found, mut fingerprint) = (text.as_bytes(), Vec::new(), Fingerprint::default());
        loop {
            let count = splitter
                .fill(|into, _| {
                    let count = part.min(rest.len()).min(into.len());
                    into[..count].copy_from_slice(&rest[..count]);
                    Ok(count)
                })
                .unwrap();
            rest = &rest[count..];
            let mut keep = |frame: &Frame<'_>| match frame {
                Frame::Line { text, offset, .. } => found.push((*offset, String::from_utf8_lossy(text).into_owned())),
                Frame::TooLong { offset } => found.push((*offset, "…".to_owned())),
                Frame::Skipped => {}
            };
            while let Some(frame) = splitter.next() {
                keep(&frame);
            }
            if count == 0 {
                splitter.torn_rest().iter().for_each(&mut keep);
                return found;
            }
            splitter.tell(&mut fingerprint);
        }
    }

    #[test]
    fn b7_an_object_over_several_lines_is_one_piece_and_one_that_breaks_off_takes_no_other_with_it() {
        let text = "{\"a\":1}\n{\n  \"b\": {\n    \"c\": 2\n  }\n}\n{\r\n  \"d\": 3\r\n}\r\n{\n}{\n  \"e\": 4\n}\n\
            {\n  \"torn\": 5,\n{\"f\":6}\n{\n  \"torn\": 7\n{\n  \"g\": 8\n}\n  {\n{";
        let wanted = [
            (0, "{\"a\":1}"),
            (8, "{\n  \"b\": {\n    \"c\": 2\n  }\n}"),
            (36, "{\r\n  \"d\": 3\r\n}\r"),
            (52, "{\n}"),
            (55, "{\n  \"e\": 4\n}"),
            (68, "{\n  \"torn\": 5,"),
            (83, "{\"f\":6}"),
            (91, "{\n  \"torn\": 7"),
            (105, "{\n  \"g\": 8\n}"),
            (118, "  {"),
            (122, "{"),
        ];
        let wanted: Vec<(u64, String)> = wanted.map(|(offset, text)| (offset, text.to_owned())).into();
        for part in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(pieces(text, part, 1000), wanted, "in parts of {part}");
        }
    }

    #[test]
    fn b9_no_line_within_an_over_long_object_is_a_piece() {
        let long = "{\n  \"list\": [\n    {\"a\":1},\n    {\"a\":2},\n\t{\"a\":3}\n  ]\n";
        for (end, after) in
            [("}\n", vec![]), ("}\r\n", vec![]), ("}, more\n", vec![]), ("", vec![]), ("}{\n}\n", vec!["{\n}"])]
        {
            let text = format!("{{\"b\":1}}\n{long}{end}{{\"b\":2}}\n{{\n  \"c\": 3\n}}\n");
            let lines = ["{\"b\":1}", "…"].into_iter().chain(after).chain(["{\"b\":2}", "{\n  \"c\": 3\n}"]);
            let lines: Vec<&str> = lines.collect();
            for part in [1, 2, 3, 5, 7, 11, 13, 17, 23, 64, 1000] {
                let found = pieces(&text, part, 20);
                let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
                assert_eq!(texts, lines, "{end:?} in parts of {part}");
            }
        }
    }
}
