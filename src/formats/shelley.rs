//! Shelley's conversations: `~/.config/shelley/shelley.db`.
//!
//! The place of the database comes from its maker's documentation (<https://blog.exe.dev/shelley>); its tables and
//! `usage_data` are those of agentsview's reader (`shelley.go`, commit 1166120), read 2026-11-26. A row of `messages`
//! whose `usage_data` is not all zeros is an answer. Its classes are Anthropic's and disjoint; `cost_usd` is the amount
//! charged by the gateway. An older generation of a conversation remains in the database and counts like any other. A
//! conversation that no user started is a sub-agent of its parent. SQLite extracts the counts from the JSON; texts are
//! in other columns.

use std::borrow::Cow;

use super::exactness::Exactness;
use super::row_calls::{self, RowCall};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{CallKey, Tokens};

/// Shelley's conversations.
pub(super) struct Shelley;

const NAME: &str = "shelley";

impl Format for Shelley {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".config/shelley").into_iter().map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"shelley.db").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let has_messages = schema.has("messages", &["message_id", "conversation_id", "usage_data", "created_at"]);
        if !has_messages || !schema.has("conversations", &["conversation_id"]) {
            return None;
        }
        let fields = [
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cost_usd",
            "model",
        ];
        let fields = fields.map(|path| format!("json_extract(usage, '$.{path}')")).join(", ");
        let about = ["model", "cwd", "parent_conversation_id", "user_initiated"];
        let about = about.map(|column| schema.column("conversations", column)).join(", ");
        // The latest answers may still be incomplete.
        let sql = format!(
            "SELECT number, NULL, message_id, message.conversation_id, at, {fields}, {about} FROM (SELECT rowid AS number, \
             message_id, conversation_id, created_at AS at, \
             CASE WHEN json_valid(usage_data) THEN usage_data ELSE '{{}}' END AS usage FROM messages \
             WHERE rowid > ?1 - 20) AS message \
             LEFT JOIN conversations ON conversations.conversation_id = message.conversation_id"
        );
        Some(vec![RowQuery { table: "messages", sql }])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, answer)
    }
}

fn answer<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let (Some(id), Some(conversation)) = (at(row, 2).text(), at(row, 3).text()) else { return Ok(None) };
    let count = |place: usize, name: &'static str| at(row, place).count().tokens(name);
    let tokens = Tokens {
        input: count(5, "input_tokens")?,
        cache_read: count(7, "cache_read_input_tokens")?,
        cache_write_5m: count(8, "cache_creation_input_tokens")?,
        cache_write_1h: 0,
        output: count(6, "output_tokens")?,
        reasoning: 0,
    };
    let parent = at(row, 13).text().filter(|_| at(row, 14).integer() == Some(0));
    Ok(Some(RowCall {
        at: at(row, 4).time(),
        model: at(row, 10).text().or_else(|| at(row, 11).text()).map(Cow::Borrowed),
        session: Some(Cow::Borrowed(parent.unwrap_or(conversation))),
        agent: parent.map(|_| Cow::Borrowed(conversation)),
        project: at(row, 12).text().map(Cow::Borrowed),
        quoted: at(row, 9).usd(),
        ..RowCall::new(CallKey::from_parts(&[NAME, id]), tokens)
    }))
}
