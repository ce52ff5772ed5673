//! The call context of an event.

use super::{SOURCE, of_session};
use crate::app::catch_up::caller;
use crate::app::catch_up::{Books, LogSelection};
use crate::commands::Context;
use crate::commands::gate::{GateAnswer, answer, evaluate, transcript};
use crate::config::Settings;
use crate::domain::Dimension;
use crate::integrations::claude_code::hook_input::Event;
use crate::ledger::{Ledger, LedgerError};
use crate::meter::{CallContext, gate};

/// Catches up with the session's transcript and evaluates the limits.
pub(crate) fn ask(context: &mut Context<'_>, event: &Event) -> (GateAnswer, Option<Books>) {
    let transcript = event.transcript.as_deref().and_then(|path| transcript(context, path));
    let settings = context.settings.clone();
    evaluate(context, &LogSelection::Session(transcript), |books, rules, now| {
        let asker = caller_of(event, &settings, books)?;
        let decision = gate::decide(books, rules, &asker, now)?;
        answer(books, rules, &settings, &[asker], decision, now)
    })
}

/// The call context for an event. Hooks do not give the model, so the session's last call provides it, and its
/// team, organisation and user.
fn caller_of(event: &Event, settings: &Settings, books: &dyn Ledger) -> Result<CallContext, LedgerError> {
    let last = match &event.session {
        Some(session) => books.calls(&of_session(session), 1)?.into_iter().next(),
        None => None,
    };
    let model = event.model.as_deref().or_else(|| last.as_ref()?.call.model.as_deref());
    let told =
        last.iter().flat_map(|row| gate::attribution_of_call(&row.call)).filter(|(of, _)| *of != Dimension::Source);
    let names = [
        (Dimension::Source, Some(SOURCE)),
        (Dimension::Session, event.session.as_deref()),
        (Dimension::Project, event.cwd.as_deref()),
        (Dimension::Agent, event.agent.as_deref()),
        (Dimension::Model, model),
    ];
    let names: Vec<(Dimension, &str)> = names
        .into_iter()
        .filter_map(|(of, name)| Some((of, name?)))
        .chain(told.map(|(of, name)| (of, name.as_str())))
        .collect();
    Ok(caller(settings, &names))
}
