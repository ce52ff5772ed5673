//! What a person should know about the ledger that was opened.

use std::fmt;
use std::path::{Path, PathBuf};

use super::schema::KNOWN;

/// Something about the ledger that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The file was damaged; it was kept under another name, and the books begin anew from the logs.
    SetAside {
        /// Where it lies now.
        to: PathBuf,
        /// What was wrong.
        what: String,
    },
    /// A newer version made the books; they are only read.
    Newer {
        /// Their schema.
        found: i64,
    },
    /// They cannot be written, and are only read.
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// The disk is so full that they can only be read.
    Full {
        /// The database.
        path: PathBuf,
    },
    /// They lie on a network file system.
    Network {
        /// SQLite's journal mode.
        mode: String,
    },
    /// The write-ahead log could not be used; SQLite chose another journal.
    Journal {
        /// SQLite's journal mode.
        mode: String,
    },
    /// They were brought to a newer schema.
    Migrated {
        /// The schema they had.
        from: i64,
        /// The copy that was made before.
        backup: PathBuf,
    },
}

impl Note {
    /// True when it says why nothing can be booked.
    pub fn is_only_read(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::ReadOnly { .. } | Self::Full { .. })
    }

    /// Where a damaged ledger lies now, when the note is about one.
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
                "the ledger was made by a newer version of tokmeter (schema {found}, this one knows {KNOWN}); it is only read"
            ),
            Self::ReadOnly { path } => write!(
                out,
                "the ledger {} is read-only; give this user write access to it and its folder, or name another place with --data-dir",
                path.display()
            ),
            Self::Full { path } => {
                write!(out, "the ledger {} is only read: the disk is full; make room on it", path.display())
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
                "the ledger was brought from schema {from} to {KNOWN}; the old one is kept as {}",
                backup.display()
            ),
        }
    }
}
