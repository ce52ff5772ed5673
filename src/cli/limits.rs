//! Arguments of `limits`, `gate` and `record`.

use std::path::PathBuf;

#[derive(Clone, Debug, clap::Subcommand)]
#[command(defer = true)]
pub enum LimitsCommand {
    /// Show every limit with its usage
    #[command(after_help = "Example:\n  tokmeter limits show --json")]
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a limit, keeping the config's comments
    #[command(
        after_help = "Examples:\n  tokmeter limits set day 25usd\n  tokmeter limits set user:alice:month 100usd + 50M"
    )]
    Set {
        /// day, week, month, session, call, block, 5h, user:alice:day, model:claude-opus-*:month …
        #[arg(value_name = "SCOPE")]
        scope: String,
        /// 25usd, 500k, 1.5M tokens, or both: 25usd + 500k
        #[arg(value_name = "AMOUNT", allow_hyphen_values = true)]
        amount: String,
        /// The other words of an amount that is not quoted. They are no options, so those may follow.
        #[arg(hide = true)]
        words: Vec<String>,
    },
    /// Remove a limit
    #[command(after_help = "Example:\n  tokmeter limits unset user:alice:month")]
    Unset {
        /// As in `set`
        #[arg(value_name = "SCOPE")]
        scope: String,
    },
    /// Lift limits for one session, or restore them; the ledger records it with the reason
    #[command(
        group = clap::ArgGroup::new("what").required(true).args(["reason", "revoke"]),
        after_help = "Examples:
  tokmeter limits override 3f2a91c0 --reason 'release tonight'
  tokmeter limits override 3f2a91c0 --revoke"
    )]
    Override {
        /// The session: its id, the beginning or end of it, or its displayed form; before its first call, the whole id
        #[arg(value_name = "SESSION")]
        session: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Restore the limits
        #[arg(long)]
        revoke: bool,
    },
}

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
    /// For this model; without one, limits of models are not checked
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// For this project; without one, limits of projects are not checked
    #[arg(long, value_name = "PATH")]
    pub project: Option<String>,
    /// For this team, if not the session's or the config's
    #[arg(long, value_name = "NAME")]
    pub team: Option<String>,
    /// For this organisation, if not the session's or the config's
    #[arg(long, value_name = "NAME")]
    pub org: Option<String>,
    /// For this sub-agent; without one, limits of sub-agents and of their runs are not checked
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// For this feature; without one, limits of features are not checked
    #[arg(long, value_name = "NAME")]
    pub feature: Option<String>,
    /// For this session, by its id, as it is shown, or by 8 characters or more of its beginning or end; without one,
    /// limits of sessions are not checked
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct RecordArgs {
    /// The model
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
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
    /// Id of the call; recording it again changes nothing
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Time of the call, if not now
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
    /// The socket of a running meter, if not the default one
    #[arg(long, value_name = "SOCK")]
    pub socket: Option<PathBuf>,
}
