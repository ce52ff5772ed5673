//! Hermes Agent's sessions: `state.db` in `$HERMES_HOME` or `~/.hermes`, and one for each profile in `profiles/`.
//!
//! Based on the agent's source (`hermes_state.py`, `agent/usage_pricing.py`, read 2026-11-26) and tokscale's reader
//! (commit 0d0d778): the table `session_model_usage` has a running total for each session, model, provider and task.
//! Before it existed, there were only the session totals in `sessions`, which still repeat it. A session with any row
//! in the newer table is counted from those rows alone. The rows of a session and task are one running total by model,
//! dated by the latest `last_seen`; without it, by the session's last message. The classes are disjoint; reasoning is
//! part of the output. A compaction continues in a new session. `actual_cost_usd` is the amount the provider charged,
//! `estimated_cost_usd` the agent's own guess.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::exactness::Exactness;
use super::row_totals::{self, RowTotal};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{Billed, Tokens, Usd};

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
        "single calls: a total for each session and model, dated by when it grew"
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
    /// Totals were calls before.
    fn revision(&self) -> u32 {
        1
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has("sessions", &["id", "model", "started_at", "input_tokens", "output_tokens"]) {
            return None;
        }
        let counts = |table: &str| {
            let costs = ["actual_cost_usd", "estimated_cost_usd"];
            COUNTS.iter().chain(&costs).map(|column| schema.column(table, column)).collect::<Vec<_>>().join(", ")
        };
        let has_models = schema.has(USAGE, &["session_id", "model", "input_tokens", "output_tokens"]);
        let beyond = if has_models {
            " WHERE NOT EXISTS (SELECT 1 FROM session_model_usage AS part WHERE part.session_id = sessions.id)"
        } else {
            ""
        };
        let (ended, cwd) = (schema.column("sessions", "ended_at"), schema.column("sessions", "cwd"));
        let last = if schema.has("messages", &["session_id", "timestamp"]) {
            format!("COALESCE((SELECT MAX(timestamp) FROM messages WHERE session_id = sessions.id), {ended})")
        } else {
            ended
        };
        let totals = format!(
            "SELECT NULL, NULL, sessions.id, NULL, sessions.started_at, {last}, {cwd}, \
             json_array(json_array(sessions.model, {})) FROM sessions{beyond}",
            counts("sessions")
        );
        let mut queries = vec![RowQuery { table: "sessions", sql: totals }];
        if has_models {
            let column = |name: &str| schema.column(USAGE, name);
            let (first, last, task) = (column("first_seen"), column("last_seen"), column("task"));
            let changed = format!("CAST({last} * 1000 AS INTEGER)");
            let sql = format!(
                "SELECT MAX({USAGE}.rowid), MAX({changed}), {USAGE}.session_id, {task}, \
                 MIN(COALESCE({first}, sessions.started_at)), MAX({last}), {cwd}, \
                 json_group_array(json_array({USAGE}.model, {})) FROM {USAGE} \
                 LEFT JOIN sessions ON sessions.id = {USAGE}.session_id GROUP BY {USAGE}.session_id, {task} \
                 HAVING MAX({USAGE}.rowid) > ?1 OR MAX(COALESCE({changed}, ?2)) >= ?2",
                counts(USAGE)
            );
            queries.push(RowQuery { table: USAGE, sql });
        }
        Some(queries)
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_totals::reader(NAME, total)
    }
}

fn home(env: &Env<'_>) -> Option<PathBuf> {
    env.path("HERMES_HOME").or_else(|| env.home(".hermes"))
}

fn total<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowTotal<'a>>, BadLine> {
    let (Some(session), Some(parts)) = (at(row, 2).text(), at(row, 7).text()) else { return Ok(None) };
    let wrong = |_| BadLine::WrongType { field: USAGE, expected: "counts of tokens" };
    let parts: Vec<Vec<serde_json::Value>> = serde_json::from_str(parts).map_err(wrong)?;
    let mut models: BTreeMap<String, Billed> = BTreeMap::new();
    for part in &parts {
        let part: Vec<Value<'_>> = part.iter().map(value).collect();
        let name = at(&part, 0).text().unwrap_or(Billed::UNNAMED);
        let billed = models.entry(name.to_owned()).or_insert_with(|| Billed::new(name, Tokens::ZERO));
        billed.tokens = billed.tokens.saturating_add(tokens(&part)?);
        let quoted = at(&part, 6).usd().or_else(|| at(&part, 7).usd());
        billed.quoted = [billed.quoted, quoted].into_iter().flatten().reduce(|one: Usd, other| one + other);
    }
    Ok(Some(RowTotal {
        session: Cow::Borrowed(session),
        agent: None,
        feature: at(row, 3).text().map(Cow::Borrowed),
        project: at(row, 6).text().map(Cow::Borrowed),
        began: at(row, 4).time(),
        last: at(row, 5).time(),
        models: models.into_values().collect(),
    }))
}

/// The counts of a part, which follow its model.
fn tokens(part: &[Value<'_>]) -> Result<Tokens, BadLine> {
    let mut counts = [0; 5];
    for (place, name) in COUNTS.into_iter().enumerate() {
        counts[place] = at(part, 1 + place).count().total(name)?;
    }
    let [input, output, cache_read, cache_write_5m, reasoning] = counts;
    Ok(Tokens { input, cache_read, cache_write_5m, cache_write_1h: 0, output, reasoning: reasoning.min(output) })
}

/// A column's value in a list.
fn value(json: &serde_json::Value) -> Value<'_> {
    match json {
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, real) => real.map_or(Value::Null, Value::Real),
        },
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => Value::Null,
    }
}
