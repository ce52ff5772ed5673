//! Where agents keep their logs, and how each file in those places is framed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The operating system whose conventions for folders apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Windows,
    MacOs,
    Other,
}

/// The parts of the machine that formats may see: the home folder and the environment variables.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    home: Option<&'a Path>,
    var: &'a dyn Fn(&str) -> Option<OsString>,
    system: System,
}

impl<'a> Env<'a> {
    /// An environment with this home folder and these variables.
    pub fn new(home: Option<&'a Path>, var: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        let system = if cfg!(windows) {
            System::Windows
        } else if cfg!(target_os = "macos") {
            System::MacOs
        } else {
            System::Other
        };
        Self { home, var, system }
    }

    /// The home of a Windows user, seen from another system: `/mnt/c/Users/<name>` in WSL.
    pub fn of_windows(home: &'a Path) -> Self {
        Self { home: Some(home), var: &|_| None, system: System::Windows }
    }

    /// True where programs choose folders by the conventions of Windows.
    pub(super) fn is_windows(&self) -> bool {
        self.system == System::Windows
    }

    /// True where programs choose folders by the conventions of macOS.
    pub(super) fn is_macos(&self) -> bool {
        self.system == System::MacOs
    }

    /// `%APPDATA%`, where Windows programs keep settings.
    pub(super) fn roaming(&self) -> Option<PathBuf> {
        self.absolute("APPDATA").or_else(|| self.home("AppData/Roaming"))
    }

    /// `%LOCALAPPDATA%`, where Windows programs keep data.
    pub(super) fn local(&self) -> Option<PathBuf> {
        self.absolute("LOCALAPPDATA").or_else(|| self.home("AppData/Local"))
    }

    /// The value of a variable, if it is set and not empty.
    pub(super) fn var(&self, name: &str) -> Option<OsString> {
        (self.var)(name).filter(|value| !value.is_empty())
    }

    /// The path in a variable.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.var(name).map(PathBuf::from)
    }

    /// The folders in a variable, separated by commas. Text that is not UTF-8 is one folder.
    pub(super) fn paths(&self, name: &str) -> Option<Vec<PathBuf>> {
        let list = self.var(name)?;
        Some(match list.to_str() {
            Some(text) => text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(PathBuf::from).collect(),
            None => vec![PathBuf::from(list)],
        })
    }

    /// The absolute path in a variable. As in the XDG rules, any other value is ignored.
    pub(super) fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.path(name).filter(|path| path.is_absolute())
    }

    /// A path below the home folder.
    pub(super) fn home(&self, below: &str) -> Option<PathBuf> {
        self.home.map(|home| joined(home, &[below]))
    }

    /// `$XDG_CONFIG_HOME`, or else `~/.config`.
    pub(super) fn config_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_CONFIG_HOME").or_else(|| self.home(".config"))
    }

    /// Where desktop programs keep their data: `$XDG_DATA_HOME`, `~/Library/Application Support`, `%LOCALAPPDATA%`.
    pub(super) fn program_data(&self) -> Option<PathBuf> {
        self.of_system(Self::local, Self::data_home)
    }

    /// Where desktop programs keep their settings: `$XDG_CONFIG_HOME`, `~/Library/Application Support`, `%APPDATA%`.
    pub(super) fn program_config(&self) -> Option<PathBuf> {
        self.of_system(Self::roaming, Self::config_home)
    }

    fn of_system(
        &self,
        on_windows: fn(&Self) -> Option<PathBuf>,
        on_unix: fn(&Self) -> Option<PathBuf>,
    ) -> Option<PathBuf> {
        match self.system {
            System::Windows => on_windows(self),
            System::MacOs => self.home("Library/Application Support"),
            System::Other => on_unix(self),
        }
    }

    /// `$XDG_DATA_HOME`, or else `~/.local/share`.
    pub(super) fn data_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_DATA_HOME").or_else(|| self.home(".local/share"))
    }
}

/// A path below a folder, built with one allocation, because every start builds more than a hundred. The parts are
/// relative and do not start with a separator, which `Path::push` would have to check for each of them.
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
    /// Only files directly in the folder are logs. Subfolders are neither read nor watched.
    pub is_flat: bool,
}

impl Location {
    /// A folder and everything below it, or a file.
    pub fn tree(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), is_flat: false }
    }

    /// A folder without its subfolders.
    pub fn flat(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), is_flat: true }
    }
}

/// How records are laid out in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One record per line. The file grows at its end.
    Lines,
    /// One JSON document, rewritten as a whole.
    Document,
    /// Rows of an SQLite database that another program writes to.
    Sqlite,
}
