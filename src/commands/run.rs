//! `run`: runs an agent in this terminal, stops it at a budget, and sums up the calls of its sessions.

mod agent;
mod own;
mod since;
mod spent;
mod written;

use std::ffi::OsString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Context, Exit, Failure};
use crate::app::catch_up;
use crate::config;
use crate::domain::Label;
use crate::meter::{Amount, Verdict};
use agent::Agent;
use own::Started;
use spent::{Ended, Spent};

/// Interval at which spending is compared with the budget.
const CHECKED: Duration = Duration::from_secs(1);

pub(super) fn run(
    context: &mut Context<'_>,
    words: &[OsString],
    budget: Option<&str>,
    json: bool,
) -> Result<Exit, Failure> {
    let budget = budget.map(|text| {
        let why = |why| Failure::new(Exit::Usage, format!("--budget: '{}' {why}", Label::new(text)));
        config::parse_amount(text).map_err(why)
    });
    let budget = budget.transpose()?;
    let (program, args) = words.split_first().ok_or_else(|| Failure::new(Exit::Usage, "run what?"))?;
    let mut started = Started { at: context.now(), words: Vec::new() };
    started.words.extend(Path::new(program).file_stem().map(|name| name.to_string_lossy().into_owned()));
    started.words.extend(args.iter().map(|word| word.to_string_lossy().into_owned()));
    let own_group = budget.is_some() && !context.env.terminal[0];
    let mut agent = Agent::start(Command::new(program).args(args), own_group).map_err(|error| {
        let name = Label::from_bytes(program.as_encoded_bytes());
        Failure::new(not_started(&error), format!("{name}: {error}"))
    })?;
    let failed = |error: io::Error| Failure::new(Exit::Internal, error.to_string());
    let stopped = match &budget {
        Some(budget) => watch(context, &mut agent, budget, &started).map_err(failed)?,
        None => false,
    };
    let code = agent.wait().map_err(failed)?;
    let took = context.now().signed_duration_since(started.at);
    let ended = Ended { took, code: if stopped { Exit::Over.code() } else { code }, stopped, budget };
    // An error in the summary does not change the agent's exit code.
    let summary = catch_unwind(AssertUnwindSafe(|| match summarise(context, &started, &ended, json) {
        Err(failure) if failure.mendable => {
            catch_up::replace_damaged(context).and_then(|()| summarise(context, &started, &ended, json))
        }
        other => other,
    }));
    if let Ok(Err(failure)) = summary
        && !failure.message.is_empty()
    {
        context.note(&failure.message);
    }
    Ok(Exit::Code(ended.code))
}

/// The exit code when a program did not start: those of a shell if it was not found or is not executable, and that of a
/// system error if the system had no process, memory or descriptor left for it. Then nothing is known about the program.
fn not_started(error: &io::Error) -> Exit {
    let is_used_up = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory);
    Exit::Code(if error.kind() == io::ErrorKind::NotFound {
        127
    } else if is_used_up || has_no_descriptor(error) {
        71
    } else {
        126
    })
}

#[cfg(unix)]
fn has_no_descriptor(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|none| error.raw_os_error() == Some(none.raw_os_error()))
}

#[cfg(not(unix))]
fn has_no_descriptor(_: &io::Error) -> bool {
    false
}

/// Waits for the agent to end. If the budget is spent, stops it and returns true.
fn watch(context: &Context<'_>, agent: &mut Agent, budget: &Amount, started: &Started) -> io::Result<bool> {
    while !agent.ends_within(CHECKED)? {
        // Problems with the ledger or a log are reported once, at the end.
        let spent = context.silently(|quiet| catch_unwind(AssertUnwindSafe(|| Spent::since(quiet, started))));
        let Ok(Ok((spent, _))) = spent else { continue };
        if spent.budget_state(*budget, context).verdict == Verdict::Over {
            agent.stop()?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Prints the spending of the agent's run.
fn summarise(context: &mut Context<'_>, started: &Started, ended: &Ended, json: bool) -> Result<(), Failure> {
    let (spent, books) = Spent::since(context, started)?;
    if json {
        return spent.write_json(context, &books, ended);
    }
    spent.write_text(context, &books, ended)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_system_without_room_for_a_process_says_nothing_about_the_program() {
        let code = |errno: Errno| not_started(&io::Error::from_raw_os_error(errno.raw_os_error())).code();
        assert_eq!([Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE].map(code), [71; 4]);
        assert_eq!([Errno::ACCESS, Errno::NOEXEC, Errno::TXTBSY, Errno::LOOP, Errno::TOOBIG].map(code), [126; 5]);
        assert_eq!(code(Errno::NOENT), 127);
    }
}
