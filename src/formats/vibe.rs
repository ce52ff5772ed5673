//! Mistral Vibe's sessions: `~/.vibe/logs/session/unified/<session>/`, formerly `session/<session>/meta.json`.
//!
//! Verified with 3.0.2 against a service with a known bill (2026-11-26). A journal line `core_input` with a completed
//! completion is one answer, with its time; `action_result` repeats it under the same action's id. When a session is
//! resumed, the old journals are dropped. Then only the running total `tokenUsage`, in `projection_delta` lines and in
//! `generations/*/projection-state.json`, covers everything; the ledger subtracts the answers it knows from it. Input
//! includes cached tokens. The model and the project are in the session's `meta.json`, which may be written after the
//! first answer: that answer is then emitted again, with its model.
//!
//! Earlier versions (its source, early 2026) had the session's running total in `stats` of `meta.json`, and nothing
//! else. It is dated by the session's start, and what it grows by later by the time at which the document was written.

use std::path::{Path, PathBuf};

use super::answers::{load, save};
use super::author::Author;
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, List, Text};
use super::running::{Running, bill, snapshot};
use super::split::Counts;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Billed, Call, CallKey, Fidelity, Record, Tokens};

/// Mistral Vibe's sessions.
pub(super) struct Vibe;

const NAME: &str = "vibe";
/// Maximum number of answers waiting for their model.
const MOST: usize = 1000;
const NEEDLES: [&str; 3] = ["\"completion_succeeded\"", "\"tokenUsage\"", "\"cached_input_tokens\""];

impl Format for Vibe {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Totals]
    }
    fn gaps(&self) -> &'static str {
        "single calls from before a resumption: their total is there"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let home = env.path("VIBE_HOME").or_else(|| env.home(".vibe"));
        home.into_iter().map(|home| Location::tree(home.join("logs/session"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        match name {
            b"meta.json" | b"projection-state.json" => Some(Framing::Document),
            _ => name.ends_with(b".jsonl").then_some(Framing::Lines),
        }
    }
    fn project_files(&self, log: &Path) -> Vec<PathBuf> {
        let is_inner = |name: &std::ffi::OsStr| name == "journal" || name == "generations";
        let inner = log.ancestors().find(|folder| folder.file_name().is_some_and(is_inner));
        inner.and_then(Path::parent).map(|session| session.join("meta.json")).into_iter().collect()
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Journal {
            author: Author::new(NAME),
            cwd: None,
            model: None,
            running: Running::default(),
            nameless: Vec::new(),
        })
    }
}

fields! {
    /// A line of a journal, or a document.
    Line {
        kind: Text<'a> = "type",
        version: Count = "recovery_journal_record_version",
        payload: Payload<'a> = "payload",
        session: Text<'a> = "session_id",
        snapshot: State<'a> = "snapshot",
        projection: Count = "projection_state_version",
        started: Stamp = "start_time",
        environment: Environment<'a> = "environment",
        config: Config<'a> = "config",
        stats: Stats<'a> = "stats",
    }
}

fields! {
    /// Content of a journal line.
    Payload {
        input: Input<'a> = "input",
        result: Outcome<'a> = "result",
        delta: List<Delta<'a>> = "delta",
    }
}

fields! {
    /// Input of an action.
    Input {
        command: Outcome<'a> = "command",
        determinism: Determinism<'a> = "determinism",
    }
}

fields! {
    /// Time of the input.
    Determinism {
        at: Stamp = "time_unix_ms",
    }
}

fields! {
    /// Result of an action.
    Outcome {
        action: Text<'a> = "action_id",
        result: Completion<'a> = "result",
    }
}

fields! {
    /// An answer.
    Completion {
        finish: Text<'a> = "finish_reason",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// A change in the displayed state.
    Delta {
        state: State<'a> = "state",
    }
}

fields! {
    /// The displayed state.
    State {
        session: Session<'a> = "session",
    }
}

fields! {
    Session {
        id: Text<'a> = "id",
        created: Stamp = "createdAt",
        usage: Usage<'a> = "tokenUsage",
    }
}

fields! {
    /// Counts of an answer or a session.
    Usage {
        input: Count = "input_tokens" | "inputTokens",
        output: Count = "output_tokens" | "outputTokens",
        cached: Count = "cached_input_tokens" | "cachedInputTokens",
    }
}

fields! {
    /// Where the agent works.
    Environment {
        cwd: Text<'a> = "working_directory",
    }
}

fields! {
    /// The model.
    Config {
        model: Text<'a> = "model_name" | "active_model",
    }
}

fields! {
    /// The running total of an older session.
    Stats {
        input: Count = "session_prompt_tokens",
        output: Count = "session_completion_tokens",
    }
}

struct Journal {
    author: Author,
    cwd: Option<String>,
    model: Option<String>,
    running: Running,
    /// Answers from before the model was known.
    nameless: Vec<Call>,
}

impl Reader for Journal {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        self.name(out);
        let read: Line<'_> = json::parse(line)?;
        if read.version.is_given() {
            match read.kind.get() {
                Some("core_input") => {
                    let input = &read.payload.input;
                    out.extend(self.answer(&input.command, &input.determinism.at, origin)?.map(Record::Call));
                }
                Some("action_result") => {
                    out.extend(self.answer(&read.payload.result, &Stamp::default(), origin)?.map(Record::Call));
                }
                Some("projection_delta") => {
                    for delta in &read.payload.delta.0 {
                        self.total(&delta.state.session, origin, out)?;
                    }
                }
                _ => {}
            }
        } else if read.projection.is_given() {
            self.total(&read.snapshot.session, origin, out)?;
        } else if !read.session.is_absent() && !read.environment.is_absent() {
            self.older(&read, origin, out)?;
        } else {
            return Ok(Reading::NotMine);
        }
        Ok(Reading::Mine)
    }

    fn describe(&mut self, text: &[u8]) {
        let Ok(about) = json::parse::<Line<'_>>(text) else { return };
        self.cwd = about.environment.cwd.get().map(str::to_owned);
        self.model = about.config.model.get().map(str::to_owned);
    }

    fn facts(&self) -> String {
        format!("{:?}", (&self.cwd, &self.model))
    }

    fn state(&self) -> String {
        save(&self.running)
    }

    fn restore(&mut self, state: &str) {
        self.running = load(state);
    }
}

impl Journal {
    fn answer(&mut self, action: &Outcome<'_>, at: &Stamp, origin: &Origin) -> Result<Option<Call>, BadLine> {
        let tokens = action.result.usage.split(Count::tokens)?;
        let (Some(id), false) = (action.action.get(), tokens.is_zero()) else { return Ok(None) };
        let session = session_of(origin);
        let from = self.author.attribution(at.0, Some(&session), self.cwd.as_deref(), origin);
        let model = self.author.label(self.model.as_deref());
        let fidelity = if model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        let ends_turn = action.result.finish.get() == Some("stop");
        let call =
            Call { fidelity, ends_turn, ..Call::new(CallKey::from_parts(&[NAME, &session, id]), from, model, tokens) };
        if call.model.is_none() && self.nameless.len() < MOST {
            self.nameless.push(call.clone());
        }
        Ok(Some(call))
    }

    /// Emits answers without a model again once the model is known.
    fn name(&mut self, out: &mut Vec<Record>) {
        let model = self.author.label(self.model.as_deref());
        if model.is_some() {
            let named = |call| Record::Call(Call { fidelity: Fidelity::Final, model: model.clone(), ..call });
            out.extend(std::mem::take(&mut self.nameless).into_iter().map(named));
        }
    }

    /// The running total of a session, if it has changed.
    fn total(&mut self, session: &Session<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<(), BadLine> {
        let tokens = session.usage.split(Count::total)?;
        if session.usage.is_absent() || tokens.is_zero() {
            return Ok(());
        }
        let own = session.id.get().map_or_else(|| session_of(origin), str::to_owned);
        let whole = self.whole(&own, tokens);
        let from = self.author.attribution(session.created.0, Some(&own), self.cwd.as_deref(), origin);
        let model = self.model.as_deref().unwrap_or(Billed::UNNAMED);
        out.extend(bill(NAME, from, [(model, whole)]).map(Record::Bill));
        Ok(())
    }

    /// The running total of an older session.
    fn older(&mut self, read: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<(), BadLine> {
        let input = read.stats.input.total("session_prompt_tokens")?;
        let tokens =
            Tokens { input, output: read.stats.output.total("session_completion_tokens")?, ..Tokens::default() };
        self.cwd = read.environment.cwd.get().map(str::to_owned);
        self.model = read.config.model.get().map(str::to_owned);
        if !tokens.is_zero() {
            let session = read.session.get().unwrap_or_default();
            let before = self.running.clone();
            let whole = self.whole(session, tokens);
            if self.running != before {
                let from = self.author.attribution(read.started.0, Some(session), self.cwd.as_deref(), origin);
                let model = self.model.as_deref().unwrap_or(Billed::UNNAMED);
                out.extend(snapshot(NAME, from, origin.modified, [(model, whole)]).map(Record::Bill));
            }
        }
        Ok(())
    }

    /// A session's total over all resets, which is now this much.
    fn whole(&mut self, session: &str, tokens: Tokens) -> Tokens {
        self.running.read(session, tokens);
        self.running.totals().filter(|(name, _)| *name == session).map(|(_, tokens)| tokens).sum()
    }
}

/// The session that a journal belongs to: `<session>/journal/<number>.jsonl`.
fn session_of(origin: &Origin) -> String {
    let mut folders = origin.path.rsplit(['/', '\\']).skip(1);
    let inner = folders.next();
    let session = if inner == Some("journal") { folders.next() } else { inner };
    session.unwrap_or_else(|| origin.stem()).to_owned()
}

impl Usage<'_> {
    fn split(&self, read: fn(&Count, &'static str) -> Result<u64, BadLine>) -> Result<Tokens, BadLine> {
        let counts = Counts {
            prompt: Some(read(&self.input, "input_tokens")?),
            output: Some(read(&self.output, "output_tokens")?),
            cache_read: read(&self.cached, "cached_input_tokens")?,
            ..Counts::default()
        };
        Ok(counts.split().0)
    }
}
