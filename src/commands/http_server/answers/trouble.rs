//! Why an answer could not be written.

use std::io;

use crate::ledger::BooksError;
use crate::server::http::Refusal;

/// Why an answer could not be written.
pub(super) enum Trouble {
    Books(BooksError),
    Io(io::Error),
}

impl From<BooksError> for Trouble {
    fn from(error: BooksError) -> Self {
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

impl From<BooksError> for Refusal {
    fn from(error: BooksError) -> Self {
        Trouble::Books(error).into()
    }
}
