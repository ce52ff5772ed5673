//! Arguments of `prices`, `ledger` and `config`.

use std::path::PathBuf;

use super::When;
use super::when::parse_when;

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum PricesCommand {
    /// List models and their rates
    #[command(after_help = "Example:\n  tokmeter prices list opus")]
    List {
        /// Only models whose name contains this
        #[arg(value_name = "PATTERN")]
        pattern: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One model's rates, with their history
    #[command(after_help = "Example:\n  tokmeter prices show claude-opus-5")]
    Show {
        /// The model
        #[arg(value_name = "MODEL")]
        model: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Import a newer price list from a file: LiteLLM's public list as JSON
    #[command(after_help = "Example:\n  tokmeter prices update model_prices_and_context_window.json")]
    Update {
        /// The list
        #[arg(value_name = "FILE")]
        from: PathBuf,
    },
    /// Show what a newer list changed, and the cost of booked calls at today's prices; exit 1 if anything differs
    #[command(after_help = "Example:\n  tokmeter prices check")]
    Check,
}

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum LedgerCommand {
    /// Rows, size, oldest, newest
    #[command(after_help = "Example:\n  tokmeter ledger info")]
    Info {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check the file, and that the sums equal the rows; exit 1 if not
    #[command(after_help = "Example:\n  tokmeter ledger verify && echo sound")]
    Verify,
    /// Every call as JSONL to standard output
    #[command(after_help = "Example:\n  tokmeter ledger export > laptop.jsonl")]
    Export,
    /// Import another machine's export; importing it again changes nothing
    #[command(after_help = "Example:\n  tokmeter ledger import laptop.jsonl")]
    Import {
        /// The export, or - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Delete calls made before a day: the only way rows disappear
    #[command(
        after_help = "Examples:\n  tokmeter ledger export > before.jsonl\n  tokmeter ledger prune --before 2026-01-01"
    )]
    Prune {
        /// The day
        #[arg(long, value_name = "D", value_parser = parse_when)]
        before: When,
    },
    /// Reprice every call at today's prices, after a backup
    #[command(after_help = "Examples:\n  tokmeter ledger reprice\n  tokmeter ledger reprice --yes")]
    Reprice {
        /// Write the changes; without this flag they are only shown
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum ConfigCommand {
    /// Print its path
    #[command(after_help = "Example:\n  ${EDITOR:-vi} \"$(tokmeter config path)\"")]
    Path,
    /// Create it, with everything commented out
    #[command(after_help = "Example:\n  tokmeter config init")]
    Init {
        /// Overwrite an existing one
        #[arg(long)]
        force: bool,
    },
    /// Show the settings in force
    #[command(after_help = "Example:\n  tokmeter config show --origin")]
    Show {
        /// With the origin of each value
        #[arg(long)]
        origin: bool,
    },
    /// Check it; exit 1 for warnings, 78 for errors
    #[command(after_help = "Example:\n  tokmeter config check")]
    Check,
}
