//! Hermes Agent's sessions: `state.db` in `$HERMES_HOME` or `~/.hermes`, and one for each profile in `profiles/`.
//!
//! Based on the agent's source (`hermes_state.py`, `agent/usage_pricing.py`, read 2026-11-26) and tokscale's reader
//! (commit 0d0d778): the table `session_model_usage` has a running total for each session, model, provider and task.
//! Before it existed, there were only the session totals in `sessions`, which still repeat it. A session with any row
//! in the newer table is counted from those rows alone. The classes are disjoint; reasoning is part of the output. A
//! compaction continues in a new session. `actual_cost_usd` is the amount the provider charged, `estimated_cost_usd`
//! the agent's own guess.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::exactness::Exactness;
use super::row_calls::{self, RowCall};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{CallKey, Fidelity, Tokens};

/// Hermes Agent's sessions.
pub(super) struct Hermes;

const NAME: &str = "hermes";
/// The table with the totals by model.
const USAGE: &str = "session_model_usage";
const COUNTS: [&str; 5] =
    ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"];

impl Format for Hermes {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Totals, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "single calls: a total for each session and model, dated by its beginning"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        home(env).into_iter().map(Location::flat).collect()
    }
    fn indexes(&self, env: &Env<'_>) -> Vec<PathBuf> {
        home(env).map(|home| home.join("profiles")).into_iter().collect()
    }
    fn indexed(&self, index: &Path, content: &[u8]) -> Vec<Location> {
        let names = std::str::from_utf8(content).unwrap_or_default().lines();
        names.map(|name| Location::flat(index.join(name))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"state.db").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has("sessions", &["id", "model", "started_at", "input_tokens", "output_tokens"]) {
            return None;
        }
        let facts = |table: &str| {
            let counts = COUNTS.map(|column| schema.column(table, column)).join(", ");
            let costs = ["actual_cost_usd", "estimated_cost_usd"].map(|column| schema.column(table, column)).join(", ");
            format!("{counts}, {costs}, {}", schema.column("sessions", "cwd"))
        };
        let has_models = schema.has(USAGE, &["session_id", "model", "input_tokens", "output_tokens"]);
        let beyond = if has_models {
            " WHERE NOT EXISTS (SELECT 1 FROM session_model_usage AS part WHERE part.session_id = sessions.id)"
        } else {
            ""
        };
        let totals = format!(
            "SELECT NULL, NULL, sessions.id, sessions.model, sessions.started_at, {} FROM sessions{beyond}",
            facts("sessions")
        );
        let mut queries = vec![RowQuery { table: "sessions", sql: totals }];
        if has_models {
            let column = |name: &str| schema.column(USAGE, name);
            let (first, last, task) = (column("first_seen"), column("last_seen"), column("task"));
            let route = ["billing_provider", "billing_base_url", "billing_mode"].map(column).join(", ");
            let sql = format!(
                "SELECT {USAGE}.rowid, CAST({last} * 1000 AS INTEGER), {USAGE}.session_id, {USAGE}.model, \
                 COALESCE({first}, sessions.started_at), {}, {task}, {route} FROM {USAGE} \
                 LEFT JOIN sessions ON sessions.id = {USAGE}.session_id \
                 WHERE {USAGE}.rowid > ?1 OR COALESCE(CAST({last} * 1000 AS INTEGER), ?2) >= ?2",
                facts(USAGE)
            );
            queries.push(RowQuery { table: USAGE, sql });
        }
        Some(queries)
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, total)
    }
}

fn home(env: &Env<'_>) -> Option<PathBuf> {
    env.path("HERMES_HOME").or_else(|| env.home(".hermes"))
}

fn total<'a>(query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let Some(session) = at(row, 2).text() else { return Ok(None) };
    let mut counts = [0; 5];
    for (place, name) in COUNTS.into_iter().enumerate() {
        counts[place] = at(row, 5 + place).count().total(name)?;
    }
    let [input, output, cache_read, cache_write_5m, reasoning] = counts;
    let reasoning = reasoning.min(output);
    let tokens = Tokens { input, cache_read, cache_write_5m, cache_write_1h: 0, output, reasoning };
    let name = |place: usize| at(row, place).text().unwrap_or_default();
    let key = if query == 0 {
        CallKey::from_parts(&[NAME, session])
    } else {
        CallKey::from_parts(&[NAME, session, name(3), name(13), name(14), name(15), name(16)])
    };
    Ok(Some(RowCall {
        at: at(row, 4).time(),
        model: at(row, 3).text().map(Cow::Borrowed),
        session: Some(Cow::Borrowed(session)),
        project: at(row, 12).text().map(Cow::Borrowed),
        feature: at(row, 13).text().map(Cow::Borrowed),
        quoted: at(row, 10).usd().or_else(|| at(row, 11).usd()),
        fidelity: Fidelity::Summed,
        ..RowCall::new(key, tokens)
    }))
}
