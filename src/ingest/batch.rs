//! Output of the readers: records, and the checkpoint they lead to.

use crate::domain::{Attribution, Label, Record};
use crate::formats::BadLine;
use crate::ledger::{Batch, Checkpoint};

/// Default attribution for calls whose log gives none.
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
    /// Fills in missing attributes of calls and bills, wherever they arrived.
    pub fn own(&self, records: &mut [Record]) {
        for record in records {
            match record {
                Record::Call(call) => self.fill(&mut call.from),
                Record::Bill(bill) => self.fill(&mut bill.from),
                Record::Descends { .. } | Record::Rekeyed { .. } | Record::Status(_) | Record::Settled(_) => {}
            }
        }
    }

    /// Fills in missing attributes.
    fn fill(&self, from: &mut Attribution) {
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

/// Records read from one file in one go, written together or not at all.
#[derive(Clone, Debug)]
pub struct ReadBatch {
    /// Path of the file, or name of the feed.
    pub path: Label,
    /// Records, in the order of their lines.
    pub records: Vec<Record>,
    /// Checkpoint after `records` have been written; `None` for a feed that cannot be read again.
    pub file: Option<Checkpoint>,
    /// The first lines that could not be decoded. `tallies.bad` counts all of them.
    pub bad: Vec<BadNote>,
    /// The first lines that look like usage but match no known format. `tallies.other` counts all of them.
    pub unknown: Vec<BadNote>,
    /// Line counters of this batch.
    pub tallies: Tallies,
}

impl ReadBatch {
    /// Maximum number of bad lines listed per batch. The rest are only counted.
    pub const NOTES: usize = 32;
}

impl From<ReadBatch> for Batch {
    fn from(batch: ReadBatch) -> Self {
        Self { records: batch.records, files: batch.file.into_iter().collect() }
    }
}

/// A line that could not be decoded, with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadNote {
    /// Path of the file, or name of the feed.
    pub path: Label,
    /// Line number from 1.
    pub line: u64,
    /// Byte offset of the line.
    pub offset: u64,
    /// Why it could not be decoded.
    pub why: BadLine,
}

/// Line and byte counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Bytes consumed.
    pub bytes: u64,
    /// Lines read.
    pub lines: u64,
    /// Lines that a format recognised as its own.
    pub read: u64,
    /// Lines that look like usage but match no known format.
    pub other: u64,
    /// Lines of a known format that could not be decoded, including over-long ones.
    pub bad: u64,
    /// Lines beyond the maximum length.
    pub over_long: u64,
    /// NUL bytes skipped before or after lines.
    pub nuls: u64,
}

impl Tallies {
    /// Adds other counters, saturating.
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

/// Progress of a long read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files with new data.
    pub files: u64,
    /// Files read completely.
    pub files_done: u64,
    /// New bytes in them.
    pub bytes: u64,
    /// Bytes read.
    pub bytes_done: u64,
}
