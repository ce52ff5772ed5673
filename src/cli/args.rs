//! Top-level commands and global options.

use std::path::PathBuf;

use super::{
    BenchCommand, ConfigCommand, Filters, GateArgs, InvoiceArgs, LedgerCommand, LimitsCommand, LiveArgs, PricesCommand,
    ProxyArgs, ReconcileArgs, RecordArgs, ReportArgs, ServeArgs, SetupCommand,
};

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
    /// Subcommand; without one, the live screen
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The live screen
    #[command(flatten)]
    pub live: LiveArgs,
    /// Read this config file instead of the default one
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
    /// Write what the program does to this file, for a bug report
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub log: Option<PathBuf>,
    /// Treat warnings about the config as errors
    #[arg(long, global = true, hide = true)]
    pub strict: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On terminals that support it.
    #[default]
    Auto,
    /// Even when the output is not a terminal.
    Always,
    /// Never.
    Never,
}

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Run an agent in this terminal; when it ends, sum up the calls of its sessions
    #[command(
        after_help = "Examples:\n  tokmeter run -- claude\n  tokmeter run --budget 2usd -- claude -p 'fix the tests'"
    )]
    Run {
        /// Stop the agent when this is spent, and exit with 2: 2usd, 500k
        #[arg(long, value_name = "AMOUNT")]
        budget: Option<String>,
        /// The sum as a line of JSON on standard error, instead of text
        #[arg(long)]
        json: bool,
        /// The command and its arguments
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
    /// End-of-session summary
    #[command(after_help = "Example:\n  tokmeter summary latest --json")]
    Summary {
        /// The session's id or a prefix of it, or 'latest' (the default); then files and folders, or nothing for
        /// everything found
        #[arg(value_name = "SESSION|PATH")]
        words: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Count in memory only, without the ledger
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
    /// Take telemetry over HTTP; answer with metrics, an API and a page
    #[command(after_help = "Examples:
  tokmeter serve
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 CLAUDE_CODE_ENABLE_TELEMETRY=1 \\
    OTEL_LOGS_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=http/json claude
  curl http://127.0.0.1:4318/metrics

An address beyond this machine needs a token: the first line of --token-file, or TOKMETER_TOKEN.
Clients send it as `Authorization: Bearer TOKEN`.")]
    Serve(ServeArgs),
    /// Answer an agent that asks what it spends: an MCP server over standard input and output
    #[command(after_help = "Example, for Claude Code:\n  claude mcp add tokmeter -- tokmeter mcp")]
    Mcp,
    /// Forward calls to a model service, unchanged, and count them
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:
  tokmeter proxy --upstream https://api.openai.com
  OPENAI_BASE_URL=http://127.0.0.1:4319/v1 my-program
  tokmeter proxy --upstream https://api.anthropic.com --upstream /openai=https://api.openai.com
  ANTHROPIC_BASE_URL=http://127.0.0.1:4319 claude
  tokmeter proxy key add --user alice --team web

Credentials pass through. x-user-id, x-team-id, x-project, x-session-id, x-agent-id and x-feature say who
calls. An address beyond this machine needs a token, which clients send as x-tokmeter-key or in the path: /k/TOKEN/v1/…"
    )]
    Proxy(ProxyArgs),
    /// Measure on this machine
    #[command(after_help = "Example:\n  tokmeter bench proxy")]
    Bench {
        /// Measurement
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Show and change limits
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:
  tokmeter limits set day 25usd
  tokmeter limits set user:alice:day 500k
  tokmeter limits unset day"
    )]
    Limits {
        /// Print JSON, like `show --json`
        #[arg(long)]
        json: bool,
        /// Subcommand; by default show
        #[command(subcommand)]
        command: Option<LimitsCommand>,
    },
    /// Within limits? Exit 0, else 2
    #[command(after_help = "Examples:
  tokmeter gate && my-agent
  tokmeter gate --model claude-opus-5 --project ~/api && my-agent

A limit of a model, a project, a session and so on is checked only if you name the call's --model, --project or
--session, in full or as the screens show it; a note says which limits were not checked. A `call` limit that was
exceeded only warns, unless it is zero.")]
    Gate(GateArgs),
    /// One line for an agent's status bar, tmux or a shell prompt
    #[command(
        after_help = "Example, in Claude Code's settings.json:\n  {\"statusLine\":{\"type\":\"command\",\"command\":\"tokmeter statusline\"}}"
    )]
    Statusline {
        /// Template of the line, such as `{model} · {session_cost} · {limit}`; `tokmeter config init` lists
        /// the placeholders
        #[arg(long, value_name = "FORMAT")]
        format: Option<String>,
    },
    /// Book one call, from flags or from JSON on standard input
    #[command(after_help = "Example:\n  tokmeter record --model gpt-4o --input 500 --output 300 --user alice")]
    Record(RecordArgs),
    /// List and explain prices
    #[command(after_help = "Example:\n  tokmeter prices show claude-opus-5")]
    Prices {
        /// Subcommand; by default list
        #[command(subcommand)]
        command: Option<PricesCommand>,
    },
    /// Explain one call's cost, and where it was read
    #[command(
        after_help = "Examples:\n  tokmeter explain latest\n  tokmeter explain 3f2a91c0…   (keys: tokmeter report call)"
    )]
    Explain {
        /// The call's key, a prefix of it, or latest
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
    /// Estimate, from its text, output that logs do not count; in no total
    #[command(after_help = "Examples:\n  tokmeter backfill --dry-run\n  tokmeter backfill --undo")]
    Backfill {
        /// Show the estimates without writing them
        #[arg(long)]
        dry_run: bool,
        /// Remove all estimates
        #[arg(long, conflicts_with_all = ["dry_run", "json"])]
        undo: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Maintain the ledger
    #[command(after_help = "Example:\n  tokmeter ledger export > books.jsonl")]
    Ledger {
        /// Subcommand; by default info
        #[command(subcommand)]
        command: Option<LedgerCommand>,
    },
    /// Statement for one month
    #[command(after_help = "Example:\n  tokmeter invoice 2026-10 --markdown")]
    Invoice(InvoiceArgs),
    /// Compare a provider's bill with the ledger, per day and model
    #[command(after_help = "Example:\n  tokmeter reconcile cost_2026-10.csv")]
    Reconcile(ReconcileArgs),
    /// Cache health, most expensive calls, shares of sub-agents
    #[command(after_help = "Example:\n  tokmeter signals --since 7d")]
    Signals {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Compare with the cost of the same tokens on this model
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
    /// Simulated work of two agents, to try the screen without any log
    #[command(after_help = "Example:\n  tokmeter demo")]
    Demo {
        /// How many times faster than it would happen
        #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        speed: u32,
    },
    /// Show, check and create the config
    #[command(after_help = "Example:\n  tokmeter config init")]
    Config {
        /// Subcommand; by default show
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
    /// Every agent that can be read: found or not, where, files, last call, how exact its logs are
    #[command(after_help = "Example:\n  tokmeter agents")]
    Agents {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Paths, watch mode, time zone, price age, bad lines; exit 1 if something needs attention
    #[command(after_help = "Example:\n  tokmeter doctor")]
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Count the samples that come with the program, on this machine; exit 1 if a number differs
    #[command(after_help = "Examples:\n  tokmeter selftest\n  tokmeter selftest --export samples")]
    Selftest {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Write the samples to a new folder instead, with the expected counts of each, for testing other programs
        #[arg(long, value_name = "DIR", conflicts_with = "json")]
        export: Option<PathBuf>,
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
    /// The manual page, or that of a command
    #[command(after_help = "Examples:\n  tokmeter man | man -l -\n  tokmeter man ledger export | man -l -")]
    Man {
        /// The command
        #[arg(value_name = "COMMAND")]
        words: Vec<String>,
    },
}
