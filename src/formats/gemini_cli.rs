//! Gemini CLI's chats: `~/.gemini/tmp/<project>/chats/`, one file per session, with sub-agents in a folder of their
//! parent's.
//!
//! There are two framings. Since about 0.40 (April 2026) a chat is JSONL: a header, messages, and `$set` lines, which
//! may contain a whole list of messages (verified with 0.61.0 against a service with a known bill, 2026-11-26; the
//! counts equalled the bill). Before that, it was a single JSON document, rewritten in place (the agent's source, early
//! 2026). A message has the same shape in both, and is written again under its id whenever it changes.
//!
//! `input` includes cached tokens, `output` excludes `thoughts`, and `input` excludes `tool`: the total is the sum of
//! the four. A rewind, a shorter list or a shorter document removes messages from the conversation, but not from the
//! bill. No chat has the router's calls, one per prompt, or the summaries of old sessions, so unless the settings name
//! a model, the calls of a main session are a lower bound. The agent's telemetry reports the same answers; session,
//! model and counts join the two. What a run prints (`gemini_print.rs`) has the router's calls, too. The project is the
//! text of `.project_root` next to the chats.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::count::Count;
use super::fields::{Seen, Slot, fields};
use super::first_bad::FirstBad;
use super::gemini_print::{FIRST, Run, STATS};
use super::json::{self, List, NameOr, Text};
use super::split::Counts;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Place, Record, Tokens};

/// Gemini CLI's chats.
pub(super) struct GeminiCli;

const NAME: &str = "gemini-cli";

impl Format for GeminiCli {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "the router's calls"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("GEMINI_CLI_HOME").map(|home| home.join(".gemini")).or_else(|| env.home(".gemini"));
        home.into_iter().map(|home| Location::tree(home.join("tmp"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if name.ends_with(b".jsonl") {
            return Some(Framing::Lines);
        }
        // Lists of prompts and checkpoints lie next to the chats and are `.json` files, too.
        (name.starts_with(b"session-") && name.ends_with(b".json")).then_some(Framing::Document)
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        let chats = log.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "chats"));
        let Some(project) = chats.and_then(Path::parent) else { return Vec::new() };
        // `~/.gemini/tmp/<project>/chats`
        let settings = project.ancestors().nth(2).map(|home| home.join("settings.json"));
        [project.join(".project_root")].into_iter().chain(settings).collect()
    }
    /// The settings say which model is set now, not which one was.
    fn described_by(&self, log: &Path) -> Vec<PathBuf> {
        self.project_files(log).into_iter().take(1).collect()
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn reader(&self) -> Box<dyn Reader> {
        chats(NAME)
    }
}

/// A reader for chats, as this agent and its forks write them.
pub(super) fn chats(source: &str) -> Box<dyn Reader> {
    Box::new(Chat {
        has_router: source == NAME,
        is_old: false,
        is_fixed: false,
        source: Label::new(source),
        labels: Labels::default(),
        project: None,
        head: Head::default(),
        author: Author::new(source),
        run: Run::default(),
    })
}

const TOKENS: &str = "\"tokens\"";
const HEADER: &str = "\"projectHash\"";
const NEEDLES: [&str; 4] = [TOKENS, HEADER, FIRST, STATS];

fields! {
    /// A header, a message, an update, or a whole document.
    Line {
        session: Text<'a> = "sessionId",
        hash: Seen = "projectHash",
        thread: Text<'a> = "kind",
        messages: List<Message<'a>> = "messages",
        set: Update<'a> = "$set",
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        kind: Text<'a> = "type",
        model: Text<'a> = "model",
        tokens: Usage<'a> = "tokens",
    }
}

fields! {
    /// Changes made by a `$set` line.
    Update {
        messages: List<Message<'a>> = "messages",
    }
}

fields! {
    Message {
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        kind: Text<'a> = "type",
        model: Text<'a> = "model",
        tokens: Usage<'a> = "tokens",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        input: Count = "input",
        output: Count = "output",
        cached: Count = "cached",
        thoughts: Count = "thoughts",
        tool: Count = "tool",
        total: Count = "total",
    }
}

fields! {
    /// The user's settings.
    Settings {
        model: NameOr<'a, Model<'a>> = "model",
    }
}

fields! {
    /// The model set by the user.
    Model {
        name: Text<'a> = "name",
    }
}

/// Facts from the header of a chat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Head {
    session: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_sub_agent: bool,
}

struct Chat {
    /// True if the agent has a router, which may choose the model for each prompt with a call that is not logged.
    has_router: bool,
    /// True for an older document, for which it is unknown whether there was a router.
    is_old: bool,
    /// True if the settings currently name a model.
    is_fixed: bool,
    source: Label,
    labels: Labels,
    project: Option<Label>,
    head: Head,
    /// The printed output of a run.
    author: Author,
    run: Run,
}

/// State of the reader.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    #[serde(flatten)]
    head: Head,
    #[serde(skip_serializing_if = "Run::is_none")]
    run: Run,
}

impl Reader for Chat {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let parsed: Line<'_> = json::parse(line)?;
        let is_header = parsed.hash.is_some() && !parsed.session.is_absent();
        self.is_old |= is_header && !parsed.messages.is_absent();
        if is_header {
            let session = parsed.session.get().unwrap_or_default().to_owned();
            self.head = Head { session, is_sub_agent: parsed.thread.get() == Some("subagent") };
        }
        let own = Message {
            id: parsed.id,
            at: parsed.at,
            kind: parsed.kind,
            model: parsed.model,
            tokens: parsed.tokens,
            ..Message::default()
        };
        let lists = parsed.messages.0.iter().chain(&parsed.set.messages.0);
        let answers: Vec<&Message<'_>> = lists.chain([&own]).filter(|message| message.is_answer()).collect();
        if answers.is_empty() && !is_header && parsed.set.is_absent() {
            return self.run.line(line, &mut self.author, origin, out);
        }
        let mut bad = FirstBad::default();
        for message in answers {
            out.extend(bad.good(self.call(message, origin)).flatten().map(Record::Call));
        }
        bad.result()
    }

    fn describe(&mut self, text: &[u8]) {
        if text.starts_with(b"{") {
            let settings: Settings<'_> = json::parse(text).unwrap_or_default();
            let model = match &settings.model {
                NameOr::Name(name) => Some(name.as_ref()),
                NameOr::Object(model) => model.name.get(),
                NameOr::Neither => None,
            };
            self.is_fixed = model.is_some_and(|name| !name.starts_with("auto"));
            return;
        }
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        self.project = Some(Label::from_bytes(line)).filter(|_| !line.is_empty());
    }

    fn facts(&self) -> String {
        self.project.as_deref().unwrap_or_default().to_owned()
    }

    fn state(&self) -> String {
        save(&State { head: self.head.clone(), run: self.run.clone() })
    }

    fn restore(&mut self, state: &str) {
        State { head: self.head, run: self.run } = load(state);
    }
}

impl Message<'_> {
    fn is_answer(&self) -> bool {
        matches!(self.kind.get(), Some("gemini" | "qwen")) && !self.tokens.is_absent()
    }
}

impl Chat {
    /// The answer in a message; `None` until its counts are known.
    fn call(&mut self, message: &Message<'_>, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let (tokens, is_guessed) = message.tokens.split()?;
        if tokens.is_zero() {
            return Ok(None);
        }
        let head = &self.head;
        let own = if head.session.is_empty() { origin.stem() } else { &head.session };
        // `chats/<parent>/<own>.jsonl`
        let folder = origin.path.rsplit(['/', '\\']).nth(1).filter(|folder| *folder != "chats");
        let parent = folder.filter(|_| head.is_sub_agent);
        let session = parent.unwrap_or(own);
        let at = message.at.0.unwrap_or(origin.modified);
        let key = match message.id.get() {
            // Copies in a resumed session keep the ids, which are random.
            Some(id) if id.len() >= 16 => CallKey::from_parts(&[NAME, id]),
            Some(id) => CallKey::from_parts(&[NAME, session, own, id]),
            None => CallKey::from_parts(&[NAME, session, own, &at.to_rfc3339()]),
        };
        let model = message.model.get();
        let from = Attribution {
            session: Some(self.labels.get(session)),
            agent: self.labels.find(parent.map(|_| own)),
            project: self.project.clone(),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            ..Attribution::new(at, self.source.clone())
        };
        let alias = model.map(|model| CallKey::of_gemini(session, model, &tokens));
        let is_routed = self.has_router && !self.is_old && !self.is_fixed && parent.is_none();
        let fidelity = if is_guessed || model.is_none() {
            Fidelity::Guessed
        } else if is_routed {
            Fidelity::Unlisted
        } else {
            Fidelity::Final
        };
        let model = self.labels.find(model);
        Ok(Some(Call { fidelity, alias, ..Call::new(key, from, model, tokens) }))
    }
}

impl Usage<'_> {
    /// The counts in disjoint classes, and whether the split is a guess.
    fn split(&self) -> Result<(Tokens, bool), BadLine> {
        let thoughts = self.thoughts.tokens("thoughts")?;
        let total = self.total.tokens("total")?;
        let counts = Counts {
            prompt: Some(self.input.tokens("input")? + self.tool.tokens("tool")?),
            output: Some(self.output.tokens("output")? + thoughts),
            total: Some(total).filter(|total| *total > 0),
            cache_read: self.cached.tokens("cached")?,
            reasoning: thoughts,
            ..Counts::default()
        };
        Ok(counts.split())
    }
}
