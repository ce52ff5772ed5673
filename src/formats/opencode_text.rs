//! Sizes of the texts in the databases of OpenCode and its forks. Aborted answers there have text but counts of zero.
//!
//! Based on the agent's source (`session/message-v2.ts`, `session/processor.ts`, `core/src/session/message-updater.ts`,
//! read 2026-11-27): an answer's texts are its parts of the types `text`, `reasoning` and `tool` (the tool's name and
//! `state.input`); in version 2 they are in the message's own `content`. An aborted answer has an `error`, and is
//! completed without counts if the provider sends them at the end. SQLite measures the texts and returns only their
//! lengths. An answer in progress is skipped. Texts in the files from before the database are not measured.

use super::opencode::{self, OpenCode, TextMessage};
use super::rows::{RowQuery, Schema, Value, at};
use super::texts::{Spoken, TextReader, Texts};
use super::{Format as _, Framing, Origin};
use crate::domain::{Attribution, Instant, Label};

/// The texts of one agent of the family.
pub(super) struct OpenCodeTexts(&'static OpenCode);

pub(super) const OPENCODE: OpenCodeTexts = OpenCodeTexts(&opencode::OPENCODE);
pub(super) const KILO: OpenCodeTexts = OpenCodeTexts(&opencode::KILO);
pub(super) const MIMO: OpenCodeTexts = OpenCodeTexts(&opencode::MIMO);

/// SQL for the number of characters in a part.
fn size_of(part: &str) -> String {
    let of = |path: &str| format!("COALESCE(length(json_extract({part}, '$.{path}')), 0)");
    format!(
        "CASE json_extract({part}, '$.type') WHEN 'text' THEN {} WHEN 'reasoning' THEN {} WHEN 'tool' THEN {} + {} + {} ELSE 0 END",
        of("text"),
        of("text"),
        of("tool"),
        of("name"),
        of("state.input")
    )
}

impl Texts for OpenCodeTexts {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        self.0.framing(name).filter(|framing| *framing == Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let mut queries = Vec::new();
        if schema.has("message", &["id", "session_id", "data"]) && schema.has("part", &["message_id", "data"]) {
            let sql = format!(
                "SELECT message.rowid, NULL, message.session_id, message.data, (SELECT SUM({}) FROM part \
                 WHERE part.message_id = message.id AND json_valid(part.data)) FROM message WHERE message.rowid > ?1 \
                 AND json_valid(message.data) AND json_extract(message.data, '$.role') = 'assistant'",
                size_of("part.data")
            );
            queries.push(RowQuery { table: "message", sql });
        }
        if schema.has("session_message", &["id", "session_id", "type", "data"]) {
            let sql = format!(
                "SELECT newer.rowid, NULL, newer.session_id, json_remove(newer.data, '$.content', '$.snapshot'), \
                 (SELECT SUM({}) FROM json_each(newer.data, '$.content') AS said) FROM session_message AS newer \
                 WHERE newer.rowid > ?1 AND newer.type = 'assistant' AND json_valid(newer.data)",
                size_of("said.value")
            );
            queries.push(RowQuery { table: "session_message", sql });
        }
        (!queries.is_empty()).then_some(queries)
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Answers(self.0.name()))
    }
}

struct Answers(&'static str);

impl TextReader for Answers {
    fn line(&mut self, _line: &[u8], _origin: &Origin, _out: &mut Vec<Spoken>) {}

    fn row(&mut self, _query: usize, row: &[Value<'_>], _origin: &Origin, out: &mut Vec<Spoken>) {
        let Some(message) = at(row, 3).text().and_then(|data| TextMessage::from_data(self.0, data)) else { return };
        let size = at(row, 4).integer().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        out.push(Spoken {
            key: message.key,
            from: Attribution {
                session: at(row, 2).text().map(Label::new),
                project: message.project,
                ..Attribution::new(message.at.unwrap_or(Instant::UNIX_EPOCH), Label::new(self.0))
            },
            model: message.model,
            output: message.tokens.output,
            // A fork's copy is the same block.
            blocks: vec![(0, size)],
            hides_parts: size == 0 || message.tokens.reasoning > 0,
            is_cut: false,
        });
    }
}
