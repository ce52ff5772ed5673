//! Ledger errors, written for the user who has to act on them.

use std::path::{Path, PathBuf};

/// Why a store operation failed. [`LedgerError`] adds the ledger's path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process held the lock for longer than the timeout.
    #[error("it is busy")]
    Busy,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Writes are refused.
    #[error("it is read-only")]
    ReadOnly,
    /// Created by a newer version.
    #[error("it was made by a newer version of tokmeter (schema {found}, this one knows {known})")]
    Newer {
        /// Schema version of the store.
        found: i64,
        /// The newest schema version this program knows.
        known: i64,
    },
    /// The stored data is inconsistent.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Any other error.
    #[error("{0}")]
    Other(String),
}

impl StoreError {
    /// Adds the path of the ledger.
    pub fn at(self, path: &Path) -> LedgerError {
        let path = path.to_owned();
        match self {
            Self::Busy => LedgerError::Busy { path },
            Self::Full => LedgerError::Full { path },
            Self::ReadOnly => LedgerError::ReadOnly { path },
            Self::Newer { found, known } => LedgerError::Newer { path, found, known },
            Self::Damaged(what) => LedgerError::Damaged { path, what },
            Self::Other(what) => LedgerError::Other { path, what },
        }
    }
}

impl LedgerError {
    /// True when moving aside or reopening the ledger, and refilling it from the logs, can repair it.
    pub fn is_recoverable(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Replaced { .. })
    }
}

/// Why a ledger operation failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process held the lock for longer than the timeout.
    #[error("the ledger {path} is busy; another process is writing to it")]
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
        /// Schema version of the database.
        found: i64,
        /// The newest schema version this program knows.
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
