//! The commands and their flags.

use std::path::PathBuf;

use crate::domain::Dimension;

use super::{Filters, When};

/// A taxi meter for coding agents: live tokens, cost and limits.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "tokmeter",
    version,
    subcommand_help_heading = "Commands",
    after_help = "Examples:
  tokmeter                        every agent log on this machine, live
  tokmeter ~/app/usage.jsonl      one log, live
  tokmeter report month --by model
  tokmeter limits set day 25usd

An argument that is both a command and a file is the command; write ./report for the file."
)]
pub struct Cli {
    /// What to do; without a command: the live screen
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The live screen
    #[command(flatten)]
    pub live: LiveArgs,
    /// Read this config file instead of the usual one
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// Keep the ledger and the usage log here
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub data_dir: Option<PathBuf>,
    /// The time zone that decides where a day begins, such as Europe/Rome
    #[arg(long, global = true, value_name = "ZONE", help_heading = "Everywhere")]
    pub tz: Option<String>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Everywhere")]
    pub color: Color,
    /// Treat warnings about the config as errors
    #[arg(long, global = true, hide = true)]
    pub strict: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal that has it.
    #[default]
    Auto,
    /// Even into a pipe.
    Always,
    /// Not at all.
    Never,
}

/// What the live screen shows, and how.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LiveArgs {
    /// Files, folders, or - for standard input; without any, every agent log on this machine
    ///
    /// Any known format, recognised by content. What is given here is not booked unless --book is given, and
    /// everything shown, limits included, is about these paths only.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Also listen on a Unix socket; without a name, on the usual one
    ///
    /// What follows is taken for its name: put it after the paths, or write --socket=SOCK.
    // A path may not be empty, which is what stands for the usual socket.
    #[arg(long, value_name = "SOCK", num_args = 0..=1, default_missing_value = "")]
    pub socket: Option<std::ffi::OsString>,
    /// Open on one session
    #[arg(long, value_name = "ID|latest")]
    pub session: Option<String>,
    /// One to four lines, for a narrow pane
    #[arg(long)]
    pub compact: bool,
    /// No full screen: one line per change
    #[arg(long, conflicts_with = "compact")]
    pub plain: bool,
    /// Draw one screen as text and end
    #[arg(long, conflicts_with = "plain")]
    pub once: bool,
    /// With --once: draw the screen as an SVG picture instead of text
    #[arg(long, requires = "once")]
    pub svg: bool,
    /// With --once: the size of the screen, such as 120x36
    #[arg(long, value_name = "COLSxROWS", requires = "once", value_parser = parse_size)]
    pub size: Option<(u16, u16)>,
    /// Keep the books in memory only
    #[arg(long)]
    pub no_ledger: bool,
    /// Book what the given paths hold
    #[arg(long)]
    pub book: bool,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

/// A command.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Run an agent in this terminal; when it ends, print its session summary
    #[command(after_help = "Example:\n  tokmeter run -- claude")]
    Run {
        /// The command and its arguments
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
    /// End-of-session summary
    #[command(after_help = "Example:\n  tokmeter summary latest --json")]
    Summary {
        /// The session's name or its beginning, or 'latest' (the default); then files and folders, or nothing for
        /// everything found
        #[arg(value_name = "SESSION|PATH")]
        words: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Keep the books in memory only
        #[arg(long)]
        no_ledger: bool,
    },
    /// Tokens and cost by day, week, month, session or call
    #[command(after_help = "Examples:
  tokmeter report                           by day
  tokmeter report month --by model
  tokmeter report total --by source,model --json ~/logs
  tokmeter report session --since 7d --order desc --limit 10")]
    Report(ReportArgs),
    /// Show and change limits
    #[command(after_help = "Examples:
  tokmeter limits set day 25usd
  tokmeter limits set user:alice:day 500k
  tokmeter limits unset day")]
    Limits {
        /// What to do; without a word: show
        #[command(subcommand)]
        command: Option<LimitsCommand>,
    },
    /// Within limits? Exit 0, else 2
    #[command(after_help = "Example:\n  tokmeter gate && my-agent")]
    Gate(GateArgs),
    /// One line for an agent's status bar, tmux or a shell prompt
    #[command(
        after_help = "Example, in Claude Code's settings.json:\n  {\"statusLine\":{\"type\":\"command\",\"command\":\"tokmeter statusline\"}}"
    )]
    Statusline {
        /// The line's form, such as `{model} · {session_cost} · {limit}`; `tokmeter config init` writes down the words
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
    },
    /// Book one call, from flags or from JSON on standard input
    #[command(after_help = "Example:\n  tokmeter record --model gpt-4o --input 500 --output 300 --user alice")]
    Record(RecordArgs),
    /// List and explain prices
    #[command(after_help = "Example:\n  tokmeter prices show claude-opus-5")]
    Prices {
        /// What to do; without a word: list
        #[command(subcommand)]
        command: Option<PricesCommand>,
    },
    /// How one call's cost came about, and where its row came from
    #[command(after_help = "Example:\n  tokmeter explain 3f2a91c0…   (keys: tokmeter report call)")]
    Explain {
        /// The call's key, or its beginning
        #[arg(value_name = "CALL-KEY")]
        key: String,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Read these files and folders instead of everything found
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Duplicates dropped, partial, guessed, unpriced, quarantined: counts and places
    #[command(after_help = "Example:\n  tokmeter audit --json")]
    Audit {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Read these files and folders instead of everything found
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Look after the books
    #[command(after_help = "Example:\n  tokmeter ledger export > books.jsonl")]
    Ledger {
        /// What to do; without a word: info
        #[command(subcommand)]
        command: Option<LedgerCommand>,
    },
    /// A month's statement
    #[command(after_help = "Example:\n  tokmeter invoice 2026-10 --markdown")]
    Invoice(InvoiceArgs),
    /// Hold a provider's bill against the books, per day and model
    #[command(after_help = "Example:\n  tokmeter reconcile cost_2026-10.csv")]
    Reconcile(ReconcileArgs),
    /// Cache health, dearest calls, shares of sub-agents: what is worth acting on
    #[command(after_help = "Example:\n  tokmeter signals --since 7d")]
    Signals {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Compare with this model: what the same tokens would have cost
        #[arg(long, value_name = "MODEL")]
        against: Option<String>,
        /// Read these files and folders instead of everything found
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Which calls count
        #[command(flatten)]
        filters: Filters,
    },
    /// Play a log back in scaled real time
    #[command(after_help = "Example:\n  tokmeter replay usage.jsonl --speed 60")]
    Replay {
        /// The log
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How many times faster than it happened
        #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        speed: u32,
    },
    /// A made-up session, to look at the screen without any log
    #[command(after_help = "Example:\n  tokmeter demo")]
    Demo {
        /// How many times faster than it would happen
        #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        speed: u32,
    },
    /// Show, check and create the config
    #[command(after_help = "Example:\n  tokmeter config init")]
    Config {
        /// What to do; without a word: show
        #[command(subcommand)]
        command: Option<ConfigCommand>,
    },
    /// Connect an agent: status line and limit hooks
    #[command(after_help = "Example:\n  tokmeter setup claude")]
    Setup {
        /// Which agent
        #[command(subcommand)]
        command: SetupCommand,
    },
    /// Paths, watch mode, time zone, price age, bad lines; exit 1 if something needs attention
    #[command(after_help = "Example:\n  tokmeter doctor")]
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Prometheus text
    #[command(after_help = "Example:\n  tokmeter metrics")]
    Metrics,
    /// Shell completions
    #[command(after_help = "Example:\n  tokmeter completions bash > /etc/bash_completion.d/tokmeter")]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// The manual page
    #[command(after_help = "Example:\n  tokmeter man | man -l -")]
    Man,
}

/// A report.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReportArgs {
    /// day (the default), week, month, session, call or total; then files and folders, or nothing for everything found
    #[arg(value_name = "PERIOD|PATH")]
    pub words: Vec<PathBuf>,
    /// Split by: model, source, user, project, agent, team, feature, org, session
    #[arg(long, value_name = "DIM", value_delimiter = ',', value_parser = parse_dimension)]
    pub by: Vec<Dimension>,
    /// How it is written
    #[command(flatten)]
    pub shape: Shape,
    /// Only this session
    #[arg(long, value_name = "ID|latest")]
    pub session: Option<String>,
    /// Oldest first, or newest first
    #[arg(long, value_name = "asc|desc", default_value = "asc", value_parser = ["asc", "desc"])]
    pub order: String,
    /// No more rows than this
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// The daily summary of yesterday
    #[arg(long, conflicts_with_all = ["since", "until"])]
    pub yesterday: bool,
    /// Keep the books in memory only: read the logs, not the ledger
    #[arg(long)]
    pub no_ledger: bool,
    /// Price every call anew with today's book, without changing what was booked
    #[arg(long)]
    pub reprice: bool,
    /// Also book what the given paths hold
    #[arg(long)]
    pub book: bool,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Shape {
    /// As JSON
    #[arg(long, conflicts_with_all = ["csv", "markdown"])]
    pub json: bool,
    /// As CSV
    #[arg(long, conflicts_with = "markdown")]
    pub csv: bool,
    /// As a Markdown table
    #[arg(long)]
    pub markdown: bool,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Table,
    /// JSON.
    Json,
    /// CSV.
    Csv,
    /// Markdown.
    Markdown,
}

impl Shape {
    /// The one that was chosen.
    pub fn style(self) -> Style {
        match self {
            Self { json: true, .. } => Style::Json,
            Self { csv: true, .. } => Style::Csv,
            Self { markdown: true, .. } => Style::Markdown,
            Self { .. } => Style::Table,
        }
    }
}

/// What to do with limits.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum LimitsCommand {
    /// Show every limit and how it stands
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a limit, keeping the config's comments
    Set {
        /// day, week, month, session, call, 5h, user:alice:day, model:claude-opus-*:month …
        #[arg(value_name = "SCOPE")]
        scope: String,
        /// 25usd, 500k, 1.5M, or both: '25usd + 500k'
        #[arg(value_name = "AMOUNT", allow_hyphen_values = true)]
        amount: String,
    },
    /// Remove a limit
    Unset {
        /// As in `set`
        #[arg(value_name = "SCOPE")]
        scope: String,
    },
    /// Lift limits for one session, or put them back; the ledger remembers that and why
    #[command(after_help = "Examples:
  tokmeter limits override 3f2a91c0 --reason 'release tonight'
  tokmeter limits override 3f2a91c0 --revoke")]
    Override {
        /// The session
        #[arg(value_name = "SESSION")]
        session: String,
        /// Why
        #[arg(long, value_name = "TEXT", required_unless_present = "revoke")]
        reason: Option<String>,
        /// Limits stop this session again
        #[arg(long, conflicts_with = "reason")]
        revoke: bool,
    },
}

/// Ask whether a call may be made.
#[derive(Clone, Debug, clap::Args)]
pub struct GateArgs {
    /// Speak an agent's hook protocol on standard input and output
    #[arg(long, value_name = "AGENT", value_parser = ["claude"])]
    pub hook: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// For this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// For this model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// For this project
    #[arg(long, value_name = "PATH")]
    pub project: Option<String>,
    /// For this team
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// For this agent
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// For this feature
    #[arg(long, value_name = "NAME")]
    pub feature: Option<String>,
    /// For this session
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
}

/// One call, by hand.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RecordArgs {
    /// The model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Input tokens, cached ones not included
    #[arg(long, value_name = "N")]
    pub input: Option<u64>,
    /// Output tokens
    #[arg(long, value_name = "N")]
    pub output: Option<u64>,
    /// Tokens read from a cache
    #[arg(long, value_name = "N")]
    pub cache_read: Option<u64>,
    /// Tokens written to a five-minute cache
    #[arg(long, value_name = "N")]
    pub cache_write_5m: Option<u64>,
    /// Tokens written to a one-hour cache
    #[arg(long, value_name = "N")]
    pub cache_write_1h: Option<u64>,
    /// The part of the output that was reasoning
    #[arg(long, value_name = "N")]
    pub reasoning: Option<u64>,
    /// Its cost in dollars, for a model without a price
    #[arg(long, value_name = "USD")]
    pub cost: Option<String>,
    /// What names the call; recording it again changes nothing
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// When, if not now
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// The session
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// The user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The team
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// The organisation
    #[arg(long, value_name = "NAME")]
    pub org: Option<String>,
    /// The project
    #[arg(long, value_name = "PATH")]
    pub project: Option<String>,
    /// The sub-agent
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// The feature
    #[arg(long, value_name = "NAME")]
    pub feature: Option<String>,
    /// The socket of a running meter, if not the usual one
    #[arg(long, value_name = "SOCK")]
    pub socket: Option<PathBuf>,
}

/// What to do with prices.
#[derive(Clone, Debug, clap::Subcommand)]
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

/// What to do with the books.
#[derive(Clone, Debug, clap::Subcommand)]
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

/// A month's statement.
#[derive(Clone, Debug, clap::Args)]
pub struct InvoiceArgs {
    /// The month, such as 2026-10; without one: last month
    #[arg(value_name = "MONTH", value_parser = parse_when)]
    pub month: Option<When>,
    /// Rows by: user, team, agent, model, project
    #[arg(long, value_name = "DIM", value_delimiter = ',', value_parser = parse_dimension, default_value = "user,model")]
    pub by: Vec<Dimension>,
    /// How it is written
    #[command(flatten)]
    pub shape: Shape,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

/// A bill to hold against the books.
#[derive(Clone, Debug, clap::Args)]
pub struct ReconcileArgs {
    /// The provider's cost export
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// The column of the day, when it is not recognised
    #[arg(long, value_name = "COLUMN")]
    pub date: Option<String>,
    /// The column of the model
    #[arg(long, value_name = "COLUMN")]
    pub model_column: Option<String>,
    /// The column of the cost in dollars
    #[arg(long, value_name = "COLUMN")]
    pub cost: Option<String>,
    /// A difference up to this many per cent is fine
    #[arg(long, value_name = "PER CENT", default_value = "1")]
    pub tolerance: u32,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

/// What to do with the config.
#[derive(Clone, Debug, clap::Subcommand)]
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

/// Which agent to connect.
#[derive(Clone, Debug, clap::Subcommand)]
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

pub(super) fn parse_when(text: &str) -> Result<When, String> {
    text.parse()
}

fn parse_dimension(text: &str) -> Result<Dimension, String> {
    text.parse()
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("'{text}' is no size; write 120x36");
    let (columns, rows) = text.split_once(['x', 'X']).ok_or_else(wrong)?;
    Ok((columns.parse().map_err(|_| wrong())?, rows.parse().map_err(|_| wrong())?))
}
