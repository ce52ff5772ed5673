//! The interface of a log format: where its logs are, how they are framed, and how a record is read.

use std::path::{Path, PathBuf};

use super::bad_line::BadLine;
use super::exactness::Exactness;
use super::location::{Env, Framing, Location};
use super::rows::{RowQuery, Schema, Value};
use crate::domain::{Instant, Label, Record};

/// A log format: where its agent keeps logs, how they are framed, and how a record is read.
pub trait Format: Sync {
    /// Name on the command line, in reports and under `samples/`.
    fn name(&self) -> &'static str;

    /// The places where the format's agent keeps its logs on this machine, by the agent's own rules and variables.
    ///
    /// They are found, watched and known to be this format's without a look into them. None for what users name.
    fn locations(&self, _env: &Env<'_>) -> Vec<Location> {
        Vec::new()
    }

    /// Files and folders that list further places: a list of projects, a folder with one for each profile.
    fn indexes(&self, _env: &Env<'_>) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The places that an index lists, by the text of a file or the names of a folder's folders, one a line.
    fn indexed(&self, _index: &Path, _content: &[u8]) -> Vec<Location> {
        Vec::new()
    }

    /// Best detail of its logs: every call, running totals, money, credits.
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls]
    }

    /// Calls or counts missing from its logs, as a phrase for people; empty where none are known.
    fn gaps(&self) -> &'static str {
        ""
    }

    /// How a file of this name is framed in the format's own places; `None` for a file that is no log.
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        name.ends_with(b".jsonl").then_some(Framing::Lines)
    }

    /// True when its files are known by their place alone: elsewhere neither their names nor their lines tell them from
    /// those of other programs. They cost the reading of other files nothing.
    fn is_known_by_place(&self) -> bool {
        false
    }

    /// True when its lines are text, in which parts of a JSON value stand now and then.
    fn is_text(&self) -> bool {
        false
    }

    /// Files that say of all that a log holds what the log itself does not: the project, the model. Its reader gets the
    /// beginning of each that is there (`Reader::describe`).
    fn project_files(&self, _log: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Length of such a beginning.
    fn project_bytes(&self) -> usize {
        8 * 1024
    }

    /// The questions to ask of a database of this schema; `None` when it is not one that is known.
    fn queries(&self, _schema: &Schema) -> Option<Vec<RowQuery>> {
        None
    }

    /// Byte strings of which at least one is in every line that this format needs to see; none for a format without
    /// lines.
    ///
    /// They make reading fast: a line with no format's needle is skipped unparsed. Include the quotes, so that text
    /// quoted inside a JSON string (`\"usage\"`) does not match.
    fn needles(&self) -> &'static [&'static str] {
        &[]
    }

    /// Byte strings, at least one of which is in every relevant line of a file in this format alone.
    ///
    /// Each is searched for separately, which is several times as fast as searching for all needles at once if there
    /// are no more than two. If empty, all lines are searched for the needles.
    fn own_needles(&self) -> &'static [&'static str] {
        &[]
    }

    /// A byte string in those of a file's first lines that the reader must see although they have no needle.
    fn opening(&self) -> Option<&'static str> {
        None
    }

    /// True when a line's first bytes show that it is irrelevant, in a file of this format alone; such a line is not
    /// searched. False in case of doubt.
    fn is_idle(&self, _line: &[u8]) -> bool {
        false
    }

    /// Byte strings near a line's end that make it relevant even without a needle.
    ///
    /// They cost little, since only the end of a line is searched.
    fn tail_needles(&self) -> &'static [&'static str] {
        &[]
    }

    /// A reader for one file or connection.
    fn reader(&self) -> Box<dyn Reader>;
}

/// Decodes the lines of one file in one format, keeping state between lines.
pub trait Reader: Send {
    /// Reads one line, or one whole document, and appends what it says to `out`.
    ///
    /// # Errors
    /// [`BadLine`] when the line belongs to this format but cannot be counted. Other lines give [`Reading::NotMine`],
    /// never an error. A line that is not JSON must leave the reader unchanged: it is repaired if possible and then
    /// passed again.
    fn line(&mut self, _line: &[u8], _origin: &Origin, _out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        Ok(Reading::NotMine)
    }

    /// Reads one row of the query at this place in `Format::queries`.
    ///
    /// # Errors
    /// As [`Reader::line`].
    fn row(
        &mut self,
        _query: usize,
        _row: &[Value<'_>],
        _origin: &Origin,
        _out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        Ok(Reading::NotMine)
    }

    /// Learns from the beginning of one of `Format::project_files`.
    fn describe(&mut self, _text: &[u8]) {}

    /// Examines an opening line, see `Format::opening`; true when no more are needed.
    fn open(&mut self, _line: &[u8]) -> bool {
        true
    }

    /// Appends the latest statements that are no calls, once for all lines read since it was last asked.
    fn statuses(&mut self, _out: &mut Vec<Record>) {}

    /// State to resume after a restart, as JSON or as text that begins with neither `{` nor `[`; empty if there is
    /// none.
    fn state(&self) -> String {
        String::new()
    }

    /// Restores the output of [`Reader::state`].
    fn restore(&mut self, _state: &str) {}
}

/// Whether a line belonged to the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It did; its records, possibly none, were appended.
    Mine,
    /// It belongs to another.
    NotMine,
}

/// Origin of a line.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Path of the file, or name of the feed.
    pub path: Label,
    /// Byte offset of the line.
    pub offset: u64,
    /// Modification time of the file, for lines without a time.
    pub modified: Instant,
}

impl Origin {
    /// Name of a folder above the file: of the one it lies in for 0, of the one above that for 1.
    pub(super) fn folder(&self, above: usize) -> Option<&str> {
        self.path.rsplit(['/', '\\']).nth(above + 1).filter(|name| !name.is_empty())
    }

    /// File name without folders and extension; a compression's extension is stripped first.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.strip_suffix(".zst").unwrap_or(name);
        name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
    }
}
