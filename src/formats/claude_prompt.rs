//! Prompts and interruptions in Claude Code's transcripts.
//!
//! Seen in 2.1.332, 2026-11-28: a prompt is a line of type `user` whose content is a text, or a list that begins with a
//! text or an image; a tool's result is a list that begins with the result. Local commands and their output are written
//! in the same way. They do not count as prompts, although this version sends a shell command's output to the model. An
//! interruption is a text of its own.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::fields::fields;
use super::json::{self, Flag};
use crate::domain::Turn;

/// Length of the beginning of a line that contains its type.
const HEAD: usize = 640;

static CONTENT: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(b"\"message\":{\"role\":\"user\",\"content\":"));

/// Beginning of every line of a conversation.
const BEGINNING: &[u8] = b"{\"parentUuid\":";
const TEXT: &[u8] = b"[{\"type\":\"text\",\"text\":\"";
const IMAGE: &[u8] = b"[{\"type\":\"image\"";
const INTERRUPTED: &[u8] = b"[Request interrupted by user";
/// Beginnings of local commands and their output.
const LOCAL: [&[u8]; 3] = [b"<command-name>", b"<local-command-", b"<bash-"];

fields! {
    /// Marks of texts that were not typed by the user.
    Marks {
        meta: Flag = "isMeta",
        summary: Flag = "isCompactSummary",
    }
}

/// The start or end of a turn, as the start of a line shows it.
pub(super) fn turn(line: &[u8]) -> Option<Turn> {
    if !line.starts_with(BEGINNING) {
        return None;
    }
    let head = &line[..line.len().min(HEAD)];
    let content = &head[CONTENT.find(head)? + CONTENT.needle().len()..];
    if content.starts_with(IMAGE) {
        return Some(Turn::Begun);
    }
    let text = content.strip_prefix(b"\"").or_else(|| content.strip_prefix(TEXT))?;
    if text.starts_with(INTERRUPTED) {
        return Some(Turn::Ended);
    }
    (!LOCAL.iter().any(|local| text.starts_with(local))).then_some(Turn::Begun)
}

/// True when Claude Code wrote this text itself: a note, or the summary of a compacted conversation.
pub(super) fn is_written_by_agent(line: &[u8]) -> bool {
    json::parse::<Marks>(line).is_ok_and(|marks| marks.meta.0 || marks.summary.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_begins_a_turn_and_an_interruption_ends_it() {
        let line = |content: &str| {
            format!(
                r#"{{"parentUuid":null,"isSidechain":false,"type":"user","message":{{"role":"user","content":{content}}},"uuid":"u"}}"#
            )
        };
        for (content, expected) in [
            (r#""fix it""#, Some(Turn::Begun)),
            (r#"[{"type":"text","text":"fix it"}]"#, Some(Turn::Begun)),
            (r#"[{"type":"image","source":{}}]"#, Some(Turn::Begun)),
            (r#"[{"type":"text","text":"[Request interrupted by user for tool use]"}]"#, Some(Turn::Ended)),
            (r#"[{"tool_use_id":"t","type":"tool_result","content":"ok"}]"#, None),
            (r#""<command-name>/cost</command-name>""#, None),
            (r#""<local-command-stdout>ok</local-command-stdout>""#, None),
            (r#""<bash-input>ls</bash-input>""#, None),
        ] {
            assert_eq!(turn(line(content).as_bytes()), expected, "{content}");
        }
        let request = r#"{"type":"api-request-blob","message":{"role":"user","content":"fix it"}}"#;
        assert_eq!(turn(request.as_bytes()), None);
        assert!(is_written_by_agent(br#"{"isMeta":true}"#) && is_written_by_agent(br#"{"isCompactSummary":true}"#));
        assert!(!is_written_by_agent(line("\"x\"").as_bytes()));
    }
}
