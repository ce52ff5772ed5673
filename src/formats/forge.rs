//! Forge's conversations: `.forge.db` in `$FORGE_CONFIG`, `~/.forge` or `~/forge`.
//!
//! Based on the agent's source (`conversation_record.rs`, commit 0a71d99, and the migration of 2025-09-12; agentsview's
//! `forge.go`, commit 00561d2), read 2026-11-27. A row of `conversations` is a conversation whose `context` is JSON and
//! is rewritten with each step. The answers in it have a `usage` with counts that are `actual` or `approx` (`Actual`
//! and `Approx` in older rows), and a `cost` if the provider gives one. The prompt includes the cached part. Answers
//! have no id, so an answer's key consists of its counts and how often they occurred before in the conversation. A
//! compaction drops messages, but the ledger keeps their calls. An answer without its own time uses the conversation's.
//! SQLite extracts counts, model and time from the JSON; texts are not read.

use std::borrow::Cow;

use super::row_calls::{self, RowCall};
use super::rows::at;
use super::split::Counts;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{CallKey, Fidelity};

/// Forge's conversations.
pub(super) struct Forge;

const NAME: &str = "forge";
const COUNTS: [&str; 4] = ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"];

impl Format for Forge {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "answers that a compaction dropped before they were read; most times"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let named = env.absolute("FORGE_CONFIG").into_iter();
        named.chain(env.home(".forge")).chain(env.home("forge")).map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b".forge.db").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has("conversations", &["conversation_id", "context", "created_at", "updated_at"]) {
            return None;
        }
        let count = |name: &str| {
            let ways = ["actual", "Actual", "approx", "Approx"].map(|way| format!("value ->> '$.usage.{name}.{way}'"));
            format!("COALESCE({}) AS {name}", ways.join(", "))
        };
        let counts = COUNTS.map(count).join(", ");
        let changed = "unixepoch(COALESCE(conversations.updated_at, conversations.created_at)) * 1000";
        let sql = format!(
            "SELECT number, changed, conversation_id, created_at, at, model, prompt_tokens, completion_tokens, \
             total_tokens, cached_tokens, actual, \
             row_number() OVER (PARTITION BY number, prompt_tokens, completion_tokens, total_tokens, cached_tokens \
             ORDER BY place), cost FROM (SELECT conversations.rowid AS number, {changed} AS changed, \
             conversations.conversation_id, conversations.created_at, messages.key AS place, \
             value ->> '$.message.text.timestamp' AS at, value ->> '$.message.text.model' AS model, {counts}, \
             COALESCE(value ->> '$.usage.prompt_tokens.actual', value ->> '$.usage.prompt_tokens.Actual') AS actual, \
             value ->> '$.usage.cost' AS cost \
             FROM conversations, json_each(CASE WHEN json_valid(context) THEN context ELSE '{{}}' END, '$.messages') \
             AS messages WHERE conversations.rowid > ?1 OR COALESCE({changed}, ?2) >= ?2) \
             WHERE prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL"
        );
        Some(vec![RowQuery { table: "conversations", sql }])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, answer)
    }
}

fn answer<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let Some(session) = at(row, 2).text() else { return Ok(None) };
    let mut stated = [0; 4];
    for (place, name) in COUNTS.into_iter().enumerate() {
        stated[place] = at(row, 6 + place).count().tokens(name)?;
    }
    let [prompt, output, total, cache_read] = stated;
    let counts = Counts {
        prompt: Some(prompt),
        output: Some(output),
        total: Some(total).filter(|total| *total > 0),
        cache_read,
        ..Counts::default()
    };
    let (tokens, is_guessed) = counts.split();
    let repetition = at(row, 11).integer().unwrap_or_default().to_string();
    let counts = stated.map(|count| count.to_string()).join(" ");
    let is_estimate = at(row, 10) == Value::Null;
    Ok(Some(RowCall {
        at: at(row, 4).time().or_else(|| at(row, 3).time()),
        model: at(row, 5).text().map(Cow::Borrowed),
        session: Some(Cow::Borrowed(session)),
        quoted: at(row, 12).usd(),
        fidelity: if is_guessed || is_estimate { Fidelity::Guessed } else { Fidelity::Final },
        ..RowCall::new(CallKey::from_parts(&[NAME, session, &counts, &repetition]), tokens)
    }))
}
