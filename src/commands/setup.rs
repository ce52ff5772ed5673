//! `setup claude`: shows the additions to Claude Code's settings, and writes them on confirmation. `--undo` reverts
//! them.

mod file;

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use crate::app::{Context, Exit, Failure};
use crate::cli::SetupCommand;
use crate::domain::Label;
use crate::integrations::claude_code::settings_merge;
use file::Settings;

pub(super) fn run(context: &mut Context<'_>, command: SetupCommand) -> Result<Exit, Failure> {
    let SetupCommand::Claude { yes, undo, settings } = command;
    let path = match settings {
        Some(path) => context.absolute(&path),
        None => usual_path(context)?,
    };
    let settings = Settings::read(&path)?;
    let program = program(context);
    let (wanted, kept) = if undo {
        (settings.without_ours()?, Vec::new())
    } else {
        let merged = settings.with_ours(&program)?;
        (Some(merged.text), merged.kept)
    };
    let shown = Label::from_path(&path);
    for kept in kept {
        context.note(&kept);
    }
    if wanted.as_deref() == settings.text() {
        let why = if undo { "it has none of our entries" } else { "it has all our entries already" };
        writeln!(context.out, "{shown}: {why}; nothing to do")?;
        return Ok(Exit::Fine);
    }
    writeln!(context.out, "{shown}:")?;
    let (before, after) = (settings.text().unwrap_or_default(), wanted.as_deref().unwrap_or_default());
    for line in settings_merge::difference(before, after) {
        writeln!(context.out, "{}", super::printable(&line))?;
    }
    if !yes && !confirmed(context)? {
        writeln!(context.out, "Nothing was written.")?;
        return Ok(Exit::Fine);
    }
    let backup = settings.write(wanted.as_deref(), context.now())?;
    let kept_as = backup.map(|path| Label::from_path(&path));
    writeln!(
        context.out,
        "Written.{}{}",
        kept_as.map(|path| format!(" The previous file is kept as {path}.")).unwrap_or_default(),
        if undo { "" } else { " It applies to new sessions; `--undo` reverts it." }
    )?;
    Ok(Exit::Fine)
}

/// Path of the user's settings of Claude Code.
fn usual_path(context: &Context<'_>) -> Result<PathBuf, Failure> {
    let folder = match context.env.var("CLAUDE_CONFIG_DIR") {
        Some(list) => {
            list.split(',').map(str::trim).find(|part| !part.is_empty()).map(|first| context.absolute(Path::new(first)))
        }
        None => context.env.home.as_ref().map(|home| home.join(".claude")),
    };
    folder.map(|folder| folder.join("settings.json")).ok_or_else(|| {
        Failure::new(Exit::Usage, "where are Claude Code's settings? Set HOME, or name the file with --settings")
    })
}

/// Asks on the terminal; without one only `--yes` confirms.
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

/// The command that starts this program from the agent's shell: its path in `PATH` if it is there (which survives
/// upgrades), else the executable's own. A bare name would depend on the agent's environment, and a hook that is not
/// found blocks nothing.
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
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
