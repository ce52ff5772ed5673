//! Crush's sessions: `crush.db` in each project's data folder. `projects.json` in `$XDG_DATA_HOME/crush` lists the
//! projects.
//!
//! Based on the agent's source (`internal/agent/agent.go`, `internal/projects/projects.go`,
//! `internal/db/sql/sessions.sql`, read 2026-11-26): `cost` grows with each step. `prompt_tokens` and
//! `completion_tokens` are overwritten by the latest step and only show how full the context is. So a session
//! is a running total of its cost without tokens, which is a lower bound. A model at a flat rate, and usage that the
//! agent only estimates, add nothing to it (`updateSessionUsage`, read 2026-11-29). It is dated by `updated_at`. The
//! cost of a sub-agent is added to the session that called it, which has no parent; the others are skipped. Times are in
//! seconds. If a session is deleted, the ledger keeps its rows.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::exactness::Exactness;
use super::fields::fields;
use super::json::{self, List, Text};
use super::row_totals::{self, RowTotal};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{Billed, Tokens};

/// Crush's sessions.
pub(super) struct Crush;

const NAME: &str = "crush";

impl Format for Crush {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Totals, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "tokens and models: a session's cost alone, dated by when it grew; models at a flat rate"
    }
    /// Without a list of projects, the home folder itself is one.
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".crush").into_iter().map(Location::flat).collect()
    }
    fn indexes(&self, env: &Env<'_>) -> Vec<PathBuf> {
        let data = || if env.is_windows() { env.local() } else { env.data_home() };
        let folder = env.absolute("CRUSH_GLOBAL_DATA").or_else(|| data().map(|data| data.join("crush")));
        folder.map(|folder| folder.join("projects.json")).into_iter().collect()
    }
    fn indexed(&self, _index: &Path, content: &[u8]) -> Vec<Location> {
        let Ok(listed) = json::parse::<Listed<'_>>(content) else { return Vec::new() };
        let place = |project: &Project<'_>| {
            let (path, data) = (project.path.get()?, project.data.get().unwrap_or(".crush"));
            Some(Path::new(path).join(data)).filter(|data| data.is_absolute()).map(Location::flat)
        };
        listed.projects.0.iter().filter_map(place).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"crush.db").then_some(Framing::Sqlite)
    }
    /// Totals were calls before.
    fn revision(&self) -> u32 {
        1
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has("sessions", &["id", "parent_session_id", "cost", "created_at", "updated_at"]) {
            return None;
        }
        let folder = schema.column("sessions", "workspace_cwd");
        let sql = format!(
            "SELECT sessions.rowid, sessions.updated_at * 1000, sessions.id, sessions.created_at, sessions.cost, {folder}, \
             sessions.updated_at \
             FROM sessions WHERE sessions.parent_session_id IS NULL AND sessions.cost > 0 \
             AND (sessions.rowid > ?1 OR sessions.updated_at * 1000 >= ?2)"
        );
        Some(vec![RowQuery { table: "sessions", sql }])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_totals::reader(NAME, session)
    }
}

fields! {
    /// The file `projects.json`.
    Listed {
        projects: List<Project<'a>> = "projects",
    }
}

fields! {
    Project {
        path: Text<'a> = "path",
        data: Text<'a> = "data_dir",
    }
}

#[allow(clippy::unnecessary_wraps, reason = "as every reader of rows")]
fn session<'a>(_query: usize, row: &[Value<'a>], origin: &Origin) -> Result<Option<RowTotal<'a>>, BadLine> {
    let Some(id) = at(row, 2).text() else { return Ok(None) };
    let project = at(row, 5).text().map(Cow::Borrowed).or_else(|| {
        let above = origin.path.strip_suffix("crush.db")?.strip_suffix(['/', '\\'])?.strip_suffix(".crush")?;
        Some(Cow::Owned(above.trim_end_matches(['/', '\\']).to_owned()))
    });
    let cost = Billed { quoted: at(row, 4).usd(), ..Billed::new(Billed::UNNAMED, Tokens::ZERO) };
    Ok(Some(RowTotal {
        session: Cow::Borrowed(id),
        agent: None,
        feature: None,
        project,
        began: at(row, 3).time(),
        last: at(row, 6).time(),
        models: vec![cost],
    }))
}
