//! Jcode's sessions: `session_<id>.json` in `$JCODE_HOME/sessions` or `~/.jcode/sessions`, one document each. Changes
//! are appended to a file `session_<id>.journal.jsonl` until the document is rewritten.
//!
//! Based on the agent's source (`1jehuang/jcode`, `session` types, read 2026-11-26) and tokscale 4.17
//! (`sessions/jcode.rs`): a message has the provider's counts in `token_usage`, and the same id and time in both files.
//! The meaning of the counts varies: with Claude the input excludes the cache, with others it includes it. Reasoning,
//! where given, is part of the output.

use super::answers::{Head, NONE, Stated, Where};
use super::count::Count;
use super::fields::{Slot, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, Text};
use super::line_calls::{self, Log};
use super::time::Stamp;
use super::usage::has_two_lifetimes;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::Record;

/// Jcode's sessions.
pub(super) struct Jcode;

const NAME: &str = "jcode";

impl Format for Jcode {
    fn name(&self) -> &'static str {
        NAME
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("JCODE_HOME").or_else(|| env.home(".jcode"));
        home.map(|home| Location::flat(home.join("sessions"))).into_iter().collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if !name.starts_with(b"session_") {
            return None;
        }
        let is_document = name.ends_with(b".json");
        is_document.then_some(Framing::Document).or_else(|| name.ends_with(b".journal.jsonl").then_some(Framing::Lines))
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"append_messages\"", "\"meta\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        line_calls::reader(NAME, line)
    }
}

fields! {
    /// A document, or a line of a journal.
    File {
        model: Text<'a> = "model",
        folder: Text<'a> = "working_dir",
        messages: List<Message<'a>> = "messages",
        about: About<'a> = "meta",
        added: List<Message<'a>> = "append_messages",
    }
}

fields! {
    /// The facts about a session that a journal line changes.
    About {
        model: Text<'a> = "model",
        folder: Text<'a> = "working_dir",
    }
}

fields! {
    Message {
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        usage: Usage<'a> = "token_usage",
    }
}

fields! {
    /// The provider's counts.
    Usage {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_input_tokens",
        cache_write: Count = "cache_creation_input_tokens",
        reasoning: Count = "reasoning_output_tokens",
    }
}

fn line(log: &mut Log<Head>, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
    let read: File<'_> = json::parse(line)?;
    if read.messages.is_absent() && read.added.is_absent() && read.about.is_absent() {
        return Ok(Reading::NotMine);
    }
    Head::learn(&mut log.known.model, read.model.get().or_else(|| read.about.model.get()));
    Head::learn(&mut log.known.project, read.folder.get().or_else(|| read.about.folder.get()));
    let session = origin.stem().strip_suffix(".journal").unwrap_or_else(|| origin.stem());
    let mut bad = FirstBad::default();
    for message in read.messages.0.iter().chain(&read.added.0) {
        let model = log.known.model.as_deref();
        let Some(counts) = bad.good(message.usage.split(model)) else { continue };
        let place = Where { session: Some(session), project: log.known.project.as_deref(), agent: None };
        let from = log.builder.from(message.at.0, place, origin);
        let time = message.at.0.map(|at| at.to_rfc3339()).unwrap_or_default();
        // A message without an id is identified by its time within the session.
        let key = message.id.get().map_or([session, "", &time], |id| ["", id, &time]);
        out.extend(log.builder.call(&key, from, model, counts).map(Record::Call));
    }
    bad.result()
}

impl Usage<'_> {
    fn split(&self, model: Option<&str>) -> Result<(crate::domain::Tokens, bool), BadLine> {
        let Self { input, output, cache_read, cache_write, reasoning, .. } = self;
        let stated = Stated { input, output, cache_read, cache_write, reasoning, total: NONE };
        if model.is_some_and(has_two_lifetimes) { stated.exclusive() } else { stated.inclusive() }
    }
}
