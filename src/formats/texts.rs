//! Sizes of the texts of answers, used to estimate counts that a log lacks. The texts themselves never leave a reader.
//!
//! An agent is one file with a [`Texts`] and one line in `TEXTS`. Its logs are those of the format with its name. An
//! agent that writes no counts has no format, and defines its places here.

use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::fields::{Within, fields};
use super::json::Text;
use super::rows::{RowQuery, Schema, Value};
use super::{Env, Framing, Location, Origin};
use crate::domain::{Attribution, CallKey, Label};

/// A part of an answer: its size, and the count in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// Identifies the answer: the key of its call, if the log has its counts.
    pub(crate) key: CallKey,
    pub(crate) from: Attribution,
    pub(crate) model: Option<Label>,
    /// The number of output tokens in the log.
    pub(crate) output: u64,
    /// Number of characters in each block of text, thinking or tool input, by the block's hash, because logs repeat
    /// blocks.
    pub(crate) blocks: Vec<(u64, u64)>,
    /// True if parts of the answer are not in the log: thinking that is encrypted or left out.
    pub(crate) hides_parts: bool,
    /// True if the log is known to count only the beginning of an answer.
    pub(crate) is_cut: bool,
}

/// An agent whose logs contain the texts of answers.
pub(crate) trait Texts: Sync {
    /// Name of the agent.
    fn name(&self) -> &'static str;

    /// Its places, if it has no format. Others are found through their format.
    fn locations(&self, _env: &Env<'_>) -> Vec<Location> {
        Vec::new()
    }

    /// How a file with this name is framed; `None` if the file contains no answers.
    fn framing(&self, name: &[u8]) -> Option<Framing>;

    /// Files that describe a log: its project, its model.
    fn project_files(&self, _log: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The queries for a database.
    fn queries(&self, _schema: &Schema) -> Option<Vec<RowQuery>> {
        None
    }

    /// A reader for one file.
    fn reader(&self) -> Box<dyn TextReader>;
}

/// Reads the sizes of one file's answers.
pub(crate) trait TextReader {
    /// Reads a line or a whole document. Irrelevant ones add nothing.
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Spoken>);

    /// Reads a row returned by the query at this index.
    fn row(&mut self, _query: usize, _row: &[Value<'_>], _origin: &Origin, _out: &mut Vec<Spoken>) {}

    /// Reads a file that describes the log.
    fn describe(&mut self, _text: &[u8]) {}

    /// Called at the end of a log, for a reader that only then knows its answers.
    fn end(&mut self, _origin: &Origin, _out: &mut Vec<Spoken>) {}
}

fields! {
    /// A block of an answer.
    Block {
        kind: Text<'a> = "type",
        text: Text<'a> = "text",
        thinking: Text<'a> = "thinking",
        name: Text<'a> = "name",
        input: Within<'a> = "input" | "arguments",
    }
}

/// The blocks of a message's content, each with its hash, and whether parts are hidden. A plain text is one block.
pub(super) fn blocks(content: Within<'_>) -> (Vec<(u64, u64)>, bool) {
    let written = content.written().unwrap_or_default();
    if written.starts_with('"') {
        return (vec![(hash(written), characters(written))], false);
    }
    let raw: Vec<&RawValue> = serde_json::from_str(written).unwrap_or_default();
    let (mut blocks, mut hides_parts) = (Vec::new(), false);
    for block in raw {
        let Ok(parsed) = serde_json::from_str::<Block<'_>>(block.get()) else { continue };
        let size = length(&parsed.text)
            + length(&parsed.thinking)
            + length(&parsed.name)
            + parsed.input.written().map_or(0, characters);
        hides_parts |= size == 0 || parsed.kind.get() == Some("redacted_thinking");
        blocks.push((hash(block.get()), size));
    }
    (blocks, hides_parts)
}

/// A hash that identifies repeated blocks.
pub(super) fn hash(written: &str) -> u64 {
    xxh3_64(written.as_bytes())
}

/// Number of characters in a text.
pub(super) fn length(text: &Text<'_>) -> u64 {
    text.get().map_or(0, |text| size(text.chars().count()))
}

/// Number of characters in a JSON value: for a string those of its content, for others those of the JSON.
pub(super) fn characters(written: &str) -> u64 {
    let text = written.starts_with('"').then(|| serde_json::from_str::<String>(written).ok()).flatten();
    size(text.as_deref().unwrap_or(written).chars().count())
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
