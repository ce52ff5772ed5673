//! The logs that a command covers and where they are.

use std::path::{Path, PathBuf};

use crate::app::context::Context;
use crate::app::exit::{Exit, Failure};
use crate::domain::Label;
use crate::ingest::Roots;

/// The logs and ledger data a command covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogSelection {
    /// All discovered logs and the whole ledger.
    Everything,
    /// All discovered logs, without the ledger.
    Unbooked,
    /// Only the given files and folders.
    Paths(Vec<PathBuf>),
    /// The whole ledger, but only this session's transcript is read first, or all discovered logs without one. For
    /// hooks and prompts, where someone is waiting for the answer.
    Session(Option<PathBuf>),
}

impl LogSelection {
    /// Selects these paths, or everything; with or without the ledger.
    pub(crate) fn from_args(context: &Context<'_>, paths: &[PathBuf], unbooked: bool) -> Self {
        match (paths, unbooked) {
            ([], true) => Self::Unbooked,
            ([], false) => Self::Everything,
            (paths, _) => Self::Paths(paths.iter().map(|path| context.absolute(path)).collect()),
        }
    }
}

/// Where WSL exposes the home folders of Windows users.
const WINDOWS_USERS: &str = "/mnt/c/Users";

/// The log locations of a selection.
///
/// # Errors
/// When a given path does not exist.
pub(crate) fn roots(context: &Context<'_>, selection: &LogSelection) -> Result<Roots, Failure> {
    match selection {
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Session(None) => {
            let var = |name: &str| context.env.vars.get(std::ffi::OsStr::new(name)).cloned();
            let mut roots = Roots::discover(context.env.home.as_deref(), var);
            context.settings.homes.iter().for_each(|home| roots.add_home(home));
            if var("WSL_DISTRO_NAME").is_some() {
                roots.add_windows_users(Path::new(WINDOWS_USERS));
            }
            let own = context.paths.usage_log().into_iter().chain(context.paths.spool());
            roots.native.extend(own.chain(context.paths.journals()));
            roots.extra.extend(context.settings.logs.iter().cloned());
            Ok(roots)
        }
        LogSelection::Session(Some(transcript)) => Ok(Roots::session(transcript)),
        LogSelection::Paths(paths) => {
            let files = || paths.iter().filter(|path| !is_stdin(path));
            let missing: Vec<String> = files()
                .filter(|path| !path.exists())
                .map(|path| format!("{}: no such file or folder", Label::from_path(path)))
                .collect();
            if missing.is_empty() {
                Ok(Roots::only(files().cloned()))
            } else {
                Err(Failure::new(Exit::NoInput, missing.join("\n")))
            }
        }
    }
}

/// True for `-`, which means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "-")
}
