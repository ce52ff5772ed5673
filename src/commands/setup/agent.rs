//! Agents that can be connected, and where their settings are.

use std::path::{Path, PathBuf};

use crate::app::{Context, Exit, Failure};

/// An agent that can be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agent {
    Claude,
    Codex,
    Gemini,
}

impl Agent {
    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
        }
    }

    /// What stops it at a limit, since telemetry does not.
    pub(super) fn what_stops_it(self) -> &'static str {
        match self {
            Self::Claude => {
                "No limit stops Claude Code through its telemetry; the hooks of `tokmeter setup claude` do."
            }
            Self::Codex => {
                "No limit stops Codex through it: tokmeter has no hook for it. `tokmeter run --budget 5usd -- codex` ends Codex at a \
                 budget, and `tokmeter proxy` refuses its calls once a limit is reached."
            }
            Self::Gemini => {
                "No limit stops Gemini CLI through it: tokmeter has no hook for it. `tokmeter run --budget 5usd -- gemini` ends it \
                 at a budget."
            }
        }
    }

    /// Default path of the user's settings.
    pub(super) fn usual_path(self, context: &Context<'_>) -> Result<PathBuf, Failure> {
        let own = |variable: &str, folder: &str| match context.env.var(variable) {
            Some(list) => {
                let first = list.split(',').map(str::trim).find(|part| !part.is_empty());
                first.map(|first| context.absolute(Path::new(first)))
            }
            None => context.env.home.as_ref().map(|home| home.join(folder)),
        };
        let path = match self {
            Self::Claude => own("CLAUDE_CONFIG_DIR", ".claude").map(|folder| folder.join("settings.json")),
            Self::Codex => own("CODEX_HOME", ".codex").map(|folder| folder.join("config.toml")),
            Self::Gemini => context.env.home.as_ref().map(|home| home.join(".gemini/settings.json")),
        };
        path.ok_or_else(|| {
            Failure::new(Exit::Usage, "where are the agent's settings? Set HOME, or name the file with --settings")
        })
    }
}
