//! State of the sources, as plain data for all faces.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::domain::Label;
use crate::formats::{Exactness, FormatId};

use super::Tallies;

/// State of all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// All roots, in the order in which they were named.
    pub roots: Vec<RootStatus>,
    /// Files that are followed.
    pub files: u64,
    /// Files read before that no longer exist; their calls stay in the ledger.
    pub gone: u64,
    /// Line counters since start.
    pub tallies: Tallies,
    /// Unread bytes, including an incomplete last line.
    pub lag: u64,
    /// Notes on files and folders, by path, at most [`Health::NOTES`].
    pub notes: Vec<Note>,
    /// Number of further notes.
    pub more_notes: u64,
}

impl Health {
    /// Notes kept; further ones are only counted.
    pub const NOTES: usize = 200;

    /// Places and files that may hold calls and are not read, with the reason: no permission, read errors, unsupported
    /// compression, or damage.
    pub fn unread(&self) -> Vec<(Label, String)> {
        let roots = self.roots.iter().filter_map(|root| match &root.state {
            RootState::PermissionDenied => Some((root.path(), "permission denied".to_owned())),
            RootState::Failing(why) => Some((root.path(), why.to_string())),
            RootState::Waiting | RootState::Found | RootState::Live | RootState::Polling(_) | RootState::Gone => None,
        });
        let mut all: Vec<(Label, String)> = roots.collect();
        for note in &self.notes {
            let Some(why) = note.what.unread() else { continue };
            if !all.iter().any(|(path, _)| *path == note.path) {
                all.push((note.path.clone(), why));
            }
        }
        all
    }

    /// How many those are; of notes that were too many to keep, none is counted.
    pub fn unread_files(&self) -> u64 {
        u64::try_from(self.unread().len()).unwrap_or(u64::MAX)
    }

    /// Agents of which no place exists, in the order of the registry.
    pub fn absent(&self) -> Vec<&'static str> {
        let mut absent: Vec<&'static str> = Vec::new();
        for agent in self.roots.iter().filter_map(|root| root.agent) {
            if !absent.contains(&agent) && !self.is_found(agent) {
                absent.push(agent);
            }
        }
        absent
    }

    /// Agents of which some place exists: how exact their logs are, and what is not in them.
    pub fn existing_agents(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut found: Vec<(&'static str, String, &'static str)> = Vec::new();
        for root in self.roots.iter().filter(|root| root.state != RootState::Waiting) {
            let Some(id) = root.agent.and_then(FormatId::of_name) else { continue };
            let format = id.format();
            if !found.iter().any(|(name, ..)| *name == format.name()) {
                found.push((format.name(), root.exactness(), format.gaps()));
            }
        }
        found
    }

    /// True when some place of the agent exists, or did.
    fn is_found(&self, agent: &str) -> bool {
        self.roots.iter().any(|root| root.agent == Some(agent) && root.state != RootState::Waiting)
    }

    /// Places that are named and do not exist yet: all but those of agents.
    pub fn awaited(&self) -> impl Iterator<Item = &RootStatus> {
        self.roots.iter().filter(|root| root.state == RootState::Waiting && root.agent.is_none())
    }

    /// True when some root is polled.
    pub fn is_polling(&self) -> bool {
        self.roots.iter().any(|root| matches!(root.state, RootState::Polling(_)))
    }
}

/// State of one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootStatus {
    /// Its path, for display as [`RootStatus::path`]: of the places of dozens of agents, few are ever shown.
    pub path: Arc<Path>,
    /// The agent whose place it is, by the name of its format.
    pub agent: Option<&'static str>,
    /// How exact that agent's logs are; empty for any other place.
    pub fidelity: &'static [Exactness],
    /// How changes are detected.
    pub state: RootState,
    /// Number of files followed in it.
    pub files: u64,
    /// Number of times it vanished and returned.
    pub reattached: u32,
}

impl RootStatus {
    /// Its path, fit to be shown.
    pub fn path(&self) -> Label {
        Label::from_path(&self.path)
    }

    /// How exact that agent's logs are, as a label; empty for any other place.
    pub fn exactness(&self) -> String {
        Exactness::label(self.fidelity)
    }
}

/// How a root is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootState {
    /// Does not exist yet; read as soon as it does.
    Waiting,
    /// Exists, but is not watched, since this run reads once.
    Found,
    /// Watched by file system events.
    Live,
    /// Polled.
    Polling(PollReason),
    /// Has vanished; its calls are kept.
    Gone,
    /// No permission to read it.
    PermissionDenied,
    /// Cannot be read for another reason, as reported by the system.
    Failing(Label),
}

/// Why a root is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollReason {
    /// A network or user-space file system without events for other machines' writes.
    Remote,
    /// The system allows no more watches (`fs.inotify.max_user_watches`).
    WatchLimit,
    /// The system allows no more watchers (`fs.inotify.max_user_instances`), or no more open files.
    InstanceLimit,
    /// The watcher failed, as reported by the system.
    Failed(Label),
    /// Polling was requested.
    Asked,
}

impl PollReason {
    /// Advice for the user, if there is any.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::WatchLimit => Some("raise fs.inotify.max_user_watches"),
            Self::InstanceLimit => Some("raise fs.inotify.max_user_instances"),
            Self::Remote | Self::Failed(_) | Self::Asked => None,
        }
    }
}

/// A note on a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its path.
    pub path: Label,
    /// Its condition.
    pub what: Condition,
}

/// Conditions of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Replaced by another file, which is followed now.
    Replaced,
    /// Truncated or rewritten; read again from the beginning.
    Rewritten,
    /// Has vanished; its calls are kept.
    Gone,
    /// No permission to read it; retried.
    PermissionDenied,
    /// Cannot be read for another reason, as reported by the system; retried.
    Failing(Label),
    /// Unsupported compression or encoding.
    Unsupported(&'static str),
    /// Not a regular file.
    Skipped(Kind),
    /// A symbolic link to a folder above it.
    SymlinkLoop,
    /// A symbolic link to nothing.
    DanglingLink,
    /// Its last line has been incomplete for a minute.
    Partial {
        /// Byte offset of that line.
        offset: u64,
    },
    /// None of its first lines matches a known format.
    NotRecognised,
    /// Has lines beyond the maximum length.
    OverLong {
        /// Number of such lines.
        lines: u64,
        /// Byte offset of the last one.
        offset: u64,
    },
    /// Has runs of NUL bytes, which were skipped.
    NulsSkipped {
        /// Number of NUL bytes.
        bytes: u64,
    },
}

impl Condition {
    /// The condition of a file whose reading failed with this error.
    pub(super) fn of_error(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Self::PermissionDenied;
        }
        Self::Failing(Label::new(&error.to_string()))
    }

    /// Why the file is not read although it may hold calls; `None` if it is read or cannot hold any.
    pub fn unread(&self) -> Option<String> {
        match self {
            Self::PermissionDenied => Some("permission denied".to_owned()),
            Self::Failing(why) => Some(why.to_string()),
            Self::Unsupported(what) => Some((*what).to_owned()),
            Self::Replaced
            | Self::Rewritten
            | Self::Gone
            | Self::Skipped(_)
            | Self::SymlinkLoop
            | Self::DanglingLink
            | Self::Partial { .. }
            | Self::NotRecognised
            | Self::OverLong { .. }
            | Self::NulsSkipped { .. } => None,
        }
    }
}

/// Kinds of files other than regular ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// A folder with the name of a log.
    Folder,
    /// Something else.
    Unknown,
}
