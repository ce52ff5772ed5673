//! Cline: the CLI's sessions, `~/.cline/data/sessions/<session>/*.messages.json`, and the tasks of the editor extension, from
//! which Roo Code and Kilo Code descend: `globalStorage/<extension>/tasks/<task>/ui_messages.json`.
//!
//! CLI: seen with 3.0.65 against a service whose bill is known (2026-11-26): `metrics` of a message are one answer, equal to
//! the bill; `inputTokens` includes what was read from and written to a cache. A sub-agent has a document of its own in its parent's folder. A compaction takes the counts off
//! all messages and leaves their sum in `usageBefore` (its source, 2026-11-26), a part of the session's total. The sums of
//! the session's own `<session>.json` are not read; the project stands there.
//!
//! Extensions (their source, 2026; 53 requests of real logs): a message `api_req_started` is one request, whose counts
//! stand as JSON in its `text`, disjoint, once it has ended. `deleted_api_reqs` sums up requests whose messages were
//! removed: a part of the task's total. The model stands in `modelInfo`, in older ones nowhere.

use std::path::{Path, PathBuf};

use super::author::Author;
use super::count::Count;
use super::editors;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, List, Money, Text};
use super::running::bill;
use super::split::Counts;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Attribution, Bill, Call, CallKey, Fidelity, Record, Tokens};

/// One agent of the family: its name and the ids of its extension.
pub(super) struct Cline {
    name: &'static str,
    extensions: &'static [&'static str],
}

pub(super) const CLINE: Cline = Cline { name: "cline", extensions: &["saoudrizwan.claude-dev"] };
pub(super) const ROO: Cline = Cline { name: "roo-code", extensions: &["rooveterinaryinc.roo-cline"] };
pub(super) const KILO: Cline = Cline { name: "kilo-code", extensions: &["kilocode.kilo-code"] };

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
        "calls before a compaction one by one; the model of older tasks"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let tasks = self.extensions.iter().flat_map(|id| editors::global_storage(env, &[id, "tasks"]));
        let data = || {
            let home = env.path("CLINE_DIR").or_else(|| env.home(".cline"));
            env.path("CLINE_DATA_DIR").or_else(|| home.map(|home| home.join("data")))
        };
        let named = env.path("CLINE_SESSION_DATA_DIR").or_else(|| data().map(|data| data.join("sessions")));
        let sessions = if self.name == CLINE.name { named } else { None };
        let own = if self.name == CLINE.name { data().map(|data| data.join("tasks")) } else { None };
        sessions.into_iter().chain(own).chain(tasks).map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == TASK || name.ends_with(SESSION)).then_some(Framing::Document)
    }
    fn project_file(&self, log: &Path) -> Option<PathBuf> {
        let folder = log.parent()?;
        if log.file_name()?.as_encoded_bytes() == TASK {
            return Some(folder.join("history_item.json"));
        }
        Some(folder.join(folder.file_name()?).with_extension("json"))
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Task { name: self.name, author: Author::new(self.name), project: None })
    }
}

fields! {
    /// A session of the CLI.
    Session {
        id: Text<'a> = "sessionId",
        origin: Birth<'a> = "origin",
        messages: List<Message<'a>> = "messages",
    }
}

fields! {
    /// How a session came to be.
    Birth {
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
    /// Of the first message after a compaction: the sum of all that were asked before.
    Metadata {
        before: Metrics<'a> = "usageBefore",
    }
}

fields! {
    /// The model of the CLI and of the extensions.
    Model {
        id: Text<'a> = "id" | "modelId",
    }
}

fields! {
    /// The counts of the CLI.
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
    /// A message of an extension.
    Said {
        at: Stamp = "ts",
        what: Text<'a> = "say",
        text: Text<'a> = "text",
        model: Model<'a> = "modelInfo",
    }
}

fields! {
    /// Counts of a request in a message of an extension.
    Request {
        input: Count = "tokensIn",
        output: Count = "tokensOut",
        cache_read: Count = "cacheReads",
        cache_write: Count = "cacheWrites",
        cost: Money = "cost",
    }
}

fields! {
    /// The files that name the project: `<session>.json` and `history_item.json`.
    About {
        cwd: Text<'a> = "workspace" | "cwd" | "workspace_root",
    }
}

struct Task {
    name: &'static str,
    author: Author,
    project: Option<String>,
}

impl Reader for Task {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        if line.starts_with(b"[") {
            let said: List<Said<'_>> = json::parse(line)?;
            return self.task(&said.0, origin, out);
        }
        let session: Session<'_> = json::parse(line)?;
        if session.id.is_absent() || session.messages.is_absent() {
            return Ok(Reading::NotMine);
        }
        // One count that cannot be true spoils its own message and no other.
        let mut bad = None;
        for message in session.messages.0.iter().filter(|message| !message.metrics.is_absent()) {
            match self.answer(&session, message, origin) {
                Ok(call) => out.extend(call.map(Record::Call)),
                Err(why) => bad = bad.or(Some(why)),
            }
        }
        out.extend(self.compacted(&session, origin)?.map(Record::Bill));
        bad.map_or(Ok(Reading::Mine), Err)
    }

    fn beside(&mut self, text: &[u8]) {
        self.project = json::parse::<About<'_>>(text).ok().and_then(|about| about.cwd.get().map(str::to_owned));
    }
}

impl Task {
    /// An answer of the CLI.
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
        let own = session.id.get();
        let parent = session.origin.parent.get();
        let mut from = self.author.attribution(message.at.0, parent.or(own), self.project.as_deref(), origin);
        from.agent = self.author.label(parent.and_then(|_| session.origin.agent.get().or(own)));
        let at = message.at.0.map(|at| at.timestamp_millis()).unwrap_or_default().to_string();
        let key = match message.id.get() {
            // Ids are short, and copies keep their time.
            Some(id) => CallKey::from_parts(&[self.name, id, &at]),
            None => CallKey::from_parts(&[self.name, own.unwrap_or_default(), "at", &at]),
        };
        let model = self.author.label(message.model.id.get());
        let fidelity = if is_guessed || model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        Ok(Some(Call { quoted: metrics.cost.0, fidelity, ..Call::new(key, from, model, tokens) }))
    }

    /// The total of a session that was compacted, which took the counts off all its messages. A sub-agent's is a part of
    /// its parent's session, of which it knows nothing else.
    fn compacted(&mut self, session: &Session<'_>, origin: &Origin) -> Result<Option<Bill>, BadLine> {
        let messages = &session.messages.0;
        let Some(first) = messages.iter().find(|message| !message.about.before.is_absent()) else { return Ok(None) };
        if !session.origin.parent.is_absent() {
            return Ok(None);
        }
        let mut total = first.about.before.split(Count::total)?.0;
        for message in messages {
            total = total.saturating_add(message.metrics.split(Count::tokens).unwrap_or_default().0);
        }
        let from = self.author.attribution(first.at.0, session.id.get(), self.project.as_deref(), origin);
        let model = messages.iter().rev().find_map(|message| message.model.id.get()).unwrap_or("unknown");
        Ok(bill(self.name, from, [(model, total)]))
    }

    /// A task of an extension: its messages.
    fn task(&mut self, said: &[Said<'_>], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let (mut bad, mut total, mut removed, mut last) = (None, Tokens::default(), Tokens::default(), None);
        let task = origin.path.rsplit(['/', '\\']).nth(1).unwrap_or_else(|| origin.stem()).to_owned();
        for message in said {
            let (Some(what @ ("api_req_started" | "deleted_api_reqs")), Some(text)) =
                (message.what.get(), message.text.get())
            else {
                continue;
            };
            let Ok(request) = json::parse::<Request<'_>>(text.as_bytes()) else { continue };
            let tokens = match request.tokens() {
                Ok(tokens) if tokens.is_zero() => continue,
                Ok(tokens) => tokens,
                Err(why) => {
                    bad = bad.or(Some(why));
                    continue;
                }
            };
            let from = self.author.attribution(message.at.0, Some(&task), self.project.as_deref(), origin);
            if what == "deleted_api_reqs" {
                removed = removed.saturating_add(tokens);
                last = Some(from);
                continue;
            }
            total = total.saturating_add(tokens);
            let at = message.at.0.map(|at| at.timestamp_millis()).unwrap_or_default().to_string();
            let model = self.author.label(message.model.id.get());
            let fidelity = if model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
            let key = CallKey::from_parts(&[self.name, "task", &task, &at]);
            out.push(Record::Call(Call { quoted: request.cost.0, fidelity, ..Call::new(key, from, model, tokens) }));
        }
        out.extend(last.and_then(|from| self.total(from, said, total.saturating_add(removed))).map(Record::Bill));
        bad.map_or(Ok(Reading::Mine), Err)
    }

    /// The total of a task of which messages were removed. They do not name their model: it is that of the others.
    fn total(&self, from: Attribution, said: &[Said<'_>], total: Tokens) -> Option<Bill> {
        let model = said.iter().rev().find_map(|message| message.model.id.get()).unwrap_or("unknown");
        bill(self.name, from, [(model, total)])
    }
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

impl Request<'_> {
    fn tokens(&self) -> Result<Tokens, BadLine> {
        Ok(Tokens {
            input: self.input.tokens("tokensIn")?,
            cache_read: self.cache_read.tokens("cacheReads")?,
            cache_write_5m: self.cache_write.tokens("cacheWrites")?,
            cache_write_1h: 0,
            output: self.output.tokens("tokensOut")?,
            reasoning: 0,
        })
    }
}
