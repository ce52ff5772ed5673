//! How the sources are doing, as plain data that any face can show.

use crate::domain::Label;

use super::Tallies;

/// How all sources are doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Every place that is looked at, in the order in which they were named.
    pub roots: Vec<RootStatus>,
    /// Files that are followed.
    pub files: u64,
    /// Files that were read once and are no longer there; the ledger keeps what they said.
    pub gone: u64,
    /// What was met while reading, since start.
    pub tallies: Tallies,
    /// Bytes that are in the files and have not been read yet, a last line that is not complete included.
    pub lag: u64,
    /// Files and folders about which there is something to say, by path, no more than [`Health::NOTES`].
    pub notes: Vec<Note>,
    /// How many more there are.
    pub more_notes: u64,
}

impl Health {
    /// Notes kept; further ones are only counted.
    pub const NOTES: usize = 200;

    /// Places and files that may hold calls and are not read, with the reason: they may not be read, reading fails, or
    /// they are compressed in a way that is not known here, or damaged.
    pub fn unread(&self) -> Vec<(&Label, String)> {
        let roots = self.roots.iter().filter_map(|root| match &root.state {
            RootState::PermissionDenied => Some((&root.path, "permission denied".to_owned())),
            RootState::Failing(why) => Some((&root.path, why.to_string())),
            RootState::Waiting | RootState::Found | RootState::Live | RootState::Polling(_) | RootState::Gone => None,
        });
        let mut all: Vec<(&Label, String)> = roots.collect();
        for note in &self.notes {
            let Some(why) = note.what.unread() else { continue };
            if !all.iter().any(|(path, _)| **path == note.path) {
                all.push((&note.path, why));
            }
        }
        all
    }

    /// How many those are; of notes that were too many to keep, none is counted.
    pub fn unread_files(&self) -> u64 {
        u64::try_from(self.unread().len()).unwrap_or(u64::MAX)
    }

    /// True when some root is watched only by looking at it from time to time.
    pub fn is_polling(&self) -> bool {
        self.roots.iter().any(|root| matches!(root.state, RootState::Polling(_)))
    }
}

/// How one place is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootStatus {
    /// The folder or file.
    pub path: Label,
    /// How it is watched.
    pub state: RootState,
    /// Files followed in it.
    pub files: u64,
    /// How often it vanished and came back.
    pub reattached: u32,
}

/// How a place is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootState {
    /// It is not there yet; it is read as soon as it is.
    Waiting,
    /// It is there; nobody watches it, since this run reads once.
    Found,
    /// The system tells of every change.
    Live,
    /// Changes are found by looking.
    Polling(PollReason),
    /// It was there and has vanished; what it held is kept.
    Gone,
    /// It may not be read.
    PermissionDenied,
    /// It cannot be read for another reason, in the system's words.
    Failing(Label),
}

/// Why a place is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollReason {
    /// A network or user-space file system does not tell of other machines' writes.
    Remote,
    /// The system allows no more watches (`fs.inotify.max_user_watches`).
    WatchLimit,
    /// The system allows no more watchers (`fs.inotify.max_user_instances`), or no more open files.
    InstanceLimit,
    /// The watcher failed, in the system's words.
    Failed(Label),
    /// Polling was asked for.
    Asked,
}

impl PollReason {
    /// What to do about it, if anything can be done.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::WatchLimit => Some("raise fs.inotify.max_user_watches"),
            Self::InstanceLimit => Some("raise fs.inotify.max_user_instances"),
            Self::Remote | Self::Failed(_) | Self::Asked => None,
        }
    }
}

/// Something to say about a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which.
    pub path: Label,
    /// What.
    pub what: Condition,
}

/// What there may be to say about a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Another file took its place and is followed now.
    Replaced,
    /// It was cut short or rewritten, and is read again from its beginning.
    Rewritten,
    /// It has vanished; what it said is kept.
    Gone,
    /// It may not be read; it is tried again.
    PermissionDenied,
    /// It cannot be read for another reason, in the system's words; it is tried again.
    Failing(Label),
    /// It is compressed, or in an encoding that is not read.
    Unsupported(&'static str),
    /// It is no regular file.
    Skipped(Kind),
    /// A symbolic link leads back to a folder above it.
    SymlinkLoop,
    /// A symbolic link leads nowhere.
    DanglingLink,
    /// Its last line has been incomplete for a minute.
    Partial {
        /// The byte at which that line begins.
        offset: u64,
    },
    /// None of its first lines belongs to a known format.
    NotRecognised,
    /// It holds lines longer than any that is read.
    OverLong {
        /// How many.
        lines: u64,
        /// The byte at which the last of them begins.
        offset: u64,
    },
    /// It holds runs of NUL bytes, which were skipped.
    NulsSkipped {
        /// How many.
        bytes: u64,
    },
}

impl Condition {
    /// Why the file is not read although it may hold calls; none when it is read, or holds none.
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

/// What a file that is no regular file is.
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
