//! Tasks of the editor extensions in Cline's family.
//!
//! Based on the agents' source (Cline 3.89.2 and 4.1, Roo Code 3.53, Kilo Code 5.16, as quoted in
//! `docs/harnesses/cline.md` of `sturdynut/Ullage` and compared with `Task.ts` of Roo Code's forks, read 2026-11-27; 53
//! requests from real logs): a message `api_req_started` is one request, whose counts are in its `text` as JSON once it
//! has ended. Before Cline had its name (Claude Dev, 2024), they were in a message `api_req_finished` after it. The
//! meaning of `tokensIn` varies:
//!
//! - Cline: input without the cache, except for providers whose count it passes on unchanged (`openai` and others);
//! - Roo Code since 3.29.5 (2025-11-01), Kilo Code since 4.119.0 (2025-11-12): the whole prompt. Before that, the
//!   provider's count: the whole prompt with OpenAI's API, without the cache with Anthropic's.
//!
//! A value smaller than the cache reads and writes is never the whole prompt. `deleted_api_reqs` sums up requests whose
//! messages were removed; they are part of the task's total. A condensed context has a cost but no counts.
//!
//! The model is in `modelInfo`, or else in `task_metadata.json` (Cline) or in the prompts in
//! `api_conversation_history.json` (Roo Code, Kilo Code), each entry with a time. A request uses the last entry before
//! the next request. From the prompts, only the model and the project's folder are read, and no more than the first
//! MiB: in a longer task, the model of later requests is a guess.

use std::collections::BTreeMap;

use memchr::memmem;

use super::author::Author;
use super::count::Count;
use super::fields::{Slot, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, Money, Text};
use super::running::bill;
use super::time::Stamp;
use super::{BadLine, Origin, Reading};
use crate::domain::{Attribution, Bill, Billed, Call, CallKey, Fidelity, Record, Tokens, Usd};

/// Whether a task's input includes the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Whatever the model's provider counts.
    OfProvider,
    /// The whole prompt since this time, in milliseconds since 1970; before that, whatever the called API counts.
    Whole(i64),
}

/// Maximum number of bytes read from a task's prompts.
pub(super) const PROMPTS: usize = 1 << 20;

/// Providers whose count in Cline includes the cache and gives its size.
const INCLUSIVE: [&str; 9] = ["openai", "litellm", "doubao", "fireworks", "hicap", "lmstudio", "qwen", "xai", "zai"];

fields! {
    /// A message.
    TaskMessage {
        at: Stamp = "ts",
        what: Text<'a> = "say",
        text: Text<'a> = "text",
        model: Model<'a> = "modelInfo",
        condensed: Condensed<'a> = "contextCondense",
    }
}

fields! {
    /// The model of a request.
    Model {
        id: Text<'a> = "modelId",
        provider: Text<'a> = "providerId",
    }
}

fields! {
    /// A condensed context.
    Condensed {
        cost: Money = "cost",
    }
}

fields! {
    /// Counts of a request.
    Request {
        input: Count = "tokensIn",
        output: Count = "tokensOut",
        cache_read: Count = "cacheReads",
        cache_write: Count = "cacheWrites",
        cost: Money = "cost",
        protocol: Text<'a> = "apiProtocol",
    }
}

fields! {
    /// The files `history_item.json` and `task_metadata.json`.
    About {
        cwd: Text<'a> = "workspace",
        models: List<Entry<'a>> = "model_usage",
    }
}

fields! {
    /// A model, from a certain time on.
    Entry {
        at: Stamp = "ts",
        model: Text<'a> = "model_id",
        provider: Text<'a> = "model_provider_id",
    }
}

/// A model in use from a certain time on, in milliseconds.
#[derive(Clone, Debug, Default)]
struct Used {
    from: i64,
    model: String,
    provider: String,
}

/// The reader of a task.
pub(super) struct Task {
    name: &'static str,
    meaning: Meaning,
    author: Author,
    project: Option<String>,
    models: Vec<Used>,
    /// Time of the last prompt that was read, in milliseconds, if there are more.
    read_until: Option<i64>,
}

impl Task {
    pub(super) fn new(name: &'static str, meaning: Meaning) -> Self {
        Self { name, meaning, author: Author::new(name), project: None, models: Vec::new(), read_until: None }
    }

    /// Reads the messages of a task.
    pub(super) fn read(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let messages: List<TaskMessage<'_>> = json::parse(line)?;
        let (mut bad, mut removed, mut last) = (FirstBad::default(), Tokens::default(), None);
        let mut totals: BTreeMap<String, Tokens> = BTreeMap::new();
        let task = origin.folder(0).unwrap_or_else(|| origin.stem()).to_owned();
        let requests: Vec<i64> =
            messages.0.iter().filter(|one| one.is_request()).map(TaskMessage::milliseconds).collect();
        let mut number = 0;
        for message in &messages.0 {
            let at = message.milliseconds();
            if message.what.get() == Some("condense_context") {
                out.extend(self.condensed(message, &task, origin).map(Record::Call));
            }
            let is_removed = message.what.get() == Some("deleted_api_reqs");
            if !message.is_request() && !is_removed {
                continue;
            }
            number += usize::from(!is_removed);
            let Ok(request) = json::parse::<Request<'_>>(message.text.get().unwrap_or_default().as_bytes()) else {
                continue;
            };
            let used = self.used(message, requests.get(number).copied());
            let counts = bad.good(self.tokens(&request, used.as_ref(), at));
            let Some((tokens, is_guessed)) = counts.filter(|(tokens, _)| !tokens.is_zero()) else { continue };
            let from = self.author.attribution(message.at.0, Some(&task), self.project.as_deref(), origin);
            if is_removed {
                removed = removed.saturating_add(tokens);
                last = Some(from);
                continue;
            }
            let name = used.as_ref().map_or(Billed::UNNAMED, |used| used.model.as_str());
            let total = totals.entry(name.to_owned()).or_default();
            *total = total.saturating_add(tokens);
            let model = self.author.label(used.as_ref().map(|used| used.model.as_str()));
            let is_unread = message.model.id.is_absent() && self.read_until.is_some_and(|last| at > last);
            let fidelity = if model.is_none() || is_guessed || is_unread { Fidelity::Guessed } else { Fidelity::Final };
            let key = CallKey::from_parts(&[self.name, "task", &task, &at.to_string()]);
            out.push(Record::Call(Call { quoted: request.cost.0, fidelity, ..Call::new(key, from, model, tokens) }));
        }
        out.extend(last.and_then(|from| self.total(from, &messages.0, totals, removed)).map(Record::Bill));
        bad.result()
    }

    /// Reads the project and the models from a file in the task's folder.
    pub(super) fn describe(&mut self, text: &[u8]) {
        if text.starts_with(b"[") {
            self.models = of_prompts(text);
            self.read_until = self.models.last().filter(|_| text.len() >= PROMPTS).map(|used| used.from);
            self.project = ["# Current Workspace Directory (", "# Current Working Directory ("]
                .iter()
                .find_map(|before| between(text, before.as_bytes(), b") Files"))
                .filter(|folder| folder.starts_with('/') || folder.get(1..2) == Some(":"))
                .map(str::to_owned);
            return;
        }
        let about: About<'_> = json::parse(text).unwrap_or_default();
        self.project = about.cwd.get().map(str::to_owned).or(self.project.take());
        if !about.models.is_absent() {
            let owned = |text: &Text<'_>| text.get().unwrap_or_default().to_owned();
            let used = |entry: &Entry<'_>| Used {
                from: entry.at.0.map(|at| at.timestamp_millis()).unwrap_or_default(),
                model: owned(&entry.model),
                provider: owned(&entry.provider),
            };
            self.read_until = None;
            self.models = about.models.0.iter().map(used).filter(|used| !used.model.is_empty()).collect();
        }
    }

    /// The model of a request: its own, or else the last one before the next request.
    fn used(&self, message: &TaskMessage<'_>, next: Option<i64>) -> Option<Used> {
        let own = &message.model;
        if let Some(model) = own.id.get() {
            let provider = own.provider.get().unwrap_or_default().to_owned();
            return Some(Used { from: 0, model: model.to_owned(), provider });
        }
        let before = self.models.iter().rev().find(|used| next.is_none_or(|next| used.from < next));
        before.or(self.models.first()).cloned()
    }

    /// The counts in disjoint classes, and whether the meaning of the input had to be guessed.
    fn tokens(&self, request: &Request<'_>, used: Option<&Used>, at: i64) -> Result<(Tokens, bool), BadLine> {
        let stated = request.input.tokens("tokensIn")?;
        let cache_read = request.cache_read.tokens("cacheReads")?;
        let cache_write_5m = request.cache_write.tokens("cacheWrites")?;
        let cached = cache_read + cache_write_5m;
        let (is_whole, is_guessed) = match self.meaning {
            _ if cached == 0 || stated < cached => (false, false),
            Meaning::OfProvider => {
                let provider = used.map(|used| used.provider.as_str()).unwrap_or_default();
                (INCLUSIVE.contains(&provider), provider.is_empty())
            }
            Meaning::Whole(since) if at >= since => (true, false),
            // Only Anthropic's API reported cache writes.
            Meaning::Whole(_) => match request.protocol.get() {
                Some(protocol) => (protocol != "anthropic", false),
                None => (cache_write_5m == 0, true),
            },
        };
        let input = if is_whole { stated - cached } else { stated };
        let output = request.output.tokens("tokensOut")?;
        Ok((Tokens { input, cache_read, cache_write_5m, output, ..Tokens::default() }, is_guessed))
    }

    /// The request that condensed a context. It has nothing but a cost.
    fn condensed(&mut self, message: &TaskMessage<'_>, task: &str, origin: &Origin) -> Option<Call> {
        let quoted = message.condensed.cost.0.filter(|cost| *cost > Usd::ZERO)?;
        let mut from = self.author.attribution(message.at.0, Some(task), self.project.as_deref(), origin);
        from.feature = self.author.label(Some("compaction"));
        let key = CallKey::from_parts(&[self.name, "condensed", task, &message.milliseconds().to_string()]);
        let call = Call::new(key, from, None, Tokens::ZERO);
        Some(Call { quoted: Some(quoted), fidelity: Fidelity::LowerBound, ..call })
    }

    /// The total of a task from which messages were removed. They do not name their model, so the others' model is
    /// used.
    fn total(
        &self,
        from: Attribution,
        messages: &[TaskMessage<'_>],
        mut totals: BTreeMap<String, Tokens>,
        removed: Tokens,
    ) -> Option<Bill> {
        let named = messages.iter().rev().find_map(|message| message.model.id.get());
        let model = named.or_else(|| self.models.last().map(|used| used.model.as_str())).unwrap_or(Billed::UNNAMED);
        let total = totals.entry(model.to_owned()).or_default();
        *total = total.saturating_add(removed);
        bill(self.name, from, totals.iter().map(|(model, total)| (model.as_str(), *total)))
    }
}

impl TaskMessage<'_> {
    fn is_request(&self) -> bool {
        matches!(self.what.get(), Some("api_req_started" | "api_req_finished"))
    }

    fn milliseconds(&self) -> i64 {
        self.at.0.map(|at| at.timestamp_millis()).unwrap_or_default()
    }
}

/// The models named in prompts, each with the time of its message, which follows it in the text. If the text is cut off
/// before that time, the model is left out.
fn of_prompts(text: &[u8]) -> Vec<Used> {
    let (open, close, stamp) = (br"\n<model>", b"</model>", b",\"ts\":");
    let mut models: Vec<Used> = Vec::new();
    for start in memmem::find_iter(text, open) {
        let rest = &text[start..];
        let Some(model) = between(rest, open, close).filter(|name| name.len() < 200 && !name.contains('\\')) else {
            continue;
        };
        let from = memmem::find(rest, stamp).and_then(|place| {
            let time = &rest[place + stamp.len()..];
            let length = time.iter().position(|byte| !byte.is_ascii_digit())?;
            std::str::from_utf8(&time[..length]).ok()?.parse().ok()
        });
        let Some(from) = from else { continue };
        models.push(Used { from, model: model.to_owned(), ..Used::default() });
    }
    models
}

/// The text between two others.
fn between<'t>(text: &'t [u8], before: &[u8], behind: &[u8]) -> Option<&'t str> {
    let start = memmem::find(text, before)? + before.len();
    let length = memmem::find(&text[start..], behind)?;
    std::str::from_utf8(&text[start..start + length]).ok().filter(|text| !text.is_empty())
}
