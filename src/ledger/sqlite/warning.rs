//! Warnings from opening the ledger.

use std::fmt;
use std::path::{Path, PathBuf};

use super::schema::KNOWN;

/// A warning for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The file was damaged and moved aside; the ledger is rebuilt from the logs.
    SetAside {
        /// Its new path.
        to: PathBuf,
        /// The damage.
        what: String,
    },
    /// Created by a newer version; read-only.
    Newer {
        /// Schema of the database.
        found: i64,
    },
    /// No permission to write; read-only.
    ReadOnly {
        /// Path of the database.
        path: PathBuf,
    },
    /// The disk is full; read-only.
    Full {
        /// Path of the database.
        path: PathBuf,
    },
    /// On a network file system.
    Network {
        /// SQLite's journal mode.
        mode: String,
    },
    /// The write-ahead log is unavailable; SQLite uses another journal.
    Journal {
        /// SQLite's journal mode.
        mode: String,
    },
    /// Migrated to the current schema.
    Migrated {
        /// The previous schema.
        from: i64,
        /// Backup made before.
        backup: PathBuf,
    },
}

impl Note {
    /// True for reasons why the ledger is read-only.
    pub fn is_only_read(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::ReadOnly { .. } | Self::Full { .. })
    }

    /// The new path of a damaged ledger.
    pub(super) fn set_aside(&self) -> Option<&Path> {
        match self {
            Self::SetAside { to, .. } => Some(to),
            Self::Newer { .. }
            | Self::ReadOnly { .. }
            | Self::Full { .. }
            | Self::Network { .. }
            | Self::Journal { .. }
            | Self::Migrated { .. } => None,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { to, what } => write!(
                out,
                "the ledger was damaged ({what}); it is kept as {}, and a new one is filled from the logs",
                to.display()
            ),
            Self::Newer { found } => write!(
                out,
                "the ledger was made by a newer version of tokmeter (schema {found}, this one knows {KNOWN}); it is opened read-only"
            ),
            Self::ReadOnly { path } => write!(
                out,
                "the ledger {} is read-only; give this user write access to it and its folder, or name another place with --data-dir",
                path.display()
            ),
            Self::Full { path } => {
                write!(out, "the ledger {} is opened read-only: the disk is full; free some space", path.display())
            }
            Self::Network { mode } => write!(
                out,
                "the ledger lies on a network file system: journal mode {mode}, slower, and safe only where its locks work"
            ),
            Self::Journal { mode } => {
                write!(out, "the ledger runs with journal mode {mode} instead of a write-ahead log")
            }
            Self::Migrated { from, backup } => write!(
                out,
                "the ledger was migrated from schema {from} to {KNOWN}; the old one is kept as {}",
                backup.display()
            ),
        }
    }
}
