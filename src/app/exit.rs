//! Exit codes, which are part of the public interface.

use std::io;

/// How a command ended, as its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Fine,
    /// Finished, but something needs attention.
    Attention,
    /// Over a limit; only `gate` returns this.
    Over,
    /// Invalid command line.
    Usage,
    /// Missing or unreadable input.
    NoInput,
    /// The ledger or a feed is unavailable.
    Unavailable,
    /// Internal error.
    Internal,
    /// Output error.
    Io,
    /// Invalid config.
    Config,
    /// Ended by a signal, or with the exit code of the command that was run.
    Code(u8),
}

impl Exit {
    /// The code as a number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Attention => 1,
            Self::Over => 2,
            Self::Usage => 64,
            Self::NoInput => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Io => 74,
            Self::Config => 78,
            Self::Code(code) => code,
        }
    }
}

/// Why a command failed, as a sentence for the user.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// The problem and how to solve it.
    pub message: String,
    /// The ledger turned out to be damaged or missing while being read: the command can be retried after a repair.
    pub(crate) mendable: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), mendable: false }
    }
}

/// A closed reader ends a command quietly; any other write error is a failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Fine, "");
        }
        let full = error.kind() == io::ErrorKind::StorageFull;
        let what = if full { "No space left".to_owned() } else { error.to_string() };
        Self::new(Exit::Io, format!("write failed: {what}"))
    }
}

impl From<crate::ledger::LedgerError> for Failure {
    fn from(error: crate::ledger::LedgerError) -> Self {
        Self { mendable: error.is_recoverable(), ..Self::new(Exit::Unavailable, error.to_string()) }
    }
}

/// The program's exit code: never 0 after a panic in any thread. The exit codes of a gate's refusal and of a wrapped
/// agent are kept.
pub(crate) fn ended(exit: Exit) -> Exit {
    ended_after(exit, crate::text::has_panicked())
}

fn ended_after(exit: Exit, panicked: bool) -> Exit {
    let is_well = matches!(exit, Exit::Fine | Exit::Attention);
    if is_well && panicked { Exit::Internal } else { exit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panicked_worker_is_no_good_end_and_changes_no_answer() {
        for (exit, code) in
            [(Exit::Fine, 70), (Exit::Attention, 70), (Exit::Over, 2), (Exit::Code(0), 0), (Exit::Io, 74)]
        {
            assert_eq!((ended_after(exit, true).code(), ended_after(exit, false)), (code, exit));
        }
    }
}
