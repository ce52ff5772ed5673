//! Requests of Z Code: `~/.zcode/cli/db/db.sqlite`.
//!
//! The schema is not public. Tables and meanings are those of codeburn (`docs/providers/zcode.md`, CLI database 0.14.8,
//! commit 2d66f13) and tokscale (180df2a), read 2026-11-26. A row of `model_usage` is one request. It is created when
//! the request starts and completed in place. Input includes cache reads and writes, output includes reasoning, and the
//! total reveals a version that does otherwise. Times are in milliseconds. No cost is stored. A Claude Code or Codex
//! run by Z Code logs its own calls, so rows of an agent with such a name are skipped. The transcripts in
//! `~/.zcode/projects` repeat the same requests, partly without counts, and are not read.

use std::borrow::Cow;

use super::row_calls::{self, RowCall, milliseconds};
use super::rows::at;
use super::split::Counts;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{CallKey, Fidelity};

/// Requests of Z Code.
pub(super) struct ZCode;

const NAME: &str = "zcode";
const USAGE: &str = "model_usage";

impl Format for ZCode {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "costs; versions before the database"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".zcode/cli/db").into_iter().map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"db.sqlite").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has(USAGE, &["id", "session_id", "model_id", "started_at", "input_tokens", "output_tokens"]) {
            return None;
        }
        let about = ["id", "session_id", "model_id", "started_at", "completed_at", "duration_ms", "agent"];
        let counts = [
            "input_tokens",
            "output_tokens",
            "computed_total_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "reasoning_tokens",
        ];
        let columns: Vec<String> = about.iter().chain(&counts).map(|column| schema.column(USAGE, column)).collect();
        let changed = schema.column(USAGE, "completed_at");
        let join = if schema.has("session", &["id"]) {
            " LEFT JOIN session ON session.id = model_usage.session_id"
        } else {
            ""
        };
        let sql = format!(
            "SELECT model_usage.rowid, {changed}, {}, {} FROM model_usage{join} \
             WHERE model_usage.rowid > ?1 OR COALESCE({changed}, ?2) >= ?2",
            columns.join(", "),
            schema.column("session", "directory")
        );
        Some(vec![RowQuery { table: USAGE, sql }])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, request)
    }
}

fn request<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let Some(id) = at(row, 2).text() else { return Ok(None) };
    let agent = at(row, 8).text().unwrap_or_default().to_ascii_lowercase();
    if agent.starts_with("claude") || agent.starts_with("codex") {
        return Ok(None);
    }
    let count = |place: usize, name: &'static str| at(row, place).count().tokens(name);
    let (prompt, stated, total) = (count(9, "input_tokens")?, count(10, "output_tokens")?, count(11, "total_tokens")?);
    let (cache_read, cache_write_5m) =
        (count(12, "cache_read_input_tokens")?, count(13, "cache_creation_input_tokens")?);
    let reasoning = count(14, "reasoning_tokens")?;
    let is_beside = total == prompt + stated + cache_read + cache_write_5m + reasoning;
    let counts = Counts {
        prompt: Some(prompt),
        output: Some(if is_beside { stated + reasoning } else { stated }),
        total: Some(total).filter(|total| *total > 0),
        cache_read,
        cache_write_5m,
        reasoning,
        ..Counts::default()
    };
    let (tokens, is_guessed) = counts.split();
    Ok(Some(RowCall {
        at: at(row, 5).time().or_else(|| at(row, 6).time()),
        model: at(row, 4).text().map(|model| Cow::Owned(model.to_ascii_lowercase())),
        session: at(row, 3).text().map(Cow::Borrowed),
        project: at(row, 15).text().map(Cow::Borrowed),
        latency: milliseconds(at(row, 7)),
        fidelity: if is_guessed { Fidelity::Guessed } else { Fidelity::Final },
        ..RowCall::new(CallKey::from_parts(&[NAME, id]), tokens)
    }))
}
