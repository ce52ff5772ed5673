//! The threads of Zed's own agent: `threads/threads.db` in its data folder.
//!
//! Based on the editor's source (`crates/agent/src/db.rs`, `thread.rs`), as quoted by codeburn (commit 957eff0) and
//! tokscale (1eb74c5), read 2026-11-26: a row contains a thread as JSON, plain or compressed with zstd.
//! `cumulative_token_usage` counts every request. `request_token_usage` keeps only the latest request of each turn, and
//! is used if the other is missing. The classes are disjoint. Requests have no time, so a thread is a running total,
//! dated by `updated_at`, when it was last saved. It grows under its current model. A sub-agent's thread names its
//! parent. Agents that Zed only displays (ACP) are not in this database and write their own logs; so does LM Studio. An
//! imported thread was used elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, Within, fields};
use super::json::{self, Flag, List, Text};
use super::row_totals::{self, RowTotal};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value};
use crate::domain::{Billed, Tokens};

/// Zed's threads.
pub(super) struct Zed;

const NAME: &str = "zed";

impl Format for Zed {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Totals]
    }
    fn gaps(&self) -> &'static str {
        "single calls: a total for each thread, dated by when it was saved; external agents log themselves"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let name = if env.is_windows() || env.is_macos() { "Zed/threads" } else { "zed/threads" };
        let usual = env.program_data().map(|data| data.join(name));
        let flatpak =
            env.home(".var/app/dev.zed.Zed/data/zed/threads").filter(|_| !env.is_windows() && !env.is_macos());
        usual.into_iter().chain(flatpak).map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"threads.db").then_some(Framing::Sqlite)
    }
    /// Totals were calls before.
    fn revision(&self) -> u32 {
        1
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has("threads", &["id", "updated_at", "data_type", "data"]) {
            return None;
        }
        let about =
            ["created_at", "parent_id", "folder_paths"].map(|column| schema.column("threads", column)).join(", ");
        let changed = "unixepoch(threads.updated_at) * 1000";
        let sql = format!(
            "SELECT threads.rowid, {changed}, threads.id, threads.updated_at, threads.data, {about} FROM threads \
             WHERE threads.rowid > ?1 OR COALESCE({changed}, ?2) >= ?2"
        );
        Some(vec![RowQuery { table: "threads", sql }])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_totals::reader(NAME, thread)
    }
}

fields! {
    /// A thread: the column `data`.
    Thread {
        model: Model<'a> = "model",
        imported: Flag = "imported",
        cumulative: Usage<'a> = "cumulative_token_usage",
        requests: Within<'a> = "request_token_usage",
    }
}

fields! {
    /// The current model.
    Model {
        provider: Text<'a> = "provider",
        name: Text<'a> = "model",
    }
}

fields! {
    /// Counts of a thread or a request.
    Usage {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_write: Count = "cache_creation_input_tokens",
        cache_read: Count = "cache_read_input_tokens",
    }
}

impl Usage<'_> {
    fn tokens(&self) -> Result<Tokens, BadLine> {
        Ok(Tokens {
            input: self.input.total("input_tokens")?,
            cache_read: self.cache_read.total("cache_read_input_tokens")?,
            cache_write_5m: self.cache_write.total("cache_creation_input_tokens")?,
            cache_write_1h: 0,
            output: self.output.total("output_tokens")?,
            reasoning: 0,
        })
    }
}

fn thread<'a>(_query: usize, row: &[Value<'a>], _origin: &Origin) -> Result<Option<RowTotal<'a>>, BadLine> {
    let (Some(id), Some(data)) = (at(row, 2).text(), at(row, 4).bytes()) else { return Ok(None) };
    let thread: Thread<'a> = json::parse(data)?;
    if thread.is_absent() {
        return Err(BadLine::Missing("the thread: compressed in a way that is not known"));
    }
    let is_logged_elsewhere = thread.model.provider.get() == Some("lmstudio");
    if thread.imported.0 || is_logged_elsewhere {
        return Ok(None);
    }
    let mut tokens = thread.cumulative.tokens()?;
    if tokens.is_zero() {
        // A list in older versions.
        let requests: BTreeMap<Cow<'_, str>, Usage<'_>> = thread.requests.object().unwrap_or_default();
        let listed = thread.requests.written().filter(|text| text.starts_with('['));
        let listed: List<Usage<'_>> =
            listed.map_or_else(|| Ok(List::default()), |text| json::parse(text.as_bytes()))?;
        for request in requests.values().chain(&listed.0) {
            tokens = tokens.saturating_add(request.tokens()?);
        }
    }
    let parent = at(row, 6).text();
    Ok(Some(RowTotal {
        session: Cow::Borrowed(parent.unwrap_or(id)),
        agent: parent.map(|_| Cow::Borrowed(id)),
        feature: None,
        project: at(row, 7).text().and_then(|folders| folders.lines().next()).map(Cow::Borrowed),
        began: at(row, 5).time(),
        last: at(row, 3).time(),
        models: vec![Billed::new(thread.model.name.get().unwrap_or(Billed::UNNAMED), tokens)],
    }))
}
