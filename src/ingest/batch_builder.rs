//! Decodes lines and collects the records into batches.

use super::line_splitter::Frame;
use super::project::Projects;
use super::{BadNote, Owner, ReadBatch, Tallies};
use crate::domain::{Instant, Label, Record};
use crate::formats::{BadLine, Decoder, Origin, Outcome, Value};

/// Number of unrecognised lines after which a file counts as unrecognised.
const TRIED: u64 = 100;

/// Decodes the lines of one file or feed.
pub(super) struct BatchBuilder {
    lines: Decoder,
    origin: Origin,
    /// Number of lines before this batch.
    before: u64,
    pub(super) records: Vec<Record>,
    bad: Vec<BadNote>,
    unknown: Vec<BadNote>,
    tallies: Tallies,
    /// Offset of the last over-long line.
    pub(super) too_long: Option<u64>,
}

impl BatchBuilder {
    /// Continues a source after this many lines.
    pub(super) fn new(lines: Decoder, path: Label, modified: Instant, before: u64) -> Self {
        Self {
            lines,
            origin: Origin { path, offset: 0, modified },
            before,
            records: Vec::new(),
            bad: Vec::new(),
            unknown: Vec::new(),
            tallies: Tallies::default(),
            too_long: None,
        }
    }

    /// Handles a frame. `inside` means that an object on the same line has already been consumed.
    #[inline]
    pub(super) fn piece(&mut self, frame: &Frame<'_>, inside: bool, longest: usize) {
        match *frame {
            Frame::Line { text, offset, nuls } => {
                self.tallies.nuls += nuls;
                self.tallies.lines += u64::from(!inside);
                self.origin.offset = offset;
                let before = self.records.len();
                let outcome = self.lines.line(text, &self.origin, &mut self.records);
                self.note(outcome, before);
                if text.starts_with(b"{\n") || text.starts_with(b"{\r\n") {
                    // An object over several lines is noted under its first one.
                    self.tallies.lines += memchr::memchr_iter(b'\n', text).map(|_| 1).sum::<u64>();
                }
            }
            Frame::TooLong { offset } => {
                self.tallies.lines += 1;
                self.tallies.over_long += 1;
                self.bad(offset, BadLine::TooLong(longest as u64));
                self.too_long = Some(offset);
            }
            Frame::Skipped => {}
        }
    }

    /// Takes a whole document. Returns false, without recording an error, if it is not one complete JSON value.
    pub(super) fn document(&mut self, text: &[u8]) -> bool {
        self.origin.offset = 0;
        let before = self.records.len();
        let outcome = self.lines.document(text, &self.origin, &mut self.records);
        if matches!(outcome, Outcome::Bad(BadLine::NotJson(_))) {
            return false;
        }
        self.tallies.lines += 1;
        self.note(outcome, before);
        true
    }

    /// Takes a row returned by query number `query` of the format. `number` is the row's own number.
    pub(super) fn row(&mut self, query: usize, number: u64, row: &[Value<'_>]) {
        self.origin.offset = number;
        self.tallies.lines += 1;
        let before = self.records.len();
        let outcome = self.lines.row(query, row, &self.origin, &mut self.records);
        self.note(outcome, before);
    }

    /// Counts an outcome. There were `before` records before it.
    #[inline]
    fn note(&mut self, outcome: Outcome, before: usize) {
        match outcome {
            Outcome::Passed => {}
            Outcome::Read => self.tallies.read += 1,
            Outcome::Other => self.unknown(self.origin.offset),
            Outcome::Bad(why) => {
                // A part of it was counted.
                self.tallies.read += u64::from(self.records.len() > before);
                self.bad(self.origin.offset, why);
            }
        }
    }

    /// Records that the data from this offset on cannot be read.
    pub(super) fn put_aside(&mut self, offset: u64, why: BadLine) {
        self.bad(offset, why);
    }

    #[cold]
    fn unknown(&mut self, offset: u64) {
        self.tallies.other += 1;
        if self.unknown.len() < ReadBatch::NOTES {
            let line = self.before + self.tallies.lines;
            self.unknown.push(BadNote { path: self.origin.path.clone(), line, offset, why: BadLine::Unknown });
        }
    }

    #[cold]
    fn bad(&mut self, offset: u64, why: BadLine) {
        self.tallies.bad += 1;
        let is_short = |note: &BadNote| !matches!(note.why, BadLine::TooLong(_));
        if self.bad.len() >= ReadBatch::NOTES
            && matches!(why, BadLine::TooLong(_))
            && let Some(at) = self.bad.iter().rposition(is_short)
        {
            // The other lines may turn out not to be bad, see `batch`. This one is bad in any case.
            self.bad.remove(at);
        }
        if self.bad.len() < ReadBatch::NOTES {
            let line = self.before + self.tallies.lines;
            self.bad.push(BadNote { path: self.origin.path.clone(), line, offset, why });
        }
    }

    /// Takes the records as a batch of `bytes` bytes, without a checkpoint.
    ///
    /// Adds to `all`, the source's counters so far. Also returns whether the source still matches no known format, in
    /// which case its lines do not count as bad.
    pub(super) fn batch(
        &mut self,
        bytes: u64,
        all: &mut Tallies,
        owner: &Owner,
        projects: &Projects,
    ) -> (ReadBatch, bool) {
        let mut tallies = Tallies { bytes, ..std::mem::take(&mut self.tallies) };
        self.lines.statuses(&mut self.records);
        let (mut records, mut bad) = (std::mem::take(&mut self.records), std::mem::take(&mut self.bad));
        self.before += tallies.lines;
        let unknown = all.read + tallies.read == 0 && all.lines + tallies.lines >= TRIED;
        if unknown {
            tallies.bad = tallies.over_long;
            bad.retain(|note| matches!(note.why, BadLine::TooLong(_)));
        }
        all.add(&tallies);
        projects.fold(&mut records);
        owner.own(&mut records);
        let path = self.origin.path.clone();
        (ReadBatch { path, records, file: None, bad, unknown: std::mem::take(&mut self.unknown), tallies }, unknown)
    }

    /// Sets the time for lines that have none.
    pub(super) fn is_now(&mut self, now: Instant) {
        self.origin.modified = now;
    }

    /// True when anything has been read since the last batch.
    pub(super) fn has_news(&self) -> bool {
        self.tallies != Tallies::default()
    }

    /// State of the decoder, needed to resume after a restart.
    pub(super) fn state(&self) -> String {
        self.lines.state()
    }

    /// The decoder, for the next read from the same source.
    pub(super) fn into_lines(self) -> Decoder {
        self.lines
    }

    /// Starts over with a new decoder.
    pub(super) fn restart(&mut self, lines: Decoder) {
        (self.lines, self.before) = (lines, 0);
    }
}
