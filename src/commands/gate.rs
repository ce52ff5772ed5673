//! `gate`: checks whether the next call may be made. The exit code is 0, or 2 over a limit. Hooks and the socket get
//! the same answer.

mod answer;
pub(super) mod claude;
mod named;
pub(super) mod query;

pub(super) use answer::{GateAnswer, answer};
pub(super) use named::named_answer;
pub use query::query;

use std::path::PathBuf;

use crate::app::catch_up::{self, Books, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::GateArgs;
use crate::config::Loaded;
use crate::domain::{Dimension, Filter, Instant};
use crate::ledger::{Ledger, LedgerError};
use crate::meter::Rules;
use crate::output;

pub(super) fn run(context: &mut Context<'_>, args: &GateArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    if args.hook.is_some() {
        return claude::run(context, loaded);
    }
    let (names, settings) = (args.names(), context.settings.clone());
    // A script that looks at the exit code should not have to wait for a forecast.
    let with_forecast = args.json || context.env.terminal[2];
    let answer = evaluate(context, &LogSelection::Session(None), |books, rules, now| {
        named_answer(books, rules, &settings, &names, with_forecast, now)
    })
    .0;
    let exit = if answer.allowed { Exit::Fine } else { Exit::Over };
    if args.json {
        let written = output::to_line(&answer, context.out);
        if answer.allowed {
            written?;
        }
    }
    if let Some(warning) = &answer.warning {
        context.note(warning);
    }
    if !args.json {
        answer.notes.iter().for_each(|note| context.note(note));
        if let Some(words) = answer.not_checked_words() {
            context.note(&words);
        }
    }
    // The exit code is the answer. The text is for people, and for agents that show a hook's output.
    if let Some(reason) = answer.reason.as_ref().filter(|_| !args.json) {
        let _ = writeln!(context.err, "{}", super::printable(reason));
    }
    Ok(exit)
}

impl GateArgs {
    /// The dimensions of the coming call that are known.
    fn names(&self) -> Vec<(Dimension, &str)> {
        let all = [
            (Dimension::User, &self.user),
            (Dimension::Model, &self.model),
            (Dimension::Project, &self.project),
            (Dimension::Team, &self.team),
            (Dimension::Org, &self.org),
            (Dimension::Agent, &self.agent),
            (Dimension::Feature, &self.feature),
            (Dimension::Session, &self.session),
        ];
        all.into_iter().filter_map(|(dimension, name)| Some((dimension, name.as_deref()?))).collect()
    }
}

/// Catches up with the logs and evaluates the limits. Always gives an answer: after a failure, `gate.on_error` decides.
///
/// Also returns the ledger, for further queries.
pub(super) fn evaluate(
    context: &mut Context<'_>,
    selection: &LogSelection,
    question: impl Fn(&dyn Ledger, &Rules, Instant) -> Result<GateAnswer, LedgerError>,
) -> (GateAnswer, Option<Books>) {
    let rules = context.rules(Filter::default());
    let now = context.now();
    let ask = |books: &Books| question(&books.ledger, &rules, now);
    let mut gathered = catch_up::open_and_catch_up(context, selection, false);
    let mut answered = gathered.as_ref().ok().map(ask);
    if matches!(&answered, Some(Err(error)) if error.is_recoverable()) {
        drop(gathered);
        gathered =
            catch_up::replace_damaged(context).and_then(|()| catch_up::open_and_catch_up(context, selection, false));
        answered = gathered.as_ref().ok().map(ask);
    }
    let (mut answer, books) = match gathered {
        Ok(books) => {
            let answered = answered.unwrap_or_else(|| ask(&books));
            (answered.unwrap_or_else(|error| GateAnswer::unknown(&error.to_string(), &context.settings)), Some(books))
        }
        Err(failure) => (GateAnswer::unknown(&failure.message, &context.settings), None),
    };
    if let Some(trouble) = books.as_ref().and_then(|books| books.trouble.as_deref()) {
        answer.doubt_ledger(trouble, &context.settings);
    }
    if let Some(unbooked) = books.as_ref().and_then(|books| books.unbooked.as_deref()) {
        answer.warn(unbooked);
    }
    answer.unread_files = books.as_ref().map_or(0, |books| books.health.unread_files());
    (answer, books)
}

/// Path of a session's transcript, if valid: an absolute path to a JSONL file, in which `~` stands for the home folder.
pub(super) fn transcript(context: &Context<'_>, path: &str) -> Option<PathBuf> {
    let path = match (path.strip_prefix("~/"), &context.env.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    };
    (path.is_absolute() && path.extension().is_some_and(|ending| ending == "jsonl")).then_some(path)
}
