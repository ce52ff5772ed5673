//! `run`: an agent in this terminal, and its session summary when it ends.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::books::{self, Reach};
use super::{Desk, Exit, Failure, summary};
use crate::domain::{Dimension, Filter, Label, Matcher};
use crate::ledger::Ledger;

/// Runs the command.
pub(super) fn run(desk: &mut Desk<'_>, words: &[OsString]) -> Result<Exit, Failure> {
    let started = desk.now();
    let (program, args) = words.split_first().ok_or_else(|| Failure::new(Exit::Usage, "run what?"))?;
    // Ctrl-C is the agent's: it decides what to do with it, and we are still here when it has ended.
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGQUIT] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    let mut child = Command::new(program).args(args).spawn().map_err(|error| {
        let name = Label::from_bytes(program.as_encoded_bytes());
        Failure::new(Exit::Code(127), format!("{name}: {error}"))
    })?;
    let status = child.wait().map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let books = books::gather(desk, &Reach::Everything, false)?;
    let mut filter = Filter { since: Some(started), ..Filter::default() };
    let here = Filter {
        only: vec![(
            Dimension::Project,
            Matcher::exact(Label::from_bytes(desk.world.cwd.as_os_str().as_encoded_bytes()).as_str()),
        )],
        ..filter.clone()
    };
    if books.ledger.sums(&here)?.calls > 0 {
        filter = here;
    }
    match summary::session_row(&books.ledger, &filter)? {
        None => writeln!(desk.err, "tokmeter: no call was logged while it ran")?,
        Some(row) => {
            let line = summary::session_line(row, desk.now());
            let limits = books::limit_states(desk, &books.ledger, Some(&line.row))?;
            let log = summary::log_of(&books.ledger, &filter)?;
            summary::write_text(&line, &limits, log.as_ref(), desk.err)?;
        }
    }
    Ok(Exit::Code(code(status)))
}

/// The agent's own exit code, as a shell gives it.
fn code(status: std::process::ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(128);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
