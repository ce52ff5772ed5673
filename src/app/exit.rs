//! How a command ends: the exit codes of the public contract.

use std::io;

/// A command's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Fine,
    /// Finished, but something needs attention.
    Attention,
    /// Over a limit. Only the gate says this.
    Over,
    /// The words on the command line do not fit.
    Usage,
    /// Nothing readable in the input.
    NoInput,
    /// The ledger or a feed is not available.
    Unavailable,
    /// A fault of ours.
    Internal,
    /// Could not write.
    Io,
    /// The config is wrong.
    Config,
    /// A signal ended it, or the command that was run ended so.
    Code(u8),
}

impl Exit {
    /// The number the shell sees.
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

/// Why a command could not do what it was asked: a sentence for the person who has to fix it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// The exit code it leads to.
    pub exit: Exit,
    /// What happened and what to do about it.
    pub message: String,
    /// The ledger was found damaged, or gone, while it was read: once it is mended the command can be run again.
    pub(crate) mendable: bool,
}

impl Failure {
    /// A failure with its exit code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), mendable: false }
    }
}

/// A reader that went away ends a command quietly; any other failure to write is one.
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

impl From<crate::ledger::BooksError> for Failure {
    fn from(error: crate::ledger::BooksError) -> Self {
        Self { mendable: error.is_mendable(), ..Self::new(Exit::Unavailable, error.to_string()) }
    }
}

/// The exit code of the program: after a panic in any thread it is never a good one. A gate's refusal and an agent's own
/// code stay.
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
