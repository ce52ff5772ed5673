//! Unsloth Studio's chats and API: `studio.db` in `$UNSLOTH_STUDIO_HOME` or `~/.unsloth/studio`.
//!
//! Based on tokscale's reader (`unsloth.rs`, commit 7b14a4b, read 2026-11-26): a chat's answer has `contextUsage` in
//! its metadata, and a request from outside is a row of `api_usage_events`; no call is in both. Cache reads and writes
//! are part of the prompt, reasoning is part of the completion. Times are in seconds, newer ones in milliseconds. A
//! model that runs on this machine is free, which no price list knows; `[prices."NAME"]` in the config says so. SQLite
//! extracts counts and names from the metadata; texts are not read.

use std::borrow::Cow;

use super::row_calls::{self, RowCall};
use super::rows::at;
use super::split::Counts;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{CallKey, Fidelity};

/// Unsloth Studio's chats and API.
pub(super) struct Unsloth;

const NAME: &str = "unsloth";

impl Format for Unsloth {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "that local models are free: give them a price of 0"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("UNSLOTH_STUDIO_HOME").or_else(|| env.home(".unsloth/studio"));
        home.into_iter().map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"studio.db").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let has_chats = schema.has("chat_messages", &["id", "thread_id", "role", "metadata_json", "created_at"]);
        let has_events =
            schema.has("api_usage_events", &["id", "model", "prompt_tokens", "completion_tokens", "created_at"]);
        if !has_chats && !has_events {
            return None;
        }
        let mut queries = Vec::new();
        if has_chats {
            let fields = [
                "contextUsage.promptTokens",
                "contextUsage.completionTokens",
                "contextUsage.totalTokens",
                "contextUsage.cachedTokens",
                "contextUsage.cacheWriteTokens",
                "contextUsage.reasoningTokens",
                "responseDetails.responseModelId",
                "contextUsage.modelId",
            ];
            let fields = fields.map(|path| format!("json_extract(facts, '$.{path}')")).join(", ");
            // The latest answers may still be incomplete.
            let sql = format!(
                "SELECT number, NULL, id, thread_id, created_at, {fields} FROM (SELECT rowid AS number, id, thread_id, \
                 created_at, CASE WHEN json_valid(metadata_json) THEN metadata_json ELSE '{{}}' END AS facts \
                 FROM chat_messages WHERE role = 'assistant' AND rowid > ?1 - 20)"
            );
            queries.push(RowQuery { table: "chat_messages", sql });
        }
        if has_events {
            let total = schema.column("api_usage_events", "total_tokens");
            let sql = format!(
                "SELECT rowid, NULL, id, NULL, created_at, prompt_tokens, completion_tokens, {total}, NULL, NULL, NULL, \
                 model, NULL FROM api_usage_events WHERE rowid > ?1 - 20"
            );
            queries.push(RowQuery { table: "api_usage_events", sql });
        }
        Some(queries)
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, answer)
    }
}

fn answer<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let Some(id) = at(row, 2).text() else { return Ok(None) };
    let count = |place: usize, name: &'static str| at(row, place).count().tokens(name);
    let counts = Counts {
        prompt: Some(count(5, "prompt tokens")?),
        output: Some(count(6, "completion tokens")?),
        total: Some(count(7, "total tokens")?).filter(|total| *total > 0),
        cache_read: count(8, "cached tokens")?,
        cache_write_5m: count(9, "written tokens")?,
        reasoning: count(10, "reasoning tokens")?,
        ..Counts::default()
    };
    let (tokens, is_guessed) = counts.split();
    let thread = at(row, 3).text();
    Ok(Some(RowCall {
        at: at(row, 4).time(),
        model: at(row, 11).text().or_else(|| at(row, 12).text()).map(Cow::Borrowed),
        session: thread.map(Cow::Borrowed),
        feature: thread.is_none().then_some(Cow::Borrowed("api")),
        fidelity: if is_guessed { Fidelity::Guessed } else { Fidelity::Final },
        ..RowCall::new(CallKey::from_parts(&[NAME, id]), tokens)
    }))
}
