//! Where agents keep their logs, and how each file in those places is framed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
        self.home.map(|home| joined(home, &[below]))
    }

    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub(super) fn config_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_CONFIG_HOME").or_else(|| self.home(".config"))
    }

    /// Where desktop programs keep their data: `$XDG_DATA_HOME`, `~/Library/Application Support`, `%LOCALAPPDATA%`.
    pub(super) fn program_data(&self) -> Option<PathBuf> {
        self.of_system("LOCALAPPDATA", Self::data_home)
    }

    /// Where desktop programs keep their settings: `$XDG_CONFIG_HOME`, `~/Library/Application Support`, `%APPDATA%`.
    pub(super) fn program_config(&self) -> Option<PathBuf> {
        self.of_system("APPDATA", Self::config_home)
    }

    fn of_system(&self, on_windows: &str, on_unix: fn(&Self) -> Option<PathBuf>) -> Option<PathBuf> {
        if cfg!(windows) {
            self.absolute(on_windows)
        } else if cfg!(target_os = "macos") {
            self.home("Library/Application Support")
        } else {
            on_unix(self)
        }
    }

    /// `$XDG_DATA_HOME`, else `~/.local/share`.
    pub(super) fn data_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_DATA_HOME").or_else(|| self.home(".local/share"))
    }

    /// Where programs with windows keep their data on this platform.
    pub(super) fn app_data(&self) -> Option<PathBuf> {
        if cfg!(windows) {
            self.absolute("APPDATA").or_else(|| self.home("AppData/Roaming"))
        } else if cfg!(target_os = "macos") {
            self.home("Library/Application Support")
        } else {
            self.config_home()
        }
    }
}

/// A path below a folder, in one allocation: every start names more than a hundred. The parts are relative and begin with
/// no separator, which `Path::push` would have to find out for each.
pub(super) fn joined(folder: &Path, parts: &[&str]) -> PathBuf {
    let length = folder.as_os_str().len() + parts.iter().map(|part| part.len() + 1).sum::<usize>();
    let mut path = OsString::with_capacity(length);
    path.push(folder);
    for part in parts {
        if path.as_encoded_bytes().last().is_some_and(|last| !std::path::is_separator(char::from(*last))) {
            path.push(std::path::MAIN_SEPARATOR_STR);
        }
        path.push(part);
    }
    path.into()
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
