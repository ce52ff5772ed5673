//! Qwen Code's chats: `~/.qwen/projects/<project>/chats/<session>.jsonl`, and its ledger `~/.qwen/usage/*.jsonl`.
//!
//! Verified with 0.24.4 against a service with a known bill (2026-11-26). A chat's lines `ui_telemetry` with the event
//! `qwen-code.api_response` are authoritative: there is one for each answer, including those of sub-agents, summaries
//! and the memory's own agent. The following repeat it: the `assistant` line after it (such lines count only if no
//! event precedes them, as in older chats), the sub-agents' own files in `subagents/`, and the ledger, which exists if
//! statistics are switched on. The ledger and exported telemetry have the event's session, counts and duration, which
//! join the three (their times sometimes differ by a millisecond). `usage_record.jsonl` sums up sessions and is not
//! read.
//!
//! A turn begins with a line of type `user`, because results of tools have a type of their own, and ends with an
//! `assistant` line that calls no tool.
//!
//! Input includes cached tokens. Thoughts are part of the output if the total is input plus output. A fork copies its
//! parent's lines with their ids and times, and names the parent in `forkedFrom`. Earlier chats were Gemini CLI's
//! documents (the agent's source, late 2025). What a run prints is read in `qwen_print.rs`. `QWEN_RUNTIME_DIR`, or else
//! `QWEN_HOME`, replaces `~/.qwen` (its documentation, checked 2026-11-26).

use std::collections::VecDeque;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::branch::branch_name;
use super::count::Count;
use super::fields::{Named, Seen, Slot, fields};
use super::gemini_cli;
use super::json::{self, Flag, List, Text};
use super::keys::{answer_key, qwen_key};
use super::qwen_print::{self, Run};
use super::split::Counts;
use super::time::Stamp;
use super::turns::Turns;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, CallKey, Claim, Fidelity, Record, Tokens, Turn};

/// Qwen Code's chats.
pub(super) struct QwenCode;

const NAME: &str = "qwen-code";
/// Needles of events, answers and ledger lines, and of printed lines.
const NEEDLES: [&str; 6] = {
    let [version, parent, denials] = qwen_print::NEEDLES;
    ["\"ui_telemetry\"", "\"usageMetadata\"", "\"localDate\"", version, parent, denials]
};
/// Length of the beginning of a line that contains its type.
const HEAD: usize = 320;
static PROMPT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\",\"type\":\"user\","));
/// Number of events that an `assistant` line is compared with, because others may come in between.
const NEAR: usize = 16;

impl Format for QwenCode {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "sub-agents and summaries in chats from before its events"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("QWEN_RUNTIME_DIR").or_else(|| env.path("QWEN_HOME")).or_else(|| env.home(".qwen"));
        let folders = |home: std::path::PathBuf| ["projects", "usage", "tmp"].map(|folder| home.join(folder));
        home.map(folders).into_iter().flatten().map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if name.ends_with(b".jsonl") {
            return Some(Framing::Lines);
        }
        (name.starts_with(b"session-") && name.ends_with(b".json")).then_some(Framing::Document)
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn marks_turn(&self, line: &[u8]) -> bool {
        PROMPT.find(&line[..line.len().min(HEAD)]).is_some()
    }
    fn reader(&self) -> Box<dyn Reader> {
        let older = gemini_cli::chats(NAME);
        let (near, turns, run) = (VecDeque::new(), Turns::default(), Run::default());
        Box::new(Chat { author: Author::new(NAME), older, near, turns, run })
    }
}

fields! {
    /// A line of a chat or of the ledger.
    Line {
        uuid: Text<'a> = "uuid",
        session: Text<'a> = "sessionId",
        at: Stamp = "timestamp",
        kind: Text<'a> = "type",
        subtype: Text<'a> = "subtype",
        cwd: Text<'a> = "cwd",
        branch: Text<'a> = "gitBranch",
        model: Text<'a> = "model",
        is_sidechain: Flag = "isSidechain",
        agent: Seen = "agentId",
        provenance: Text<'a> = "provenance",
        message: Message<'a> = "message",
        usage: Usage<'a> = "usageMetadata",
        payload: Payload<'a> = "systemPayload",
        forked_from: Parent<'a> = "forkedFrom",
        date: Seen = "localDate",
        auth_type: Seen = "authType",
        source: Text<'a> = "source",
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cached: Count = "cachedTokens",
        thoughts: Count = "thoughtsTokens",
        total: Count = "totalTokens",
        duration: Named<'a> = "apiDurationMs",
        history: Seen = "projectHash",
        messages: Seen = "messages",
    }
}

fields! {
    /// What was said.
    Message {
        parts: List<Part<'a>> = "parts",
    }
}

fields! {
    /// A part of an answer.
    Part {
        call: Seen = "functionCall",
    }
}

fields! {
    /// Content of a system line.
    Payload {
        event: Event<'a> = "uiEvent",
    }
}

fields! {
    /// The session that a line was copied from.
    Parent {
        session: Text<'a> = "sessionId",
    }
}

fields! {
    /// An answer, as the agent's telemetry reports it.
    Event {
        name: Text<'a> = "event.name",
        at: Stamp = "event.timestamp",
        response: Text<'a> = "response_id",
        model: Text<'a> = "model",
        input: Count = "input_token_count",
        output: Count = "output_token_count",
        cached: Count = "cached_content_token_count",
        thoughts: Count = "thoughts_token_count",
        total: Count = "total_token_count",
        duration: Named<'a> = "duration_ms",
        agent: Text<'a> = "subagent_name" | "subagent_id",
    }
}

fields! {
    /// The counts of an `assistant` line.
    Usage {
        input: Count = "promptTokenCount",
        output: Count = "candidatesTokenCount",
        cached: Count = "cachedContentTokenCount",
        thoughts: Count = "thoughtsTokenCount",
        total: Count = "totalTokenCount",
    }
}

struct Chat {
    author: Author,
    /// Reader for the older documents.
    older: Box<dyn Reader>,
    /// The counts of the latest events.
    near: VecDeque<[u64; 6]>,
    turns: Turns,
    /// The printed output of a run.
    run: Run,
}

/// State of the reader.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    near: VecDeque<[u64; 6]>,
    run: Run,
}

impl Reader for Chat {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        let event = &read.payload.event;
        if read.history.is_some() && read.messages.is_some() {
            return self.older.line(line, origin, out);
        }
        // The kind of login is left out where none is known.
        if read.date.is_some() && (read.auth_type.is_some() || !read.total.is_absent()) {
            out.extend(self.ledger(&read, origin)?.map(Record::Call));
        } else if read.subtype.get() == Some("ui_telemetry") {
            if event.name.get().is_some_and(|name| name.ends_with("api_response")) {
                out.extend(self.event(&read, event, origin)?.map(Record::Call));
            }
        } else if read.kind.get() == Some("assistant") && !read.usage.is_absent() && !read.uuid.is_absent() {
            if !read.is_sidechain.0 {
                let calls_tool = read.message.parts.0.iter().any(|part| part.call.is_some());
                self.turn(&read, (!calls_tool).then_some(Turn::Ended), origin);
                out.extend(self.answer(&read, origin)?.map(Record::Call));
            }
        } else if read.kind.get() == Some("user") && !read.uuid.is_absent() && !read.session.is_absent() {
            let is_prompt = !read.is_sidechain.0 && read.provenance.get().is_none_or(|by| by == "real_user");
            self.turn(&read, is_prompt.then_some(Turn::Begun), origin);
        } else {
            return self.run.line(line, &mut self.author, origin, out);
        }
        Ok(Reading::Mine)
    }

    fn statuses(&mut self, out: &mut Vec<Record>) {
        self.turns.take(self.author.source(), out);
    }

    fn state(&self) -> String {
        if self.run == Run::default() {
            return save(&self.near);
        }
        save(&State { near: self.near.clone(), run: self.run.clone() })
    }

    fn restore(&mut self, state: &str) {
        let is_list = state.starts_with('[');
        let State { near, run } = if is_list { State { near: load(state), ..State::default() } } else { load(state) };
        (self.near, self.run) = (near, run);
        self.near.truncate(NEAR);
    }
}

impl Chat {
    /// Takes note of the start or end of the main thread's turn.
    fn turn(&mut self, read: &Line<'_>, turn: Option<Turn>, origin: &Origin) {
        if let (Some(turn), Some(session), true) = (turn, read.session.get(), read.agent.is_none()) {
            self.turns.note(session, turn, read.at.0.unwrap_or(origin.modified));
        }
    }

    /// An answer in the telemetry.
    fn event(&mut self, read: &Line<'_>, event: &Event<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let counts = [&event.input, &event.output, &event.cached, &event.thoughts, &event.total];
        let Some((tokens, fidelity)) = split(counts)? else { return Ok(None) };
        if self.near.len() == NEAR {
            self.near.pop_front();
        }
        self.near.push_back(tokens.fields());
        let at = event.at.0.or(read.at.0);
        let session = read.forked_from.session.get().or(read.session.get()).unwrap_or_default();
        let took = event.duration.milliseconds();
        let alias = qwen_key(session, event.model.get().unwrap_or_default(), took, &tokens);
        let key = event.response.get().and_then(answer_key).unwrap_or(alias);
        let mut call = self.call(read, &event.model, key, tokens, fidelity, origin);
        call.from.at = at.unwrap_or(call.from.at);
        call.from.agent = self.author.label(event.agent.get());
        Ok(Some(Call { alias: Some(alias), latency: took, ..call }))
    }

    /// An answer in the conversation that no event announced.
    fn answer(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let usage = &read.usage;
        let counts = [&usage.input, &usage.output, &usage.cached, &usage.thoughts, &usage.total];
        let Some((tokens, fidelity)) = split(counts)? else { return Ok(None) };
        if self.near.contains(&tokens.fields()) {
            return Ok(None);
        }
        let key = CallKey::from_parts(&[NAME, "line", read.uuid.get().unwrap_or_default()]);
        Ok(Some(self.call(read, &read.model, key, tokens, fidelity, origin)))
    }

    /// A line of the ledger.
    fn ledger(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let counts = [&read.input, &read.output, &read.cached, &read.thoughts, &read.total];
        let Some((tokens, fidelity)) = split(counts)? else { return Ok(None) };
        let took = read.duration.milliseconds();
        let session = read.session.get().unwrap_or_default();
        let key = qwen_key(session, read.model.get().unwrap_or_default(), took, &tokens);
        let mut call = self.call(read, &read.model, key, tokens, fidelity, origin);
        call.from.agent = self.author.label(read.source.get().filter(|source| *source != "main"));
        Ok(Some(Call { alias: Some(key), latency: took, ..call }))
    }

    fn call(
        &mut self,
        read: &Line<'_>,
        model: &Text<'_>,
        key: CallKey,
        tokens: Tokens,
        fidelity: Fidelity,
        origin: &Origin,
    ) -> Call {
        let parent = read.forked_from.session.get();
        let session = parent.or(read.session.get());
        let mut from = self.author.attribution(read.at.0, session, read.cwd.get(), origin);
        from.branch = self.author.label(branch_name(read.branch.get()).filter(|_| parent.is_none()));
        if parent.is_some() {
            from.claim = Claim::Parent;
        }
        let model = self.author.label(model.get());
        let fidelity = if model.is_none() { Fidelity::Guessed } else { fidelity };
        Call { fidelity, ..Call::new(key, from, model, tokens) }
    }
}

/// Converts input, output, cached, thoughts and total to disjoint classes; `None` if nothing was used.
fn split([input, output, cached, thoughts, total]: [&Count; 5]) -> Result<Option<(Tokens, Fidelity)>, BadLine> {
    let total = total.tokens("total")?;
    let counts = Counts {
        prompt: Some(input.tokens("input")?),
        output: Some(output.tokens("output")?),
        total: Some(total).filter(|total| *total > 0),
        cache_read: cached.tokens("cached")?,
        reasoning: thoughts.tokens("thoughts")?,
        ..Counts::default()
    };
    let (tokens, is_guessed) = counts.split();
    Ok((!tokens.is_zero()).then_some((tokens, if is_guessed { Fidelity::Guessed } else { Fidelity::Final })))
}
