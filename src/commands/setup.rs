//! `setup`: shows the additions to an agent's settings, and writes them after confirmation. `--undo` reverts them.

mod agent;
mod codex;
mod edit;
mod file;

use std::io::BufRead as _;

use crate::app::{Context, Exit, Failure};
use crate::cli::{SetupArgs, SetupCommand};
use crate::domain::Label;
use crate::integrations::claude_code::settings_merge;
use agent::Agent;
use edit::{Edit, quoted};
use file::Settings;

pub(super) fn run(context: &mut Context<'_>, command: SetupCommand) -> Result<Exit, Failure> {
    let (agent, args) = match command {
        SetupCommand::Claude(args) => (Agent::Claude, args),
        SetupCommand::Codex(args) => (Agent::Codex, args),
        SetupCommand::Gemini(args) => (Agent::Gemini, args),
    };
    let path = match &args.settings {
        Some(path) => context.absolute(path),
        None => agent.usual_path(context)?,
    };
    let settings = Settings::read(&path)?;
    let edit = Edit::wanted(context, agent, &args)?;
    let (wanted, kept) = if args.undo {
        (settings.without_ours(|text| edit.remove(text))?, Vec::new())
    } else {
        let merged = settings.with_ours(|text| edit.add(text))?;
        (Some(merged.text), merged.kept)
    };
    if args.telemetry.is_some() && !args.undo {
        context.note(agent.what_stops_it());
    }
    let shown = Label::from_path(&path);
    for kept in kept {
        context.note(&kept);
    }
    let others = args.undo.then(|| edit.other_telemetry(context, settings.text().unwrap_or_default())).flatten();
    let others = others.map(|url| {
        let command = undo(agent, &SetupArgs { telemetry: Some(url), ..args.clone() });
        format!("Its telemetry stays; `{command}` removes it.")
    });
    if wanted.as_deref() == settings.text() {
        let why = match (args.undo, &others) {
            (true, None) => "it has none of our entries",
            (true, Some(_)) => "it has neither our status line nor our hooks",
            (false, _) => "it has all our entries already",
        };
        writeln!(context.out, "{shown}: {why}; nothing to do")?;
        others.map_or(Ok(()), |others| writeln!(context.out, "{others}"))?;
        return Ok(Exit::Fine);
    }
    writeln!(context.out, "{shown}:")?;
    let (before, after) = (settings.text().unwrap_or_default(), wanted.as_deref().unwrap_or_default());
    for line in settings_merge::difference(before, after) {
        writeln!(context.out, "{}", super::printable(&line))?;
    }
    if !args.yes && !confirmed(context)? {
        writeln!(context.out, "Nothing was written.")?;
        return Ok(Exit::Fine);
    }
    let backup = settings.write(wanted.as_deref(), context.now())?;
    let kept_as = backup.map(|path| Label::from_path(&path));
    let next = match others {
        Some(others) => format!(" {others}"),
        None if args.undo => String::new(),
        None => format!(" It applies to new sessions; `{}` reverts it.", undo(agent, &args)),
    };
    let kept_as = kept_as.map(|path| format!(" The previous file is kept as {path}.")).unwrap_or_default();
    writeln!(context.out, "Written.{kept_as}{next}")?;
    Ok(Exit::Fine)
}

/// The command that removes what these arguments add.
fn undo(agent: Agent, args: &SetupArgs) -> String {
    let settings = args.settings.as_ref().map(|path| format!(" --settings {}", quoted(&Label::from_path(path))));
    let telemetry = args.telemetry.as_ref().map(|url| match url.as_str() {
        "" => " --telemetry".to_owned(),
        url => format!(" --telemetry {}", quoted(url)),
    });
    let options: String = settings.into_iter().chain(telemetry).collect();
    format!("tokmeter setup {}{options} --undo", agent.name())
}

/// Asks on the terminal. Without one, only `--yes` confirms.
fn confirmed(context: &mut Context<'_>) -> Result<bool, Failure> {
    if !context.env.terminal[0] {
        return Err(Failure::new(Exit::Usage, "there is no terminal to confirm on; use --yes to write it"));
    }
    write!(context.out, "Write this? [y/N] ")?;
    context.out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
