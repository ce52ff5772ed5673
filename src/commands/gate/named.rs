//! The call that a person, a script or a program asks about, by the names that they know.

use super::answer::{GateAnswer, answer};
use crate::app::Exit;
use crate::app::catch_up::caller;
use crate::app::names::{complete, unknown_names};
use crate::app::sessions::find_session;
use crate::config::Settings;
use crate::domain::{Dimension, Filter, Instant, Label, Matcher};
use crate::ledger::{BooksError, Ledger};
use crate::meter::Rules;

/// Evaluates the limits of a call with these names, each in full or as the screens show it. A name that no call has yet
/// is noted, and changes nothing: the gate is asked before the first call, too.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn named_answer(
    books: &dyn Ledger,
    rules: &Rules,
    settings: &Settings,
    names: &[(Dimension, &str)],
    now: Instant,
) -> Result<GateAnswer, BooksError> {
    let mut caller = caller(settings, names);
    let mut notes = Vec::new();
    for (dimension, name) in &mut caller.names {
        if !names.iter().any(|(given, _)| given == dimension) {
            continue;
        }
        if *dimension == Dimension::Session {
            match find_session(books, name, &Filter::default())? {
                Ok(full) => *name = full,
                Err(failure) if failure.exit == Exit::NoInput && books.calls(&Filter::default(), 1)?.is_empty() => {}
                Err(failure) => notes.push(failure.message),
            }
            continue;
        }
        let mut filter = Filter { only: vec![(*dimension, Matcher::exact(name.as_str()))], ..Filter::default() };
        complete(books, &mut filter)?;
        notes.extend(unknown_names(books, &filter)?);
        if let Some((_, full)) = filter.only.first() {
            *name = Label::new(full.as_str());
        }
    }
    Ok(GateAnswer { notes, ..answer(books, rules, settings, &caller, now)? })
}

impl GateAnswer {
    /// `limits not checked: session, model:claude-opus-5:day (give --session, --model)`; none when all were.
    pub(super) fn not_checked_words(&self) -> Option<String> {
        // The log format is known by the session.
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
