//! Sizes of the texts in the sessions of pi and its forks. An aborted answer has text but counts of zero if the
//! provider sends them at the end (OpenAI's API and others; seen with pi 1.5.2, 2026-11-26).
//!
//! The content is a list of blocks `text`, `thinking` and `toolCall` (its `docs/session-format.md`, read 2026-11-27).
//! Reasoning that is counted separately may be in the text only as a summary, or not at all.

use super::fields::{Slot, Within, fields};
use super::json::{self, Text};
use super::pi::{self, key_of};
use super::texts::{Spoken, TextReader, Texts, blocks};
use super::time::Stamp;
use super::{Format as _, Framing, Origin};
use crate::domain::{Attribution, Instant, Label, Tokens};

/// The texts of one agent of the family.
pub(super) struct PiTexts(&'static pi::Pi);

pub(super) const PI: PiTexts = PiTexts(&pi::PI);
pub(super) const OH_MY_PI: PiTexts = PiTexts(&pi::OH_MY_PI);
pub(super) const SENPI: PiTexts = PiTexts(&pi::SENPI);
pub(super) const GJC: PiTexts = PiTexts(&pi::GJC);
pub(super) const KIMCHI: PiTexts = PiTexts(&pi::KIMCHI);
pub(super) const PRIME: PiTexts = PiTexts(&pi::PRIME);

impl Texts for PiTexts {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        self.0.framing(name)
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Entries { source: Label::new(self.name()), session: None, project: None })
    }
}

fields! {
    Entry {
        kind: Text<'a> = "type",
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        cwd: Text<'a> = "cwd",
        message: Message<'a> = "message",
    }
}

fields! {
    Message {
        role: Text<'a> = "role",
        model: Text<'a> = "model" | "responseModel",
        usage: pi::Usage<'a> = "usage",
        response: Text<'a> = "responseId",
        at: Stamp = "timestamp",
        content: Within<'a> = "content",
    }
}

struct Entries {
    source: Label,
    session: Option<Label>,
    project: Option<Label>,
}

impl TextReader for Entries {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Spoken>) {
        let Ok(entry) = json::parse::<Entry<'_>>(line) else { return };
        let label = |text: &Text<'_>| text.get().map(Label::new);
        if entry.kind.get() == Some("session") {
            (self.session, self.project) = (label(&entry.id), label(&entry.cwd));
            return;
        }
        let message = &entry.message;
        let is_answer = entry.kind.get() == Some("message") && message.role.get() == Some("assistant");
        let Ok(tokens) = message.usage.tokens() else { return };
        if !is_answer || message.content.is_absent() || (tokens != Tokens::ZERO && tokens.output == 0) {
            return;
        }
        let at = entry.at.or(&message.at).0;
        let (blocks, hides_parts) = blocks(message.content);
        out.push(Spoken {
            key: key_of(message.response.get(), entry.id.get(), at, &tokens),
            from: Attribution {
                session: self.session.clone().or_else(|| Some(Label::new(origin.stem()))),
                project: self.project.clone(),
                ..Attribution::new(at.unwrap_or(Instant::UNIX_EPOCH), self.source.clone())
            },
            model: label(&message.model),
            output: tokens.output,
            blocks,
            hides_parts: hides_parts || tokens.reasoning > 0,
            is_cut: false,
        });
    }
}
