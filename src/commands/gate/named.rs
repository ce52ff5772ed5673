//! Answers a person, a script or a program that describes a call by the names it knows.

use super::answer::{GateAnswer, answer};
use crate::app::Exit;
use crate::app::catch_up::caller;
use crate::app::names::meanings;
use crate::app::sessions::callers_session;
use crate::config::Settings;
use crate::domain::{Dimension, Instant, Label, Matcher};
use crate::ledger::{Ledger, LedgerError};
use crate::meter::{CallContext, Rules, gate};

/// Evaluates the limits for a call with these names, each given in full or as shown on the screens. A name that no call
/// has yet is noted but changes nothing, because the gate may be asked before the first call. The names in each
/// dimension are read at most once, and those of sessions only if the given one may be abbreviated. If it could mean
/// several sessions, none is assumed: session limits are then not checked, and the answer says so. If a name could mean
/// several projects or models, the limits of each are checked. What the session's calls say of its team, organisation
/// and user is used where the caller does not name them.
///
/// With `with_forecast`, adds when near limits will be reached. That reads three hours of calls, which takes several
/// times as long as everything else.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn named_answer(
    books: &dyn Ledger,
    rules: &Rules,
    settings: &Settings,
    names: &[(Dimension, &str)],
    with_forecast: bool,
    now: Instant,
) -> Result<GateAnswer, LedgerError> {
    let mut names: Vec<(Dimension, Label)> =
        names.iter().filter_map(|(of, name)| Some((*of, Label::find(name)?))).collect();
    let (mut notes, mut of_session, mut is_one_of_several) = (Vec::new(), Vec::new(), false);
    if let Some((_, session)) = names.iter_mut().find(|(of, _)| *of == Dimension::Session) {
        match callers_session(books, session)? {
            Ok(full) => {
                of_session = gate::attribution_of_session(books, &full)?;
                *session = full;
            }
            Err(why) => {
                is_one_of_several = why.as_ref().is_some_and(|why| why.exit == Exit::Usage);
                notes.extend(why.map(|why| why.message));
            }
        }
    }
    if is_one_of_several {
        names.retain(|(of, _)| *of != Dimension::Session);
    }
    let known: Vec<(Dimension, &str)> =
        names.iter().chain(&of_session).map(|(of, name)| (*of, name.as_str())).collect();
    let caller = caller(settings, &known);
    let is_given = |dimension: Dimension| names.iter().any(|(of, _)| *of == dimension);
    let mut meant = Vec::new();
    for (dimension, name) in caller.names.iter().filter(|(of, _)| is_given(*of) && *of != Dimension::Session) {
        let (full, sentence) = meanings(books, *dimension, name, || is_configured(rules, settings, *dimension, name))?;
        notes.extend(sentence);
        meant.push((*dimension, full));
    }
    let callers = each_of(caller, &meant);
    let mut decision = gate::decide_any(books, rules, &callers, now)?;
    if with_forecast {
        gate::add_forecasts(books, rules, &mut decision.states, now)?;
    }
    Ok(GateAnswer { notes, ..answer(books, rules, settings, &callers, decision, now)? })
}

/// True if a limit covers the name, other than one of every name, or if the config has a price or an alias for it.
fn is_configured(rules: &Rules, settings: &Settings, dimension: Dimension, name: &str) -> bool {
    let covers = |(of, names): &(Dimension, Matcher)| *of == dimension && names.as_str() != "*" && names.matches(name);
    let is_limited = rules.limits.iter().any(|limit| limit.scope.names().iter().any(covers));
    let priced = settings.prices.iter().map(|price| &price.model).chain(settings.aliases.iter().map(|(from, _)| from));
    let is_priced = || priced.map(|model| Matcher::model(model)).any(|model| model.matches(name));
    is_limited || dimension == Dimension::Model && is_priced()
}

/// The callers that this one may be, if its names in these dimensions may be any of those.
fn each_of(caller: CallContext, meant: &[(Dimension, Vec<Label>)]) -> Vec<CallContext> {
    let mut all = vec![caller];
    for (dimension, names) in meant {
        let with = |caller: &CallContext, name: &Label| {
            let mut caller = caller.clone();
            caller.names.retain(|(of, _)| of != dimension);
            caller.names.push((*dimension, name.clone()));
            caller
        };
        all = all.iter().flat_map(|caller| names.iter().map(move |name| with(caller, name))).collect();
    }
    all
}

impl GateAnswer {
    /// `limits not checked: session, model:claude-opus-5:day (give --session, --model)`; `None` if all were checked.
    pub(super) fn not_checked_words(&self) -> Option<String> {
        // The session implies the log format.
        let options = [
            ("--session", &[Dimension::Session, Dimension::Source][..]),
            ("--model", &[Dimension::Model]),
            ("--project", &[Dimension::Project]),
            ("--user", &[Dimension::User]),
            ("--team", &[Dimension::Team]),
            ("--org", &[Dimension::Org]),
            ("--agent", &[Dimension::Agent]),
            ("--feature", &[Dimension::Feature]),
        ];
        let missing = options.into_iter().filter(|(_, of)| of.iter().any(|of| self.left_out.contains(of)));
        let missing: Vec<&str> = missing.map(|(option, _)| option).collect();
        let limits = self.not_checked.join(", ");
        (!limits.is_empty()).then(|| format!("limits not checked: {limits} (give {})", missing.join(", ")))
    }
}

#[cfg(test)]
mod tests;
