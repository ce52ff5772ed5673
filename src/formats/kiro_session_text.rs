//! Sizes of the texts in sessions of Kiro's third engine, which the editor (since 1.0) and the CLI share:
//! `~/.kiro/sessions/<workspace>/sess_<id>/messages.jsonl`. They contain no token counts.
//!
//! A line is an event with an id, a time and a `payload` (editor 1.0.242, from a bridge's description of its files and
//! from other programs that read them, seen 2026-11-27). `assistant` is a piece of an answer; a part of the type
//! `Reasoning` may be signed and empty. `tool_call` is the use of a tool, written again as it progresses.
//! `tool_result`, `user` and the start of a turn end an answer. `session.json` in the same folder gives the workspace
//! folders, and the model if it is fixed for the session.

use std::path::{Path, PathBuf};

use super::fields::{Seen, Within, fields};
use super::json::{self, List, Text};
use super::kiro_text::{KIRO, model};
use super::texts::{Spoken, TextReader, Texts, characters, hash, length};
use super::time::Stamp;
use super::{Env, Framing, Location, Origin};
use crate::domain::{Attribution, CallKey, Instant, Label};

/// The texts of the third engine.
pub(super) struct KiroSessionTexts;

impl Texts for KiroSessionTexts {
    fn name(&self) -> &'static str {
        KIRO.name()
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        env.home(".kiro/sessions").into_iter().map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"messages.jsonl").then_some(Framing::Lines)
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        vec![log.with_file_name("session.json")]
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Events::default())
    }
}

fields! {
    Event {
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        payload: Payload<'a> = "payload",
    }
}

fields! {
    /// Content of an event.
    Payload {
        kind: Text<'a> = "type",
        content: Text<'a> = "content",
        signature: Seen = "reasoningSignature",
        call: Text<'a> = "toolCallId",
        tool: Text<'a> = "toolName",
        args: Within<'a> = "args",
    }
}

fields! {
    /// The file `session.json`.
    About {
        model: Text<'a> = "modelId",
        folders: List<Text<'a>> = "workspacePaths",
    }
}

#[derive(Default)]
struct Events {
    project: Option<Label>,
    model: Option<Label>,
    /// The current answer, and whether it has ended.
    answer: u64,
    has_ended: bool,
}

impl TextReader for Events {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Spoken>) {
        let Ok(event) = json::parse::<Event<'_>>(line) else { return };
        let (Some(id), payload) = (event.id.get(), &event.payload) else { return };
        let block = match payload.kind.get() {
            Some("assistant") => (hash(id), length(&payload.content)),
            Some("tool_call") => {
                let call = payload.call.get().unwrap_or(id);
                (hash(call), length(&payload.tool) + payload.args.written().map_or(0, characters))
            }
            Some("tool_result" | "user" | "turn_start") => {
                self.has_ended = true;
                return;
            }
            _ => return,
        };
        self.answer += u64::from(std::mem::take(&mut self.has_ended));
        let session = origin.folder(0).unwrap_or_else(|| origin.stem());
        let key = CallKey::from_parts(&[KIRO.name(), "session", session, &self.answer.to_string()]);
        let at = event.at.0.unwrap_or(Instant::UNIX_EPOCH);
        out.push(Spoken {
            key,
            from: Attribution {
                session: Some(Label::new(session)),
                project: self.project.clone(),
                ..Attribution::new(at, Label::new(KIRO.name()))
            },
            model: self.model.clone(),
            output: 0,
            blocks: vec![block],
            hides_parts: payload.signature.is_some() && length(&payload.content) == 0,
            is_cut: false,
        });
    }

    fn describe(&mut self, text: &[u8]) {
        let about: About<'_> = json::parse(text).unwrap_or_default();
        self.project = about.folders.0.first().and_then(Text::get).map(Label::new);
        self.model = model(&about.model);
    }
}
