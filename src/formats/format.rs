//! The interface of a log format: where its logs are, how they are framed, and how records are read.

use std::path::{Path, PathBuf};

use super::bad_line::BadLine;
use super::exactness::Exactness;
use super::location::{Env, Framing, Location};
use super::rows::{RowQuery, Schema, Value};
use crate::domain::{Instant, Label, Record};

/// A log format: where its agent keeps logs, how they are framed, and how records are read.
pub trait Format: Sync {
    /// Name used on the command line, in reports, and in `samples/`.
    fn name(&self) -> &'static str;

    /// The places where the format's agent keeps its logs on this machine, by the agent's own rules and environment
    /// variables.
    ///
    /// Files there are found, watched and known to be in this format without reading them. Empty for formats that only
    /// users point to.
    fn locations(&self, _env: &Env<'_>) -> Vec<Location> {
        Vec::new()
    }

    /// Files and folders that list further places: a list of projects, or a folder with a subfolder for each profile.
    fn indexes(&self, _env: &Env<'_>) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The places listed by an index: the text of a file, or the names of a folder's subfolders, one per line.
    fn indexed(&self, _index: &Path, _content: &[u8]) -> Vec<Location> {
        Vec::new()
    }

    /// The most exact figures in its logs: every call, running totals, money, or credits.
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls]
    }

    /// Calls or counts that its logs leave out, as a phrase for users; empty if none are known.
    fn gaps(&self) -> &'static str {
        ""
    }

    /// How a file with this name is framed in the format's own places; `None` if the file is not a log.
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        name.ends_with(b".jsonl").then_some(Framing::Lines)
    }

    /// True when its files can only be recognised by their place. Elsewhere, neither their names nor their lines
    /// distinguish them from other programs' files. Such a format does not slow down the reading of other files.
    fn is_known_by_place(&self) -> bool {
        false
    }

    /// True when its lines are text that contains parts of JSON values now and then.
    fn is_text(&self) -> bool {
        false
    }

    /// Files with facts about a whole log that the log itself lacks: the project, the model. The reader gets the
    /// beginning of each one that exists (`Reader::describe`).
    fn project_files(&self, _log: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Those of them whose change means that the log must be read again. A file that only describes the present state,
    /// or of which the reader needs only the beginning, is not one of them.
    fn described_by(&self, log: &Path) -> Vec<PathBuf> {
        self.project_files(log)
    }

    /// Maximum number of bytes read from each of those files.
    fn project_bytes(&self) -> usize {
        8 * 1024
    }

    /// Increased when rows of a database become other records, so that all of them are read again.
    fn revision(&self) -> u32 {
        0
    }

    /// The queries for a database with this schema; `None` if the schema is unknown.
    fn queries(&self, _schema: &Schema) -> Option<Vec<RowQuery>> {
        None
    }

    /// Byte strings, at least one of which occurs in every line that this format needs to see; empty for a format
    /// without lines.
    ///
    /// They make reading fast: a line without any format's needle is skipped unparsed. Include the quotes, so that text
    /// quoted inside a JSON string (`\"usage\"`) does not match.
    fn needles(&self) -> &'static [&'static str] {
        &[]
    }

    /// Byte strings, at least one of which occurs in every relevant line of a file that has only this format.
    ///
    /// Each is searched for separately. With at most two strings, that is several times as fast as searching for all
    /// needles at once. If empty, all lines are searched for the needles.
    fn own_needles(&self) -> &'static [&'static str] {
        &[]
    }

    /// A byte string that marks the opening lines that the reader needs although they contain no needle.
    fn opening(&self) -> Option<&'static str> {
        None
    }

    /// True when the start of a line shows that it is irrelevant, in a file that has only this format. Such a line is
    /// not searched. Must be false in case of doubt.
    fn is_idle(&self, _line: &[u8]) -> bool {
        false
    }

    /// True when the start of a line without a needle shows that a turn begins or ends with it, in a file that has only
    /// this format. The reader then gets the line.
    fn marks_turn(&self, _line: &[u8]) -> bool {
        false
    }

    /// Byte strings near a line's end that make it relevant even without a needle.
    ///
    /// They cost little, because only the end of a line is searched.
    fn tail_needles(&self) -> &'static [&'static str] {
        &[]
    }

    /// A reader for one file or connection.
    fn reader(&self) -> Box<dyn Reader>;
}

/// Decodes the lines of one file in one format, keeping state between lines.
pub trait Reader: Send {
    /// Reads one line or one whole document, and appends its records to `out`.
    ///
    /// # Errors
    /// [`BadLine`] if the line belongs to this format but cannot be counted. Lines of other formats give
    /// [`Reading::NotMine`], never an error. A line that is not JSON must leave the reader unchanged, because it is
    /// repaired if possible and passed again.
    fn line(&mut self, _line: &[u8], _origin: &Origin, _out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        Ok(Reading::NotMine)
    }

    /// Reads one row returned by the query at this index in `Format::queries`.
    ///
    /// # Errors
    /// Like [`Reader::line`].
    fn row(
        &mut self,
        _query: usize,
        _row: &[Value<'_>],
        _origin: &Origin,
        _out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        Ok(Reading::NotMine)
    }

    /// Learns from the beginning of one of the files in `Format::project_files`.
    fn describe(&mut self, _text: &[u8]) {}

    /// The facts from these files that it uses for its records, as text. When they change, a log of lines is read from
    /// its beginning; a document is always read as a whole.
    fn facts(&self) -> String {
        String::new()
    }

    /// Examines an opening line, see `Format::opening`. Returns true when it needs no more of them.
    fn open(&mut self, _line: &[u8]) -> bool {
        true
    }

    /// Appends the latest status reports from all lines read since the last call.
    fn statuses(&mut self, _out: &mut Vec<Record>) {}

    /// State to resume after a restart, as JSON or as text that starts with neither `{` nor `[`; empty if there is
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
    /// It did. Its records, if any, were appended.
    Mine,
    /// It belongs to another format.
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
    /// Name of a folder above the file: 0 is the folder that contains it, 1 the folder above that.
    pub(super) fn folder(&self, above: usize) -> Option<&str> {
        self.path.rsplit(['/', '\\']).nth(above + 1).filter(|name| !name.is_empty())
    }

    /// File name without folders and extension. A compression's extension is stripped first.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.strip_suffix(".zst").unwrap_or(name);
        name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
    }
}
