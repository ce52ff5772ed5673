//! State of the sources, as plain data for every interface.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::domain::Label;
use crate::formats::{Exactness, FormatId};

use super::Tallies;

/// State of all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// All roots, in the order in which they were given.
    pub roots: Vec<RootStatus>,
    /// Files that are followed.
    pub files: u64,
    /// Files that were read earlier and no longer exist. Their calls stay in the ledger.
    pub gone: u64,
    /// Line counters since the start.
    pub tallies: Tallies,
    /// Unread bytes, including an incomplete last line.
    pub lag: u64,
    /// Notes on files and folders, by path, at most [`Health::NOTES`].
    pub notes: Vec<Note>,
    /// Number of further notes.
    pub more_notes: u64,
}

impl Health {
    /// Maximum number of notes kept. Further ones are only counted.
    pub const NOTES: usize = 200;

    /// Places and files that may contain calls but are not read, with the reason: no permission, read errors,
    /// unsupported compression, or damage.
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

    /// Number of unread places and files. Notes that were dropped because there were too many are not counted.
    pub fn unread_files(&self) -> u64 {
        u64::try_from(self.unread().len()).unwrap_or(u64::MAX)
    }

    /// Agents that have no existing place, in the order of the registry.
    pub fn absent(&self) -> Vec<&'static str> {
        let mut absent: Vec<&'static str> = Vec::new();
        for agent in self.roots.iter().filter_map(|root| root.agent) {
            if !absent.contains(&agent) && !self.is_found(agent) {
                absent.push(agent);
            }
        }
        absent
    }

    /// Agents that have at least one existing place: how exact their logs are, and what their logs leave out.
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

    /// True when any of the agent's places exists or has existed.
    fn is_found(&self, agent: &str) -> bool {
        self.roots.iter().any(|root| root.agent == Some(agent) && root.state != RootState::Waiting)
    }

    /// Places that were requested but do not exist yet, except those of agents.
    pub fn awaited(&self) -> impl Iterator<Item = &RootStatus> {
        self.roots.iter().filter(|root| root.state == RootState::Waiting && root.agent.is_none())
    }

    /// True when any root is polled.
    pub fn is_polling(&self) -> bool {
        self.roots.iter().any(|root| matches!(root.state, RootState::Polling(_)))
    }
}

/// State of one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootStatus {
    /// Its path. [`RootStatus::path`] converts it for display, because only a few of the many agents' places are ever
    /// shown.
    pub path: Arc<Path>,
    /// The agent that the place belongs to, by the name of its format.
    pub agent: Option<&'static str>,
    /// How exact that agent's logs are; empty if the place belongs to no agent.
    pub fidelity: &'static [Exactness],
    /// How changes are detected.
    pub state: RootState,
    /// Number of files followed in it.
    pub files: u64,
    /// Number of times it vanished and came back.
    pub reattached: u32,
}

impl RootStatus {
    /// Its path, ready for display.
    pub fn path(&self) -> Label {
        Label::from_path(&self.path)
    }

    /// How exact that agent's logs are, as text; empty if the place belongs to no agent.
    pub fn exactness(&self) -> String {
        Exactness::label(self.fidelity)
    }
}

/// How a root is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootState {
    /// Does not exist yet. It is read as soon as it does.
    Waiting,
    /// Exists but is not watched, because this run reads only once.
    Found,
    /// Watched by file system events.
    Live,
    /// Polled.
    Polling(PollReason),
    /// Has vanished. Its calls are kept.
    Gone,
    /// No permission to read it.
    PermissionDenied,
    /// Cannot be read for some other reason, as reported by the system.
    Failing(Label),
}

/// Why a root is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollReason {
    /// A network or user-space file system that reports no events for other machines' writes.
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
    /// Advice for the user, if any.
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
    /// Replaced by another file, which is now followed.
    Replaced,
    /// Truncated or rewritten, and read again from the beginning.
    Rewritten,
    /// Has vanished. Its calls are kept.
    Gone,
    /// No permission to read it. Will be retried.
    PermissionDenied,
    /// Cannot be read for some other reason, as reported by the system. Will be retried.
    Failing(Label),
    /// Unsupported compression or encoding.
    Unsupported(&'static str),
    /// Not a regular file.
    Skipped(Kind),
    /// A symbolic link to a folder above it.
    SymlinkLoop,
    /// A symbolic link whose target does not exist.
    DanglingLink,
    /// Its last line has been incomplete for a minute.
    Partial {
        /// Byte offset of that line.
        offset: u64,
    },
    /// Its first lines match no known format.
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
    /// A damaged ledger with calls that are in no log and could not be recovered.
    LostCalls {
        /// Their number; 0 if it is not known.
        calls: u64,
    },
}

impl Condition {
    /// The condition of a file that could not be read because of this error.
    pub(super) fn of_error(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Self::PermissionDenied;
        }
        Self::Failing(Label::new(&error.to_string()))
    }

    /// Why the file is not read although it may contain calls; `None` if it is read or cannot contain any.
    pub fn unread(&self) -> Option<String> {
        match self {
            Self::PermissionDenied => Some("permission denied".to_owned()),
            Self::Failing(why) => Some(why.to_string()),
            Self::Unsupported(what) => Some((*what).to_owned()),
            Self::LostCalls { calls } => Some(match calls {
                0 => "parts of this damaged ledger cannot be recovered".to_owned(),
                1 => "1 call in this damaged ledger cannot be recovered".to_owned(),
                calls => format!("{calls} calls in this damaged ledger cannot be recovered"),
            }),
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
    /// A folder with a log's name.
    Folder,
    /// Something else.
    Unknown,
}
