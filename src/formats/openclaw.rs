//! OpenClaw's sessions: `~/.openclaw/agents/<agent>/agent/openclaw-agent.sqlite`, formerly `sessions/*.jsonl`.
//!
//! Based on readers of this format (agentsview 0.41.1, tokscale 4.17, checked 2026-11-26). Entries are written like
//! pi's. The table `transcript_events` has one entry per row, since schema 23 also compressed in `event_zstd`
//! (codeburn, commit 30e1a93, read 2026-11-27). A session that is deleted or reset, as scheduled runs are, moves to
//! `session_transcript_archives`: its entries are lines there, plain or compressed (the agent's schema, as quoted by
//! its clients, read 2026-11-27). The older files, archived under `.deleted.` and `.reset.`, contain the same entries.
//! The key is an entry's id, time and counts, because `/fork` copies entries to other sessions. Entries of the API
//! `openclaw-transcript` mirror output of another program. A turn made by Codex (`idempotencyKey`
//! `codex-app-server:<thread>:<turn>`) is also in the rollouts in `codex-home`. OpenClaw's figures for a thread are
//! reported as its total, from which the ledger subtracts the calls in the rollouts. The rollouts are read as Codex's.
//! Counts are disjoint, and costs are OpenClaw's own. The home used to have other names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::codex::Codex;
use super::exactness::Exactness;
use super::fields::Slot;
use super::first_bad::FirstBad;
use super::json;
use super::pi::{Entry, Session};
use super::rows::at;
use super::running::bill;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading, RowQuery, Schema, Value};
use crate::domain::{Record, Tokens};

/// OpenClaw's sessions.
pub(super) struct OpenClaw;

const NAME: &str = "openclaw";
const TABLE: &str = "transcript_events";
/// The table of deleted or reset sessions, each stored as one value.
const ARCHIVES: &str = "session_transcript_archives";
const HOMES: [&str; 4] = [".openclaw", ".clawdbot", ".moltbot", ".moldbot"];
const NEEDLES: [&str; 3] = ["\"usage\"", "\"type\":\"session\"", "\"type\":\"model_change\""];
/// Marks turns that another program made and logged.
const MIRRORS: &str = "openclaw-transcript";
const CODEX: &str = "codex-app-server:";

impl Format for OpenClaw {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "turns that other programs than Codex delivered"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let named = env.path("OPENCLAW_STATE_DIR").map(|home| vec![home]);
        let homes = named.unwrap_or_else(|| HOMES.iter().filter_map(|home| env.home(home)).collect());
        homes.into_iter().map(|home| Location::tree(home.join("agents"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if name == b"openclaw-agent.sqlite" {
            return Some(Framing::Sqlite);
        }
        let is_archive =
            [&b".jsonl.deleted."[..], b".jsonl.reset."].iter().any(|mark| memchr::memmem::find(name, mark).is_some());
        (name.ends_with(b".jsonl") || is_archive).then_some(Framing::Lines)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has(TABLE, &["session_id", "event_json"]) {
            return None;
        }
        let created = schema.column(TABLE, "created_at");
        let event = format!("{TABLE}.event_json");
        let packed = schema.column(TABLE, "event_zstd");
        // The texts of a conversation are removed before a row is read.
        let sql = format!(
            "SELECT rowid, NULL, session_id, {created}, CASE WHEN json_valid({event}) THEN json_remove({event}, '$.message.content', \
             '$.summary') END, CASE WHEN {event} IS NULL THEN {packed} END FROM {TABLE} WHERE rowid > ?1"
        );
        let mut queries = vec![RowQuery { table: TABLE, sql }];
        if schema.has(ARCHIVES, &["session_id", "archive_blob"]) {
            let sql = format!("SELECT rowid, NULL, session_id, NULL, archive_blob FROM {ARCHIVES} WHERE rowid > ?1");
            queries.push(RowQuery { table: ARCHIVES, sql });
        }
        Some(queries)
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        // The rollouts of its Codex are searched for everything that Codex writes.
        &[]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Events {
            author: Author::new(NAME),
            session: Session::new(NAME),
            codex: Codex.reader(),
            threads: BTreeMap::new(),
        })
    }
}

/// The counts of each turn made by Codex, with its model, by thread and turn.
type Threads = BTreeMap<String, BTreeMap<String, (String, [u64; 6])>>;

struct Events {
    author: Author,
    session: Session,
    /// Reader for the rollouts.
    codex: Box<dyn Reader>,
    threads: Threads,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    session: String,
    codex: String,
    threads: Threads,
}

impl Reader for Events {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        if origin.stem().starts_with("rollout-") {
            return self.codex.line(line, origin, out);
        }
        let entry: Entry<'_> = json::parse(line)?;
        self.entry(&entry, origin, out)
    }

    fn row(
        &mut self,
        query: usize,
        row: &[Value<'_>],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        if query == 1 {
            return self.archive(row, origin, out);
        }
        let event = at(row, 4).bytes().or_else(|| at(row, 5).bytes());
        let (Some(session), Some(event)) = (at(row, 2).text(), event) else { return Ok(Reading::NotMine) };
        if self.session.head.session != session {
            self.session.head = super::pi::Head { session: session.to_owned(), ..Default::default() };
        }
        let mut entry: Entry<'_> = json::parse(event)?;
        if entry.at.is_absent() && entry.message.at.is_absent() {
            entry.at = super::time::Stamp(at(row, 3).time());
        }
        self.entry(&entry, origin, out)?;
        Ok(Reading::Mine)
    }

    fn state(&self) -> String {
        let saved = Saved { session: self.session.state(), codex: self.codex.state(), threads: self.threads.clone() };
        save(&saved)
    }

    fn restore(&mut self, state: &str) {
        let saved: Saved = load(state);
        self.session.restore(&saved.session);
        self.codex.restore(&saved.codex);
        self.threads = saved.threads;
    }
}

impl Events {
    /// An archived session, made up of lines with entries.
    fn archive(&mut self, row: &[Value<'_>], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let (Some(session), Some(lines)) = (at(row, 2).text(), at(row, 4).bytes()) else { return Ok(Reading::NotMine) };
        self.session.head = super::pi::Head { session: session.to_owned(), ..Default::default() };
        let mut bad = FirstBad::default();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            bad.good(json::parse::<Entry<'_>>(line).and_then(|entry| self.entry(&entry, origin, out)));
        }
        bad.result()
    }

    fn entry(&mut self, entry: &Entry<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let message = &entry.message;
        if message.api.get() == Some(MIRRORS) {
            return Ok(Reading::Mine);
        }
        let turn = message.idempotency.get().and_then(|key| key.strip_prefix(CODEX)?.split_once(':'));
        let Some((thread, turn)) = turn else { return self.session.entry(entry, origin, out) };
        let model = message.model.get().unwrap_or("unknown").to_owned();
        let tokens = message.usage.tokens()?;
        self.threads.entry(thread.to_owned()).or_default().insert(turn.to_owned(), (model, tokens.fields()));
        let mut models: BTreeMap<&str, Tokens> = BTreeMap::new();
        for (model, tokens) in self.threads[thread].values() {
            let sum = models.entry(model).or_default();
            *sum = sum.saturating_add(Tokens::from_fields(*tokens));
        }
        let at = entry.at.or(&message.at).0;
        let from = self.author.attribution(at, Some(thread), Some(&self.session.head.cwd), origin);
        out.extend(bill(NAME, from, models).map(Record::Bill));
        Ok(Reading::Mine)
    }
}
