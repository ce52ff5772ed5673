//! Arguments of `report`, `invoice` and `reconcile`.

use std::path::PathBuf;

use super::when::parse_when;
use super::{Filters, When};
use crate::domain::Dimension;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ReportArgs {
    /// day (the default), week, month, session, call or total; then files and folders, or nothing for everything found
    #[arg(value_name = "PERIOD|PATH")]
    pub words: Vec<PathBuf>,
    /// Split by: model, source, user, project, agent, team, feature, org, session, branch, fidelity, repo, ticket
    #[arg(long, value_name = "DIM", value_delimiter = ',', value_parser = parse_dimension)]
    pub by: Vec<Dimension>,
    /// Output format
    #[command(flatten)]
    pub shape: Shape,
    /// Only this session
    #[arg(long, value_name = "ID|latest")]
    pub session: Option<String>,
    /// Oldest first, or newest first
    #[arg(long, value_name = "asc|desc", value_parser = ["asc", "desc"])]
    pub order: Option<String>,
    /// Maximum number of rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Summary of yesterday
    #[arg(long, conflicts_with_all = ["since", "until"])]
    pub yesterday: bool,
    /// Send it by every channel under [alerts]: mail, Slack, web hook, command
    #[arg(long, requires = "yesterday", conflicts_with_all = ["json", "csv", "markdown", "order", "limit"])]
    pub send: bool,
    /// Read the logs only, without the ledger
    #[arg(long)]
    pub no_ledger: bool,
    /// Use today's prices for every call, without changing the ledger
    #[arg(long)]
    pub reprice: bool,
    /// Also book the calls in the given paths
    #[arg(long)]
    pub book: bool,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

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

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text table.
    Table,
    /// JSON.
    Json,
    /// CSV.
    Csv,
    /// Markdown.
    Markdown,
}

impl Shape {
    /// The format chosen by these flags.
    pub fn style(self) -> Style {
        match self {
            Self { json: true, .. } => Style::Json,
            Self { csv: true, .. } => Style::Csv,
            Self { markdown: true, .. } => Style::Markdown,
            Self { .. } => Style::Table,
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
pub struct InvoiceArgs {
    /// The month, such as 2026-10; without one: last month
    #[arg(value_name = "MONTH", value_parser = parse_when)]
    pub month: Option<When>,
    /// Rows by: user, team, agent, model, project
    #[arg(long, value_name = "DIM", value_delimiter = ',', value_parser = parse_dimension, default_value = "user,model")]
    pub by: Vec<Dimension>,
    /// Output format
    #[command(flatten)]
    pub shape: Shape,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

#[derive(Clone, Debug, clap::Args)]
pub struct ReconcileArgs {
    /// The provider's cost export
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// The column with the day, if it is not recognised
    #[arg(long, value_name = "COLUMN")]
    pub date: Option<String>,
    /// The column with the model
    #[arg(long, value_name = "COLUMN")]
    pub model_column: Option<String>,
    /// The column with the cost in dollars
    #[arg(long, value_name = "COLUMN")]
    pub cost: Option<String>,
    /// Accept differences up to this many per cent
    #[arg(long, value_name = "PER CENT", default_value = "1")]
    pub tolerance: u32,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Which calls count
    #[command(flatten)]
    pub filters: Filters,
}

fn parse_dimension(text: &str) -> Result<Dimension, String> {
    text.parse()
}
