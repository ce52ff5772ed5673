//! Why the books did not answer, as sentences for the person who has to mend it.

use std::path::PathBuf;

impl BooksError {
    /// True when the ledger can be put aside or opened again, and filled from the logs.
    pub fn is_mendable(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Replaced { .. })
    }
}

/// Why the books did not answer.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// Another process holds them longer than can be waited for.
    #[error("the ledger {path} is busy; another tokmeter is writing to it")]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// There is no room left.
    #[error("the ledger {path} was not saved: the disk is full")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The file system does not let us write.
    #[error("the ledger {path} is read-only; give this user write access to it, or name another place with --data-dir")]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// A newer version made them.
    #[error(
        "the ledger {path} was made by a newer version of tokmeter (schema {found}, this one knows {known}); it is only read"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this version knows.
        known: i64,
    },
    /// The file is damaged, or is no ledger.
    #[error("the ledger {path} is damaged: {what}")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        what: String,
    },
    /// Someone removed the file, or put another in its place, while it was open.
    #[error("the ledger {path} was removed or replaced while it was open; it must be opened again")]
    Replaced {
        /// The database.
        path: PathBuf,
    },
    /// Anything else.
    #[error("the ledger {path}: {what}")]
    Other {
        /// The database.
        path: PathBuf,
        /// What happened.
        what: String,
    },
}
