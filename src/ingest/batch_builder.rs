//! Takes lines to the formats, and gathers what comes of them until it is handed on.

use super::line_splitter::Frame;
use super::project::Projects;
use super::{BadNote, Owner, ReadBatch, Tallies};
use crate::domain::{Instant, Label, Record};
use crate::formats::{BadLine, Decoder, Origin, Outcome, Value};

/// Lines after which a file of which nothing was recognised is called unknown.
const TRIED: u64 = 100;

/// Takes the lines of one file, or one feed, to the formats.
pub(super) struct BatchBuilder {
    lines: Decoder,
    origin: Origin,
    /// Lines before those of this batch.
    before: u64,
    pub(super) records: Vec<Record>,
    bad: Vec<BadNote>,
    unknown: Vec<BadNote>,
    tallies: Tallies,
    /// The last line that was too long.
    pub(super) too_long: Option<u64>,
}

impl BatchBuilder {
    /// Goes on after so many lines of a source.
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

    /// Takes what was cut out; `inside` when it stands on a line of which an object was taken before.
    #[inline]
    pub(super) fn piece(&mut self, frame: &Frame<'_>, inside: bool, longest: usize) {
        match *frame {
            Frame::Line { text, offset, nuls } => {
                self.tallies.nuls += nuls;
                self.tallies.lines += u64::from(!inside);
                self.origin.offset = offset;
                let outcome = self.lines.line(text, &self.origin, &mut self.records);
                self.note(outcome);
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

    /// Takes a whole document; false when it is no whole JSON value, which is then not noted.
    pub(super) fn document(&mut self, text: &[u8]) -> bool {
        self.origin.offset = 0;
        let outcome = self.lines.document(text, &self.origin, &mut self.records);
        if matches!(outcome, Outcome::Bad(BadLine::NotJson(_))) {
            return false;
        }
        self.tallies.lines += 1;
        self.note(outcome);
        true
    }

    /// Takes a row of the format's query at this place; `number` is the row's own.
    pub(super) fn row(&mut self, query: usize, number: u64, row: &[Value<'_>]) {
        self.origin.offset = number;
        self.tallies.lines += 1;
        let outcome = self.lines.row(query, row, &self.origin, &mut self.records);
        self.note(outcome);
    }

    #[inline]
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Passed => {}
            Outcome::Read => self.tallies.read += 1,
            Outcome::Other => self.unknown(self.origin.offset),
            Outcome::Bad(why) => self.bad(self.origin.offset, why),
        }
    }

    /// Notes that what stands behind an offset cannot be read.
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
            // The others may turn out to be no bad lines at all, see `batch`; this one is bad in any case.
            self.bad.remove(at);
        }
        if self.bad.len() < ReadBatch::NOTES {
            let line = self.before + self.tallies.lines;
            self.bad.push(BadNote { path: self.origin.path.clone(), line, offset, why });
        }
    }

    /// What was gathered, as a batch of `bytes` that does not say yet how far it reaches.
    ///
    /// `all` is what was met in the source before, and is brought up to date. Gives back, too, whether
    /// the source still looks like none that is known: then its lines do not count as broken.
    pub(super) fn batch(
        &mut self,
        bytes: u64,
        all: &mut Tallies,
        owner: &Owner,
        projects: &Projects,
    ) -> (ReadBatch, bool) {
        let mut tallies = Tallies { bytes, ..std::mem::take(&mut self.tallies) };
        let (mut records, mut bad) = (std::mem::take(&mut self.records), std::mem::take(&mut self.bad));
        self.before += tallies.lines;
        let unknown = all.read + tallies.read == 0 && all.lines + tallies.lines >= TRIED;
        if unknown {
            tallies.bad = tallies.over_long;
            bad.retain(|note| matches!(note.why, BadLine::TooLong(_)));
        }
        all.add(&tallies);
        projects.fold(&mut records);
        for record in &mut records {
            match record {
                Record::Call(call) => owner.fill(&mut call.from),
                Record::Bill(bill) => owner.fill(&mut bill.from),
                Record::Descends { .. } | Record::Rekeyed { .. } => {}
            }
        }
        let path = self.origin.path.clone();
        (ReadBatch { path, records, file: None, bad, unknown: std::mem::take(&mut self.unknown), tallies }, unknown)
    }

    /// The time of lines that bear none.
    pub(super) fn is_now(&mut self, now: Instant) {
        self.origin.modified = now;
    }

    /// True when something was met since the last batch.
    pub(super) fn has_news(&self) -> bool {
        self.tallies != Tallies::default()
    }

    /// What the formats have to remember.
    pub(super) fn state(&self) -> String {
        self.lines.state()
    }

    /// The formats, for the next reading of the same source.
    pub(super) fn into_lines(self) -> Decoder {
        self.lines
    }

    /// The formats begin anew.
    pub(super) fn restart(&mut self, lines: Decoder) {
        (self.lines, self.before) = (lines, 0);
    }
}
