//! Copilot CLI: `~/.copilot/session-store.db`, `session-state/<session>/events.jsonl`, and a telemetry file.
//!
//! Verified with 1.0.102 against a service with a known bill (2026-11-26). The table `assistant_usage_events` has one
//! row per request, including compactions and sub-agents. The events contain the same requests as
//! `session.usage_record`, except for a compaction, for which there is only the sum in `session.compaction_complete`.
//! The telemetry file (`COPILOT_OTEL_FILE_EXPORTER_PATH`) contains them as `chat` spans. Row and event share no id and
//! differ by some milliseconds, so session, model and counts join the three. `session.shutdown` gives the session's
//! totals over all its resumptions, without compactions: this is the bill. In older versions, whose `assistant.message`
//! has only the output, it is the only count. If it names no model, the selected one is used (from a real log in
//! FORMATS' collection of 2026-07), but not for a sub-agent.
//!
//! The desktop program's `data.db` has the totals of a session (tokscale's `copilot_desktop.rs`, commit 0d0d778, read
//! 2026-11-27). They count if nothing else is known about the session.
//!
//! Input includes cache reads and writes, output includes reasoning. The lifetime of cache writes is never given. Costs
//! are in AI credits (`totalNanoAiu`), which are not dollars. `COPILOT_HOME` replaces `~/.copilot` (its documentation,
//! checked 2026-11-26).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::branch::branch_name;
use super::copilot_line::{Data, Line, Metric, split};
use super::exactness::Exactness;
use super::fields::Slot;
use super::json::{self, Text};
use super::keys::{answer_key, counted_key};
use super::rows::at;
use super::running::{Running, bill};
use super::split::unstated_lifetime;
use super::turns::Turns;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading, RowQuery, Schema, Value};
use crate::domain::{
    Attribution, Bill, Billed, Call, CallKey, Counter, Fidelity, Instant, Label, Record, Tokens, Turn, one_by_one,
};

/// Copilot CLI.
pub(super) struct Copilot;

pub(super) const NAME: &str = "copilot";
const TABLE: &str = "assistant_usage_events";
/// Kinds of rows, given in their third column.
const REQUEST: &str = "request";
const SESSION: &str = "session";
/// Needles of event lines, and of the telemetry file, which the telemetry format reads.
const OWN_NEEDLES: [&str; 4] = ["okens\"", "\"session.start\"", "\"session.model_change\"", "\"gen_ai."];

/// Events that begin or end a turn. The service is asked once in each of Copilot's own turns, and the next one begins
/// within milliseconds unless the answer was the last (1.0.102, 2026-11-28).
const TURNS: [(&str, Turn); 3] =
    [("user.message", Turn::Begun), ("assistant.turn_start", Turn::Begun), ("assistant.turn_end", Turn::Ended)];

impl Format for Copilot {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Totals]
    }
    fn gaps(&self) -> &'static str {
        "dollars: it states AI credits; single calls' input in versions before usage records"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("COPILOT_HOME").or_else(|| env.home(".copilot"));
        let spans = env.path("COPILOT_OTEL_FILE_EXPORTER_PATH").map(Location::tree);
        let folders = home.into_iter().flat_map(|home| {
            let (events, spans) = (home.join("session-state"), home.join("otel"));
            [Location::tree(events), Location::tree(spans), Location::flat(home)]
        });
        folders.chain(spans).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if matches!(name, b"session-store.db" | b"data.db") {
            return Some(Framing::Sqlite);
        }
        name.ends_with(b".jsonl").then_some(Framing::Lines)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if schema.has(TABLE, &["id", "session_id", "model", "input_tokens", "output_tokens"]) {
            return Some(vec![of_requests(schema)]);
        }
        let is_desktop = schema.has("sessions", &["id", "model", "total_input_tokens", "total_output_tokens"]);
        is_desktop.then(|| vec![of_desktop(schema)])
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"session.", "\"assistant.message\""]
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &OWN_NEEDLES
    }
    fn marks_turn(&self, line: &[u8]) -> bool {
        let is_turn = |rest: &[u8]| TURNS.iter().any(|(kind, _)| rest.starts_with(kind.as_bytes()));
        line.strip_prefix(b"{\"type\":\"").is_some_and(is_turn)
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Events { author: Author::new(NAME), kept: Kept::default(), turns: Turns::default() })
    }
}

/// Facts from earlier lines of a session's events.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    session: String,
    cwd: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    branch: String,
    /// The selected model.
    #[serde(skip_serializing_if = "String::is_empty")]
    model: String,
    /// The totals of each model.
    stated: Running,
    /// The model and counts of each compaction, by the event's id.
    compacted: BTreeMap<String, (String, [u64; 6])>,
}

struct Events {
    author: Author,
    kept: Kept,
    turns: Turns,
}

impl Reader for Events {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let kind = read.kind.get().unwrap_or_default();
        if let Some((_, turn)) = TURNS.iter().find(|(name, _)| *name == kind).filter(|_| !read.data.is_absent()) {
            self.turn(*turn, &read, origin);
            return Ok(Reading::Mine);
        }
        if read.data.is_absent() || !(kind.starts_with("session.") || kind == "assistant.message") {
            return Ok(Reading::NotMine);
        }
        let data = &read.data;
        match kind {
            "session.start" => self.start(data),
            "session.model_change" => data.chosen.get().unwrap_or_default().clone_into(&mut self.kept.model),
            "session.usage_record" => out.extend(self.request(&read, origin)?.map(Record::Call)),
            "assistant.message" => out.extend(self.message(&read, origin)?.map(Record::Call)),
            "session.compaction_complete" if !data.compacted.is_absent() => {
                out.extend(self.compaction(&read, origin)?.map(Record::Call));
                out.extend(self.total(&read, origin).map(Record::Bill));
            }
            "session.shutdown" => {
                let metrics = if data.metrics.is_absent() { &data.snapshot.metrics } else { &data.metrics };
                for (model, metric) in metrics.object::<BTreeMap<String, Metric<'_>>>().unwrap_or_default() {
                    self.kept.stated.read(&model, metric.usage.totals()?);
                }
                out.extend(self.total(&read, origin).map(Record::Bill));
                self.turn(Turn::Closed, &read, origin);
            }
            _ => {}
        }
        Ok(Reading::Mine)
    }

    fn row(
        &mut self,
        _query: usize,
        row: &[Value<'_>],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        match at(row, 2).text() {
            Some(REQUEST) => out.extend(self.stored_request(row, origin)?.map(Record::Call)),
            Some(SESSION) => out.extend(self.desktop(row, origin)?.map(Record::Bill)),
            _ => return Ok(Reading::NotMine),
        }
        Ok(Reading::Mine)
    }

    fn statuses(&mut self, out: &mut Vec<Record>) {
        self.turns.take(self.author.source(), out);
    }

    fn state(&self) -> String {
        save(&self.kept)
    }

    fn restore(&mut self, state: &str) {
        self.kept = load(state);
    }
}

/// The query for requests in the CLI's database.
fn of_requests(schema: &Schema) -> RowQuery {
    let columns = [
        "session_id",
        "agent_id",
        "model",
        "copilot_usage_model",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "duration_ms",
        "initiator",
        "created_at",
    ];
    let columns = columns.map(|column| schema.column(TABLE, column)).join(", ");
    let [cwd, branch] = ["cwd", "branch"].map(|column| schema.column("sessions", column));
    let join = if schema.has("sessions", &["id"]) {
        format!(" LEFT JOIN sessions ON sessions.id = {TABLE}.session_id")
    } else {
        String::new()
    };
    let sql = format!(
        "SELECT {TABLE}.id, NULL, '{REQUEST}', {columns}, {cwd}, {branch} FROM {TABLE}{join} WHERE {TABLE}.id > ?1"
    );
    RowQuery { table: TABLE, sql }
}

/// The query for the totals of the desktop program's sessions.
fn of_desktop(schema: &Schema) -> RowQuery {
    let columns = ["total_cached_tokens", "total_reasoning_tokens", "created_at", "cwd"];
    let columns = columns.map(|column| schema.column("sessions", column)).join(", ");
    let sql = format!(
        "SELECT sessions.rowid, NULL, '{SESSION}', sessions.id, sessions.model, sessions.total_input_tokens, \
         sessions.total_output_tokens, {columns} FROM sessions \
         WHERE COALESCE(sessions.total_input_tokens, 0) + COALESCE(sessions.total_output_tokens, 0) > 0"
    );
    RowQuery { table: "sessions", sql }
}

impl Events {
    /// A request in the CLI's database.
    fn stored_request(&mut self, row: &[Value<'_>], origin: &Origin) -> Result<Option<Call>, BadLine> {
        let Some(session) = at(row, 3).text() else { return Ok(None) };
        let count = |place: usize, name| at(row, place).count().tokens(name);
        let tokens = split([
            count(7, "input_tokens")?,
            count(8, "output_tokens")?,
            count(9, "cache_read_tokens")?,
            count(10, "cache_write_tokens")?,
            count(11, "reasoning_tokens")?,
        ]);
        if tokens.is_zero() {
            return Ok(None);
        }
        let mut from = self.author.attribution(at(row, 14).time(), Some(session), at(row, 15).text(), origin);
        from.agent = self.author.label(at(row, 4).text());
        from.branch = self.author.label(branch_name(at(row, 16).text()));
        from.feature = self.author.label(at(row, 13).text().filter(|initiator| *initiator == "compaction"));
        let key = counted_key(NAME, session, at(row, 5).text(), &tokens);
        let model = self.author.label(at(row, 6).text().or(at(row, 5).text()));
        let latency = at(row, 12).integer().and_then(|ms| u64::try_from(ms).ok()).map(std::time::Duration::from_millis);
        let parts = unstated_lifetime(&tokens);
        Ok(Some(Call { alias: Some(key), latency, parts, ..Call::new(key, from, model, tokens) }))
    }

    /// The total of a session of the desktop program.
    fn desktop(&mut self, row: &[Value<'_>], origin: &Origin) -> Result<Option<Bill>, BadLine> {
        let Some(session) = at(row, 3).text() else { return Ok(None) };
        let count = |place: usize, name| at(row, place).count().total(name);
        let tokens = split([
            count(5, "total_input_tokens")?,
            count(6, "total_output_tokens")?,
            count(7, "total_cached_tokens")?,
            0,
            count(8, "total_reasoning_tokens")?,
        ]);
        let from = self.author.attribution(at(row, 9).time(), Some(session), at(row, 10).text(), origin);
        let model = at(row, 4).text().filter(|model| *model != "auto").unwrap_or(Billed::UNNAMED);
        let stated = bill(NAME, from, [(model, tokens)]);
        let id = CallKey::from_parts(&[NAME, "desktop", session]);
        Ok(stated.map(|stated| Bill { id, counter: Counter::Piece, ..stated }))
    }

    /// Takes note of the start or end of a turn. A sub-agent's turns are not its session's.
    fn turn(&mut self, turn: Turn, read: &Line<'_>, origin: &Origin) {
        let from = self.attribution(read, origin);
        if let (Some(session), None) = (&from.session, &from.agent) {
            self.turns.note(session, turn, from.at);
        }
    }

    fn start(&mut self, data: &Data<'_>) {
        let keep = |text: &Text<'_>| text.get().unwrap_or_default().to_owned();
        (self.kept.session, self.kept.cwd) = (keep(&data.session), keep(&data.context.cwd));
        branch_name(data.context.branch.get()).unwrap_or_default().clone_into(&mut self.kept.branch);
        self.kept.model = keep(&data.chosen);
    }

    /// A request.
    fn request(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let usage = &read.data.usage;
        let tokens = usage.tokens()?;
        if tokens.is_zero() {
            return Ok(None);
        }
        let from = self.attribution(read, origin);
        let session = from.session.as_deref().unwrap_or_default();
        let alias = counted_key(NAME, session, usage.model.get(), &tokens);
        let key = usage.call.get().map_or(alias, |id| key_of(session, id));
        let model = self.author.label(usage.model.get());
        let fidelity = if model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        let (latency, parts) = (usage.duration.milliseconds(), unstated_lifetime(&tokens));
        Ok(Some(Call { alias: Some(alias), latency, parts, fidelity, ..Call::new(key, from, model, tokens) }))
    }

    /// An answer from an older version, which logs only the output.
    fn message(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let output = read.data.output.tokens("outputTokens")?;
        let (Some(id), 1..) = (read.data.call.get().or(read.id.get()), output) else { return Ok(None) };
        let from = self.attribution(read, origin);
        let key = key_of(from.session.as_deref().unwrap_or_default(), id);
        let is_of_sub_agent = read.data.parent.is_some() || !read.agent.is_absent();
        let chosen = Some(&*self.kept.model).filter(|model| !model.is_empty() && !is_of_sub_agent && *model != "auto");
        let model = self.author.label(read.data.model.get().or(chosen));
        let tokens = Tokens { output, ..Tokens::default() };
        Ok(Some(Call { fidelity: Fidelity::Unlisted, ..Call::new(key, from, model, tokens) }))
    }

    /// A compaction. One that took several requests is part of the session's total.
    fn compaction(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let usage = &read.data.compacted;
        let tokens = usage.tokens()?;
        let model = usage.model.get().unwrap_or(Billed::UNNAMED);
        let id = read.id.get().unwrap_or_default().to_owned();
        self.kept.compacted.insert(id, (model.to_owned(), tokens.fields()));
        if tokens.is_zero() || usage.requests.tokens("requestCount")? > 1 {
            return Ok(None);
        }
        let mut from = self.attribution(read, origin);
        from.feature = Some(Label::new("compaction"));
        let key = counted_key(NAME, from.session.as_deref().unwrap_or_default(), usage.model.get(), &tokens);
        let model = self.author.label(usage.model.get());
        Ok(Some(Call {
            alias: Some(key),
            latency: usage.duration.milliseconds(),
            ..Call::new(key, from, model, tokens)
        }))
    }

    /// The session's totals, once any are given. Its compactions are separate.
    fn total(&mut self, read: &Line<'_>, origin: &Origin) -> Option<Bill> {
        if self.kept.stated.is_empty() {
            return None;
        }
        let mut models: BTreeMap<&str, Tokens> = one_by_one(self.kept.stated.totals());
        for (model, tokens) in self.kept.compacted.values() {
            let known = models.entry(model).or_default();
            *known = known.saturating_add(Tokens::from_fields(*tokens));
        }
        let from = attribution(&mut self.author, &self.kept.session, &self.kept.cwd, read.at.0, origin);
        bill(NAME, from, models)
    }

    fn attribution(&mut self, read: &Line<'_>, origin: &Origin) -> Attribution {
        let mut from = attribution(&mut self.author, &self.kept.session, &self.kept.cwd, read.at.0, origin);
        from.agent = self.author.label(read.agent.get());
        from.branch = self.author.label(branch_name(Some(&self.kept.branch)));
        let initiator = read.data.usage.initiator.get();
        from.feature = self.author.label(initiator.filter(|initiator| *initiator == "compaction"));
        from
    }
}

/// Attribution of a call in this session. The session's name defaults to its folder:
/// `session-state/<session>/events.jsonl`.
fn attribution(author: &mut Author, session: &str, cwd: &str, at: Option<Instant>, origin: &Origin) -> Attribution {
    let stem = origin.stem();
    let folder = origin.path.rsplit(['/', '\\']).nth(1).unwrap_or(stem);
    let named = if stem == "events" { folder } else { stem };
    author.attribution(at, Some(if session.is_empty() { named } else { session }), Some(cwd), origin)
}

/// The key of an answer with this id.
fn key_of(session: &str, id: &str) -> CallKey {
    answer_key(id).unwrap_or_else(|| CallKey::from_parts(&[NAME, session, id]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_with_requests_is_read_by_them_whatever_its_sessions_have() {
        let mut schema = Schema::default();
        for column in ["id", "model", "total_input_tokens", "total_output_tokens"] {
            schema.add("sessions", column);
        }
        let table = |schema: &Schema| Copilot.queries(schema).map(|queries| queries[0].table);
        assert_eq!(table(&schema), Some("sessions"));
        for column in ["id", "session_id", "model", "input_tokens", "output_tokens"] {
            schema.add(TABLE, column);
        }
        assert_eq!(table(&schema), Some(TABLE));
    }
}
