//! `run`: runs an agent in this terminal, and prints its session summary at the end.

mod agent;

use std::ffi::OsString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use super::{Context, Exit, Failure, summary};
use crate::app::catch_up::{self, LogSelection};
use crate::domain::{Dimension, Filter, Instant, Label, Matcher};
use crate::ledger::Ledger;
use crate::meter::{SessionLine, closing};
use agent::Agent;

pub(super) fn run(context: &mut Context<'_>, words: &[OsString]) -> Result<Exit, Failure> {
    let started = context.now();
    let (program, args) = words.split_first().ok_or_else(|| Failure::new(Exit::Usage, "run what?"))?;
    let mut agent = Agent::start(Command::new(program).args(args)).map_err(|error| {
        let name = Label::from_bytes(program.as_encoded_bytes());
        // As shells do: not found, or not executable.
        let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
        Failure::new(Exit::Code(code), format!("{name}: {error}"))
    })?;
    let code = agent.wait().map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    // A failing summary does not change the agent's exit code.
    let summary = catch_unwind(AssertUnwindSafe(|| match summarise(context, started) {
        Err(failure) if failure.mendable => catch_up::mend(context).and_then(|()| summarise(context, started)),
        other => other,
    }));
    if let Ok(Err(failure)) = summary
        && !failure.message.is_empty()
    {
        context.note(&failure.message);
    }
    Ok(Exit::Code(code))
}

/// Prints the spend of the agent's run.
fn summarise(context: &mut Context<'_>, started: Instant) -> Result<(), Failure> {
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let mut filter = Filter { since: Some(started), ..Filter::default() };
    let here = Filter {
        only: vec![(Dimension::Project, Matcher::exact(Label::from_path(&context.env.cwd).as_str()))],
        ..filter.clone()
    };
    if books.ledger.sums(&here)?.calls > 0 {
        filter = here;
    }
    match closing::session_row(&books.ledger, &filter)? {
        None => writeln!(context.err, "tokmeter: no call was logged while it ran")?,
        Some(row) => {
            let line = SessionLine::from_row(row, context.now());
            let limits = catch_up::limit_states(context, &books.ledger, Some(&line.row))?;
            let log = closing::log_of(&books.ledger, &filter)?;
            summary::write_text(&line, &limits, log.as_ref(), context.err)?;
        }
    }
    Ok(())
}
