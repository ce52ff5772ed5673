//! Sizes of the texts in Copilot's chats in Visual Studio Code. Older versions wrote no counts.
//!
//! For the editor's log, see `copilot_chat`. A turn's whole output is in `result.metadata.toolCallRounds`: for each
//! model call, its text, its thinking, and the names and arguments of tools (`vscode-copilot-chat`, `toolCallRound.ts`,
//! as quoted by readers of such files, read 2026-11-27). Without rounds there is `response`, the displayed parts: a
//! text has a `value` but no `kind`, thinking has both, and a tool shows only that it was used.

use std::path::{Path, PathBuf};

use serde_json::Value;
use serde_json::value::RawValue;

use super::copilot_chat::{CopilotChat, MOST, NAME, Turn, index, within};
use super::count::Count;
use super::fields::{Slot, Within, fields};
use super::file_uri::path_of_uri;
use super::json::{self, List, Text};
use super::texts::{Spoken, TextReader, Texts, characters, length};
use super::{Format as _, Framing, Origin};
use crate::domain::{Attribution, Instant, Label};

/// The texts of Copilot's chats.
pub(super) struct CopilotChatTexts;

impl Texts for CopilotChatTexts {
    fn name(&self) -> &'static str {
        NAME
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        CopilotChat.framing(name)
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        CopilotChat.project_files(log)
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Chat::default())
    }
}

fields! {
    /// A change, or a whole document.
    Line {
        kind: Count = "kind",
        path: Within<'a> = "k",
        value: Within<'a> = "v",
        length: Count = "i",
        requests: Within<'a> = "requests",
    }
}

fields! {
    /// The texts of a turn.
    Request {
        parts: List<Part<'a>> = "response",
        result: Outcome<'a> = "result",
    }
}

fields! {
    /// A displayed part.
    Part {
        kind: Text<'a> = "kind",
        value: Within<'a> = "value",
    }
}

fields! {
    /// The end of a turn.
    Outcome {
        about: About<'a> = "metadata",
    }
}

fields! {
    /// Copilot's facts about a turn.
    About {
        rounds: List<Round<'a>> = "toolCallRounds",
    }
}

fields! {
    /// A call of the model.
    Round {
        text: Text<'a> = "response",
        thinking: Thinking<'a> = "thinking",
        tools: List<Tool<'a>> = "toolCalls",
    }
}

fields! {
    /// The model's thinking.
    Thinking {
        text: Within<'a> = "text",
    }
}

fields! {
    /// A use of a tool.
    Tool {
        name: Text<'a> = "name",
        arguments: Text<'a> = "arguments",
    }
}

/// A turn, and the sizes of the known parts of its output.
#[derive(Default)]
struct Spoke {
    turn: Turn,
    /// Number of characters of each displayed part; `None` for one that does not show everything.
    parts: Vec<Option<u64>>,
    rounds: u64,
    hides_parts: bool,
}

#[derive(Default)]
struct Chat {
    project: Option<Label>,
    turns: Vec<Spoke>,
}

impl TextReader for Chat {
    fn line(&mut self, line: &[u8], _origin: &Origin, _out: &mut Vec<Spoken>) {
        // A line that is not understood changes nothing.
        let _ = self.change(line);
    }

    fn describe(&mut self, text: &[u8]) {
        let about: super::copilot_chat::Workspace<'_> = json::parse(text).unwrap_or_default();
        self.project = about.folder.get().and_then(path_of_uri).map(|folder| Label::new(&folder));
    }

    fn end(&mut self, origin: &Origin, out: &mut Vec<Spoken>) {
        let session = origin.stem();
        for spoke in self.turns.drain(..) {
            let Some(model) = spoke.turn.answered() else { continue };
            let shown: u64 = spoke.parts.iter().flatten().sum();
            let hides_parts = spoke.hides_parts || (spoke.rounds == 0 && spoke.parts.contains(&None));
            let size = if spoke.rounds > 0 { spoke.rounds } else { shown };
            out.push(Spoken {
                key: spoke.turn.key(session),
                from: Attribution {
                    session: Some(Label::new(session)),
                    project: self.project.clone(),
                    ..Attribution::new(spoke.turn.at.unwrap_or(Instant::UNIX_EPOCH), Label::new(NAME))
                },
                model: Some(model).filter(|model| *model != "auto").map(Label::new),
                output: spoke.turn.output,
                blocks: vec![(size, size)],
                hides_parts: hides_parts || size == 0,
                is_cut: false,
            });
        }
    }
}

impl Chat {
    /// Applies a change; `None` if the line is not a change.
    fn change(&mut self, line: &[u8]) -> Option<()> {
        let read: Line<'_> = json::parse(line).ok()?;
        if read.requests.written().is_some() {
            self.turns.clear();
            return self.push(read.requests);
        }
        let path: Vec<Value> = read.path.written().and_then(|path| serde_json::from_str(path).ok()).unwrap_or_default();
        let kept = if read.length.is_given() { read.length.tokens("i").ok()? } else { u64::MAX };
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        match (read.kind.tokens("kind").ok().filter(|_| read.kind.is_given())?, path.as_slice()) {
            (0, _) => {
                self.turns.clear();
                self.push(read.value.object::<Line<'_>>()?.requests)
            }
            (2, [of]) if of == "requests" => {
                self.turns.truncate(kept);
                self.push(read.value)
            }
            (2, [of, turn, part]) if of == "requests" && part == "response" => {
                let spoke = self.turns.get_mut(index(turn)?)?;
                spoke.parts.truncate(kept);
                let parts: List<Part<'_>> = json::parse(read.value.written()?.as_bytes()).ok()?;
                spoke.parts.extend(parts.0.iter().map(Part::size));
                Some(())
            }
            (1, [of, turn, path @ ..]) if of == "requests" => {
                let request = within(path, read.value)?;
                self.turns.get_mut(index(turn)?)?.learn(&request)
            }
            _ => None,
        }
    }

    /// Appends turns.
    fn push(&mut self, requests: Within<'_>) -> Option<()> {
        let requests: Vec<&RawValue> = serde_json::from_str(requests.written()?).ok()?;
        for request in requests.iter().take(MOST.saturating_sub(self.turns.len())) {
            let mut spoke = Spoke::default();
            // A turn that is not understood keeps its index.
            let _ = spoke.learn(request.get());
            self.turns.push(spoke);
        }
        Some(())
    }
}

impl Spoke {
    /// Takes over the given values.
    fn learn(&mut self, request: &str) -> Option<()> {
        self.turn.learn(&json::parse(request.as_bytes()).ok()?).ok()?;
        let request: Request<'_> = json::parse(request.as_bytes()).ok()?;
        if !request.parts.is_absent() {
            self.parts = request.parts.0.iter().map(Part::size).collect();
        }
        let rounds = &request.result.about.rounds.0;
        if !rounds.is_empty() {
            self.rounds = rounds.iter().map(Round::size).sum();
            self.hides_parts = rounds.iter().any(|round| !round.thinking.is_absent() && round.thinking.size() == 0);
        }
        Some(())
    }
}

impl Part<'_> {
    /// Its number of characters; `None` for the use of a tool, whose arguments are not shown.
    fn size(&self) -> Option<u64> {
        match self.kind.get() {
            None => Some(text_of(self.value)),
            Some("thinking") => Some(text_of(self.value)).filter(|size| *size > 0),
            Some("toolInvocation" | "toolInvocationSerialized" | "textEditGroup" | "notebookEditGroup") => None,
            Some(_) => Some(0),
        }
    }
}

impl Thinking<'_> {
    fn size(&self) -> u64 {
        text_of(self.text)
    }
}

impl Round<'_> {
    fn size(&self) -> u64 {
        let of_tool = |tool: &Tool<'_>| length(&tool.name) + length(&tool.arguments);
        length(&self.text) + self.thinking.size() + self.tools.0.iter().map(of_tool).sum::<u64>()
    }
}

/// Number of characters in a text or a list of texts.
fn text_of(value: Within<'_>) -> u64 {
    let written = value.written().unwrap_or_default();
    if written.starts_with('[') {
        let texts: Vec<&RawValue> = serde_json::from_str(written).unwrap_or_default();
        return texts.iter().map(|text| characters(text.get())).sum();
    }
    if written.starts_with('"') { characters(written) } else { 0 }
}
