//! Droid's sessions: `~/.factory/sessions/<folder>/<session>.settings.json`.
//!
//! Verified with 0.225.1 against a service with a known bill (2026-11-26): `tokenUsage` is the running total of one
//! session in disjoint classes and equals the bill. The session's `.jsonl` has no counts. The file is rewritten in
//! place after some of the calls. Nothing records when the tokens were used, so the total is dated by
//! `providerLockTimestamp`, and what it grows by later by the time at which the file was written. A fork starts at
//! zero. `inclusiveTokenUsage` adds the totals of child sessions, which have their own files, and is not read; nor are
//! `factoryCredits`, which are not dollars. A user's own model is named by its id, after `custom:`. The project is in
//! the first line of the `.jsonl`, which also shows when a turn goes on (each message) and when it ends
//! (`agent_turn_outcome`, without a time of its own). What `droid exec` prints is read in `droid_print.rs`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::count::Count;
use super::droid_print::{self, Run};
use super::exactness::Exactness;
use super::fields::{Seen, Slot, fields};
use super::json::{self, Text};
use super::running::{Running, snapshot};
use super::time::Stamp;
use super::turns::Turns;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Instant, Record, Tokens, Turn};

/// Droid's sessions.
pub(super) struct Droid;

const NAME: &str = "droid";
const SETTINGS: &str = ".settings.json";
/// Needles of the end of a turn, and of printed lines.
const NEEDLES: [&str; 5] = {
    let [init, said, credits, task] = droid_print::NEEDLES;
    ["\"agent_turn_outcome\"", init, said, credits, task]
};
/// Type of the line at the end of a turn.
const OUTCOME: &str = "agent_turn_outcome";
/// Start of a message's line.
const MESSAGE: &[u8] = br#"{"type":"message","#;

impl Format for Droid {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Totals]
    }
    fn gaps(&self) -> &'static str {
        "single calls: a total for each session, dated by its start and by when it was seen to grow"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("FACTORY_HOME_OVERRIDE").map(|home| home.join(".factory")).or_else(|| env.home(".factory"));
        home.into_iter().map(|home| Location::tree(home.join("sessions"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if name.ends_with(b".jsonl") {
            return Some(Framing::Lines);
        }
        (name.ends_with(SETTINGS.as_bytes()) && name.len() > SETTINGS.len()).then_some(Framing::Document)
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn marks_turn(&self, line: &[u8]) -> bool {
        line.starts_with(MESSAGE)
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        let name = log.file_name().and_then(|name| name.to_str());
        let session = name.and_then(|name| name.strip_suffix(SETTINGS));
        session.map(|session| log.with_file_name(format!("{session}.jsonl"))).into_iter().collect()
    }
    /// The transcript's first line never changes.
    fn described_by(&self, _log: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
    fn reader(&self) -> Box<dyn Reader> {
        let author = Author::new(NAME);
        Box::new(Session { author, cwd: None, kept: Kept::default(), turns: Turns::default(), run: Run::default() })
    }
}

fields! {
    /// The settings of a session, or a line of its transcript.
    Line {
        kind: Text<'a> = "type",
        sent: Stamp = "timestamp",
        model: Text<'a> = "model",
        at: Stamp = "providerLockTimestamp",
        usage: Usage<'a> = "tokenUsage",
        effort: Seen = "reasoningEffort" | "interactionMode",
        // Name of the session in printed lines.
        printed: Text<'a> = "session_id",
    }
}

fields! {
    /// The running total.
    Usage {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cacheReadTokens",
        cache_write: Count = "cacheCreationTokens",
        thinking: Count = "thinkingTokens",
    }
}

fields! {
    /// The first line of a session.
    Start {
        cwd: Text<'a> = "cwd",
    }
}

/// The running total as it was last read, and each model's part in it when the model changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    total: Running,
    models: Vec<(String, [u64; 6])>,
}

/// Reads a session's settings or its transcript.
struct Session {
    author: Author,
    cwd: Option<String>,
    kept: Kept,
    turns: Turns,
    /// The printed output of a run.
    run: Run,
}

/// State of the reader.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    #[serde(flatten)]
    kept: Kept,
    run: Run,
}

impl Reader for Session {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        if !read.printed.is_absent() {
            return self.run.line(line, &mut self.author, origin, out);
        }
        if let Some((turn, at)) = turn(&read, origin) {
            self.turns.follow(origin.stem(), turn, at);
            return Ok(Reading::Mine);
        }
        if read.usage.is_absent() {
            return Ok(if read.effort.is_none() { Reading::NotMine } else { Reading::Mine });
        }
        let model = read.model.get().unwrap_or("unknown");
        let model = model.strip_prefix("custom:").unwrap_or(model).to_owned();
        let before = self.kept.total.clone();
        self.kept.total.read("", read.usage.tokens()?);
        if self.kept.total == before {
            return Ok(Reading::Mine);
        }
        let whole = self.kept.total.totals().map(|(_, tokens)| tokens).sum::<Tokens>();
        let known: Tokens = self.kept.models.iter().map(|(_, tokens)| Tokens::from_fields(*tokens)).sum();
        let rest = whole.saturating_sub(known);
        match self.kept.models.iter_mut().find(|(name, _)| *name == model) {
            Some((_, tokens)) => *tokens = Tokens::from_fields(*tokens).saturating_add(rest).fields(),
            None => self.kept.models.push((model, rest.fields())),
        }
        let session = origin.stem().strip_suffix(".settings").unwrap_or_else(|| origin.stem());
        let from = self.author.attribution(read.at.0, Some(session), self.cwd.as_deref(), origin);
        let models = self.kept.models.iter().map(|(model, tokens)| (model.as_str(), Tokens::from_fields(*tokens)));
        out.extend(snapshot(NAME, from, origin.modified, models).map(Record::Bill));
        Ok(Reading::Mine)
    }

    fn describe(&mut self, text: &[u8]) {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.cwd = json::parse::<Start<'_>>(line).ok().and_then(|start| start.cwd.get().map(str::to_owned));
    }

    fn statuses(&mut self, out: &mut Vec<Record>) {
        self.turns.take(self.author.source(), out);
    }

    fn state(&self) -> String {
        if self.run == Run::default() {
            return save(&self.kept);
        }
        save(&State { kept: self.kept.clone(), run: self.run.clone() })
    }

    fn restore(&mut self, state: &str) {
        State { kept: self.kept, run: self.run } = load(state);
    }
}

/// Start or end of the turn according to a line of the transcript, which is written after the settings.
fn turn(read: &Line<'_>, origin: &Origin) -> Option<(Turn, Instant)> {
    match read.kind.get()? {
        "message" => Some((Turn::Begun, read.sent.0.unwrap_or(origin.modified))),
        OUTCOME => Some((Turn::Ended, origin.modified)),
        _ => None,
    }
}

impl Usage<'_> {
    fn tokens(&self) -> Result<Tokens, BadLine> {
        let output = self.output.total("outputTokens")?;
        Ok(Tokens {
            input: self.input.total("inputTokens")?,
            cache_read: self.cache_read.total("cacheReadTokens")?,
            cache_write_5m: self.cache_write.total("cacheCreationTokens")?,
            cache_write_1h: 0,
            output,
            reasoning: self.thinking.total("thinkingTokens")?.min(output),
        })
    }
}
