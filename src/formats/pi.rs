//! pi's sessions, and those of its forks: `~/.pi/agent/sessions/--<cwd>--/<time>_<id>.jsonl`.
//!
//! Verified with pi 1.5.2 and 1.6.0 against a service with a known bill (2026-11-29): an entry `message` from an
//! assistant is one answer and equals the bill. The calls of a compaction are only in the entry `compaction` (or
//! `branch_summary`), as one sum at its top level. Requests outside the conversation (keeping a cache warm) are entries
//! `usage`, of any `kind` (its `docs/session-format.md`, read 2026-11-27). One file is a tree, in which every branch
//! was paid for. `--fork` copies entries with their ids and times to a new file: anything older than a file's first
//! line is a copy.
//! `responseId` comes from the provider; without it, an entry's id and time identify the answer. Counts are disjoint,
//! and reasoning is part of the output; `cost` is pi's own sum. `cacheWrite1h` is part of `cacheWrite`; older entries
//! do not have it, so the lifetime is unknown. Entries of other types repeat counts (Prime's `child_usage_attributed`)
//! and are not read. An answer that names no model was made by the model of the last `model_change` or answer.
//!
//! The forks write the same entries to homes of their own (an inventory of session formats, `kenn-io/agentsview`
//! 0.41.1, checked 2026-11-26).

use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Named, Seen, Slot, fields};
use super::json::{self, Money, Text};
use super::keys::answer_key;
use super::split::unstated_lifetime;
use super::time::Stamp;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::{Call, CallKey, Claim, Fidelity, Instant, Parts, Record, Tokens};

/// One agent of the family: its name, and the folders of its sessions, relative to the home folder.
pub(super) struct Pi {
    name: &'static str,
    homes: &'static [&'static str],
}

pub(super) const NAME: &str = "pi";
pub(super) const PI: Pi = Pi { name: NAME, homes: &[".pi/agent/sessions"] };
pub(super) const OH_MY_PI: Pi = Pi { name: "oh-my-pi", homes: &[".omp/agent/sessions"] };
pub(super) const SENPI: Pi = Pi { name: "senpi", homes: &[".senpi/agent/sessions"] };
pub(super) const GJC: Pi = Pi { name: "gjc", homes: &[".gjc/agent/sessions"] };
pub(super) const KIMCHI: Pi = Pi { name: "kimchi", homes: &[".config/kimchi/harness/sessions"] };
pub(super) const PRIME: Pi = Pi { name: "prime", homes: &[".prime/agent/sessions", ".prime/agent/session-artifacts"] };

/// Needles of answers, of a file's first line, and of model changes.
const NEEDLES: [&str; 3] = ["\"usage\"", "\"type\":\"session\"", "\"type\":\"model_change\""];

impl Format for Pi {
    fn name(&self) -> &'static str {
        self.name
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "single calls of a compaction: their sum is one call"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let named = || {
            let agent = env.path("PI_CODING_AGENT_DIR").map(|home| home.join("sessions"));
            env.path("PI_CODING_AGENT_SESSION_DIR").or(agent)
        };
        if let Some(folder) = (self.name == NAME).then(named).flatten() {
            return vec![Location::tree(folder)];
        }
        self.homes.iter().filter_map(|home| env.home(home)).map(Location::tree).collect()
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn own_needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Session::new(self.name))
    }
}

fields! {
    /// An entry of a session.
    Entry {
        kind: Text<'a> = "type",
        purpose: Text<'a> = "kind",
        id: Text<'a> = "id",
        parent: Seen = "parentId",
        at: Stamp = "timestamp",
        cwd: Text<'a> = "cwd",
        model: Text<'a> = "model",
        chosen: Text<'a> = "modelId",
        usage: Usage<'a> = "usage",
        message: Message<'a> = "message",
    }
}

fields! {
    Message {
        role: Text<'a> = "role",
        api: Text<'a> = "api",
        provider: Text<'a> = "provider",
        model: Text<'a> = "model" | "responseModel",
        usage: Usage<'a> = "usage",
        response: Text<'a> = "responseId",
        at: Stamp = "timestamp",
        duration: Named<'a> = "durationMs",
        stop: Text<'a> = "stopReason",
        idempotency: Text<'a> = "idempotencyKey",
    }
}

fields! {
    /// The counts of an answer.
    Usage {
        input: Count = "input",
        output: Count = "output",
        cache_read: Count = "cacheRead",
        cache_write: Count = "cacheWrite",
        cache_write_1h: Count = "cacheWrite1h",
        reasoning: Count = "reasoning",
        cost: Cost<'a> = "cost",
    }
}

fields! {
    /// Cost of the answer, as computed by the agent.
    Cost {
        total: Money = "total",
    }
}

/// Facts from the first line of a file, and the model that answered last.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Head {
    pub(super) session: String,
    pub(super) cwd: String,
    pub(super) began: Option<Instant>,
    pub(super) model: String,
}

/// The reader of a session.
pub(super) struct Session {
    author: Author,
    pub(super) head: Head,
}

impl Session {
    pub(super) fn new(name: &str) -> Self {
        Self { author: Author::new(name), head: Head::default() }
    }

    /// Reads an entry in pi's form.
    pub(super) fn entry(
        &mut self,
        entry: &Entry<'_>,
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        let keep = |text: &Text<'_>| text.get().unwrap_or_default().to_owned();
        match entry.kind.get() {
            Some("session") if !entry.id.is_absent() && (!entry.cwd.is_absent() || !entry.at.is_absent()) => {
                self.head =
                    Head { session: keep(&entry.id), cwd: keep(&entry.cwd), began: entry.at.0, ..Head::default() };
            }
            Some("message") if entry.message.role.get() == Some("assistant") && entry.message.usage.is_pis() => {
                let message = &entry.message;
                if message.model.get().is_some() {
                    self.head.model = keep(&message.model);
                }
                let model = Some(self.head.model.clone()).filter(|model| !model.is_empty());
                out.extend(self.call(entry, &message.usage, model.as_deref(), origin)?.map(Record::Call));
            }
            Some("model_change") if !entry.chosen.is_absent() => self.head.model = keep(&entry.chosen),
            // A summary is written by the model of the latest answer, unless it names another.
            Some("compaction" | "branch_summary") if entry.usage.is_pis() => {
                let model = Some(self.head.model.clone()).filter(|model| !model.is_empty());
                let model = entry.model.get().map(str::to_owned).or(model);
                let call = self.call(entry, &entry.usage, model.as_deref(), origin)?;
                out.extend(call.map(|mut call| {
                    call.from.feature = self.author.label(Some("compaction"));
                    call.fidelity = if call.model.is_some() { Fidelity::Summed } else { Fidelity::SumGuessed };
                    Record::Call(call)
                }));
            }
            Some("usage") if entry.usage.is_pis() => {
                let call = self.call(entry, &entry.usage, entry.model.get(), origin)?;
                out.extend(call.map(|mut call| {
                    call.from.feature = self.author.label(entry.purpose.get());
                    Record::Call(call)
                }));
            }
            // Any other entry with counts repeats them, and an answer without counts used nothing.
            Some(_) if entry.parent.is_some() && !(entry.usage.is_absent() && entry.message.usage.is_absent()) => {}
            _ => return Ok(Reading::NotMine),
        }
        Ok(Reading::Mine)
    }

    fn call(
        &mut self,
        entry: &Entry<'_>,
        usage: &Usage<'_>,
        model: Option<&str>,
        origin: &Origin,
    ) -> Result<Option<Call>, BadLine> {
        let tokens = usage.tokens()?;
        if tokens.is_zero() {
            return Ok(None);
        }
        let message = &entry.message;
        let at = entry.at.or(&message.at).0;
        let session = if self.head.session.is_empty() { origin.stem() } else { &self.head.session };
        let mut from = self.author.attribution(at, Some(session), Some(&self.head.cwd), origin);
        from.began = self.head.began;
        if at.zip(from.began).is_some_and(|(at, began)| at < began) {
            from.claim = Claim::Copy;
        }
        let model = self.author.label(model);
        let fidelity = if model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        let latency = message.duration.milliseconds();
        let key = key_of(message.response.get(), entry.id.get(), at, &tokens);
        let is_split = usage.cache_write_1h.is_given();
        let parts = if is_split { Parts::NONE } else { unstated_lifetime(&tokens) };
        let quoted = usage.cost.total.0;
        let ends_turn = matches!(message.stop.get(), Some("stop" | "aborted"));
        Ok(Some(Call { parts, quoted, latency, fidelity, ends_turn, ..Call::new(key, from, model, tokens) }))
    }
}

/// The key of an answer: the provider's id, or else the parts that are the same in every copy of its entry. Entry ids
/// are short, and older sessions have none.
pub(super) fn key_of(response: Option<&str>, id: Option<&str>, at: Option<Instant>, tokens: &Tokens) -> CallKey {
    response.and_then(answer_key).unwrap_or_else(|| {
        let at = at.map(|at| at.timestamp_millis()).unwrap_or_default().to_le_bytes();
        let counts = tokens.fields().map(u64::to_le_bytes).concat();
        CallKey::from_parts(&[NAME.as_bytes(), id.unwrap_or_default().as_bytes(), &at, &counts])
    })
}

impl Usage<'_> {
    /// True for counts with pi's field names. No other line-based format has both.
    fn is_pis(&self) -> bool {
        self.input.is_given() && self.output.is_given()
    }

    pub(super) fn tokens(&self) -> Result<Tokens, BadLine> {
        let output = self.output.tokens("output")?;
        let (writes, long) = (self.cache_write.tokens("cacheWrite")?, self.cache_write_1h.tokens("cacheWrite1h")?);
        Ok(Tokens {
            input: self.input.tokens("input")?,
            cache_read: self.cache_read.tokens("cacheRead")?,
            cache_write_5m: writes.saturating_sub(long),
            cache_write_1h: long.min(writes),
            output,
            reasoning: self.reasoning.tokens("reasoning")?.min(output),
        })
    }
}

impl Reader for Session {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let entry: Entry<'_> = json::parse(line)?;
        self.entry(&entry, origin, out)
    }

    fn state(&self) -> String {
        save(&self.head)
    }

    fn restore(&mut self, state: &str) {
        self.head = load(state);
    }
}
