//! Sizes of the texts in the chats of Kiro's editor before version 1.0: `<workspace>/<execution>.chat` in its global
//! storage and, since 2026, files one folder deeper whose names are 32 hexadecimal digits. They contain no token
//! counts.
//!
//! Based on codeburn's reader (`src/providers/kiro.ts`, commit 5bacb1f) and two exporters of such chats, read
//! 2026-11-27: a document has the whole conversation so far, in `chat` or `context.messages`, and gives the
//! conversation's id, its model and its start. Later documents of a conversation repeat the texts of earlier ones, so a
//! conversation is one answer.

use super::fields::{Slot, Within, fields};
use super::json::{self, List, Text};
use super::kiro_text::{KIRO, model};
use super::texts::{Spoken, TextReader, Texts, blocks};
use super::time::Stamp;
use super::{Env, Framing, Location, Origin};
use crate::domain::{Attribution, CallKey, Instant, Label};

/// The texts of the editor's chats.
pub(super) struct KiroChatTexts;

/// Number of digits in a name without an extension.
const DIGITS: usize = 32;

impl Texts for KiroChatTexts {
    fn name(&self) -> &'static str {
        KIRO.name()
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let storage = env.program_config().map(|config| config.join("Kiro/User/globalStorage/kiro.kiroagent"));
        storage.into_iter().map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        let is_execution = name.len() == DIGITS && name.iter().all(u8::is_ascii_hexdigit);
        (is_execution || name.ends_with(b".chat")).then_some(Framing::Document)
    }
    fn reader(&self) -> Box<dyn TextReader> {
        Box::new(Chats)
    }
}

fields! {
    /// A document.
    Chat {
        execution: Text<'a> = "executionId",
        session: Text<'a> = "chatSessionId" | "sessionId" | "workflowId",
        model: Text<'a> = "modelId",
        at: Stamp = "startTime",
        messages: List<ChatMessage<'a>> = "chat",
        context: Context<'a> = "context",
        about: About<'a> = "metadata",
    }
}

fields! {
    /// The conversation of newer documents.
    Context {
        messages: List<ChatMessage<'a>> = "messages",
    }
}

fields! {
    /// Facts about the conversation.
    About {
        session: Text<'a> = "workflowId" | "sessionId",
        model: Text<'a> = "modelId",
        at: Stamp = "startTime",
    }
}

fields! {
    /// A message.
    ChatMessage {
        role: Text<'a> = "role",
        content: Within<'a> = "content" | "entries",
    }
}

struct Chats;

impl TextReader for Chats {
    fn line(&mut self, document: &[u8], _origin: &Origin, out: &mut Vec<Spoken>) {
        let Ok(chat) = json::parse::<Chat<'_>>(document) else { return };
        let Some(execution) = chat.execution.get() else { return };
        let session = chat.session.or(&chat.about.session).get().unwrap_or(execution);
        let messages = if chat.messages.is_absent() { &chat.context.messages } else { &chat.messages };
        let (mut sizes, mut hides_parts) = (Vec::new(), false);
        for message in messages.0.iter().filter(|message| message.role.get() == Some("bot")) {
            let (more, hides_more) = blocks(message.content);
            sizes.extend(more);
            hides_parts |= hides_more;
        }
        if sizes.is_empty() {
            return;
        }
        let at = chat.at.or(&chat.about.at).0.unwrap_or(Instant::UNIX_EPOCH);
        out.push(Spoken {
            key: CallKey::from_parts(&[KIRO.name(), "chat", session]),
            from: Attribution { session: Some(Label::new(session)), ..Attribution::new(at, Label::new(KIRO.name())) },
            model: model(chat.model.or(&chat.about.model)),
            output: 0,
            blocks: sizes,
            hides_parts,
            is_cut: false,
        });
    }
}
