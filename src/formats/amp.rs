//! Amp's threads: `amp/threads/T-<id>.json` in the data folder, one document per thread.
//!
//! Based on readers of this format (ccusage 20.0, tokscale 4.17, checked 2026-11-26). The agent requires an account at
//! its own service and could not be run. `usageLedger.events` is authoritative: each event is one request, with input
//! and output. The cache counts are in the `usage` of the message that `toMessageId` names, and belong to the first of
//! several requests that name it. A thread without a ledger only has the messages' `usage`. So do the messages of a
//! thread that went on after January 2026, when requests were no longer added to its ledger (ccusage's notes on Amp,
//! read 2026-11-29). Counts are disjoint. A request may have nothing but a `total`, which then counts as output. With
//! OpenAI's models the whole uncached prompt counts as written to the cache, so that the three parts add up to
//! `totalInputTokens`; in the terms of price lists, it is input. `AMP_DATA_DIR` may name several folders. `credits` are
//! not dollars and are not kept. Newer versions keep threads at the service, so anything no longer written here is in
//! no log.

use std::collections::{BTreeMap, BTreeSet};

use super::author::Author;
use super::count::Count;
use super::fields::{Named, Slot, fields};
use super::file_uri::path_of_uri;
use super::first_bad::FirstBad;
use super::json::{self, List, Text};
use super::keys::timed_key;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, CallKey, Fidelity, Record, Tokens};

/// Amp's threads.
pub(super) struct Amp;

const NAME: &str = "amp";

impl Format for Amp {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "threads that newer versions keep at the service; dollars: it states credits"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let usual = || env.data_home().map(|data| data.join("amp")).into_iter().collect();
        let folders = env.paths("AMP_DATA_DIR").unwrap_or_else(usual);
        folders.into_iter().map(|folder| Location::tree(folder.join("threads"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name.starts_with(b"T-") && name.ends_with(b".json")).then_some(Framing::Document)
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Threads(Author::new(NAME)))
    }
}

fields! {
    Thread {
        id: Text<'a> = "id",
        created: Stamp = "created",
        messages: List<Message<'a>> = "messages",
        ledger: Ledger<'a> = "usageLedger",
        environment: Environment<'a> = "env",
    }
}

fields! {
    /// The charged requests.
    Ledger {
        events: List<Event<'a>> = "events",
    }
}

fields! {
    /// A request.
    Event {
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        model: Text<'a> = "model",
        operation: Text<'a> = "operationType",
        message: Named<'a> = "toMessageId",
        tokens: Counts<'a> = "tokens",
    }
}

fields! {
    Message {
        id: Named<'a> = "messageId" | "id",
        usage: Usage<'a> = "usage",
        model: Text<'a> = "model",
        at: Stamp = "timestamp",
    }
}

fields! {
    /// The counts of a message.
    Usage {
        model: Text<'a> = "model",
        at: Stamp = "timestamp",
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cacheReadInputTokens",
        cache_write: Count = "cacheCreationInputTokens",
    }
}

fields! {
    /// The counts of a request.
    Counts {
        input: Count = "input",
        output: Count = "output",
        total: Count = "total",
        cache_read: Count = "cacheReadInputTokens",
        cache_write: Count = "cacheCreationInputTokens",
    }
}

fields! {
    /// Where the thread was started.
    Environment {
        initial: Initial<'a> = "initial",
    }
}

fields! {
    /// The folders in which it was started.
    Initial {
        trees: List<Tree<'a>> = "trees",
    }
}

fields! {
    /// A folder.
    Tree {
        uri: Text<'a> = "uri",
    }
}

struct Threads(Author);

impl Reader for Threads {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let thread: Thread<'_> = json::parse(line)?;
        if !thread.id.get().is_some_and(|id| id.starts_with("T-")) {
            return Ok(Reading::NotMine);
        }
        let mut bad = FirstBad::default();
        let mut take = |call| out.extend(bad.good(call).flatten().map(Record::Call));
        if thread.ledger.events.is_absent() {
            for message in thread.messages.0.iter().filter(|message| !message.usage.is_absent()) {
                take(self.message(&thread, message, origin));
            }
        } else {
            let messages: BTreeMap<&str, &Message<'_>> =
                thread.messages.0.iter().filter_map(|message| Some((message.id.get()?, message))).collect();
            let events = &thread.ledger.events.0;
            let named: BTreeSet<&str> = events.iter().filter_map(|event| event.message.get()).collect();
            let is_alone = |message: &Message<'_>| {
                !message.usage.is_absent() && message.id.get().is_none_or(|id| !named.contains(id))
            };
            let alone: Vec<&Message<'_>> = thread.messages.0.iter().filter(|message| is_alone(message)).collect();
            for message in &alone {
                take(self.message(&thread, message, origin));
            }
            let mut answered = BTreeSet::new();
            // A request that names no message is that of one with its counts, if there is one.
            let is_known = |event: &Event<'_>| {
                event.message.is_absent() && alone.iter().any(|message| message.usage.is_of(&event.tokens))
            };
            for event in events.iter().filter(|event| !is_known(event)) {
                let beside = event.message.get().and_then(|id| messages.get(id).copied());
                let is_first = event.message.get().is_some_and(|id| answered.insert(id));
                take(self.event(&thread, event, beside, is_first, origin));
            }
        }
        bad.result()
    }
}

impl Usage<'_> {
    /// True if these are the counts of a request.
    fn is_of(&self, counts: &Counts<'_>) -> bool {
        self.input.is_given() && self.input == counts.input && self.output == counts.output
    }
}

impl Threads {
    /// A request from the ledger, with the cache counts from its message.
    fn event(
        &mut self,
        thread: &Thread<'_>,
        event: &Event<'_>,
        beside: Option<&Message<'_>>,
        is_first: bool,
        origin: &Origin,
    ) -> Result<Option<Call>, BadLine> {
        let (none, unused) = (Message::default(), Usage::default());
        let (counts, message) = (&event.tokens, beside.unwrap_or(&none));
        let beside = if is_first { &message.usage } else { &unused };
        let mut tokens = Tokens {
            input: counts.input.tokens("input")?,
            cache_read: counts.cache_read.or(&beside.cache_read).tokens("cacheReadInputTokens")?,
            cache_write_5m: counts.cache_write.or(&beside.cache_write).tokens("cacheCreationInputTokens")?,
            output: counts.output.tokens("output")?,
            ..Tokens::default()
        };
        let is_sum = counts.input.is_absent() && counts.output.is_absent();
        if is_sum {
            tokens.output = counts.total.tokens("total")?.saturating_sub(tokens.total());
        }
        let at = event.at.or(&message.usage.at).or(&message.at);
        let model = event.model.or(&message.usage.model).or(&message.model);
        // The first request of a message matches the message's own counts, and those are used while there is no ledger
        // yet.
        let key = match (event.id.get(), event.message.get()) {
            (_, Some(message)) if is_first => key_of(thread, message),
            (Some(id), _) => CallKey::from_parts(&[NAME, "event", id]),
            (None, _) => unnamed_key(thread, *at, model.get(), &tokens),
        };
        let mut call = self.call(thread, key, *at, model.get(), tokens, origin);
        if is_sum && let Some(call) = &mut call {
            call.fidelity = Fidelity::Guessed;
        }
        let errand = event.operation.get().filter(|operation| *operation != "inference");
        if let Some(call) = &mut call {
            call.from.feature = self.0.label(errand);
        }
        Ok(call)
    }

    /// An answer in a thread without a ledger.
    fn message(
        &mut self,
        thread: &Thread<'_>,
        message: &Message<'_>,
        origin: &Origin,
    ) -> Result<Option<Call>, BadLine> {
        let usage = &message.usage;
        let tokens = Tokens {
            input: usage.input.tokens("inputTokens")?,
            cache_read: usage.cache_read.tokens("cacheReadInputTokens")?,
            cache_write_5m: usage.cache_write.tokens("cacheCreationInputTokens")?,
            output: usage.output.tokens("outputTokens")?,
            ..Tokens::default()
        };
        let (at, model) = (usage.at.or(&message.at), usage.model.or(&message.model));
        let key = match message.id.get() {
            Some(id) => key_of(thread, id),
            None => unnamed_key(thread, *at, model.get(), &tokens),
        };
        Ok(self.call(thread, key, *at, model.get(), tokens, origin))
    }

    fn call(
        &mut self,
        thread: &Thread<'_>,
        key: CallKey,
        at: Stamp,
        model: Option<&str>,
        tokens: Tokens,
        origin: &Origin,
    ) -> Option<Call> {
        if tokens.is_zero() {
            return None;
        }
        let tree = thread.environment.initial.trees.0.first().and_then(|tree| tree.uri.get());
        let path = tree.and_then(path_of_uri);
        let from = self.0.attribution(at.or(&thread.created).0, thread.id.get(), path.as_deref().or(tree), origin);
        let model = self.0.label(model);
        let fidelity = if model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        Some(Call { fidelity, ..Call::new(key, from, model, tokens) })
    }
}

/// The key of an answer, based on its message.
fn key_of(thread: &Thread<'_>, message: &str) -> CallKey {
    CallKey::from_parts(&[NAME, thread.id.get().unwrap_or_default(), message])
}

/// The key of an answer that nothing names, within its thread.
fn unnamed_key(thread: &Thread<'_>, at: Stamp, model: Option<&str>, tokens: &Tokens) -> CallKey {
    timed_key(NAME, at.0, model, tokens).under(thread.id.get().unwrap_or_default())
}
