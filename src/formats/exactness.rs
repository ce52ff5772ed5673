//! How exact an agent's logs are, and the agents whose logs contain no tokens at all.

use std::path::PathBuf;

use super::location::Env;

/// One kind of figure in an agent's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// The tokens of each call.
    Calls,
    /// A running total of a session. Usage before the first read cannot be dated.
    Totals,
    /// The money charged by the agent or its provider.
    Cost,
    /// Credits, which are neither tokens nor money.
    Credits,
    /// Estimates instead of counts.
    Estimates,
}

impl Exactness {
    /// Their marks, combined into a label.
    pub fn label(parts: &[Self]) -> String {
        parts.iter().map(|part| part.mark()).collect()
    }

    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Calls, Self::Totals, Self::Cost, Self::Credits, Self::Estimates];

    /// Its mark in a label: `E$` for an agent that logs each call with its cost.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Calls => "E",
            Self::Totals => "Σ",
            Self::Cost => "$",
            Self::Credits => "cr",
            Self::Estimates => "~",
        }
    }

    /// Its meaning.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Calls => "exact for each call",
            Self::Totals => "a session's running total",
            Self::Cost => "the cost is stated",
            Self::Credits => "credits, which are not money",
            Self::Estimates => "an estimate",
        }
    }
}

/// An agent that writes no tokens to this machine's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tokenless {
    /// Name of the agent.
    pub(crate) name: &'static str,
    /// Its folders, relative to the home folder. If one exists, the agent is installed.
    folders: &'static [&'static str],
    /// Content that its files have instead.
    pub(crate) gaps: &'static str,
}

impl Tokenless {
    /// The folders of the agent on this machine, whether they exist or not.
    pub(crate) fn places(&self, env: &Env<'_>) -> Vec<PathBuf> {
        self.folders.iter().filter_map(|folder| env.home(folder)).collect()
    }
}

/// Agents whose tokens can only be counted by a proxy or through telemetry (agentsview's inventory of session formats,
/// commit 001b402, and the agents' own documentation, checked 2026-11-26; for Octofriend, `OpenCodex` and Qoder,
/// tokscale, commit 2d7b2fb, and readers of their files, 2026-11-27).
pub(crate) const TOKENLESS: [Tokenless; 13] = [
    Tokenless {
        name: "amazon-q",
        folders: &[".local/share/amazon-q", "Library/Application Support/amazon-q", ".aws/amazonq"],
        gaps: "conversations without counts, whose output backfill estimates; its successor Kiro states credits",
    },
    Tokenless { name: "cortex", folders: &[".snowflake/cortex"], gaps: "conversations without counts" },
    Tokenless { name: "iflow", folders: &[".iflow"], gaps: "transcripts without counts" },
    Tokenless {
        name: "jetbrains-ai",
        folders: &[".config/JetBrains", "Library/Application Support/JetBrains", "AppData/Roaming/JetBrains"],
        gaps: "a quota in per cent, no counts",
    },
    Tokenless {
        name: "kiro",
        folders: &[".kiro", ".local/share/kiro-cli", "Library/Application Support/kiro-cli"],
        gaps: "credits, which are not money, and no tokens; backfill estimates its CLI's output",
    },
    Tokenless {
        name: "octofriend",
        folders: &[".local/share/octofriend"],
        gaps: "a history of inputs; its service states the counts of a key",
    },
    Tokenless {
        name: "opencodex",
        folders: &[".opencodex"],
        gaps: "a router's own record of calls that are also in the logs of Codex and the others that use it",
    },
    Tokenless {
        name: "qoder",
        folders: &[".qoder", ".qoder-cn", ".qoderwork"],
        gaps: "credits, which are not money; its counts of tokens are zero",
    },
    Tokenless { name: "qwenpaw", folders: &[".qwenpaw", ".copaw"], gaps: "session memory without counts" },
    Tokenless {
        name: "trae",
        folders: &[".config/Trae", "Library/Application Support/Trae", "AppData/Roaming/Trae"],
        gaps: "a list of sessions without counts",
    },
    Tokenless {
        name: "warp",
        folders: &[
            ".local/state/warp-terminal",
            "Library/Application Support/dev.warp.Warp-Stable",
            "AppData/Local/warp",
        ],
        gaps: "credits, and totals of tokens without their classes",
    },
    Tokenless {
        name: "windsurf",
        folders: &[".codeium/windsurf", ".config/Windsurf", "Library/Application Support/Windsurf"],
        gaps: "encrypted conversations; credits are kept by the service",
    },
    Tokenless { name: "zencoder", folders: &[".zencoder"], gaps: "transcripts without counts" },
];
