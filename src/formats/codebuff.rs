//! Codebuff's and Freebuff's chats: `projects/<project>/chats/<chat>/chat-messages.json` in `~/.config/manicode` (also
//! `-dev`, `-staging`), one list of messages per chat, rewritten in place.
//!
//! Based on tokscale 4.17 (`sessions/codebuff.rs`, `freebuff.rs`, read 2026-11-26): an answer's counts are in
//! `metadata.usage`, in `metadata.codebuff.usage` or, if the call was routed elsewhere, in the last answer of the run's
//! own history (`metadata.runState…messageHistory[].providerOptions`). The first of them that has counts is used. The
//! names are those of Anthropic, OpenAI or the AI SDK, with their usual meaning. A message's time is only a clock time
//! for display; without another one, the chat's own time is used, which is its name. `credits` are not dollars and are
//! not read; messages that have only credits do not count.

use super::answers::{CallBuilder, Where};
use super::fields::{Within, fields};
use super::first_bad::FirstBad;
use super::json::{self, List, Text};
use super::time::{self, Stamp};
use super::usage::Usage;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Instant, Record};

/// Codebuff's chats.
pub(super) struct Codebuff;

const NAME: &str = "codebuff";

impl Format for Codebuff {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "messages that state credits alone"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let named = env.path("CODEBUFF_DATA_DIR").into_iter();
        let usual =
            ["", "-dev", "-staging"].into_iter().filter_map(|channel| env.home(&format!(".config/manicode{channel}")));
        named.chain(usual).map(|home| Location::tree(home.join("projects"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"chat-messages.json").then_some(Framing::Document)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Chats(CallBuilder::new(NAME)))
    }
}

fields! {
    Message {
        id: Text<'a> = "id",
        kind: Text<'a> = "variant" | "role",
        at: Stamp = "timestamp",
        made: Stamp = "createdAt",
        about: About<'a> = "metadata",
    }
}

fields! {
    /// Metadata of an answer.
    About {
        at: Stamp = "timestamp",
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
        own: Own<'a> = "codebuff",
        run: Within<'a> = "runState",
    }
}

fields! {
    /// The service's own data.
    Own {
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    Run {
        session: RunSession<'a> = "sessionState",
    }
}

fields! {
    /// The state of a run.
    RunSession {
        agent: RunAgent<'a> = "mainAgentState",
    }
}

fields! {
    /// The main agent of a run.
    RunAgent {
        history: List<Past<'a>> = "messageHistory",
    }
}

fields! {
    /// A message of a run's own history.
    Past {
        role: Text<'a> = "role",
        options: Options<'a> = "providerOptions",
    }
}

fields! {
    /// The provider's data in a message.
    Options {
        usage: Usage<'a> = "usage",
        own: Own<'a> = "codebuff",
    }
}

struct Chats(CallBuilder);

impl Reader for Chats {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: List<Message<'_>> = json::parse(line)?;
        let session = origin.folder(0);
        let began = session.and_then(time_of);
        let place = Where { session, project: origin.folder(2), agent: None };
        let mut bad = FirstBad::default();
        for (number, message) in read.0.iter().enumerate() {
            if !matches!(message.kind.get(), Some("ai" | "agent" | "assistant")) {
                continue;
            }
            let about = &message.about;
            let run: Run<'_> = about.run.object().unwrap_or_default();
            let past = run.session.agent.history.0.iter().rev().find(|past| past.role.get() == Some("assistant"));
            let options = past.map(|past| &past.options);
            let places = [
                Some(&about.usage),
                Some(&about.own.usage),
                options.map(|options| &options.usage),
                options.map(|options| &options.own.usage),
            ];
            let Some(usage) = places.into_iter().flatten().find(|usage| usage.has_counts()) else { continue };
            let Some(counts) = bad.good(usage.counts()) else { continue };
            let models =
                [about.model.get(), about.own.model.get(), options.and_then(|options| options.own.model.get())];
            let at = message.at.0.or(message.made.0).or(about.at.0).or(began);
            let from = self.0.from(at, place, origin);
            let number = number.to_string();
            let (id, chat) = (message.id.get().unwrap_or(&number), session.unwrap_or_default());
            out.extend(
                self.0.call(&[chat, id], from, models.into_iter().flatten().next(), counts.split()).map(Record::Call),
            );
        }
        bad.result()
    }
}

/// The time in a chat's name: `2025-12-14T10-00-00.000Z`.
fn time_of(chat: &str) -> Option<Instant> {
    let (date, clock) = chat.split_once('T')?;
    time::parse(&format!("{date}T{}", clock.replacen('-', ":", 2)))
}
