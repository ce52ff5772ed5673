//! `gate --hook claude`: answers Claude Code's hooks.
//!
//! A refusal is JSON with exit code 0, as documented. Exit code 2 also blocks, but shells and interpreters exit with it
//! when they fail, it can only refuse a single tool (after which the model is called again, at a cost), and its text
//! goes to the model. With JSON, `continue: false` ends the turn and `stopReason` is shown to the user. So a hook never
//! exits with 2, and after any other error the agent continues.

mod caller;
mod refusal;

use serde_json::{Value, json};

use self::caller::ask;
use self::refusal::{cut, refusal};
use super::GateAnswer;
use crate::app::catch_up::Books;
use crate::commands::summary::write_text;
use crate::commands::{Context, Exit, Failure, stdin};
use crate::config::Loaded;
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Record, Status, Turn, TurnStatus};
use crate::integrations::claude_code::hook_input::{Event, Moment};
use crate::ledger::{Batch, Ledger as _};
use crate::meter::SessionLine;
use crate::meter::closing::{log_of, session_row};
use crate::meter::{Verdict, claim_warning};
use crate::text::{near_words, session_words};

const SOURCE: &str = "claude-code";

/// Answers one hook.
pub(super) fn run(context: &mut Context<'_>, loaded: &Loaded) -> Result<Exit, Failure> {
    let input = if context.env.terminal[0] { Vec::new() } else { stdin::standard_input(stdin::ReadLimits::HOOK) };
    if let Some(answer) = reply(context, loaded, &input)? {
        writeln!(context.out, "{answer}")?;
    }
    Ok(Exit::Fine)
}

/// The answer to this input; `None` to say nothing.
fn reply(context: &mut Context<'_>, loaded: &Loaded, input: &[u8]) -> Result<Option<Value>, Failure> {
    let event = Event::read(input);
    match event.moment {
        // Blocking a stop would make the agent continue, and spend more.
        Moment::Stop | Moment::SubagentStop | Moment::Other => return Ok(None),
        Moment::SessionEnd => {
            let (_, mut books) = ask(context, &event);
            if let Some(books) = &mut books {
                note_end(&event, books, context.now());
            }
            return summary(context, &event, books.as_ref()).map(|()| None);
        }
        Moment::UserPromptSubmit | Moment::PreToolUse | Moment::PostToolBatch | Moment::SessionStart => {}
    }
    let (mut answer, books) = ask(context, &event);
    if !loaded.is_usable(false) {
        answer.doubt("the config has errors, so limits may be missing: run `tokmeter config check`", &context.settings);
    }
    if let Some(warning) = &answer.warning {
        context.note(warning);
    }
    if !answer.allowed {
        return Ok(refusal(event.moment, &answer, event.session.as_deref()));
    }
    let messages = match event.moment {
        Moment::SessionStart => answer.warns().then(|| near(context, &answer)),
        Moment::UserPromptSubmit if answer.warns() => {
            fresh(context, &answer, &event, books).then(|| near(context, &answer))
        }
        Moment::UserPromptSubmit => None,
        Moment::PreToolUse
        | Moment::PostToolBatch
        | Moment::Stop
        | Moment::SubagentStop
        | Moment::SessionEnd
        | Moment::Other => return Ok(None),
    };
    let messages: Vec<String> = messages.into_iter().chain(answer.warning.clone()).collect();
    Ok((!messages.is_empty()).then(|| json!({ "systemMessage": cut(&format!("tokmeter: {}", messages.join("\n"))) })))
}

fn of_session(session: &str) -> Filter {
    let session = Label::new(session);
    let only =
        vec![(Dimension::Source, Matcher::exact(SOURCE)), (Dimension::Session, Matcher::exact(session.as_str()))];
    Filter { only, ..Filter::default() }
}

/// The near limits, as text.
fn near(context: &Context<'_>, answer: &GateAnswer) -> String {
    let near = answer.states.iter().filter(|state| state.verdict != Verdict::Under);
    near.map(|state| near_words(state, context.now(), context.settings.zone)).collect::<Vec<_>>().join("\n")
}

/// True when a threshold has not yet been reported in this session. Each is reported once, not with every prompt.
fn fresh(context: &Context<'_>, answer: &GateAnswer, event: &Event, books: Option<Books>) -> bool {
    let Some(mut books) = books else { return true };
    let session = Label::new(event.session.as_deref().unwrap_or_default());
    let now = context.now();
    let mut fresh = false;
    for state in &answer.states {
        if let Some(threshold) = state.threshold() {
            // Warn even if the claim cannot be written.
            fresh |= claim_warning(&mut books.ledger, &session, (state, threshold), now).unwrap_or(true);
        }
    }
    fresh
}

/// Records that the session has ended: its limits no longer warn, and its sub-agents have ended with it.
fn note_end(event: &Event, books: &mut Books, now: Instant) {
    let Some(session) = event.session.as_deref().map(Label::new) else { return };
    let closed = TurnStatus { source: Label::new(SOURCE), session, agent: None, turn: Turn::Closed, seen: now };
    let records = vec![Record::Status(Status::Turn(closed))];
    // If it cannot be stored, the session ends an hour after its last call.
    let _ = books.ledger.post(&Batch { records, files: Vec::new() });
}

/// Writes the session's summary to standard error.
fn summary(context: &mut Context<'_>, event: &Event, books: Option<&Books>) -> Result<(), Failure> {
    let (Some(session), Some(books)) = (&event.session, books) else { return Ok(()) };
    let filter = of_session(session);
    let Some(row) = session_row(&books.ledger, &filter)? else { return Ok(()) };
    let mut line = SessionLine::from_row(row, context.now());
    line.row.sums = line.row.sums.marked(books.health.unread_files());
    let log = log_of(&books.ledger, &filter)?;
    let about = session_words(&line.row);
    write_text(about.as_deref(), &line, &[], log.as_ref(), context.err)?;
    Ok(())
}

#[cfg(test)]
mod tests;
