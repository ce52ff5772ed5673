//! What is kept: the config, the prices, the ledger, and the settings of agents.

use std::path::PathBuf;

use super::When;
use super::when::parse_when;

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum PricesCommand {
    /// List models and their rates
    List {
        /// Only models whose name contains this
        #[arg(value_name = "PATTERN")]
        pattern: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One model's rates, with their history
    Show {
        /// The model
        #[arg(value_name = "MODEL")]
        model: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a newer price list from a file: LiteLLM's public list as JSON
    Update {
        /// The list
        #[arg(value_name = "FILE")]
        from: PathBuf,
    },
    /// What a newer list changed, and what booked calls would cost at today's prices; exit 1 if anything differs
    Check,
}

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum LedgerCommand {
    /// Rows, size, oldest, newest
    Info {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check the file, and that the sums equal the rows; exit 1 if not
    Verify,
    /// Every call as JSONL to standard output
    Export,
    /// Take in what another machine exported; once or many times, the result is the same
    Import {
        /// The export, or - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Forget calls made before a day: the only way rows disappear
    Prune {
        /// The day
        #[arg(long, value_name = "D", value_parser = parse_when)]
        before: When,
    },
    /// Book every call again at today's prices, after a backup
    Reprice {
        /// Do it; without this flag only the difference is shown
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum ConfigCommand {
    /// Where it is
    Path,
    /// Create it, with everything in it commented
    Init {
        /// Overwrite the one that is there
        #[arg(long)]
        force: bool,
    },
    /// What is in force
    Show {
        /// With where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Whether it is right; exit 1 for warnings, 78 for errors
    Check,
}

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum SetupCommand {
    /// Claude Code: shows what would be written to its settings, and writes it on confirmation
    Claude {
        /// Write without asking
        #[arg(long)]
        yes: bool,
        /// Take back what was written
        #[arg(long)]
        undo: bool,
        /// The settings file, if not the user's own
        #[arg(long, value_name = "FILE")]
        settings: Option<PathBuf>,
    },
}
