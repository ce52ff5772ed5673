//! Why an answer could not be written.

use std::io;

use crate::ledger::LedgerError;
use crate::server::http::Refusal;

/// Why an answer could not be written.
pub(super) enum Trouble {
    Books(LedgerError),
    Io(io::Error),
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Books(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::Books(match trouble {
            Trouble::Books(error) => error.to_string(),
            Trouble::Io(error) => error.to_string(),
        })
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Trouble::Books(error).into()
    }
}
