//! Places where logs are found.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use crate::domain::sort_by;
use crate::formats::{self, Env, Exactness, FormatId, Framing, Location};

/// Folders and files with logs, whether they exist yet or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Places of agents, each with the format of all its logs.
    pub agents: Vec<(FormatId, Location)>,
    /// Agents' files and folders that list further places.
    pub indexes: Vec<(FormatId, PathBuf)>,
    /// Logs in our native format: the default usage log and the spool.
    pub native: Vec<PathBuf>,
    /// Files and folders given by the user.
    pub extra: Vec<PathBuf>,
}

/// Owner of a place, which decides the names and formats of the files that count in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// An agent's own folder. Every file in it is written by that agent, in this format.
    Agent(FormatId),
    /// Our own log, which any program may write to.
    Own,
    /// Given by the user.
    Named,
}

impl RootKind {
    /// The agent that the place belongs to.
    pub(crate) fn agent(self) -> Option<&'static str> {
        match self {
            Self::Agent(id) => Some(id.format().name()),
            Self::Own | Self::Named => None,
        }
    }

    /// How exact that agent's logs are.
    pub(super) fn fidelity(self) -> &'static [Exactness] {
        match self {
            Self::Agent(id) => id.format().fidelity(),
            Self::Own | Self::Named => &[],
        }
    }

    /// The framing of a file with this name, and its format if that is known without reading it.
    pub(super) fn framing(self, name: &OsStr) -> (Option<FormatId>, Framing) {
        let bytes = name.as_encoded_bytes();
        match self {
            Self::Agent(id) => {
                // A file given by the agent's own environment variable may have any name.
                let unnamed = if bytes.ends_with(b".db") { Framing::Sqlite } else { Framing::Lines };
                (Some(id), id.format().framing(bytes).unwrap_or(unnamed))
            }
            Self::Own => (None, Framing::Lines),
            Self::Named => match formats::format_of_name(bytes) {
                Some((id, framing)) => (Some(id), framing),
                None => (None, Framing::Lines),
            },
        }
    }
}

impl RootKind {
    /// The owner of a folder inside this place: a place given by the user may contain someone's home, with the places
    /// of agents in it. The flag is true if the place is flat.
    pub(super) fn of_folder(self, folder: &Path) -> Option<(Self, bool)> {
        let agent = || formats::format_of_place(folder).map(|(id, is_flat)| (Self::Agent(id), is_flat));
        if self == Self::Named { agent() } else { None }
    }

    /// Like [`RootKind::of_folder`], for any path below such a folder.
    pub(super) fn of_path(self, path: &Path) -> Option<(Self, bool)> {
        if self != Self::Named {
            return None;
        }
        path.ancestors().find_map(|folder| self.of_folder(folder))
    }
}

impl Roots {
    /// Every place where agents keep logs on this machine, as defined by each format.
    ///
    /// `var` looks up environment variables.
    pub fn discover(home: Option<&Path>, var: impl Fn(&str) -> Option<OsString>) -> Self {
        let (env, mut agents) = (Env::new(home, &var), Vec::new());
        for place in formats::locations(&env) {
            // The places of one agent are consecutive.
            let own = agents.iter().rev().take_while(|(id, _): &&(FormatId, Location)| *id == place.0);
            let name = place.1.path.as_os_str();
            if !own.into_iter().any(|(_, earlier)| earlier.path.as_os_str() == name && *earlier == place.1) {
                agents.push(place);
            }
        }
        Self { agents, indexes: formats::indexes(&env), ..Self::default() }
    }

    /// Adds every place that agents would use in another home, ignoring environment variables. A home with `AppData` is
    /// a Windows home.
    pub fn add_home(&mut self, home: &Path) {
        let is_windows = !cfg!(windows) && home.join("AppData").is_dir();
        let env = if is_windows { Env::of_windows(home) } else { Env::new(Some(home), &|_| None) };
        self.agents.extend(formats::locations(&env));
        self.indexes.extend(formats::indexes(&env));
    }

    /// Adds the homes of Windows users, which WSL makes visible in `/mnt/c/Users`.
    pub fn add_windows_users(&mut self, users: &Path) {
        let folders = std::fs::read_dir(users).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut homes: Vec<PathBuf> = folders.filter(|home| is_of_a_user(home)).collect();
        sort_by(&mut homes, Ord::cmp);
        for home in &homes {
            self.add_home(home);
        }
    }

    /// These paths only.
    pub fn only(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut extra = Vec::new();
        for path in paths {
            if !extra.contains(&path) {
                extra.push(path);
            }
        }
        Self { extra, ..Self::default() }
    }

    /// These paths as places of one agent, given the name of its format. No places if the name is unknown.
    pub fn of_agent(format: &str, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let of_format = |id| paths.into_iter().map(move |path| (id, Location::tree(path))).collect();
        Self { agents: FormatId::of_name(format).map(of_format).unwrap_or_default(), ..Self::default() }
    }

    /// One session: its transcript and its sub-agents' folder.
    ///
    /// Status lines and hooks read it before they answer.
    pub fn session(transcript: &Path) -> Self {
        Self::of_agent("claude-code", [transcript.to_owned(), transcript.with_extension("").join("subagents")])
    }

    /// All roots without duplicates, with their kinds.
    pub fn all(&self) -> Vec<(PathBuf, RootKind)> {
        self.places().into_iter().map(|place| (place.path.to_owned(), place.kind)).collect()
    }

    /// Every place, without duplicates.
    pub(super) fn places(&self) -> Vec<Place<'_>> {
        let agents = self.agents.iter().map(|(id, Location { path, is_flat })| Place {
            path,
            is_flat: *is_flat,
            kind: RootKind::Agent(*id),
        });
        let own = self.native.iter().map(|path| Place { path, is_flat: false, kind: RootKind::Own });
        let named = self.extra.iter().map(|path| Place { path, is_flat: false, kind: RootKind::Named });
        let most = self.agents.len() + self.native.len() + self.extra.len();
        let mut all: Vec<Place<'_>> = Vec::with_capacity(most);
        // The agents have more than a hundred places, and the standard hash and comparison of a path split it into
        // components.
        let mut at: FxHashMap<&OsStr, usize> = FxHashMap::default();
        at.reserve(most);
        for place in agents.chain(own).chain(named) {
            match at.get(place.path.as_os_str()) {
                // Roots given by the user accept more file names.
                Some(&earlier) if place.kind == RootKind::Named => all[earlier] = place,
                Some(_) => {}
                None => {
                    at.insert(place.path.as_os_str(), all.len());
                    all.push(place);
                }
            }
        }
        all
    }
}

/// True for a person's home. Windows also has shared folders there, and links named as in older versions.
fn is_of_a_user(home: &Path) -> bool {
    let name = home.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let is_shared =
        ["All Users", "Default", "Default User", "Public", "defaultuser0", "WDAGUtilityAccount"].contains(&name);
    !is_shared && !home.is_symlink() && home.join("AppData").is_dir()
}

/// A place that is followed.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    /// Only files directly inside it count.
    pub(super) is_flat: bool,
    /// Its owner.
    pub(super) kind: RootKind,
}

/// True when a path equals a folder or is inside it. Both must be normalised, without doubled separators and the like.
///
/// `Path::starts_with` parses both paths, which is noticeable with a thousand files under several roots.
pub(super) fn lies_in(path: &Path, folder: &Path) -> bool {
    if cfg!(not(unix)) {
        return path.starts_with(folder);
    }
    let folder = folder.as_os_str().as_encoded_bytes();
    let rest = path.as_os_str().as_encoded_bytes().strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || folder.ends_with(b"/"))
}

#[cfg(test)]
mod tests;
