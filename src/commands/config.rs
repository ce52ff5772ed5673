//! `config`: shows the path and the settings in force, checks the file, or creates one.

use super::http_server::proxy::configured;
use super::{Context, Exit, Failure, tui_options};
use crate::cli::ConfigCommand;
use crate::config::{self, Diagnostic, Loaded, Severity};
use crate::domain::Label;

/// Also works with an invalid config, because it is meant to diagnose one.
pub(super) fn run(context: &mut Context<'_>, command: Option<ConfigCommand>, loaded: &Loaded) -> Result<Exit, Failure> {
    let path = context.paths.config.clone().ok_or_else(|| {
        Failure::new(Exit::Config, "there is no place for a config: set HOME, or name a file with --config")
    })?;
    let shown = Label::from_path(&path);
    match command.unwrap_or(ConfigCommand::Show { origin: false }) {
        ConfigCommand::Path => {
            writeln!(context.out, "{shown}")?;
            Ok(Exit::Fine)
        }
        ConfigCommand::Init { force } => {
            config::init(&path, force).map_err(|message| Failure::new(Exit::Io, message))?;
            writeln!(context.out, "{shown} written; everything in it is commented out, so nothing has changed yet")?;
            Ok(Exit::Fine)
        }
        ConfigCommand::Show { origin } => {
            loaded.show(origin, context.out)?;
            outcome(context, &loaded.problems, false)
        }
        ConfigCommand::Check => {
            // Check keys and themes too, as the screen does, and upstreams, as the proxy does.
            let themes = config::themes(&context.paths);
            let (_, refused) = tui_options::check(loaded, &themes);
            let unused = tui_options::unused_themes(loaded, &themes);
            let (_, upstreams) = configured(loaded);
            let others = refused.into_iter().chain(unused).chain(upstreams);
            let problems: Vec<Diagnostic> = loaded.problems.iter().cloned().chain(others).collect();
            let exit = outcome(context, &problems, true)?;
            if exit == Exit::Fine {
                let there = if path.exists() { "no problem found" } else { "does not exist; the defaults apply" };
                writeln!(context.out, "{shown}: {there}")?;
            }
            Ok(exit)
        }
    }
}

/// Prints the diagnostics and chooses the exit code: 78 for errors, or 1 for warnings if those count.
fn outcome(context: &mut Context<'_>, problems: &[Diagnostic], warnings_count: bool) -> Result<Exit, Failure> {
    problems.iter().try_for_each(|problem| problem.explain(context.err))?;
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(match (errors, problems.is_empty()) {
        (true, _) => Exit::Config,
        (false, false) if warnings_count => Exit::Attention,
        (false, _) => Exit::Fine,
    })
}
