//! Command-line arguments, parsed with clap.

mod args;
mod filters;
mod limits;
mod live;
mod maintenance;
mod printed;
mod proxy_keys;
mod quick;
mod reports;
mod serve;
mod setup;
mod when;

use clap::error::{ContextKind, ContextValue};

pub(crate) use args::{Cli, Color, Command};
pub(crate) use filters::{Filters, without_separators};
pub(crate) use limits::{GateArgs, LimitsCommand, RecordArgs};
pub(crate) use live::{Listen, LiveArgs};
pub(crate) use maintenance::{ConfigCommand, LedgerCommand, PricesCommand};
pub(crate) use proxy_keys::{KeyCommand, ProxyCommand};
pub(crate) use reports::{InvoiceArgs, ReconcileArgs, ReportArgs, Style};
pub(crate) use serve::{BenchCommand, BenchProxyArgs, ProxyArgs, ServeArgs};
pub(crate) use setup::{SetupArgs, SetupCommand};
pub(crate) use when::When;

/// Parses the command line, including the program's name.
///
/// # Errors
/// For invalid arguments, and for `--help` and `--version`, whose text clap returns as an error, see `is_display`.
pub fn parse(args: &[std::ffi::OsString]) -> Result<Cli, clap::Error> {
    if let Some(parsed) = quick::parse(args) {
        return parsed;
    }
    let whole = <Cli as clap::CommandFactory>::command();
    let named = args.get(1).and_then(|name| whole.find_subcommand(name));
    // Only the whole tree can explain a mistake or print the help.
    named
        .and_then(|command| parse_alone(&whole, command, args))
        .map_or_else(|| clap::Parser::try_parse_from(args).map_err(|error| with_advice(error, args)), Ok)
}

/// Adds the command that was probably meant: `prices MODEL` lacks `show`.
fn with_advice(mut error: clap::Error, args: &[std::ffi::OsString]) -> clap::Error {
    let is_model = error.kind() == clap::error::ErrorKind::InvalidSubcommand
        && args.get(1).is_some_and(|word| word == "prices")
        && error.get(ContextKind::SuggestedSubcommand).is_none();
    if let Some(model) = args.get(2).and_then(|word| word.to_str()).filter(|_| is_model) {
        let advice = format!("for the rates of a model: tokmeter prices show {}", crate::domain::Label::new(model));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.into()]));
    }
    error
}

/// Parses with a tree of just this command. `None` for a command line that contains an error or asks for help.
///
/// clap copies the global options into every command before it looks at the first argument, which takes a twentieth of
/// the time of a short command.
fn parse_alone(whole: &clap::Command, command: &clap::Command, args: &[std::ffi::OsString]) -> Option<Cli> {
    let root = clap::Command::new("tokmeter").version(env!("CARGO_PKG_VERSION"));
    let root = root.args(whole.get_arguments().cloned()).groups(whole.get_groups().cloned());
    let mut matches = root.subcommand(command.clone()).try_get_matches_from(args).ok()?;
    <Cli as clap::FromArgMatches>::from_arg_matches_mut(&mut matches).ok()
}

/// A mistake in one sentence, for callers that give arguments under other names than flags. `named` translates the name
/// of a flag.
pub(crate) fn mistake(error: &clap::Error, named: impl Fn(&str) -> String) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line).to_owned();
    [ContextKind::InvalidArg, ContextKind::PriorArg].into_iter().fold(line, |line, kind| {
        let Some(ContextValue::String(argument)) = error.get(kind) else { return line };
        let Some(flag) = argument.strip_prefix("--").and_then(|flag| flag.split([' ', '=', '[']).next()) else {
            return line;
        };
        line.replace(&format!("'{argument}'"), &format!("'{}'", named(flag)))
    })
}

/// True for clap's "errors" that are really output: help and version go to stdout with exit code 0.
pub(crate) fn is_display(error: &clap::Error) -> bool {
    !error.use_stderr()
}

/// The names of all commands, and of those below them with all their words: `ledger`, `ledger import`.
pub(crate) fn commands() -> Vec<String> {
    fn below(command: &clap::Command, before: &str, names: &mut Vec<String>) {
        for command in command.get_subcommands().filter(|one| one.get_name() != "help" && !one.is_hide_set()) {
            let name = format!("{before}{}", command.get_name());
            below(command, &format!("{name} "), names);
            names.push(name);
        }
    }
    let mut names = Vec::new();
    below(&whole_tree(), "", &mut names);
    names
}

/// Writes the completion script for a shell.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn completions(shell: clap_complete::Shell, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    // The generator panics if a write fails, but writing to memory does not fail.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut whole_tree(), "tokmeter", &mut script);
    out.write_all(&script)
}

/// Writes the manual page of a command in roff, or of the program without words.
///
/// # Errors
/// When `out` cannot be written. `None` if there is no such command.
pub(crate) fn man(words: &[String], out: &mut dyn std::io::Write) -> std::io::Result<Option<()>> {
    let tree = whole_tree();
    let mut command = &tree;
    for word in words {
        match command.find_subcommand(word) {
            Some(found) => command = found,
            None => return Ok(None),
        }
    }
    clap_mangen::Man::new(command.clone()).render(out).map(Some)
}

/// All commands with their arguments and subcommands, fully built.
///
/// clap copies the tree for `tokmeter help` before it expands deferred commands, so the copy lacks the subcommands of
/// `config`, `ledger` and others. They are added here.
fn whole_tree() -> clap::Command {
    let mut tree = <Cli as clap::CommandFactory>::command().bin_name("tokmeter");
    tree.build();
    let nested: Vec<_> =
        tree.get_subcommands().map(|command| (command.get_name().to_owned(), entries(command))).collect();
    for (name, entries) in nested {
        if let Some(entry) = tree.find_subcommand_mut("help").and_then(|help| help.find_subcommand_mut(&name)) {
            *entry = std::mem::take(entry).subcommands(entries);
        }
    }
    // Completions take names that live as long as the program.
    let names: Vec<&'static str> =
        tree.get_subcommands().map(|command| &*command.get_name().to_owned().leak()).collect();
    if let Some(man) = tree.find_subcommand_mut("man") {
        *man = std::mem::take(man)
            .mut_arg("words", |words| words.value_parser(clap::builder::PossibleValuesParser::new(names)));
    }
    tree
}

/// A command's subcommands as `tokmeter help COMMAND` completes them, without arguments.
fn entries(command: &clap::Command) -> Vec<clap::Command> {
    let copies = command.find_subcommand("help").into_iter().flat_map(clap::Command::get_subcommands);
    copies
        .filter(|copy| copy.get_name() != "help")
        .map(|copy| copy.clone().bin_name(format!("tokmeter help {} {}", command.get_name(), copy.get_name())))
        .collect()
}
