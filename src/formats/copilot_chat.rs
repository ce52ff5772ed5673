//! GitHub Copilot in Visual Studio Code: chats in `User/workspaceStorage/<workspace>/chatSessions/<session>.jsonl`; for
//! windows without a folder, in `User/globalStorage/emptyWindowChatSessions`. Before version 1.109, each is a JSON
//! document.
//!
//! Based on the editor's source (`chatSessionStore.ts`, `objectMutationLog.ts`, `chatModel.ts`, as quoted in
//! `docs/harnesses/copilot-vscode.md` of `sturdynut/Ullage`) and tokscale (`copilot_vscode.rs`, commit 2ffd06c), read
//! 2026-11-27. The lines are a log of changes: the whole state (`kind` 0), a value set at a path (1), a list truncated
//! to a length and then extended (2), a deleted value (3). A request is one turn, which may take several model calls:
//! `completionTokens` counts the output of all of them, `promptTokens` the prompt of the latest one, including cache
//! reads. So the counts of a turn are a lower bound. Requests and credits are billed, but neither is in the log.
//!
//! The document remains when its session continues as a log. Both identify a turn by its id. A session of another agent
//! within the editor (`modelTotals`) is logged by that agent, and so is a model that does not come from Copilot. Turns
//! removed by an undo still count.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answers::{load, save};
use super::author::Author;
use super::count::Count;
use super::editors;
use super::exactness::Exactness;
use super::fields::{Seen, Slot, Within, fields};
use super::file_uri::path_of_uri;
use super::json::{self, List, Text};
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, CallKey, Fidelity, Instant, Record, Tokens};

/// Copilot's chats in Visual Studio Code.
pub(super) struct CopilotChat;

pub(super) const NAME: &str = "copilot-vscode";
const NEEDLES: [&str; 1] = ["\"requests\""];
/// Maximum number of turns per session whose changes are followed.
pub(super) const MOST: usize = 10_000;

impl Format for CopilotChat {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Estimates]
    }
    fn gaps(&self) -> &'static str {
        "all but the latest prompt of a turn, and what of it was cached; premium requests"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let empty = editors::vscode(env, &["globalStorage", "emptyWindowChatSessions"]);
        empty.into_iter().map(Location::flat).collect()
    }
    fn indexes(&self, env: &Env<'_>) -> Vec<PathBuf> {
        editors::vscode(env, &["workspaceStorage"])
    }
    fn indexed(&self, index: &Path, content: &[u8]) -> Vec<Location> {
        let names = std::str::from_utf8(content).unwrap_or_default().lines();
        names.map(|name| Location::flat(index.join(name).join("chatSessions"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if name.ends_with(b".jsonl") {
            return Some(Framing::Lines);
        }
        name.ends_with(b".json").then_some(Framing::Document)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        log.parent().and_then(Path::parent).map(|folder| folder.join("workspace.json")).into_iter().collect()
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Chat { author: Author::new(NAME), project: None, turns: Vec::new() })
    }
}

fields! {
    /// A change, or a whole document.
    Line {
        kind: Count = "kind",
        path: Within<'a> = "k",
        value: Within<'a> = "v",
        length: Count = "i",
        requests: List<Request<'a>> = "requests",
    }
}

fields! {
    /// The state of a session.
    State {
        requests: List<Request<'a>> = "requests",
    }
}

fields! {
    /// A turn.
    Request {
        id: Text<'a> = "requestId",
        at: Stamp = "timestamp",
        model: Text<'a> = "modelId",
        prompt: Count = "promptTokens",
        output: Count = "completionTokens",
        totals: Seen = "modelTotals",
        result: Outcome<'a> = "result",
    }
}

fields! {
    /// The end of a turn.
    Outcome {
        metadata: Metadata<'a> = "metadata",
    }
}

fields! {
    /// Copilot's facts about a turn.
    Metadata {
        prompt: Count = "promptTokens",
        output: Count = "outputTokens" | "completionTokens",
        model: Text<'a> = "resolvedModel",
    }
}

fields! {
    /// The file `workspace.json`.
    Workspace {
        folder: Text<'a> = "folder",
    }
}

/// A turn, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Turn {
    id: String,
    pub(super) at: Option<Instant>,
    model: String,
    resolved: String,
    prompt: u64,
    pub(super) output: u64,
    is_of_another: bool,
}

struct Chat {
    author: Author,
    project: Option<String>,
    turns: Vec<Turn>,
}

impl Reader for Chat {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if !read.requests.is_absent() {
            self.turns = Vec::new();
            let from = self.push(&read.requests.0)?;
            self.emit(from, origin, out);
            return Ok(Reading::Mine);
        }
        if !read.kind.is_given() {
            return Ok(Reading::NotMine);
        }
        let path: Vec<Value> = read.path.written().and_then(|path| serde_json::from_str(path).ok()).unwrap_or_default();
        let is_of_requests = path.first().is_some_and(|name| name == "requests");
        let changed = match read.kind.tokens("kind")? {
            0 => {
                let state: State<'_> = read.value.object().unwrap_or_default();
                self.turns = Vec::new();
                self.push(&state.requests.0)?
            }
            _ if !is_of_requests => return Ok(Reading::Mine),
            1 => self.set(&path[1..], read.value)?,
            2 if path.len() == 1 => {
                let kept = if read.length.is_given() { read.length.tokens("i")? } else { u64::MAX };
                self.turns.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
                let added: List<Request<'_>> = json::parse(read.value.written().unwrap_or("[]").as_bytes())?;
                self.push(&added.0)?
            }
            _ => return Ok(Reading::Mine),
        };
        self.emit(changed, origin, out);
        Ok(Reading::Mine)
    }

    fn describe(&mut self, text: &[u8]) {
        let about: Workspace<'_> = json::parse(text).unwrap_or_default();
        self.project = about.folder.get().and_then(path_of_uri);
    }

    fn facts(&self) -> String {
        self.project.clone().unwrap_or_default()
    }

    fn state(&self) -> String {
        save(&self.turns)
    }

    fn restore(&mut self, state: &str) {
        self.turns = load(state);
    }
}

impl Chat {
    /// Appends turns. Returns the index of the first one.
    fn push(&mut self, requests: &[Request<'_>]) -> Result<usize, BadLine> {
        let from = self.turns.len();
        for request in requests.iter().take(MOST.saturating_sub(from)) {
            let mut turn = Turn::default();
            turn.learn(request)?;
            self.turns.push(turn);
        }
        Ok(from)
    }

    /// Sets a turn, or a value in it. Returns the index of the first turn that changed.
    fn set(&mut self, path: &[Value], value: Within<'_>) -> Result<usize, BadLine> {
        let none = self.turns.len();
        let Some((place, path)) = path.split_first() else { return Ok(none) };
        let place = index(place).unwrap_or(none);
        let (Some(turn), Some(request)) = (self.turns.get_mut(place), within(path, value)) else { return Ok(none) };
        turn.learn(&json::parse(request.as_bytes())?)?;
        Ok(place)
    }

    /// Emits the turns that have counts, starting at this index.
    fn emit(&mut self, from: usize, origin: &Origin, out: &mut Vec<Record>) {
        let session = origin.stem();
        for turn in self.turns.iter().skip(from) {
            let tokens = Tokens { input: turn.prompt, output: turn.output, ..Tokens::default() };
            let Some(model) = turn.answered().filter(|_| !tokens.is_zero()) else { continue };
            let from = self.author.attribution(turn.at, Some(session), self.project.as_deref(), origin);
            // The picker's `auto` is not the name of a model.
            let model = self.author.label(Some(model).filter(|model| *model != "auto"));
            let call = Call::new(turn.key(session), from, model, tokens);
            out.push(Record::Call(Call { fidelity: Fidelity::LowerBound, ..call }));
        }
    }
}

/// The list index that a step of a path stands for.
pub(super) fn index(step: &Value) -> Option<usize> {
    step.as_u64().and_then(|place| usize::try_from(place).ok())
}

/// The value, wrapped in as much of a turn as leads to it. Lists within a turn contain no counts.
pub(super) fn within(path: &[Value], value: Within<'_>) -> Option<String> {
    let mut request = value.written().unwrap_or("null").to_owned();
    for step in path.iter().rev() {
        if !step.is_string() {
            return None;
        }
        request = format!("{{{step}:{request}}}");
    }
    Some(request)
}

impl Turn {
    /// The model that answered, or `auto` if none is named; `None` if it was another agent or another vendor's model.
    pub(super) fn answered(&self) -> Option<&str> {
        let picked = self.model.strip_prefix("copilot/");
        let is_of_another = self.is_of_another || (picked.is_none() && !self.model.is_empty());
        let model = if self.resolved.is_empty() { picked.unwrap_or_default() } else { &self.resolved };
        Some(model).filter(|model| !model.is_empty() && !is_of_another)
    }

    /// The key of the turn's call.
    pub(super) fn key(&self, session: &str) -> CallKey {
        let at = self.at.map(|at| at.timestamp_millis()).unwrap_or_default().to_string();
        CallKey::from_parts(&[NAME, session, if self.id.is_empty() { &at } else { &self.id }])
    }

    /// Takes over the given values.
    pub(super) fn learn(&mut self, request: &Request<'_>) -> Result<(), BadLine> {
        let metadata = &request.result.metadata;
        let take = |of: &mut String, said: &Text<'_>| {
            if let Some(said) = said.get() {
                said.clone_into(of);
            }
        };
        take(&mut self.id, &request.id);
        take(&mut self.model, &request.model);
        take(&mut self.resolved, &metadata.model);
        self.at = request.at.0.or(self.at);
        self.prompt = self.prompt.max(request.prompt.or(&metadata.prompt).tokens("promptTokens")?);
        self.output = self.output.max(request.output.or(&metadata.output).tokens("completionTokens")?);
        self.is_of_another |= request.totals.is_some();
        Ok(())
    }
}
