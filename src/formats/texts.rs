//! Sizes of the texts of answers, for estimates of counts that a log lacks. No text leaves a reader.
//!
//! An agent is one file with a [`Texts`] and one line in `TEXTS`. Its logs are those of the format of its name; an
//! agent that writes no counts is no format, and names its places itself.

use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::fields::{Within, fields};
use super::json::Text;
use super::rows::{RowQuery, Schema, Value};
use super::{Env, Framing, Location, Origin};
use crate::domain::{Attribution, CallKey, Label};

/// A part of an answer: how much of it there is, and what the log counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// The answer: the key of its call, where the log has its counts.
    pub(crate) key: CallKey,
    pub(crate) from: Attribution,
    pub(crate) model: Option<Label>,
    /// The output that the log states.
    pub(crate) output: u64,
    /// Characters of each block of text, thinking or tool input, by a hash of it: logs repeat blocks.
    pub(crate) blocks: Vec<(u64, u64)>,
    /// Parts of the answer are not in the log: thinking that is encrypted or left out.
    pub(crate) hides_parts: bool,
    /// The log is known to count the beginning of an answer only.
    pub(crate) is_cut: bool,
}

/// An agent whose logs have the texts of answers.
pub(crate) trait Texts: Sync {
    /// Name of the agent.
    fn name(&self) -> &'static str;

    /// Its places, if it is no format; others are found like their calls.
    fn locations(&self, _env: &Env<'_>) -> Vec<Location> {
        Vec::new()
    }

    /// How a file of this name is framed; `None` for a file that holds no answers.
    fn framing(&self, name: &[u8]) -> Option<Framing>;

    /// Files that describe a log: its project, its model.
    fn project_files(&self, _log: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The questions to ask of a database.
    fn queries(&self, _schema: &Schema) -> Option<Vec<RowQuery>> {
        None
    }

    /// A reader for one file.
    fn reader(&self) -> Box<dyn TextReader>;
}

/// Reads the sizes of one file's answers.
pub(crate) trait TextReader {
    /// Reads a line or a whole document; any other gives nothing.
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Spoken>);

    /// Reads a row of the query at this place.
    fn row(&mut self, _query: usize, _row: &[Value<'_>], _origin: &Origin, _out: &mut Vec<Spoken>) {}

    /// Reads a file that describes the log.
    fn describe(&mut self, _text: &[u8]) {}

    /// The log has ended, for a reader that knows its answers only then.
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

/// The blocks of a content, each with a hash of it, and whether parts are hidden. A text by itself is one block.
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

/// A hash by which a repeated block is recognised.
pub(super) fn hash(written: &str) -> u64 {
    xxh3_64(written.as_bytes())
}

/// Characters of a text.
pub(super) fn length(text: &Text<'_>) -> u64 {
    text.get().map_or(0, |text| size(text.chars().count()))
}

/// Characters of a JSON value: of a text what it says, of others what is written.
pub(super) fn characters(written: &str) -> u64 {
    let text = written.starts_with('"').then(|| serde_json::from_str::<String>(written).ok()).flatten();
    size(text.as_deref().unwrap_or(written).chars().count())
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
