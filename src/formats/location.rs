//! Where agents keep their logs, and how each file in those places is framed.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{ALL, Format};

/// The machine as formats may see it: the home folder and the environment variables.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    home: Option<&'a Path>,
    var: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> Env<'a> {
    /// This home folder and these variables.
    pub fn new(home: Option<&'a Path>, var: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { home, var }
    }

    /// A variable that is set and not empty.
    pub(super) fn var(&self, name: &str) -> Option<OsString> {
        (self.var)(name).filter(|value| !value.is_empty())
    }

    /// A variable that names a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.var(name).map(PathBuf::from)
    }

    /// A variable that names an absolute path; any other is as good as none, as the XDG rules have it.
    pub(super) fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.path(name).filter(|path| path.is_absolute())
    }

    /// A path below the home folder.
    pub(super) fn home(&self, below: &str) -> Option<PathBuf> {
        self.home.map(|home| home.join(below))
    }

    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub(super) fn config_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_CONFIG_HOME").or_else(|| self.home(".config"))
    }

    /// `$XDG_DATA_HOME`, else `~/.local/share`.
    pub(super) fn data_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_DATA_HOME").or_else(|| self.home(".local/share"))
    }
}

/// One place where an agent keeps logs, whether it exists yet or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// A folder or a file.
    pub path: PathBuf,
    /// Only the files right in the folder are logs: what lies deeper is neither read nor watched.
    pub is_flat: bool,
}

impl Location {
    /// A folder with everything below it, or a file.
    pub fn tree(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), is_flat: false }
    }

    /// A folder without the folders in it.
    pub fn flat(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), is_flat: true }
    }
}

/// How records lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One record a line; the file grows at its end.
    Lines,
    /// One JSON document, rewritten as a whole.
    Document,
    /// Rows of an SQLite database that another program writes to.
    Sqlite,
}

/// A format of the registry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FormatId(usize);

impl FormatId {
    /// The format of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        ALL.iter().position(|format| format.name() == name).map(Self)
    }

    /// The format.
    pub fn format(self) -> &'static dyn Format {
        ALL[self.0]
    }

    /// Its place in the registry.
    pub(super) fn place(self) -> usize {
        self.0
    }
}

impl fmt::Debug for FormatId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.format().name())
    }
}

/// Every place of every format, in the order of the registry.
pub(crate) fn locations(env: &Env<'_>) -> Vec<(FormatId, Location)> {
    let of_format = |(at, format): (usize, &&'static dyn Format)| {
        format.locations(env).into_iter().map(move |location| (FormatId(at), location)).collect::<Vec<_>>()
    };
    ALL.iter().enumerate().flat_map(of_format).collect()
}

/// The format that keeps whole documents or databases under such a name, for files that are not in its own place.
///
/// Lines are told apart by their content; these are not.
pub fn format_of_name(name: &[u8]) -> Option<(FormatId, Framing)> {
    ALL.iter().enumerate().find_map(|(at, format)| match format.framing(name) {
        Some(framing @ (Framing::Document | Framing::Sqlite)) => Some((FormatId(at), framing)),
        Some(Framing::Lines) | None => None,
    })
}
