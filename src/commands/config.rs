//! `config`: where it is, what is in force, whether it is right, and a first one to begin with.

use super::{Desk, Exit, Failure};
use crate::cli::ConfigCommand;
use crate::config::{self, Loaded, Severity};
use crate::domain::Label;

/// Runs the command. It works with a broken config too: finding out is what it is for.
pub(super) fn run(desk: &mut Desk<'_>, command: Option<ConfigCommand>, loaded: &Loaded) -> Result<Exit, Failure> {
    let path = desk.paths.config.clone().ok_or_else(|| {
        Failure::new(Exit::Config, "there is no place for a config: set HOME, or name a file with --config")
    })?;
    let shown = Label::from_bytes(path.as_os_str().as_encoded_bytes());
    match command.unwrap_or(ConfigCommand::Show { origin: false }) {
        ConfigCommand::Path => {
            writeln!(desk.out, "{shown}")?;
            Ok(Exit::Fine)
        }
        ConfigCommand::Init { force } => {
            config::init(&path, force).map_err(|message| Failure::new(Exit::Io, message))?;
            writeln!(desk.out, "{shown} written; everything in it is commented out, so nothing has changed yet")?;
            Ok(Exit::Fine)
        }
        ConfigCommand::Show { origin } => {
            loaded.show(origin, desk.out)?;
            told(desk, loaded, false)
        }
        ConfigCommand::Check => {
            let exit = told(desk, loaded, true)?;
            if exit == Exit::Fine {
                let there = if path.exists() { "is right" } else { "does not exist; the defaults are in force" };
                writeln!(desk.out, "{shown} {there}")?;
            }
            Ok(exit)
        }
    }
}

/// Tells what is wrong, and ends accordingly.
fn told(desk: &mut Desk<'_>, loaded: &Loaded, warnings_count: bool) -> Result<Exit, Failure> {
    loaded.report(desk.err)?;
    let errors = loaded.problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(match (errors, loaded.problems.is_empty()) {
        (true, _) => Exit::Config,
        (false, false) if warnings_count => Exit::Attention,
        (false, _) => Exit::Fine,
    })
}
