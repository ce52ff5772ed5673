//! Ledger errors, worded for the user who has to act on them.

use std::path::PathBuf;

impl BooksError {
    /// True when the ledger can be moved aside or reopened, and filled from the logs.
    pub fn is_mendable(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Replaced { .. })
    }
}

/// Why a ledger operation failed.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// Another process holds the lock beyond the timeout.
    #[error("the ledger {path} is busy; another tokmeter is writing to it")]
    Busy {
        /// Path of the database.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the ledger {path} was not saved: the disk is full")]
    Full {
        /// Path of the database.
        path: PathBuf,
    },
    /// The file system refuses writes.
    #[error("the ledger {path} is read-only; give this user write access to it, or name another place with --data-dir")]
    ReadOnly {
        /// Path of the database.
        path: PathBuf,
    },
    /// Created by a newer version.
    #[error(
        "the ledger {path} was made by a newer version of tokmeter (schema {found}, this one knows {known}); it is opened read-only"
    )]
    Newer {
        /// Path of the database.
        path: PathBuf,
        /// Schema of the database.
        found: i64,
        /// The newest schema this version knows.
        known: i64,
    },
    /// The file is damaged or not a ledger.
    #[error("the ledger {path} is damaged: {what}")]
    Damaged {
        /// Path of the database.
        path: PathBuf,
        /// SQLite's message.
        what: String,
    },
    /// The file was removed or replaced while open.
    #[error("the ledger {path} was removed or replaced while it was open; it must be opened again")]
    Replaced {
        /// Path of the database.
        path: PathBuf,
    },
    /// Any other error.
    #[error("the ledger {path}: {what}")]
    Other {
        /// Path of the database.
        path: PathBuf,
        /// SQLite's message.
        what: String,
    },
}
