//! `gate`: checks whether the next call may be made. Exit code 0, or 2 over a limit; hooks and the socket get the same
//! answer.

mod answer;
pub(super) mod claude;
pub(super) mod query;

pub(super) use answer::{GateAnswer, answer};
pub use query::query;

use std::path::PathBuf;

use crate::app::catch_up::caller;
use crate::app::catch_up::{self, Books, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::GateArgs;
use crate::config::{Loaded, Settings};
use crate::domain::{Dimension, Filter};
use crate::ledger::{BooksError, Ledger};
use crate::meter::CallContext;
use crate::output;

pub(super) fn run(context: &mut Context<'_>, args: &GateArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    if args.hook.is_some() {
        return claude::run(context, loaded);
    }
    let caller = caller(&context.settings, &args.names());
    let answer = judge(context, &LogSelection::Session(None), |_| Ok(caller.clone())).0;
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
    // The exit code is the answer; the text is for people and for agents that show a hook's output.
    if let Some(reason) = answer.reason.as_ref().filter(|_| !args.json) {
        let _ = writeln!(context.err, "{}", super::printable(reason));
    }
    Ok(exit)
}

impl GateArgs {
    /// Known dimensions of the coming call.
    fn names(&self) -> Vec<(Dimension, &str)> {
        let all = [
            (Dimension::User, &self.user),
            (Dimension::Model, &self.model),
            (Dimension::Project, &self.project),
            (Dimension::Team, &self.team),
            (Dimension::Agent, &self.agent),
            (Dimension::Feature, &self.feature),
            (Dimension::Session, &self.session),
        ];
        all.into_iter().filter_map(|(dimension, name)| Some((dimension, name.as_deref()?))).collect()
    }
}

/// Catches up and evaluates the limits. Always answers: failures are answered according to `gate.on_error`.
///
/// Also returns the ledger, for further queries.
pub(super) fn judge(
    context: &mut Context<'_>,
    selection: &LogSelection,
    caller: impl Fn(&dyn Ledger) -> Result<CallContext, BooksError>,
) -> (GateAnswer, Option<Books>) {
    let rules = context.rules(Filter::default());
    let now = context.now();
    let ask = |books: &Books, settings: &Settings| {
        caller(&books.ledger).and_then(|caller| answer(&books.ledger, &rules, settings, &caller, now))
    };
    let mut gathered = catch_up::open_and_catch_up(context, selection, false);
    let mut answered = gathered.as_ref().ok().map(|books| ask(books, &context.settings));
    if matches!(&answered, Some(Err(error)) if error.is_mendable()) {
        drop(gathered);
        gathered = catch_up::mend(context).and_then(|()| catch_up::open_and_catch_up(context, selection, false));
        answered = gathered.as_ref().ok().map(|books| ask(books, &context.settings));
    }
    let (mut answer, books) = match gathered {
        Ok(books) => {
            let answered = answered.unwrap_or_else(|| ask(&books, &context.settings));
            (answered.unwrap_or_else(|error| GateAnswer::unknown(&error.to_string(), &context.settings)), Some(books))
        }
        Err(failure) => (GateAnswer::unknown(&failure.message, &context.settings), None),
    };
    if let Some(trouble) = books.as_ref().and_then(|books| books.trouble.as_deref()) {
        answer.doubt(trouble, &context.settings);
    }
    if let Some(unbooked) = books.as_ref().and_then(|books| books.unbooked.as_deref()) {
        answer.warn(unbooked);
    }
    answer.unread_files = books.as_ref().map_or(0, |books| books.health.unread_files());
    (answer, books)
}

/// Path of a session's transcript, if valid: an absolute path to a JSONL file; `~` is the home folder.
pub(super) fn transcript(context: &Context<'_>, path: &str) -> Option<PathBuf> {
    let path = match (path.strip_prefix("~/"), &context.env.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    };
    (path.is_absolute() && path.extension().is_some_and(|ending| ending == "jsonl")).then_some(path)
}
