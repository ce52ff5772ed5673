//! The editors whose extensions write logs: Visual Studio Code and its forks.

use std::path::{Path, PathBuf};

use super::Env;
use super::location::joined;

/// Names of the editors' folders. The first three are Visual Studio Code's own.
const EDITORS: [&str; 6] = ["Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf", "Trae"];
/// Folders of editors that run on this machine but are displayed on another.
const SERVERS: [&str; 3] = [".vscode-server", ".vscode-server-insiders", ".cursor-server"];

/// A place in the user data of Visual Studio Code itself, whether it exists or not.
pub(super) fn vscode(env: &Env<'_>, parts: &[&str]) -> Vec<PathBuf> {
    let of = |folder: &PathBuf| {
        EDITORS[..3].iter().map(|name| joined(folder, &[&[*name, "User"], parts].concat())).collect()
    };
    env.program_config().as_ref().map_or_else(Vec::new, of)
}

/// A place in the `globalStorage` of every editor, whether it exists or not.
pub(super) fn global_storage(env: &Env<'_>, parts: &[&str]) -> Vec<PathBuf> {
    let settings = env.program_config();
    let user = |folder: &Path, first: &[&str]| joined(folder, &[first, &["User", "globalStorage"], parts].concat());
    let own = settings.iter().flat_map(|folder| EDITORS.map(|editor| user(folder, &[editor])));
    let served = SERVERS.iter().filter_map(|server| env.home(server)).map(|server| user(&server, &["data"]));
    own.chain(served).collect()
}
