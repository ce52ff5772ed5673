//! The editors whose extensions keep logs: Visual Studio Code and its forks.

use std::path::PathBuf;

use super::Env;

/// Names of the editors' folders.
const EDITORS: [&str; 6] = ["Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf", "Trae"];
/// Folders of editors that run on this machine for a screen elsewhere.
const SERVERS: [&str; 3] = [".vscode-server", ".vscode-server-insiders", ".cursor-server"];

/// The `globalStorage` of every editor, whether it exists or not.
pub(super) fn global_storage(env: &Env<'_>) -> Vec<PathBuf> {
    let settings = if cfg!(target_os = "macos") {
        env.home("Library/Application Support")
    } else if cfg!(windows) {
        env.path("APPDATA").or_else(|| env.home("AppData/Roaming"))
    } else {
        env.config_home()
    };
    let own = settings.into_iter().flat_map(|folder| EDITORS.map(|editor| folder.join(editor).join("User")));
    let served = SERVERS.iter().filter_map(|server| env.home(server)).map(|server| server.join("data/User"));
    own.chain(served).map(|user| user.join("globalStorage")).collect()
}
