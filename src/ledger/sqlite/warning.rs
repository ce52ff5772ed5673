//! Warnings about an opened ledger.

use std::fmt;
use std::path::{Path, PathBuf};

use super::schema::KNOWN;

/// A warning for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The file was damaged and has been moved aside. The ledger is rebuilt from the logs.
    SetAside {
        /// Its new path.
        to: PathBuf,
        /// The damage.
        what: String,
    },
    /// Created by a newer version, so it is read-only.
    Newer {
        /// Schema of the database.
        found: i64,
    },
    /// No permission to write, so it is read-only.
    ReadOnly {
        /// Path of the database.
        path: PathBuf,
    },
    /// The disk is full, so it is read-only.
    Full {
        /// Path of the database.
        path: PathBuf,
    },
    /// The ledger is on a network file system.
    Network {
        /// SQLite's journal mode.
        mode: String,
    },
    /// The write-ahead log is unavailable, so SQLite uses another journal.
    Journal {
        /// SQLite's journal mode.
        mode: String,
    },
    /// It was migrated to the current schema.
    Migrated {
        /// The previous schema.
        from: i64,
        /// Backup made before the migration.
        backup: PathBuf,
    },
}

impl Note {
    /// True for warnings that the ledger is read-only.
    pub fn is_only_read(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::ReadOnly { .. } | Self::Full { .. })
    }

    /// The path to which a damaged ledger was moved.
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
