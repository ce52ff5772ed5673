//! Cursor's chats: `state.vscdb` in the editor's global storage.
//!
//! The schema is not public. Keys and fields are those that codeburn documents (`docs/providers/cursor.md`, commit
//! 02db4dc, read 2026-11-26). A row `bubbleId:<chat>:<message>` of `cursorDiskKV` is a message with
//! `tokenCount.inputTokens` and `outputTokens`. Version 3 writes zeros there, input that is sent again from the cache
//! is counted nowhere, and the billed amounts are only in the account's export. So every count is a lower bound and no
//! more than a hint. Older messages have no time; they are dated by the start of their chat, `composerData:<chat>`.
//!
//! The same table contains prompts, answers and session tokens. The queries extract the counts, the model's name and
//! the time from the JSON inside SQLite; nothing else is read. A message that changes gets a new row number.

use std::borrow::Cow;

use super::exactness::Exactness;
use super::row_calls::{self, RowCall};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{CallKey, Fidelity, Tokens};

/// Cursor's chats.
pub(super) struct Cursor;

pub(super) const NAME: &str = "cursor";

/// The start of a message's chat.
const CHAT_BEGAN: &str = "(SELECT json_extract(CAST(chat.value AS TEXT), '$.createdAt') FROM cursorDiskKV AS chat \
    WHERE chat.key = 'composerData:' || substr(name, 10, instr(substr(name, 10), ':') - 1) \
    AND json_valid(CAST(chat.value AS TEXT)))";

impl Format for Cursor {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Estimates]
    }
    fn gaps(&self) -> &'static str {
        "cached input, and all of version 3: the billed usage is only in the account's export"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let config = env.program_config().map(|config| config.join("Cursor/User/globalStorage"));
        config.into_iter().map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"state.vscdb").then_some(Framing::Sqlite)
    }
    /// Messages without a time were dated by the file before.
    fn revision(&self) -> u32 {
        1
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let field = |path: &str| format!("json_extract(bubble, '$.{path}')");
        let [input, output, at, model] =
            ["tokenCount.inputTokens", "tokenCount.outputTokens", "createdAt", "modelInfo.modelName"].map(field);
        let fields = format!("{input}, {output}, COALESCE({at}, {CHAT_BEGAN}), {model}");
        // Every message gives a row, so that the next read starts after it.
        query(schema, &fields, "").map(|query| vec![query])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, message)
    }
}

/// The query for fields of each message. `only` is a condition on messages.
pub(super) fn query(schema: &Schema, fields: &str, only: &str) -> Option<RowQuery> {
    let sql = format!(
        "SELECT number, NULL, name, {fields} FROM (SELECT rowid AS number, key AS name, \
         CASE WHEN json_valid(CAST(value AS TEXT)) THEN CAST(value AS TEXT) ELSE '{{}}' END AS bubble \
         FROM cursorDiskKV WHERE rowid > ?1 AND key >= 'bubbleId:' AND key < 'bubbleId;') {only}"
    );
    schema.has("cursorDiskKV", &["key", "value"]).then_some(RowQuery { table: "cursorDiskKV", sql })
}

/// The key of a message, based on the name of its row.
pub(super) fn key_of(name: &str) -> CallKey {
    CallKey::from_parts(&[NAME, name])
}

fn message<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let Some(name) = at(row, 2).text() else { return Ok(None) };
    let chat = name.strip_prefix("bubbleId:").and_then(|ids| ids.split(':').next());
    let tokens = Tokens {
        input: at(row, 3).count().tokens("inputTokens")?,
        output: at(row, 4).count().tokens("outputTokens")?,
        ..Tokens::ZERO
    };
    Ok(Some(RowCall {
        at: at(row, 5).time(),
        // The setting `default` is not the name of a model.
        model: at(row, 6).text().filter(|model| *model != "default").map(Cow::Borrowed),
        session: chat.map(Cow::Borrowed),
        fidelity: Fidelity::LowerBound,
        ..RowCall::new(key_of(name), tokens)
    }))
}
