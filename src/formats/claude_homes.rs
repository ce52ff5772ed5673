//! Places of Claude Code's transcripts: in its own home, and in the homes that other programs give it.
//!
//! Instead of the default folders, Claude Code reads `CLAUDE_CONFIG_DIR`, in which people list several folders,
//! separated by commas. The following programs write the same transcripts elsewhere. They are always searched too,
//! because that variable does not apply to them (read 2026-11-26): OpenClaude, a fork (agentsview's inventory of
//! formats); Cherry Studio, which gives its agents a home in its own data (tokscale 4.17, `clients.rs`, with the older
//! place); Cowork, Claude Desktop's agent, in which every session has a home `<…>/local_<id>/.claude` below [`COWORK`],
//! next to an `audit.jsonl` with the same answers under the same ids; and the variants that cc-mirror creates, each
//! with a home `~/.cc-mirror/<variant>/config` (tokscale 4.17 and two other readers).

use std::path::{Path, PathBuf};

use super::{Env, Location};

/// Homes inside the data of desktop programs.
const HOSTS: [&str; 2] = ["CherryStudio/Data/Agents/.claude", "CherryStudio/.claude"];

/// Cowork's sessions, in the same data folder.
const COWORK: &str = "Claude/local-agent-mode-sessions";

/// Every place, whether it exists or not.
pub(super) fn locations(env: &Env<'_>) -> Vec<Location> {
    let own = match env.paths("CLAUDE_CONFIG_DIR") {
        Some(list) => list,
        None => {
            let config = env.config_home().map(|config| config.join("claude"));
            env.home(".claude").into_iter().chain(config).collect()
        }
    };
    let data = env.program_config();
    let hosts = data.iter().flat_map(|data| HOSTS.map(|host| data.join(host)));
    let homes = own.into_iter().chain(env.home(".openclaude")).chain(hosts);
    let places = homes.map(|home| home.join("projects")).chain(data.iter().map(|data| data.join(COWORK)));
    places.map(Location::tree).collect()
}

/// The folder with cc-mirror's variants.
pub(super) fn indexes(env: &Env<'_>) -> Vec<PathBuf> {
    env.home(".cc-mirror").into_iter().collect()
}

/// The place of each variant. The index lists the folders' names, one per line.
pub(super) fn indexed(index: &Path, content: &[u8]) -> Vec<Location> {
    let names = std::str::from_utf8(content).unwrap_or_default().lines().filter(|name| !name.starts_with('.'));
    names.map(|name| Location::tree(index.join(name).join("config/projects"))).collect()
}
