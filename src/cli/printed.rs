//! Whether a command prints text for people or a format for programs.

use super::{
    BenchCommand, Cli, Command, ConfigCommand, KeyCommand, LedgerCommand, LimitsCommand, PricesCommand, ProxyArgs,
    ProxyCommand, Style,
};

impl Cli {
    /// True when standard output gets text for people, whose symbols may be replaced.
    pub(crate) fn prints_text(&self) -> bool {
        let is_screen = !self.live.svg;
        let Some(command) = &self.command else { return is_screen };
        match command {
            Command::Report(args) => args.shape.style() == Style::Table,
            Command::Invoice(args) => args.shape.style() == Style::Table,
            Command::Reconcile(args) => !args.json,
            Command::Run { json, .. }
            | Command::Summary { json, .. }
            | Command::Explain { json, .. }
            | Command::Audit { json, .. }
            | Command::Backfill { json, .. }
            | Command::Signals { json, .. }
            | Command::Agents { json }
            | Command::Doctor { json }
            | Command::Selftest { json, .. }
            | Command::Limits { command: None, json }
            | Command::Limits { command: Some(LimitsCommand::Show { json }), .. }
            | Command::Ledger { command: Some(LedgerCommand::Info { json }) }
            | Command::Prices { command: Some(PricesCommand::List { json, .. } | PricesCommand::Show { json, .. }) }
            | Command::Proxy(ProxyArgs {
                command: Some(ProxyCommand::Key { command: KeyCommand::List { json } }),
                ..
            }) => !json,
            Command::Gate(args) => !args.json && args.hook.is_none(),
            Command::Replay { .. } | Command::Demo { .. } => is_screen,
            Command::Limits {
                command: Some(LimitsCommand::Set { .. } | LimitsCommand::Unset { .. } | LimitsCommand::Override { .. }),
                ..
            }
            | Command::Ledger {
                command:
                    None
                    | Some(
                        LedgerCommand::Verify
                        | LedgerCommand::Import { .. }
                        | LedgerCommand::Prune { .. }
                        | LedgerCommand::Reprice { .. },
                    ),
            }
            | Command::Prices { command: None | Some(PricesCommand::Update { .. } | PricesCommand::Check) }
            | Command::Config { command: Some(ConfigCommand::Init { .. } | ConfigCommand::Check) }
            | Command::Proxy(ProxyArgs {
                command: None | Some(ProxyCommand::Key { command: KeyCommand::Add { .. } | KeyCommand::Revoke { .. } }),
                ..
            })
            | Command::Bench { command: BenchCommand::Proxy(_) }
            | Command::Serve(_)
            | Command::Setup { .. } => true,
            // The status line follows a rule of its own.
            Command::Statusline { .. }
            | Command::Ledger { command: Some(LedgerCommand::Export) }
            | Command::Config { command: None | Some(ConfigCommand::Path | ConfigCommand::Show { .. }) }
            | Command::Bench { command: BenchCommand::PassThrough { .. } }
            | Command::Mcp
            | Command::Record(_)
            | Command::Metrics
            | Command::Completions { .. }
            | Command::Man { .. } => false,
        }
    }
}
