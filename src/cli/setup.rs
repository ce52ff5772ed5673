//! Arguments of `setup`.

use std::path::PathBuf;

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum SetupCommand {
    /// Claude Code: status line and hooks, or its telemetry
    #[command(after_help = "Examples:\n  tokmeter setup claude\n  tokmeter setup claude --undo")]
    Claude(SetupArgs),
    /// Codex: its telemetry
    #[command(after_help = "Example:\n  tokmeter setup codex --telemetry")]
    Codex(SetupArgs),
    /// Gemini CLI: its telemetry
    #[command(after_help = "Example:\n  tokmeter setup gemini --telemetry")]
    Gemini(SetupArgs),
}

#[derive(Clone, Debug, clap::Args)]
pub struct SetupArgs {
    /// Write without asking
    #[arg(long)]
    pub yes: bool,
    /// Remove what was written
    #[arg(long)]
    pub undo: bool,
    /// The settings file, if not the user's own
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Make the agent send its telemetry to `tokmeter serve`; without an address, to the one in the config
    // An address cannot be empty, so that an empty value represents the one in the config.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", value_parser = parse_url)]
    pub telemetry: Option<String>,
}

fn parse_url(text: &str) -> Result<String, String> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_plain =
        |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(&byte));
    if text.is_empty() || rest.is_some_and(is_plain) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(format!("'{text}' is not an address; write http://127.0.0.1:4318"))
}
