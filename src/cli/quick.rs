//! A small parser for the commands that agents and prompts run all the time.
//!
//! Building the tree of all commands and global options takes a tenth of the time of a status line. These commands
//! usually have no global options and then do not need the tree. Any other command line, including mistakes and
//! requests for help, is left to the whole tree.

use std::ffi::OsString;

use clap::Parser as _;

use super::{Cli, Color, Command, GateArgs, LiveArgs, ReportArgs};

#[derive(clap::Parser)]
#[command(name = "tokmeter", version)]
struct Quick {
    #[command(subcommand)]
    command: QuickCommand,
}

#[derive(clap::Subcommand)]
#[command(defer = true)]
enum QuickCommand {
    Report(ReportArgs),
    Gate(GateArgs),
    Statusline {
        #[arg(long)]
        format: Option<String>,
    },
}

/// Parses one of these commands, or `--version`; `None` for every other command line.
pub(super) fn parse(args: &[OsString]) -> Option<Result<Cli, clap::Error>> {
    match args.get(1)?.to_str()? {
        "--version" | "-V" if args.len() == 2 => {
            let root = clap::Command::new("tokmeter").version(env!("CARGO_PKG_VERSION"));
            root.try_get_matches_from(args).err().map(Err)
        }
        "report" | "gate" | "statusline" => Quick::try_parse_from(args).ok().map(|quick| Ok(quick.command.into())),
        _ => None,
    }
}

impl From<QuickCommand> for Cli {
    fn from(command: QuickCommand) -> Self {
        let command = match command {
            QuickCommand::Report(args) => Command::Report(args),
            QuickCommand::Gate(args) => Command::Gate(args),
            QuickCommand::Statusline { format } => Command::Statusline { format },
        };
        Self {
            command: Some(command),
            live: LiveArgs::default(),
            config: None,
            data_dir: None,
            tz: None,
            color: Color::Auto,
            log: None,
            strict: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        std::iter::once("tokmeter").chain(line.split_whitespace()).map(OsString::from).collect()
    }

    #[test]
    fn a_quick_command_is_parsed_as_by_the_whole_tree() {
        for line in [
            "gate",
            "gate --json --user kim --model m --project /p --team t --agent a --feature f --session s",
            "gate --hook claude",
            "statusline",
            "statusline --format {limit}",
            "statusline --format=",
            "report",
            "report day --json",
            "report month --by model,source /logs -- -odd",
            "report session --since 7d --order desc --limit 10 --user a,b --no-ledger --csv",
        ] {
            let quick = parse(&words(line)).expect(line).unwrap();
            assert_eq!(format!("{quick:?}"), format!("{:?}", Cli::try_parse_from(words(line)).unwrap()), "{line}");
        }
    }

    #[test]
    fn every_other_command_line_is_left_to_the_whole_tree() {
        for line in [
            "",
            "summary",
            "gates",
            "--version gate",
            "--tz UTC gate",
            "gate --tz UTC",
            "gate --color never",
            "gate --strict",
            "gate --help",
            "gate extra",
            "gate --hook other",
            "statusline --format",
            "report --by nothing",
            "report --send",
            "report --limit many",
        ] {
            assert!(parse(&words(line)).is_none(), "{line}");
        }
        assert!(parse(&[]).is_none());
    }

    #[test]
    fn the_version_is_that_of_the_whole_tree() {
        for line in ["--version", "-V"] {
            let (quick, whole) =
                (parse(&words(line)).unwrap().unwrap_err(), Cli::try_parse_from(words(line)).unwrap_err());
            assert_eq!((quick.kind(), quick.to_string()), (whole.kind(), whole.to_string()));
        }
    }
}
