//! Lines that are added to an agent's settings, or removed from them.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::agent::Agent;
use super::codex;
use crate::app::{Context, Exit, Failure};
use crate::cli::SetupArgs;
use crate::integrations::claude_code::settings_merge::{self, Merged};
use crate::integrations::telemetry::{self, JsonAgent};

/// A change to an agent's settings.
pub(super) enum Edit {
    /// Claude Code's status line and hooks, which start this program.
    Hooks(String),
    /// Telemetry sent to this address.
    Json(JsonAgent, String),
    /// The same for Codex.
    Codex(String),
}

impl Edit {
    /// The change that the command line asks for.
    pub(super) fn wanted(context: &Context<'_>, agent: Agent, args: &SetupArgs) -> Result<Self, Failure> {
        let Some(url) = &args.telemetry else {
            return match agent {
                Agent::Claude => Ok(Edit::Hooks(program(context))),
                Agent::Codex | Agent::Gemini => {
                    let needs_none = "its logs are counted without any setup, and only telemetry can be set up for it: \
                                      add --telemetry.";
                    Err(Failure::new(Exit::Usage, format!("{needs_none} {}", agent.what_stops_it())))
                }
            };
        };
        let url = if url.is_empty() { own_url(context) } else { url.clone() };
        Ok(match agent {
            Agent::Claude => Edit::Json(JsonAgent::Claude, url),
            Agent::Gemini => Edit::Json(JsonAgent::Gemini, url),
            Agent::Codex => Edit::Codex(url),
        })
    }

    pub(super) fn add(&self, text: &str) -> Result<Merged, String> {
        let text = match self {
            Self::Hooks(program) => return settings_merge::add(or_object(text), program),
            Self::Json(agent, url) => telemetry::add(*agent, or_object(text), url)?,
            Self::Codex(url) => codex::add(text, url)?,
        };
        Ok(Merged { text, kept: Vec::new() })
    }

    /// The telemetry that these settings send besides the status line and the hooks.
    pub(super) fn other_telemetry(&self, context: &Context<'_>, text: &str) -> Option<String> {
        let Self::Hooks(_) = self else { return None };
        let url = telemetry::address(JsonAgent::Claude, or_object(text))?;
        Some(if url == own_url(context) { String::new() } else { url })
    }

    pub(super) fn remove(&self, text: &str) -> Result<String, String> {
        match self {
            Self::Hooks(_) => settings_merge::remove(or_object(text)),
            Self::Json(agent, url) => telemetry::remove(*agent, or_object(text), url),
            Self::Codex(url) => codex::take_out(text, url),
        }
    }
}

/// An empty file counts as an empty object.
fn or_object(text: &str) -> &str {
    if text.trim().is_empty() { "{}" } else { text }
}

/// The address of `serve` according to the config.
fn own_url(context: &Context<'_>) -> String {
    let mut address = context.settings.server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}

/// The command that starts this program from the agent's shell: its path from `PATH` if it is there (which survives
/// upgrades), otherwise the executable's own path. A bare name would depend on the agent's environment, and a hook that
/// is not found blocks nothing.
fn program(context: &Context<'_>) -> String {
    let own = std::env::current_exe().ok();
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let on_path = context.env.vars.get(std::ffi::OsStr::new("PATH")).and_then(|list| {
        std::env::split_paths(list)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("tokmeter"))
            .find(|path| real(path).is_some_and(|path| Some(path) == own.as_deref().and_then(real)))
    });
    let path = on_path.or(own).unwrap_or_else(|| PathBuf::from("tokmeter"));
    quoted(&path.to_string_lossy())
}

/// Quotes a word for the shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
