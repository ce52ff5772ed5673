//! Kimi Code's sessions, `~/.kimi-code/sessions/<folder>/<session>/agents/<agent>/wire.jsonl`, and those of the older
//! kimi-cli, `~/.kimi/sessions/<folder>/<session>/wire.jsonl`.
//!
//! Kimi Code was verified with 2.1.0 against a service with a known bill (2026-11-26). A `usage.record` is one request,
//! including compactions, and equals the bill. The same counts are in `step.end`, in `agent.message.appended`, and as a
//! sub-agent's sum in its parent's `subagent.completed`; these are not read. `model` is an alias from the user's
//! settings; the real name is in the preceding `llm.request`. `turn.prompt` and `turn.ended` enclose a turn. A
//! sub-agent has its own folder in its session. A fork copies records with their times; time and counts are the key. A
//! record older than `createdAt` in `state.json` is a copy.
//!
//! kimi-cli (its source, 2025): `StatusUpdate` has the counts of a step, also inside a `SubagentEvent`, and names no
//! model. Counts are disjoint in both agents. `KIMI_CODE_HOME` and `KIMI_SHARE_DIR` replace the two homes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::count::Count;
use super::fields::{Slot, Within, fields};
use super::json::{self, Text};
use super::keys::timed_key;
use super::time::Stamp;
use super::turns::Turns;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::{Call, CallKey, Claim, Fidelity, Instant, Record, Tokens, Turn};

/// Kimi Code and kimi-cli.
pub(super) struct Kimi;

const NAME: &str = "kimi-code";
const NEEDLES: [&str; 3] = ["\"usage.record\"", "\"llm.request\"", "\"StatusUpdate\""];
/// The folder of the main thread.
const MAIN: &str = "main";
/// Maximum nesting of events: sub-agents do not start sub-agents of their own.
const DEEPEST: usize = 4;

impl Format for Kimi {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "the model, in kimi-cli's sessions"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let code = env.path("KIMI_CODE_HOME").or_else(|| env.home(".kimi-code"));
        let cli = env.path("KIMI_SHARE_DIR").or_else(|| env.home(".kimi"));
        [code, cli].into_iter().flatten().map(|home| Location::tree(home.join("sessions"))).collect()
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        let agents = log.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "agents"));
        agents.and_then(Path::parent).map(|session| session.join("state.json")).into_iter().collect()
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn marks_turn(&self, line: &[u8]) -> bool {
        let is_turn = |rest: &[u8]| rest.starts_with(b"turn.prompt\"") || rest.starts_with(b"turn.ended\"");
        line.strip_prefix(b"{\"type\":\"").is_some_and(is_turn)
    }
    fn reader(&self) -> Box<dyn Reader> {
        let (author, asked, turns) = (Author::new(NAME), Asked::default(), Turns::default());
        Box::new(Wire { author, cwd: None, began: None, asked, turns })
    }
}

fields! {
    /// A line of either agent.
    Line {
        kind: Text<'a> = "type",
        at: Stamp = "time" | "timestamp",
        model: Text<'a> = "model",
        alias: Text<'a> = "modelAlias",
        usage: Usage<'a> = "usage",
        message: Within<'a> = "message",
    }
}

fields! {
    /// The counts of Kimi Code and of kimi-cli.
    Usage {
        input: Count = "inputOther" | "input_other",
        output: Count = "output",
        cache_read: Count = "inputCacheRead" | "input_cache_read",
        cache_write: Count = "inputCacheCreation" | "input_cache_creation",
    }
}

fields! {
    /// An event of kimi-cli.
    Event {
        kind: Text<'a> = "type",
        payload: Payload<'a> = "payload",
    }
}

fields! {
    /// Content of an event.
    Payload {
        usage: Usage<'a> = "token_usage",
        message: Text<'a> = "message_id",
        event: Within<'a> = "event",
    }
}

fields! {
    /// A session, from the beginning of its `state.json`.
    About {
        cwd: Text<'a> = "cwd" | "workDir",
        created: Stamp = "createdAt",
    }
}

/// The preceding request: the model, and its alias.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Asked {
    model: String,
    alias: String,
}

struct Wire {
    author: Author,
    cwd: Option<String>,
    began: Option<Instant>,
    asked: Asked,
    turns: Turns,
}

impl Reader for Wire {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        match read.kind.get() {
            Some("llm.request") => {
                let keep = |text: &Text<'_>| text.get().unwrap_or_default().to_owned();
                self.asked = Asked { model: keep(&read.model), alias: keep(&read.alias) };
            }
            Some("turn.prompt") => self.turn(Turn::Begun, &read, origin),
            Some("turn.ended") => self.turn(Turn::Ended, &read, origin),
            Some("usage.record") => out.extend(self.record(&read, origin)?.map(Record::Call)),
            None if !read.message.is_absent() => {
                let Some(event) = read.message.object::<Event<'_>>() else { return Ok(Reading::NotMine) };
                if event.kind.is_absent() || event.payload.is_absent() {
                    return Ok(Reading::NotMine);
                }
                out.extend(self.update(&read, event, origin)?.map(Record::Call));
            }
            _ => return Ok(Reading::NotMine),
        }
        Ok(Reading::Mine)
    }

    fn describe(&mut self, text: &[u8]) {
        // Only the beginning of the file is here. Everything needed comes before the cut.
        let about: About<'_> = json::parse(text).unwrap_or_default();
        self.began = about.created.or(&value_after(text, b"\"createdAt\":").unwrap_or_default()).0;
        self.cwd = about.cwd.get().map(str::to_owned).or_else(|| value_after(text, b"\"cwd\":"));
    }

    fn statuses(&mut self, out: &mut Vec<Record>) {
        self.turns.take(self.author.source(), out);
    }

    fn facts(&self) -> String {
        format!("{:?}", (&self.began, &self.cwd))
    }

    fn state(&self) -> String {
        save(&self.asked)
    }

    fn restore(&mut self, state: &str) {
        self.asked = load(state);
    }
}

impl Wire {
    /// Takes note of the start or end of a main thread's turn.
    fn turn(&mut self, turn: Turn, read: &Line<'_>, origin: &Origin) {
        if let (Some(MAIN), Some(session)) = folders(origin) {
            self.turns.note(session, turn, read.at.0.unwrap_or(origin.modified));
        }
    }

    /// A request of Kimi Code.
    fn record(&mut self, read: &Line<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let tokens = read.usage.tokens()?;
        if tokens.is_zero() {
            return Ok(None);
        }
        let stated = read.model.get();
        let is_asked = !self.asked.model.is_empty() && (stated.is_none() || stated == Some(self.asked.alias.as_str()));
        let model = if is_asked { Some(self.asked.model.clone()) } else { stated.map(str::to_owned) };
        let (agent, session) = folders(origin);
        let mut from = self.author.attribution(read.at.0, session.or(agent), self.cwd.as_deref(), origin);
        from.agent = self.author.label(agent.filter(|agent| *agent != MAIN && session.is_some()));
        from.began = self.began;
        if read.at.0.zip(self.began).is_some_and(|(at, began)| at < began) {
            from.claim = Claim::Copy;
        }
        let model = self.author.label(model.as_deref());
        let fidelity = if model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        let key = timed_key(NAME, read.at.0, None, &tokens);
        Ok(Some(Call { fidelity, ..Call::new(key, from, model, tokens) }))
    }

    /// A step of kimi-cli.
    fn update(&mut self, read: &Line<'_>, event: Event<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let mut event = event;
        let mut depth = 0;
        while event.kind.get() == Some("SubagentEvent") && depth < DEEPEST {
            let Some(inner) = event.payload.event.object() else { return Ok(None) };
            (event, depth) = (inner, depth + 1);
        }
        let tokens = event.payload.usage.tokens()?;
        if event.kind.get() != Some("StatusUpdate") || tokens.is_zero() {
            return Ok(None);
        }
        let session = origin.path.rsplit(['/', '\\']).nth(1).unwrap_or_else(|| origin.stem());
        let mut from = self.author.attribution(read.at.0, Some(session), None, origin);
        from.agent = self.author.label((depth > 0).then_some("subagent"));
        let key = match event.payload.message.get() {
            Some(id) => CallKey::from_parts(&[NAME, "message", session, id]),
            None => timed_key(NAME, read.at.0, None, &tokens),
        };
        Ok(Some(Call { fidelity: Fidelity::Guessed, ..Call::new(key, from, None, tokens) }))
    }
}

/// Agent and session of a file: `<session>/agents/<agent>/wire.jsonl`.
fn folders(origin: &Origin) -> (Option<&str>, Option<&str>) {
    let mut folders = origin.path.rsplit(['/', '\\']).skip(1);
    (folders.next(), folders.nth(1))
}

/// The value that follows a name in the beginning of a document.
fn value_after<'d, T: Deserialize<'d>>(document: &'d [u8], name: &[u8]) -> Option<T> {
    let start = memchr::memmem::find(document, name)? + name.len();
    serde_json::Deserializer::from_slice(&document[start..]).into_iter().next()?.ok()
}

impl Usage<'_> {
    fn tokens(&self) -> Result<Tokens, BadLine> {
        Ok(Tokens {
            input: self.input.tokens("input")?,
            cache_read: self.cache_read.tokens("cache read")?,
            cache_write_5m: self.cache_write.tokens("cache creation")?,
            cache_write_1h: 0,
            output: self.output.tokens("output")?,
            reasoning: 0,
        })
    }
}
