//! What the readers hand on: records and how far they reach, together.

use crate::domain::{Attribution, Label, Record};
use crate::formats::BadLine;
use crate::ledger::{Batch, Checkpoint};

use super::Health;

/// Whose calls they are when a log does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: Option<Label>,
    /// The user's team.
    pub team: Option<Label>,
    /// The organisation.
    pub org: Option<Label>,
}

impl Owner {
    /// Fills in what a call does not say itself.
    pub fn fill(&self, from: &mut Attribution) {
        let fill = |own: &mut Option<Label>, usual: &Option<Label>| {
            if own.is_none() {
                own.clone_from(usual);
            }
        };
        fill(&mut from.user, &self.user);
        fill(&mut from.team, &self.team);
        fill(&mut from.org, &self.org);
    }
}

/// What was read from one file in one go, to be booked together or not at all.
#[derive(Clone, Debug)]
pub struct ReadBatch {
    /// The file, or the name of the feed, as it may be shown.
    pub path: Label,
    /// What its lines said, in the order in which they stand.
    pub records: Vec<Record>,
    /// How far the file has been read once `records` are booked; `None` for a feed that cannot be read again.
    pub file: Option<Checkpoint>,
    /// The first few lines that could not be counted; `tallies.bad` has them all.
    pub bad: Vec<BadNote>,
    /// The first few lines that look like usage and belong to no format known here; `tallies.other` has them all.
    pub unknown: Vec<BadNote>,
    /// What was met on the way, in this batch alone.
    pub tallies: Tallies,
}

impl ReadBatch {
    /// Bad lines a batch names; the rest are only counted.
    pub const NOTES: usize = 32;

    /// Adds this batch to what will be booked in one transaction.
    pub fn add_to(self, posting: &mut Batch) {
        posting.records.extend(self.records);
        posting.files.extend(self.file);
    }
}

impl From<ReadBatch> for Batch {
    fn from(batch: ReadBatch) -> Self {
        Self { records: batch.records, files: batch.file.into_iter().collect() }
    }
}

/// A line that could not be counted, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadNote {
    /// The file, or the name of the feed.
    pub path: Label,
    /// The line's number, from 1.
    pub line: u64,
    /// The byte at which it begins.
    pub offset: u64,
    /// The mistake.
    pub why: BadLine,
}

/// What was met while reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Bytes read and done with.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that a format recognised as its own.
    pub read: u64,
    /// Lines that looked like usage and belong to no format known here.
    pub other: u64,
    /// Lines that belong to a format but could not be counted, over-long ones included.
    pub bad: u64,
    /// Lines longer than any line that is read.
    pub over_long: u64,
    /// NUL bytes skipped before or after a line.
    pub nuls: u64,
}

impl Tallies {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.lines = self.lines.saturating_add(other.lines);
        self.read = self.read.saturating_add(other.read);
        self.other = self.other.saturating_add(other.other);
        self.bad = self.bad.saturating_add(other.bad);
        self.over_long = self.over_long.saturating_add(other.over_long);
        self.nuls = self.nuls.saturating_add(other.nuls);
    }
}

/// How far a long reading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that had something new.
    pub files: u64,
    /// Those read to their end.
    pub files_done: u64,
    /// Bytes that were new in them.
    pub bytes: u64,
    /// Those read.
    pub bytes_done: u64,
}

/// What the live reader says.
#[derive(Clone, Debug)]
pub enum Event {
    /// Something was read.
    ReadBatch(Box<ReadBatch>),
    /// The reading at start has come this far.
    Progress(Progress),
    /// How the sources are doing has changed.
    Health(Box<Health>),
    /// Everything that was there at start has been read; from here on it is live.
    CaughtUp,
}
