//! How the screen was closed, with its exit code.

/// How the screen was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By the quit key.
    Quit,
    /// By Ctrl-C or SIGINT.
    Interrupted,
    /// By this other signal.
    Signal(u8),
    /// By SIGHUP, or because the terminal is gone. Nothing can be displayed any more.
    HungUp,
}

impl Exit {
    /// The exit code: 0, or 128 and the signal's number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Signal(number) => 128 + number,
        }
    }
}
