//! `gate --hook claude`: answers Claude Code's hooks.
//!
//! A refusal is JSON with exit code 0, the documented form. Exit code 2 also blocks, but shells and interpreters end
//! with it when they fail, it can refuse only one tool (after which the model is called again, and spends), and its
//! text goes to the model. With JSON, `continue: false` ends the turn and `stopReason` reaches the user. So a hook
//! never ends with 2, and the agent works on after any other error.

use serde_json::{Value, json};

use super::{GateAnswer, judge, near_words, transcript};
use crate::app::catch_up::caller;
use crate::app::catch_up::{Books, LogSelection};
use crate::commands::summary::{log_of, session_line, session_row, write_text};
use crate::commands::{Context, Exit, Failure, stdin};
use crate::config::{Loaded, Settings};
use crate::domain::{Dimension, Filter, Label, Matcher};
use crate::integrations::claude_code::hook_input::{Event, Moment};
use crate::ledger::{BooksError, KeyValue, Ledger, Space};
use crate::meter::{AlertId, CallContext, Verdict};

const SOURCE: &str = "claude-code";
/// Length limit of texts; Claude Code allows 10,000 characters.
const LONGEST: usize = 4_000;

/// Answers one hook.
pub(super) fn run(context: &mut Context<'_>, loaded: &Loaded) -> Result<Exit, Failure> {
    let input = if context.env.terminal[0] { Vec::new() } else { stdin::standard_input(stdin::ReadLimits::HOOK) };
    if let Some(answer) = reply(context, loaded, &input)? {
        writeln!(context.out, "{answer}")?;
    }
    Ok(Exit::Fine)
}

/// The answer to this input; `None` to stay silent.
fn reply(context: &mut Context<'_>, loaded: &Loaded, input: &[u8]) -> Result<Option<Value>, Failure> {
    let event = Event::read(input);
    match event.moment {
        // Blocking a stop would make the agent go on, and spend.
        Moment::Stop | Moment::SubagentStop | Moment::Other => return Ok(None),
        Moment::SessionEnd => {
            let (_, books) = ask(context, &event);
            return summary(context, &event, books.as_ref()).map(|()| None);
        }
        Moment::UserPromptSubmit | Moment::PreToolUse | Moment::PostToolBatch | Moment::SessionStart => {}
    }
    let (mut answer, books) = ask(context, &event);
    if !loaded.is_usable(false) {
        answer.doubt(
            "the config is wrong, so that limits may be missing: run `tokmeter config check`",
            &context.settings,
        );
    }
    if let Some(warning) = &answer.warning {
        context.note(warning);
    }
    if !answer.allowed {
        return Ok(refusal(event.moment, &answer, event.session.as_deref()));
    }
    let said = match event.moment {
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
    let said: Vec<String> = said.into_iter().chain(answer.warning.clone()).collect();
    Ok((!said.is_empty()).then(|| json!({ "systemMessage": cut(&format!("tokmeter: {}", said.join("\n"))) })))
}

/// The form of refusal that each event accepts.
fn refusal(moment: Moment, answer: &GateAnswer, session: Option<&str>) -> Option<Value> {
    let reason = answer.reason.clone().unwrap_or_default();
    // Read only by the user; the model does not learn how to lift its limits.
    let way_out = session.map(Label::new).map_or_else(String::new, |session| {
        format!("\nTo continue this session anyway: tokmeter limits override {session} --reason WHY")
    });
    let for_person = cut(&format!("{reason}{way_out}"));
    match moment {
        Moment::UserPromptSubmit => Some(json!({ "decision": "block", "reason": for_person })),
        Moment::PreToolUse => Some(json!({
            "continue": false,
            "stopReason": for_person,
            "hookSpecificOutput": {
                "hookEventName": moment.name(),
                "permissionDecision": "deny",
                "permissionDecisionReason": cut(&reason),
            },
        })),
        Moment::PostToolBatch => Some(json!({
            "continue": false,
            "stopReason": for_person,
            "decision": "block",
            "reason": cut(&reason),
        })),
        // A session may begin; its first prompt is refused.
        Moment::SessionStart => Some(json!({ "systemMessage": cut(&format!("tokmeter: {reason}")) })),
        Moment::Stop | Moment::SubagentStop | Moment::SessionEnd | Moment::Other => None,
    }
}

/// Reads the rest of the session's transcript and evaluates the limits.
fn ask(context: &mut Context<'_>, event: &Event) -> (GateAnswer, Option<Books>) {
    let transcript = event.transcript.as_deref().and_then(|path| transcript(context, path));
    let settings = context.settings.clone();
    judge(context, &LogSelection::Session(transcript), |books| asker_of(event, &settings, books))
}

/// Call context of the event. Hooks do not name the model, so that the session's last call provides it.
fn asker_of(event: &Event, settings: &Settings, books: &dyn Ledger) -> Result<CallContext, BooksError> {
    let last = match &event.session {
        Some(session) => books.calls(&of_session(session), 1)?.into_iter().next(),
        None => None,
    };
    let model = event.model.as_deref().or_else(|| last.as_ref()?.call.model.as_deref());
    let names = [
        (Dimension::Source, Some(SOURCE)),
        (Dimension::Session, event.session.as_deref()),
        (Dimension::Project, event.cwd.as_deref()),
        (Dimension::Agent, event.agent.as_deref()),
        (Dimension::Model, model),
    ];
    let names: Vec<(Dimension, &str)> = names.into_iter().filter_map(|(of, name)| Some((of, name?))).collect();
    Ok(caller(settings, &names))
}

fn of_session(session: &str) -> Filter {
    let session = Label::new(session);
    let only =
        vec![(Dimension::Source, Matcher::exact(SOURCE)), (Dimension::Session, Matcher::exact(session.as_str()))];
    Filter { only, ..Filter::default() }
}

/// The limits that are near, as text.
fn near(context: &Context<'_>, answer: &GateAnswer) -> String {
    let near = answer.states.iter().filter(|state| state.verdict != Verdict::Under);
    near.map(|state| near_words(state, context.now(), context.settings.zone)).collect::<Vec<_>>().join("\n")
}

/// True when a threshold was not reported in this session before: each is reported once, not with every prompt.
fn fresh(context: &Context<'_>, answer: &GateAnswer, event: &Event, books: Option<Books>) -> bool {
    let Some(mut books) = books else { return true };
    let session = Label::new(event.session.as_deref().unwrap_or_default());
    let now = context.now();
    let mut fresh = false;
    for state in &answer.states {
        if let Some(threshold) = state.threshold() {
            let key = format!("{session}\t{}", AlertId::from_state(state, threshold, now));
            // Warn even if the claim cannot be written.
            fresh |= books.ledger.claim(Space::Warning, &key, now).unwrap_or(true);
        }
    }
    fresh
}

/// Writes the session's summary to standard error.
fn summary(context: &mut Context<'_>, event: &Event, books: Option<&Books>) -> Result<(), Failure> {
    let (Some(session), Some(books)) = (&event.session, books) else { return Ok(()) };
    let filter = of_session(session);
    let Some(row) = session_row(&books.ledger, &filter)? else { return Ok(()) };
    let line = session_line(row, context.now());
    let log = log_of(&books.ledger, &filter)?;
    write_text(&line, &[], log.as_ref(), context.err)?;
    Ok(())
}

/// Truncates a text to the length limit.
fn cut(text: &str) -> String {
    crate::commands::printable(text).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
