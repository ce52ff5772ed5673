//! Answers a person, a script or a program that describes a call by the names it knows.

use super::answer::{GateAnswer, answer};
use crate::app::Exit;
use crate::app::catch_up::caller;
use crate::app::names::complete;
use crate::app::sessions::callers_session;
use crate::config::Settings;
use crate::domain::{Dimension, Filter, Instant, Label, Matcher};
use crate::ledger::{BooksError, Ledger};
use crate::meter::{Rules, gate};

/// Evaluates the limits for a call with these names, each given in full or as shown on the screens. A name that no call
/// has yet is noted but changes nothing, because the gate may be asked before the first call. The names in each
/// dimension are read at most once, and those of sessions only if the given one may be abbreviated. If it could mean
/// several sessions, none is assumed: session limits are then not checked, and the answer says so.
///
/// With `foretells`, adds when near limits will be reached. That reads three hours of calls, which takes several times
/// as long as everything else.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn named_answer(
    books: &dyn Ledger,
    rules: &Rules,
    settings: &Settings,
    names: &[(Dimension, &str)],
    foretells: bool,
    now: Instant,
) -> Result<GateAnswer, BooksError> {
    let mut caller = caller(settings, names);
    let (mut notes, mut is_one_of_several) = (Vec::new(), false);
    let given = |dimension: Dimension| names.iter().any(|(of, _)| *of == dimension);
    for (dimension, name) in caller.names.iter_mut().filter(|(of, _)| given(*of)) {
        if *dimension == Dimension::Session {
            match callers_session(books, name)? {
                Ok(full) => *name = full,
                Err(why) => {
                    is_one_of_several = why.as_ref().is_some_and(|why| why.exit == Exit::Usage);
                    notes.extend(why.map(|why| why.message));
                }
            }
            continue;
        }
        let mut filter = Filter { only: vec![(*dimension, Matcher::exact(name.as_str()))], ..Filter::default() };
        notes.extend(complete(books, &mut filter)?.unknown_in(books, &filter)?);
        if let Some((_, full)) = filter.only.first() {
            *name = Label::new(full.as_str());
        }
    }
    if is_one_of_several {
        caller.names.retain(|(dimension, _)| *dimension != Dimension::Session);
    }
    let mut decision = gate::decide(books, rules, &caller, now)?;
    if foretells {
        gate::foretell(books, rules, &mut decision.states, now)?;
    }
    Ok(GateAnswer { notes, ..answer(books, rules, settings, &caller, decision, now)? })
}

impl GateAnswer {
    /// `limits not checked: session, model:claude-opus-5:day (give --session, --model)`; `None` if all were checked.
    pub(super) fn not_checked_words(&self) -> Option<String> {
        // The session implies the log format.
        let options = [
            ("--session", &[Dimension::Session, Dimension::Source][..]),
            ("--model", &[Dimension::Model]),
            ("--project", &[Dimension::Project]),
        ];
        let missing = options.into_iter().filter(|(_, of)| of.iter().any(|of| self.left_out.contains(of)));
        let missing: Vec<&str> = missing.map(|(option, _)| option).collect();
        let limits = self.not_checked.join(", ");
        (!limits.is_empty()).then(|| format!("limits not checked: {limits} (give {})", missing.join(", ")))
    }
}

#[cfg(test)]
mod tests;
