//! OpenCode's sessions: `opencode*.db` in `$XDG_DATA_HOME/opencode`, formerly one JSON file per message in `storage/`,
//! and those of its forks in folders of their own.
//!
//! Verified with 1.18.33 against a service with a known bill (2026-11-26): the table `message` has one row per answer
//! and equals the bill, except for the call that generates a session's title, which is not logged. So a session used at
//! least what its rows show. A row is created without counts when the answer starts, and is changed in place until
//! `time.completed` is set. The sums in the table `session` and the parts of the type `step-finish` repeat the same
//! counts and are not read, nor are the texts, which are in the table `part`. The older files, with the same answers,
//! are left behind when a database takes over. An answer that was killed between the two writes has `finish` and counts
//! but is never completed.
//!
//! `input` excludes cached tokens. With `tokens.total` (AI SDK 6) `output` excludes reasoning; without it (1.1), it
//! includes reasoning. A fork copies messages under new ids but with their times and counts, so those are the key
//! (Kilo's copies cost nothing). A message older than its own session is a copy. A sub-agent's session belongs to the
//! root session.
//!
//! According to the agent's source (`session/processor.ts` of 2025, `core/src/session/message-updater.ts` of 2026, read
//! 2026-11-27), before there was a `finish` (2025), a message could take several steps. It keeps the counts of the last
//! one and the cost of all; the database's parts have each of them. From version 2 on, `session_message` replaces
//! `message`: it has no role, the model is an object, and the output never includes reasoning. A version in between
//! writes both, for the same message.
//!
//! Kilo CLI writes the same tables (verified with 7.7.7, 2026-11-26; it equals the bill, because no call names a
//! session). The cost of its messages includes that of the sub-agents they called, so for a session with sub-agents the
//! parts' cost is used. MiMo's tables are the same according to its source (`TokenTracker` 0.87, checked 2026-11-26);
//! it was not run.

use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Seen, Slot, fields};
use super::json::{self, List, Money, Text};
use super::opencode_query as query;
use super::rows::at;
use super::time::Stamp;
use super::turns::Turns;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading, RowQuery, Schema, Value};
use crate::domain::{
    Attribution, Call, CallKey, Claim, Fidelity, Instant, Label, Labels, Place, Record, Tokens, Turn, Usd,
};

/// OpenCode or one of its forks: its name, the name of its data folder and databases, and the environment variable that
/// selects another database.
pub(super) struct OpenCode {
    name: &'static str,
    folder: &'static str,
    variable: Option<&'static str>,
    /// True if the calls that name sessions are made but not logged.
    has_unlisted: bool,
}

pub(super) const OPENCODE: OpenCode =
    OpenCode { name: "opencode", folder: "opencode", variable: Some("OPENCODE_DB"), has_unlisted: true };
pub(super) const KILO: OpenCode =
    OpenCode { name: "kilo", folder: "kilo", variable: Some("KILO_DB"), has_unlisted: false };
pub(super) const MIMO: OpenCode = OpenCode { name: "mimo", folder: "mimocode", variable: None, has_unlisted: true };

impl Format for OpenCode {
    fn name(&self) -> &'static str {
        self.name
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "the call that generates a session's title"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let Some(data) = env.data_home().map(|data| data.join(self.folder)) else { return Vec::new() };
        // The variable gives another database. A relative path is inside the data folder.
        let named = self.variable.and_then(|name| env.path(name));
        let named = named.filter(|path| path.as_os_str() != ":memory:").map(|path| data.join(path));
        let storage = data.join("storage/message");
        named.into_iter().map(Location::tree).chain([Location::flat(data), Location::tree(storage)]).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        if name.starts_with(self.folder.as_bytes()) && name.ends_with(b".db") {
            return Some(Framing::Sqlite);
        }
        (name.starts_with(b"msg_") && name.ends_with(b".json")).then_some(Framing::Document)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let messages = schema
            .has("message", &["id", "session_id", "data"])
            .then(|| query::messages(schema, self.name == KILO.name));
        let newer = schema.has("session_message", &["id", "session_id", "type", "data"]);
        let queries: Vec<_> = messages.into_iter().chain(newer.then(|| query::newer_messages(schema))).collect();
        (!queries.is_empty()).then_some(queries)
    }
    fn reader(&self) -> Box<dyn Reader> {
        let Self { name, has_unlisted, .. } = *self;
        let (labels, turns) = (Labels::default(), Turns::default());
        Box::new(Messages { name, has_unlisted, source: Label::new(name), labels, turns })
    }
}

fields! {
    /// A message: the column `data`, or a file.
    Message {
        session: Text<'a> = "sessionID",
        role: Text<'a> = "role",
        model: Text<'a> = "modelID",
        provider: Text<'a> = "providerID",
        named: Model<'a> = "model",
        finish: Text<'a> = "finish",
        agent: Text<'a> = "agent" | "mode",
        time: Times<'a> = "time",
        path: Folders<'a> = "path",
        cost: Money = "cost",
        tokens: Usage<'a> = "tokens",
        error: Seen = "error",
    }
}

fields! {
    /// The model, as version 2 writes it.
    Model {
        id: Text<'a> = "id",
        provider: Text<'a> = "providerID",
    }
}

fields! {
    /// When an answer began and ended.
    Times {
        created: Stamp = "created",
        completed: Stamp = "completed",
    }
}

fields! {
    /// Where the agent works.
    Folders {
        cwd: Text<'a> = "cwd" | "root",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        input: Count = "input",
        output: Count = "output",
        reasoning: Count = "reasoning",
        total: Count = "total",
        cache: Cache<'a> = "cache",
    }
}

fields! {
    /// Input read from and written to the cache.
    Cache {
        read: Count = "read",
        write: Count = "write",
    }
}

struct Messages {
    name: &'static str,
    has_unlisted: bool,
    source: Label,
    labels: Labels,
    turns: Turns,
}

/// Facts about a message that its own data does not contain.
#[derive(Default)]
struct Beside<'a> {
    session: Option<&'a str>,
    /// For a sub-agent's session, the root session.
    root: Option<&'a str>,
    /// When the session was created.
    began: Option<Instant>,
    folder: Option<&'a str>,
    claim: Claim,
    /// The counts of each of the message's steps.
    steps: Vec<Tokens>,
    /// Its own cost, if its data includes the cost of others.
    cost: Option<Usd>,
    /// True if its own cost is known separately, even if it is zero. The cost in its data is then ignored.
    has_own_cost: bool,
    /// True if version 2 wrote it.
    is_newer: bool,
}

impl Reader for Messages {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let message: Message<'_> = json::parse(line)?;
        if message.session.is_absent() || message.time.is_absent() {
            return Ok(Reading::NotMine);
        }
        // If there is a database, it knows more about the session.
        let beside = Beside { claim: Claim::Maker, ..Beside::default() };
        self.read(&message, &beside, origin, out)
    }

    fn row(
        &mut self,
        _query: usize,
        row: &[Value<'_>],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        let Some(data) = at(row, query::DATA).text() else { return Ok(Reading::NotMine) };
        let message: Message<'_> = json::parse(data.as_bytes())?;
        let steps: List<Usage<'_>> =
            at(row, query::STEPS).text().and_then(|steps| json::parse(steps.as_bytes()).ok()).unwrap_or_default();
        let beside = Beside {
            session: at(row, query::SESSION).text(),
            root: at(row, query::ROOT).text().or(at(row, query::PARENT).text()),
            began: at(row, query::BEGAN).time(),
            folder: at(row, query::FOLDER).text(),
            claim: Claim::Own,
            steps: steps.0.iter().filter_map(|step| step.split(false).ok()).collect(),
            cost: at(row, query::COST).usd(),
            has_own_cost: at(row, query::COST) != Value::Null,
            is_newer: message.role.is_absent(),
        };
        self.read(&message, &beside, origin, out)
    }

    fn statuses(&mut self, out: &mut Vec<Record>) {
        self.turns.take(&self.source, out);
    }
}

impl Messages {
    /// Takes note of the start or end of a session's turn. A sub-agent has no turns.
    fn turn(&mut self, message: &Message<'_>, beside: &Beside<'_>, turn: Turn, at: Option<Instant>) {
        if let (Some(session), None, Some(at)) = (beside.session.or(message.session.get()), beside.root, at) {
            self.turns.note(session, turn, at);
        }
    }

    fn read(
        &mut self,
        message: &Message<'_>,
        beside: &Beside<'_>,
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        let (created, completed) = (message.time.created.0, message.time.completed.0);
        match message.role.get() {
            None if beside.is_newer => {}
            None => return Ok(Reading::NotMine),
            Some("assistant") => {}
            Some(role) => {
                if role == "user" {
                    self.turn(message, beside, Turn::Begun, created);
                }
                return Ok(Reading::Mine);
            }
        }
        // The counts may change until it is completed or has finished.
        let Some(created) = created.or(completed).filter(|_| completed.is_some() || !message.finish.is_absent()) else {
            self.turn(message, beside, Turn::Begun, created);
            return Ok(Reading::Mine);
        };
        if message.error.is_some() {
            self.turn(message, beside, Turn::Ended, completed);
        }
        let stated = message.tokens.split(beside.is_newer)?;
        let steps: Tokens = beside.steps.iter().copied().sum();
        let tokens = if steps.total() > stated.total() { steps } else { stated };
        if tokens.is_zero() {
            return Ok(Reading::Mine);
        }
        let session = beside.session.or(message.session.get());
        if let Some(session) = session.filter(|_| beside.root.is_none()) {
            self.turns.answered(session, created);
        }
        let is_copy = beside.began.is_some_and(|began| created < began);
        let from = Attribution {
            session: self.labels.find(beside.root.or(session)),
            agent: beside.root.and_then(|_| self.labels.find(message.agent.get().or(session))),
            project: self.labels.find(message.path.cwd.get().or(beside.folder)),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            claim: if is_copy { Claim::Copy } else { beside.claim },
            began: beside.began,
            ..Attribution::new(created, self.source.clone())
        };
        let model = self.labels.find(message.model().get());
        let fidelity = match (&model, beside.root) {
            (None, _) => Fidelity::Guessed,
            // A sub-agent's session is named after its task.
            (Some(_), None) if self.has_unlisted => Fidelity::Unlisted,
            (Some(_), _) => Fidelity::Final,
        };
        out.push(Record::Call(Call {
            quoted: if beside.has_own_cost { beside.cost } else { message.cost.0 },
            latency: completed.and_then(|completed| completed.signed_duration_since(created).to_std().ok()),
            fidelity,
            ends_turn: message.finish.get() == Some("stop"),
            ..Call::new(key_of(self.name, message, created, &stated), from, model, tokens)
        }));
        Ok(Reading::Mine)
    }
}

/// An answer whose texts are measured.
pub(super) struct TextMessage {
    pub(super) key: CallKey,
    pub(super) at: Option<Instant>,
    pub(super) model: Option<Label>,
    pub(super) project: Option<Label>,
    pub(super) tokens: Tokens,
}

impl TextMessage {
    /// The answer in a row's data; `None` while it is in progress.
    pub(super) fn from_data(agent: &str, data: &str) -> Option<Self> {
        let message: Message<'_> = json::parse(data.as_bytes()).ok()?;
        let (created, completed) = (message.time.created.0, message.time.completed.0);
        let created = created.or(completed)?;
        let has_ended = completed.is_some() || message.finish.get().is_some() || message.error.is_some();
        let tokens = message.tokens.split(message.role.is_absent()).ok().filter(|_| has_ended)?;
        Some(Self {
            key: key_of(agent, &message, created, &tokens),
            at: Some(created),
            model: message.model().get().map(Label::new),
            project: message.path.cwd.get().map(Label::new),
            tokens,
        })
    }
}

/// The key of an answer, which is the same in every copy. The completion time is not part of it, because it may be
/// written after the counts.
fn key_of(agent: &str, message: &Message<'_>, created: Instant, tokens: &Tokens) -> CallKey {
    let created = created.timestamp_millis().to_le_bytes();
    let counts = tokens.fields().map(u64::to_le_bytes).concat();
    let provider = message.provider.or(&message.named.provider).get().unwrap_or_default();
    let model = message.model().get().unwrap_or_default();
    CallKey::from_parts(&[agent.as_bytes(), &created, provider.as_bytes(), model.as_bytes(), &counts])
}

impl<'a> Message<'a> {
    fn model(&self) -> &Text<'a> {
        self.model.or(&self.named.id)
    }
}

impl Usage<'_> {
    /// The counts in disjoint classes. In version 2, reasoning is always separate from the output.
    fn split(&self, is_newer: bool) -> Result<Tokens, BadLine> {
        let (input, stated) = (self.input.tokens("input")?, self.output.tokens("output")?);
        let (cache_read, cache_write) = (self.cache.read.tokens("read")?, self.cache.write.tokens("write")?);
        let reasoning = self.reasoning.tokens("reasoning")?;
        let is_beside = is_newer
            || self.total.is_given() && self.total.tokens("total")? != input + stated + cache_read + cache_write
            || reasoning > stated;
        let output = if is_beside { stated + reasoning } else { stated };
        Ok(Tokens { input, cache_read, cache_write_5m: cache_write, cache_write_1h: 0, output, reasoning })
    }
}
