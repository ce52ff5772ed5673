//! Hermes Agent's sessions: `state.db` in `$HERMES_HOME` or `~/.hermes`, and one for each profile in `profiles/`.
//!
//! Based on the agent's source (`hermes_state.py`, `hermes_state_usage.py`, `agent/insights.py`, read 2026-11-28): the
//! table `sessions` has the running total of the main loop. `session_model_usage` has one for each session, model,
//! provider and task. Its rows without a task are the main loop's, by model, and those of `voice_chat` are answers of
//! the main loop on a model of their own: both are part of the total in `sessions`. All other tasks (titles,
//! compression, vision) are in no other place. The rows may say less than `sessions`, which is then right: they are
//! missing for what was used before the table existed, and for sessions of the gateway, which only overwrites the
//! total. What the rows lack was used by the session's model. The rows of a task are one running total by model.
//!
//! A total is dated by the latest `last_seen`; what the rows lack, by the session's last message. The classes are
//! disjoint; reasoning is part of the output. A compaction continues in a new session. `actual_cost_usd` is the amount
//! the provider charged, `estimated_cost_usd` the agent's own guess.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::exactness::Exactness;
use super::row_totals::{self, RowTotal};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{Billed, Instant, Tokens, Usd};

/// Hermes Agent's sessions.
pub(super) struct Hermes;

const NAME: &str = "hermes";
/// The table with the totals by model.
const USAGE: &str = "session_model_usage";
/// The task of answers of the main loop that another model speaks.
const VOICE: &str = "voice_chat";
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
    /// Totals were calls at first, and then left out what the rows by model lack.
    fn revision(&self) -> u32 {
        2
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
        let column = |name: &str| schema.column(USAGE, name);
        let task = format!("COALESCE({}, '')", column("task"));
        let parts = if has_models {
            format!(
                "(SELECT json_group_array(json_array({USAGE}.model, {}, {task}, {})) FROM {USAGE} \
                 WHERE {USAGE}.session_id = sessions.id AND {task} IN ('', '{VOICE}'))",
                counts(USAGE),
                column("last_seen")
            )
        } else {
            "NULL".to_owned()
        };
        let (ended, cwd) = (schema.column("sessions", "ended_at"), schema.column("sessions", "cwd"));
        let last = if schema.has("messages", &["session_id", "timestamp"]) {
            format!("COALESCE((SELECT MAX(timestamp) FROM messages WHERE session_id = sessions.id), {ended})")
        } else {
            ended
        };
        let totals = format!(
            "SELECT NULL, NULL, sessions.id, NULL, sessions.started_at, {last}, {cwd}, \
             json_array(json_array(sessions.model, {})), {parts} FROM sessions",
            counts("sessions")
        );
        let mut queries = vec![RowQuery { table: "sessions", sql: totals }];
        if has_models {
            let (first, last) = (column("first_seen"), column("last_seen"));
            let changed = format!("CAST({last} * 1000 AS INTEGER)");
            let sql = format!(
                "SELECT MAX({USAGE}.rowid), MAX({changed}), {USAGE}.session_id, {task}, \
                 MIN(COALESCE({first}, sessions.started_at)), MAX({last}), {cwd}, \
                 json_group_array(json_array({USAGE}.model, {})) FROM {USAGE} \
                 LEFT JOIN sessions ON sessions.id = {USAGE}.session_id \
                 WHERE {task} != '' OR sessions.id IS NULL GROUP BY {USAGE}.session_id, {task} \
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

/// A total of the main loop, or of one task.
fn total<'a>(query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowTotal<'a>>, BadLine> {
    let (Some(session), Some(stated)) = (at(row, 2).text(), at(row, 7).text()) else { return Ok(None) };
    let (stated, last) = (parts(stated)?, at(row, 5).time());
    let (models, last) = match query {
        0 => main_loop(stated, at(row, 8).text().map_or_else(|| Ok(Vec::new()), parts)?, last),
        _ => (stated, last),
    };
    let mut by_model: BTreeMap<String, Billed> = BTreeMap::new();
    for part in models {
        let billed = by_model.entry(part.model.clone()).or_insert_with(|| Billed::new(&part.model, Tokens::ZERO));
        billed.tokens = billed.tokens.saturating_add(part.tokens);
        let quoted = part.actual.or(part.estimated);
        billed.quoted = [billed.quoted, quoted].into_iter().flatten().reduce(|one: Usd, other| one + other);
    }
    Ok(Some(RowTotal {
        session: Cow::Borrowed(session),
        agent: None,
        feature: at(row, 3).text().map(Cow::Borrowed),
        project: at(row, 6).text().map(Cow::Borrowed),
        began: at(row, 4).time(),
        last,
        models: by_model.into_values().collect(),
    }))
}

/// The main loop's total by model, and when it was last written: its rows, and what the session's total has beyond
/// them.
fn main_loop(stated: Vec<Part>, rows: Vec<Part>, last: Option<Instant>) -> (Vec<Part>, Option<Instant>) {
    let (mut rest, has_rows) = (stated, !rows.is_empty());
    for rest in &mut rest {
        for row in &rows {
            rest.take(row);
        }
    }
    rest.retain(|rest| !has_rows || !rest.tokens.is_zero());
    let mut models: Vec<Part> = rows.into_iter().filter(|row| row.task.is_empty()).collect();
    let seen = models.iter().filter_map(|row| row.seen).max();
    let last = if rest.is_empty() { seen.or(last) } else { last.max(seen) };
    models.append(&mut rest);
    (models, last)
}

/// One model's part of a total.
struct Part {
    model: String,
    tokens: Tokens,
    actual: Option<Usd>,
    estimated: Option<Usd>,
    /// In a row of the main loop.
    task: String,
    /// When such a row was last written.
    seen: Option<Instant>,
}

impl Part {
    /// Subtracts what a row has.
    fn take(&mut self, row: &Self) {
        let less = |mine: Option<Usd>, theirs: Option<Usd>| {
            Some(mine? - theirs.unwrap_or_default()).filter(|rest| *rest > Usd::ZERO)
        };
        self.tokens = self.tokens.saturating_sub(row.tokens);
        self.tokens.reasoning = self.tokens.reasoning.min(self.tokens.output);
        (self.actual, self.estimated) = (less(self.actual, row.actual), less(self.estimated, row.estimated));
    }
}

/// The parts in a list of lists.
fn parts(json: &str) -> Result<Vec<Part>, BadLine> {
    let wrong = |_| BadLine::WrongType { field: USAGE, expected: "counts of tokens" };
    let parts: Vec<Vec<serde_json::Value>> = serde_json::from_str(json).map_err(wrong)?;
    let part = |part: &Vec<serde_json::Value>| {
        let part: Vec<Value<'_>> = part.iter().map(value).collect();
        Ok(Part {
            model: at(&part, 0).text().unwrap_or(Billed::UNNAMED).to_owned(),
            tokens: tokens(&part)?,
            actual: at(&part, 6).usd(),
            estimated: at(&part, 7).usd(),
            task: at(&part, 8).text().unwrap_or_default().to_owned(),
            seen: at(&part, 9).time(),
        })
    };
    parts.iter().map(part).collect()
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
