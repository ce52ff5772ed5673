//! Cline: the CLI's sessions, `~/.cline/data/sessions/<session>/*.messages.json`, and the tasks of the editor
//! extension, from which Roo Code and Kilo Code are derived: `globalStorage/<extension>/tasks/<task>/ui_messages.json`
//! (`cline_task.rs`).
//!
//! The CLI, and the extension from 4.1 on, were verified with 3.0.65 against a service with a known bill (2026-11-26).
//! The `metrics` of a message are one answer and equal the bill; `inputTokens` includes cache reads and writes. A
//! sub-agent has its own document in its parent's folder. A compaction removes the counts from all messages and keeps
//! their sum in `usageBefore` (its source, 2026-11-26), which is part of the session's total. The session's own
//! `<session>.json` repeats the sums of the messages; an interrupted answer appears only in those sums. `usage` belongs
//! to the main agent; `aggregateUsage` includes the sub-agents, which may have used other models, so the difference is
//! a total without a model. The project is in that file, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::author::Author;
use super::cline_task::{self, Meaning};
use super::count::Count;
use super::editors;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, Money, Text};
use super::running::bill;
use super::split::Counts;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Bill, Billed, Call, CallKey, Fidelity, Record, Tokens};

/// One agent of the family: its name, the ids of its extension, and whether its tasks' input includes the cache.
pub(super) struct Cline {
    name: &'static str,
    extensions: &'static [&'static str],
    meaning: Meaning,
}

pub(super) const CLINE: Cline =
    Cline { name: "cline", extensions: &["saoudrizwan.claude-dev"], meaning: Meaning::OfProvider };
/// Input is the whole prompt since 3.29.5 (2025-11-01).
pub(super) const ROO: Cline =
    Cline { name: "roo-code", extensions: &["rooveterinaryinc.roo-cline"], meaning: Meaning::Whole(1_761_955_200_000) };
/// Input is the whole prompt since 4.119.0 (2025-11-12).
pub(super) const KILO: Cline =
    Cline { name: "kilo-code", extensions: &["kilocode.kilo-code"], meaning: Meaning::Whole(1_762_905_600_000) };

const TASK: &[u8] = b"ui_messages.json";
const SESSION: &[u8] = b".messages.json";

impl Format for Cline {
    fn name(&self) -> &'static str {
        self.name
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "calls before a compaction one by one; the tokens of a condensed context, whose cost counts; the model of older tasks"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let tasks = self.extensions.iter().flat_map(|id| editors::global_storage(env, &[id, "tasks"]));
        let data = || {
            let home = env.path("CLINE_DIR").or_else(|| env.home(".cline"));
            env.path("CLINE_DATA_DIR").or_else(|| home.map(|home| home.join("data")))
        };
        let named = env.path("CLINE_SESSION_DATA_DIR").or_else(|| data().map(|data| data.join("sessions")));
        let sessions = if self.name == CLINE.name { named } else { None };
        let own = match self.name {
            "cline" => data().map(|data| data.join("tasks")),
            // Roo Code's CLI.
            "roo-code" => env.home(".vscode-mock/global-storage/tasks"),
            _ => None,
        };
        sessions.into_iter().chain(own).chain(tasks).map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == TASK || name.ends_with(SESSION)).then_some(Framing::Document)
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        let Some(folder) = log.parent() else { return Vec::new() };
        if log.file_name().is_some_and(|name| name.as_encoded_bytes() == TASK) {
            return ["api_conversation_history.json", "task_metadata.json", "history_item.json"]
                .map(|name| folder.join(name))
                .into();
        }
        folder.file_name().map(|name| folder.join(name).with_extension("json")).into_iter().collect()
    }
    /// The task's history names the model of each request.
    fn project_bytes(&self) -> usize {
        cline_task::PROMPTS
    }
    fn reader(&self) -> Box<dyn Reader> {
        let task = cline_task::Task::new(self.name, self.meaning);
        Box::new(Documents { name: self.name, author: Author::new(self.name), own: Own::default(), task })
    }
}

fields! {
    /// A session of the CLI.
    Session {
        id: Text<'a> = "sessionId",
        role: Text<'a> = "agent",
        origin: Creation<'a> = "origin",
        messages: List<Message<'a>> = "messages",
    }
}

fields! {
    /// How a session was created.
    Creation {
        parent: Text<'a> = "parentThreadId",
        agent: Text<'a> = "subagent",
    }
}

fields! {
    /// A message of the CLI.
    Message {
        id: Text<'a> = "id",
        at: Stamp = "ts",
        model: Model<'a> = "modelInfo",
        metrics: Metrics<'a> = "metrics",
        about: Metadata<'a> = "metadata",
    }
}

fields! {
    /// Present in the first message after a compaction: the sum of all messages before it.
    Metadata {
        before: Metrics<'a> = "usageBefore",
    }
}

fields! {
    Model {
        id: Text<'a> = "id",
    }
}

fields! {
    /// Counts of the CLI.
    Metrics {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cacheReadTokens",
        cache_write: Count = "cacheWriteTokens",
        reasoning: Count = "reasoningTokens" | "thoughtsTokenCount",
        cost: Money = "cost",
    }
}

fields! {
    /// The file `<session>.json`.
    About {
        cwd: Text<'a> = "cwd" | "workspace_root",
        began: Stamp = "started_at",
        model: Text<'a> = "model",
        metadata: Sums<'a> = "metadata",
    }
}

fields! {
    /// The sums of a session, without and with its sub-agents.
    Sums {
        usage: Metrics<'a> = "usage",
        aggregate: Metrics<'a> = "aggregateUsage",
    }
}

/// Facts about a session from `<session>.json`.
#[derive(Default)]
struct Own {
    cwd: Option<String>,
    began: Stamp,
    model: Option<String>,
    /// Everything the session used, without its sub-agents.
    lead: Tokens,
    /// The sub-agents' part, or everything if the sums are not split.
    of_agents: Tokens,
}

struct Documents {
    name: &'static str,
    author: Author,
    own: Own,
    /// Reads the tasks of an extension.
    task: cline_task::Task,
}

impl Reader for Documents {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let is_list = line.starts_with(b"[");
        let is_session = origin.path.as_bytes().ends_with(SESSION);
        if is_list && !is_session {
            return self.task.read(line, origin, out);
        }
        let session: Session<'_> =
            if is_list { Session { messages: json::parse(line)?, ..Session::default() } } else { json::parse(line)? };
        if session.messages.is_absent() || (session.id.is_absent() && !is_list) {
            return Ok(Reading::NotMine);
        }
        let mut bad = FirstBad::default();
        for message in session.messages.0.iter().filter(|message| !message.metrics.is_absent()) {
            out.extend(bad.good(self.answer(&session, message, origin)).flatten().map(Record::Call));
        }
        out.extend(self.total(&session, origin)?.map(Record::Bill));
        bad.result()
    }

    fn describe(&mut self, text: &[u8]) {
        self.task.describe(text);
        let about: About<'_> = json::parse(text).unwrap_or_default();
        let Sums { usage, aggregate, .. } = &about.metadata;
        let sum = |metrics: &Metrics<'_>| metrics.split(Count::total).unwrap_or_default().0;
        let lead = sum(usage);
        self.own = Own {
            cwd: about.cwd.get().map(str::to_owned),
            began: about.began,
            model: about.model.get().map(str::to_owned),
            lead,
            of_agents: sum(aggregate).saturating_sub(lead),
        };
    }
}

/// For a sub-agent, the session whose folder contains the document; `None` for the session itself.
fn parent<'a>(session: &'a Session<'_>, origin: &'a Origin) -> Option<&'a str> {
    let is_agent = matches!(session.role.get(), Some("subagent" | "teammate"));
    let folder = || origin.folder(0).filter(|folder| is_agent && session.id.get() != Some(folder));
    session.origin.parent.get().or_else(folder)
}

impl Documents {
    /// An answer in the CLI.
    fn answer(
        &mut self,
        session: &Session<'_>,
        message: &Message<'_>,
        origin: &Origin,
    ) -> Result<Option<Call>, BadLine> {
        let metrics = &message.metrics;
        let (tokens, is_guessed) = metrics.split(Count::tokens)?;
        if tokens.is_zero() {
            return Ok(None);
        }
        let own = session.id.get().or(origin.folder(0));
        let parent = parent(session, origin);
        let mut from = self.author.attribution(message.at.0, parent.or(own), self.own.cwd.as_deref(), origin);
        from.agent = self.author.label(parent.and_then(|_| session.origin.agent.get().or(own)));
        let at = message.at.0.map(|at| at.timestamp_millis()).unwrap_or_default().to_string();
        let key = match message.id.get() {
            // Ids are short, but copies keep their time.
            Some(id) => CallKey::from_parts(&[self.name, id, &at]),
            None => CallKey::from_parts(&[self.name, own.unwrap_or_default(), "at", &at]),
        };
        let model = self.author.label(message.model.id.get().or(self.own.model.as_deref()));
        let fidelity = if is_guessed || model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        Ok(Some(Call { quoted: metrics.cost.0, fidelity, ..Call::new(key, from, model, tokens) }))
    }

    /// The total of a session whose messages do not account for all of it: a compaction removed their counts, or an
    /// answer was interrupted before it had any. For a sub-agent, this is part of its parent's session.
    fn total(&mut self, session: &Session<'_>, origin: &Origin) -> Result<Option<Bill>, BadLine> {
        let messages = &session.messages.0;
        if parent(session, origin).is_some() {
            return Ok(None);
        }
        let named = messages.iter().rev().find_map(|message| message.model.id.get());
        let model = named.or(self.own.model.as_deref()).unwrap_or(Billed::UNNAMED);
        let (mut totals, mut listed) = (BTreeMap::<&str, Tokens>::new(), Tokens::ZERO);
        let mut add = |model, tokens: Tokens| {
            let total = totals.entry(model).or_default();
            *total = total.saturating_add(tokens);
        };
        for message in messages {
            let tokens = message.metrics.split(Count::tokens).unwrap_or_default().0;
            listed = listed.saturating_add(tokens);
            add(message.model.id.get().unwrap_or(model), tokens);
        }
        let compacted = messages.iter().find(|message| !message.about.before.is_absent());
        let before = match compacted {
            Some(first) => first.about.before.split(Count::total)?.0,
            None => Tokens::ZERO,
        };
        let interrupted = beyond(self.own.lead, listed.saturating_add(before));
        if before.is_zero() && interrupted.is_zero() && (!listed.is_zero() || self.own.of_agents.is_zero()) {
            return Ok(None);
        }
        add(model, before.saturating_add(interrupted));
        add(Billed::UNNAMED, self.own.of_agents);
        let at = compacted.or(messages.first()).and_then(|message| message.at.0);
        let own = session.id.get().or(origin.folder(0));
        let from = self.author.attribution(at.or(self.own.began.0), own, self.own.cwd.as_deref(), origin);
        Ok(bill(self.name, from, totals))
    }
}

/// The part of a sum that the messages do not account for. In some versions the sums do not give the cached part.
fn beyond(sum: Tokens, listed: Tokens) -> Tokens {
    let prompt = |tokens: &Tokens| tokens.input + tokens.cache_read + tokens.cache_write_5m;
    let more = prompt(&sum).saturating_sub(prompt(&listed));
    let cache_read = sum.cache_read.saturating_sub(listed.cache_read).min(more);
    let cache_write_5m = sum.cache_write_5m.saturating_sub(listed.cache_write_5m).min(more - cache_read);
    let output = sum.output.saturating_sub(listed.output);
    let reasoning = sum.reasoning.saturating_sub(listed.reasoning).min(output);
    let input = more - cache_read - cache_write_5m;
    Tokens { input, cache_read, cache_write_5m, output, reasoning, ..Tokens::ZERO }
}

impl Metrics<'_> {
    /// The counts in disjoint classes, and whether the split had to be guessed.
    fn split(&self, read: fn(&Count, &'static str) -> Result<u64, BadLine>) -> Result<(Tokens, bool), BadLine> {
        let output = read(&self.output, "outputTokens")?;
        let counts = Counts {
            prompt: Some(read(&self.input, "inputTokens")?),
            output: Some(output),
            cache_read: read(&self.cache_read, "cacheReadTokens")?,
            cache_write_5m: read(&self.cache_write, "cacheWriteTokens")?,
            reasoning: read(&self.reasoning, "reasoningTokens")?.min(output),
            ..Counts::default()
        };
        Ok(counts.split())
    }
}
