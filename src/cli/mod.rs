//! What can be typed on the command line.

mod args;
mod filters;
mod limits;
mod live;
mod reports;
mod upkeep;
mod when;

pub(crate) use args::{Cli, Color, Command};
pub(crate) use filters::Filters;
pub(crate) use limits::{GateArgs, LimitsCommand, RecordArgs};
pub(crate) use live::LiveArgs;
pub(crate) use reports::{InvoiceArgs, ReconcileArgs, ReportArgs, Style};
pub(crate) use upkeep::{ConfigCommand, LedgerCommand, PricesCommand, SetupCommand};
pub(crate) use when::When;

/// Reads the command line; the error is clap's own, ready to be shown.
///
/// # Errors
/// When the words do not fit, or when help or the version was asked for.
pub fn parse(args: &[std::ffi::OsString]) -> Result<Cli, clap::Error> {
    <Cli as clap::Parser>::try_parse_from(args)
}

/// True when the person asked for something that is printed and ends well: help, the version.
pub(crate) fn is_display(error: &clap::Error) -> bool {
    !error.use_stderr()
}

/// Every command's name.
pub(crate) fn commands() -> Vec<String> {
    let all = <Cli as clap::CommandFactory>::command();
    all.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The shell completions.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn completions(shell: clap_complete::Shell, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    // The generator panics on an output that takes no more; memory takes everything.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "tokmeter", &mut script);
    out.write_all(&script)
}

/// The manual page.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn man(out: &mut dyn std::io::Write) -> std::io::Result<()> {
    clap_mangen::Man::new(<Cli as clap::CommandFactory>::command()).render(out)
}
