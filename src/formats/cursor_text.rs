//! Sizes of the texts in Cursor's chats. Version 3 writes counts of zero.
//!
//! An answer consists of one or more rows `bubbleId:<chat>:<message>` of type 2, each with `text`, `thinking.text`, or
//! a tool's `toolFormerData.name` and `rawArgs` (codeburn's `docs/providers/cursor.md`, commit 02db4dc, and readers of
//! such databases, read 2026-11-27). SQLite measures the texts and returns only their lengths.

use super::cursor::{Cursor, NAME, key_of};
use super::rows::{RowQuery, Schema, Value, at};
use super::texts::{Spoken, TextReader, Texts};
use super::{Format as _, Framing, Origin};
use crate::domain::{Attribution, Instant, Label};

pub(super) struct CursorTexts;

/// The texts to measure, each of which is a block.
const TEXTS: [&str; 4] = ["text", "thinking.text", "toolFormerData.name", "toolFormerData.rawArgs"];
/// The column of the first of them.
const FIRST: usize = 6;

impl Texts for CursorTexts {
    fn name(&self) -> &'static str {
        Cursor.name()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        Cursor.framing(name)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let counts = ["tokenCount.outputTokens", "createdAt", "modelInfo.modelName"];
        let counts = counts.map(|path| format!("json_extract(bubble, '$.{path}')")).join(", ");
        let sizes = TEXTS.map(|path| format!("length(json_extract(bubble, '$.{path}'))")).join(", ");
        super::cursor::query(schema, &format!("{counts}, {sizes}"), "WHERE json_extract(bubble, '$.type') = 2")
            .map(|query| vec![query])
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Bubbles)
    }
}

struct Bubbles;

impl TextReader for Bubbles {
    fn line(&mut self, _line: &[u8], _origin: &Origin, _out: &mut Vec<Spoken>) {}

    fn row(&mut self, _query: usize, row: &[Value<'_>], _origin: &Origin, out: &mut Vec<Spoken>) {
        let Some(name) = at(row, 2).text() else { return };
        let Ok(output) = at(row, 3).count().tokens("outputTokens") else { return };
        let chat = name.strip_prefix("bubbleId:").and_then(|ids| ids.split(':').next());
        let size = |place: usize| at(row, FIRST + place).integer().and_then(|size| u64::try_from(size).ok());
        let blocks: Vec<(u64, u64)> =
            (0_u64..).zip(0..TEXTS.len()).filter_map(|(hash, place)| Some((hash, size(place)?))).collect();
        out.push(Spoken {
            key: key_of(name),
            from: Attribution {
                session: chat.map(Label::new),
                ..Attribution::new(at(row, 4).time().unwrap_or(Instant::UNIX_EPOCH), Label::new(NAME))
            },
            model: at(row, 5).text().filter(|model| *model != "default").map(Label::new),
            output,
            hides_parts: blocks.iter().all(|(_, size)| *size == 0),
            blocks,
            is_cut: false,
        });
    }
}
