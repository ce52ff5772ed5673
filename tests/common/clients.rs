//! Programs of other vendors that a test runs where they are installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Home;

/// Switches that keep Claude Code from calling anything but its model service; each is set to `1`.
pub const QUIET: [&str; 5] = [
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "DISABLE_AUTOUPDATER",
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "IS_SANDBOX",
];

/// A program with its arguments, in this home, found where the user installed it.
pub fn command(home: &Home, words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear().envs(home.vars()).current_dir(home.path()).stdin(Stdio::null());
    for name in ["PATH", "NODE_PATH"] {
        #[allow(clippy::disallowed_methods, reason = "clients are where the user installed them")]
        command.env(name, std::env::var_os(name).unwrap_or_default());
    }
    command
}

/// True if this command succeeds. Otherwise the test is skipped aloud, or fails in CI, which installs every client.
pub fn runs(home: &Home, probe: &[&str]) -> bool {
    if command(home, probe).output().is_ok_and(|out| out.status.success()) {
        return true;
    }
    let why = format!("{} does not run here", probe.join(" "));
    #[allow(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
    let must_run = std::env::var_os("CI").is_some();
    assert!(!must_run, "{why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    false
}
