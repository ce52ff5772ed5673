//! Devin CLI's sessions: `devin/cli/sessions.db` in the data folder.
//!
//! The schema is not public. Tables and meanings are those of codeburn (`docs/providers/devin.md`, commit 5b18a0c) and
//! tokscale (01a8846), read 2026-11-26. A node of `message_nodes` with the role `assistant` is an answer, with its
//! counts in `chat_message.metadata.metrics`; the classes are disjoint. A retry of a request is a sibling with the same
//! `request_id` and the same counts, so both are one call. Nodes off the main chain, compactions and calls that keep a
//! cache alive are calls like any others. `sessions.model` may name a way of choosing a model (`adaptive`). The
//! transcripts next to the database are exports of it and are not read; sessions in Devin's cloud are in neither.
//! SQLite extracts counts, names and times from the JSON; texts are not read.

use std::borrow::Cow;

use super::row_calls::{self, RowCall, milliseconds};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{CallKey, Tokens};

/// Devin CLI's sessions.
pub(super) struct Devin;

const NAME: &str = "devin";

impl Format for Devin {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "sessions in Devin's cloud"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let usual = env.data_home().map(|data| data.join("devin/cli"));
        let windows = env.roaming().map(|data| data.join("devin/cli")).filter(|_| env.is_windows());
        usual.into_iter().chain(windows).map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"sessions.db").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let has_nodes = schema.has("message_nodes", &["row_id", "session_id", "chat_message", "created_at"]);
        if !has_nodes || !schema.has("sessions", &["id"]) {
            return None;
        }
        let fields = [
            "request_id",
            "generation_model",
            "created_at",
            "metrics.input_tokens",
            "metrics.output_tokens",
            "metrics.cache_read_tokens",
            "metrics.cache_creation_tokens",
            "metrics.total_time_ms",
        ];
        let fields = fields.map(|path| format!("json_extract(chat, '$.metadata.{path}')")).join(", ");
        let about = ["model", "working_directory"].map(|column| schema.column("sessions", column)).join(", ");
        // The latest nodes may still be incomplete.
        let sql = format!(
            "SELECT node.row_id, NULL, node.session_id, {fields}, {about}, node.created_at FROM (SELECT *, \
             CASE WHEN json_valid(chat_message) THEN chat_message ELSE '{{}}' END AS chat FROM message_nodes \
             WHERE row_id > ?1 - 50) AS node LEFT JOIN sessions ON sessions.id = node.session_id \
             WHERE json_extract(chat, '$.role') = 'assistant'"
        );
        Some(vec![RowQuery { table: "message_nodes", sql }])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, answer)
    }
}

fn answer<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let Some(session) = at(row, 2).text() else { return Ok(None) };
    let count = |place: usize, name: &'static str| at(row, place).count().tokens(name);
    let tokens = Tokens {
        input: count(6, "input_tokens")?,
        cache_read: count(8, "cache_read_tokens")?,
        cache_write_5m: count(9, "cache_creation_tokens")?,
        cache_write_1h: 0,
        output: count(7, "output_tokens")?,
        reasoning: 0,
    };
    let key = match at(row, 3).text() {
        Some(request) => CallKey::from_parts(&[NAME, "request", session, request]),
        None => {
            let node = at(row, 0).integer().unwrap_or_default().to_string();
            CallKey::from_parts(&[NAME, "node", session, &node])
        }
    };
    let is_name = |model: &&str| !model.starts_with("MODEL_") && *model != "adaptive";
    let model = at(row, 4).text().filter(is_name).or_else(|| at(row, 11).text().filter(is_name));
    Ok(Some(RowCall {
        at: at(row, 5).time().or_else(|| at(row, 13).time()),
        model: model.map(Cow::Borrowed),
        session: Some(Cow::Borrowed(session)),
        project: at(row, 12).text().map(Cow::Borrowed),
        latency: milliseconds(at(row, 10)),
        ..RowCall::new(key, tokens)
    }))
}
