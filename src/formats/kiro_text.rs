//! Sizes of the texts in the conversations of Kiro CLI and its predecessor Amazon Q CLI, which write credits but no
//! counts.
//!
//! Based on the source of Amazon Q CLI (`database/sqlite_migrations`, `cli/chat/conversation.rs`, `message.rs`,
//! `parser.rs`, read 2026-11-27): a row of `conversations_v2`, or of `conversations` before that, is a conversation as
//! JSON. Its `history` has an entry for each request with its answer (`Response` or `ToolUse`) and, in
//! `request_metadata`, its id, time and model. A `thinking` is signed or encrypted and is not measured. Anything that a
//! compaction removed from the history is gone.
//!
//! Kiro CLI's second engine writes `~/.kiro/sessions/cli/<session>.jsonl` with lines `Prompt`, `AssistantMessage` and
//! `ToolResults`; only a prompt has a time. `<session>.json` names the model (aws-bench's reader and one of codeburn's
//! tests, read 2026-11-27). The third engine and the editor have other files.

use std::path::{Path, PathBuf};

use super::fields::{Seen, Slot, Within, fields};
use super::json::{self, List, Text};
use super::rows::{RowQuery, Schema, Value, at};
use super::texts::{Spoken, TextReader, Texts, characters, hash, length};
use super::time::Stamp;
use super::{Env, Framing, Location, Origin};
use crate::domain::{Attribution, CallKey, Instant, Label};

/// The texts of one of the two agents.
pub(super) struct KiroTexts {
    name: &'static str,
    /// Its data folder.
    folder: &'static str,
    /// The sessions of its second engine, relative to the home folder.
    sessions: Option<&'static str>,
}

pub(super) const KIRO: KiroTexts = KiroTexts { name: "kiro", folder: "kiro-cli", sessions: Some(".kiro/sessions/cli") };
pub(super) const AMAZON_Q: KiroTexts = KiroTexts { name: "amazon-q", folder: "amazon-q", sessions: None };

impl Texts for KiroTexts {
    fn name(&self) -> &'static str {
        self.name
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let data = env.program_data().map(|data| data.join(self.folder));
        let sessions = self.sessions.and_then(|sessions| env.home(sessions));
        data.into_iter().chain(sessions).map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        let lines = name.ends_with(b".jsonl").then_some(Framing::Lines);
        if name == b"data.sqlite3" { Some(Framing::Sqlite) } else { lines }
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        vec![log.with_extension("json")]
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        // The older table is left behind once the newer one is in use.
        let table =
            ["conversations_v2", "conversations"].into_iter().find(|table| schema.has(table, &["key", "value"]))?;
        Some(vec![RowQuery { table, sql: format!("SELECT rowid, NULL, key, value FROM {table} WHERE rowid > ?1") }])
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Conversations { name: self.name, about: Facts::default() })
    }
}

fields! {
    Conversation {
        id: Text<'a> = "conversation_id",
        model: Model<'a> = "model_info",
        history: List<Entry<'a>> = "history",
    }
}

fields! {
    Model {
        id: Text<'a> = "model_id",
    }
}

fields! {
    /// A request and its answer.
    Entry {
        answer: Answer<'a> = "assistant",
        about: Request<'a> = "request_metadata",
    }
}

fields! {
    /// An answer, with or without tool use.
    Answer {
        plain: Block<'a> = "Response",
        tools: Block<'a> = "ToolUse",
    }
}

fields! {
    /// The answer's text.
    Block {
        id: Text<'a> = "message_id",
        content: Text<'a> = "content",
        uses: List<Use<'a>> = "tool_uses",
        thinking: Seen = "thinking",
    }
}

fields! {
    /// Use of a tool.
    Use {
        name: Text<'a> = "name",
        args: Within<'a> = "args" | "input",
    }
}

fields! {
    /// About a request.
    Request {
        id: Text<'a> = "request_id",
        message: Text<'a> = "message_id",
        at: Stamp = "request_start_timestamp_ms",
        model: Text<'a> = "model_id",
    }
}

fields! {
    /// A line of the second engine.
    Line {
        kind: Text<'a> = "kind",
        data: Data<'a> = "data",
    }
}

fields! {
    /// A message of the second engine.
    Data {
        id: Text<'a> = "message_id",
        content: List<Part<'a>> = "content",
        meta: Meta<'a> = "meta",
    }
}

fields! {
    /// About a prompt.
    Meta {
        at: Stamp = "timestamp",
    }
}

fields! {
    /// A part of a message.
    Part {
        kind: Text<'a> = "kind",
        data: Within<'a> = "data",
    }
}

fields! {
    /// The file `<session>.json`.
    About {
        cwd: Text<'a> = "cwd",
        at: Stamp = "created_at",
        state: State<'a> = "session_state",
    }
}

fields! {
    /// The state of a session.
    State {
        model: Chosen<'a> = "rts_model_state",
    }
}

fields! {
    /// The chosen model.
    Chosen {
        model: Model<'a> = "model_info",
    }
}

/// Facts about a session of the second engine, and the time of its last prompt.
#[derive(Default)]
struct Facts {
    project: Option<Label>,
    model: Option<Label>,
    at: Option<Instant>,
}

struct Conversations {
    name: &'static str,
    about: Facts,
}

/// The name of a model. The setting `auto` is not one.
pub(super) fn model(name: &Text<'_>) -> Option<Label> {
    name.get().filter(|name| *name != "auto").map(Label::new)
}

impl Conversations {
    fn spoken(&self, key: &[&str], from: Attribution, model: Option<Label>, blocks: Vec<(u64, u64)>) -> Spoken {
        let key = CallKey::from_parts(&[&[self.name], key].concat());
        Spoken { key, from, model, output: 0, blocks, hides_parts: false, is_cut: false }
    }

    fn from(&self, at: Option<Instant>, session: &str, project: Option<Label>) -> Attribution {
        Attribution {
            session: Some(Label::new(session)),
            project,
            ..Attribution::new(at.unwrap_or(Instant::UNIX_EPOCH), Label::new(self.name))
        }
    }
}

impl TextReader for Conversations {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Spoken>) {
        let Ok(read) = json::parse::<Line<'_>>(line) else { return };
        match read.kind.get() {
            Some("Prompt") => self.about.at = read.data.meta.at.0.or(self.about.at),
            Some("AssistantMessage") => {
                let Some(id) = read.data.id.get() else { return };
                let session = origin.stem();
                let blocks = read.data.content.0.iter().filter_map(|part| {
                    let written = part.data.written()?;
                    let used = || part.data.object::<Use<'_>>();
                    let size = match part.kind.get()? {
                        "text" => characters(written),
                        "toolUse" => used().map(|used| used.size())?,
                        _ => return None,
                    };
                    Some((hash(written), size))
                });
                let from = self.from(self.about.at, session, self.about.project.clone());
                out.push(self.spoken(&[session, id], from, self.about.model.clone(), blocks.collect()));
            }
            _ => {}
        }
    }

    fn row(&mut self, _query: usize, row: &[Value<'_>], _origin: &Origin, out: &mut Vec<Spoken>) {
        let Some(text) = at(row, 3).bytes() else { return };
        let Ok(conversation) = json::parse::<Conversation<'_>>(text) else { return };
        let Some(session) = conversation.id.get() else { return };
        for (number, entry) in conversation.history.0.iter().enumerate() {
            let block = if entry.answer.plain.is_absent() { &entry.answer.tools } else { &entry.answer.plain };
            let request = &entry.about;
            let texts = block.content.get().map(|content| (hash(content), length(&block.content)));
            let uses = block.uses.0.iter().zip(1_u64..).map(|(used, number)| (number, used.size()));
            let number = number.to_string();
            let id = block.id.or(&request.message).or(&request.id).get().unwrap_or(&number);
            let from = self.from(request.at.0, session, at(row, 2).text().map(Label::new));
            let blocks = texts.into_iter().chain(uses).collect();
            let model = model(&request.model).or_else(|| model(&conversation.model.id));
            let spoken = self.spoken(&[session, id], from, model, blocks);
            out.push(Spoken { hides_parts: block.thinking.is_some(), ..spoken });
        }
    }

    fn describe(&mut self, text: &[u8]) {
        let about: About<'_> = json::parse(text).unwrap_or_default();
        let model = model(&about.state.model.model.id);
        self.about = Facts { project: about.cwd.get().map(Label::new), model, at: about.at.0 };
    }
}

impl Use<'_> {
    fn size(&self) -> u64 {
        length(&self.name) + self.args.written().map_or(0, characters)
    }
}
